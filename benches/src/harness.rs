//! Starts measuring processes and plays the runner's part of the conversation with them. Knows neither rows nor engines.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use kit::Result;
use kit::report::Report;

use crate::fresh_copy::FreshCopy;

/// Who plays a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    /// This one.
    Own,
    /// The one with the other implementations in Rust, which lies beside this one if it was built.
    Peers,
}

/// The program with the other implementations.
const PEERS: &str = "colugo-bench-peers";

/// A role and its settings.
#[derive(Debug, Clone)]
pub struct Part {
    program: Program,
    role: &'static str,
    settings: Vec<(&'static str, String)>,
}

impl Part {
    /// A role with default settings.
    pub fn new(role: &'static str) -> Self {
        Self {
            program: Program::Own,
            role,
            settings: Vec::new(),
        }
    }

    /// A role of another implementation in Rust.
    pub fn peer(role: &'static str) -> Self {
        Self {
            program: Program::Peers,
            ..Self::new(role)
        }
    }

    /// Its name.
    pub fn role(&self) -> &'static str {
        self.role
    }

    /// The same with one setting more.
    #[must_use]
    pub fn set(mut self, key: &'static str, value: impl ToString) -> Self {
        self.settings.push((key, value.to_string()));
        self
    }
}

/// How to measure.
#[derive(Debug, Clone)]
pub struct Harness {
    own: FreshCopy,
    peers: Option<FreshCopy>,
    secs: f64,
}

impl Harness {
    /// Runs of `secs` seconds, in processes of this very program.
    pub fn new(secs: f64) -> Result<Self> {
        Ok(Self {
            own: FreshCopy::of(std::env::current_exe()?)?,
            peers: None,
            secs,
        })
    }

    /// And of the program with the other implementations; says what to do if it is not there.
    pub fn with_peers(mut self) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name(PEERS);
        if !program.exists() {
            let advice = "`cargo xtask bench --peers` builds it";
            return Err(format!("{} is not there: {advice}", program.display()).into());
        }
        self.peers = Some(FreshCopy::of(program)?);
        Ok(self)
    }

    /// What is started from here on runs from other copies of the programs.
    pub fn renew(&self) -> Result<()> {
        self.own.renew()?;
        self.peers.as_ref().map_or(Ok(()), FreshCopy::renew)
    }

    /// One run between two processes: `binder` says where it is, `dialler` goes there.
    pub fn pair(&self, binder: &Part, dialler: &Part) -> Result<Report> {
        let deadline = self.deadline();
        let (sender, said) = channel();
        let mut first = self.start(binder, &[], 0, sender.clone())?;
        let address = ready(&said, deadline)?;
        let mut second = self.start(dialler, &[("addr", address)], 1, sender)?;
        ready(&said, deadline)?;
        first.tell("go")?;
        second.tell("go")?;
        let (who, done) = figures(&said, deadline)?;
        let other = if who == 0 { &mut second } else { &mut first };
        other.tell("stop")?;
        let (_, rest) = figures(&said, deadline)?;
        Ok(done.merge(rest))
    }

    /// One run of a process that needs no other.
    pub fn solo(&self, part: &Part) -> Result<Report> {
        let deadline = self.deadline();
        let (sender, said) = channel();
        let mut process = self.start(part, &[], 0, sender)?;
        ready(&said, deadline)?;
        process.tell("go")?;
        Ok(figures(&said, deadline)?.1)
    }

    /// When a run is given up.
    pub fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_secs_f64(self.secs * 5.0 + 30.0)
    }

    /// Starts a process. What it says goes to `said`, with `index` for its name.
    pub fn start(
        &self,
        part: &Part,
        more: &[(&'static str, String)],
        index: usize,
        said: Sender<(usize, String)>,
    ) -> Result<Process> {
        let program = match part.program {
            Program::Own => &self.own,
            Program::Peers => self.peers.as_ref().ok_or("peers were not asked for")?,
        };
        let mut command = Command::new(program.path());
        command
            .arg("child")
            .arg(part.role)
            .arg(format!("secs={}", self.secs));
        for (key, value) in part.settings.iter().chain(more) {
            command.arg(format!("{key}={value}"));
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", program.path().display()))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take();
        let process = Process { child, stdin };
        let reader = BufReader::new(stdout.ok_or("a child without stdout")?);
        std::thread::spawn(move || {
            for line in reader.lines().map_while(std::result::Result::ok) {
                let over = line.starts_with("done") || line.starts_with("failed");
                if said.send((index, line)).is_err() || over {
                    return;
                }
            }
            let _ = said.send((index, "failed: it ended without a word".to_owned()));
        });
        Ok(process)
    }
}

/// A measuring process. It ends, at the latest, when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Says a line to it.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().ok_or("a child without stdin")?;
        writeln!(stdin, "{line}")?;
        Ok(stdin.flush()?)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the child has not been waited for, so the id is still its own.
        unsafe { libc::kill(self.child.id().cast_signed(), signal) };
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next line of any process, with its index.
pub fn next_line(said: &Receiver<(usize, String)>, deadline: Instant) -> Result<(usize, String)> {
    let left = deadline.saturating_duration_since(Instant::now());
    let (index, line) = said
        .recv_timeout(left)
        .map_err(|_| "it took too long: a message may be lost, or a side hangs")?;
    if line.starts_with("failed") {
        Err(line.into())
    } else {
        Ok((index, line))
    }
}

/// Waits for `ready`, and returns the address that came with it.
pub fn ready(said: &Receiver<(usize, String)>, deadline: Instant) -> Result<String> {
    let (_, line) = next_line(said, deadline)?;
    let address = line
        .strip_prefix("ready")
        .ok_or_else(|| format!("{line:?} where ready was due"))?;
    Ok(address.trim().to_owned())
}

/// Waits for `done`, and returns the figures and whose they are.
pub fn figures(said: &Receiver<(usize, String)>, deadline: Instant) -> Result<(usize, Report)> {
    let (index, line) = next_line(said, deadline)?;
    let text = line
        .strip_prefix("done")
        .ok_or_else(|| format!("{line:?} where figures were due"))?;
    Ok((index, text.parse()?))
}
