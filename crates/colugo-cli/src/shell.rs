//! `Shell`: runs a command for each request, bounded in time and in what it may print. Knows nothing of services.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::interrupt::{Interrupt, LOOK_EVERY};

/// The most that a command may print.
const OUTPUT_MAX: u64 = 64 << 20;

/// A command line, and how long it may run.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    pub(crate) line: String,
    pub(crate) timeout: Duration,
}

impl Shell {
    /// What the command prints, given `input`; or why there is no answer, for people.
    pub(crate) fn answer(&self, input: &[Bytes], interrupt: &Interrupt) -> Result<Vec<u8>, String> {
        let mut child = self
            .command()
            .spawn()
            .map_err(|error| format!("the command could not be started: {error}"))?;
        feed(&mut child, input)?;
        let output = collect(&mut child)?;
        let deadline = Instant::now() + self.timeout;
        let printed = await_output(&output, deadline, interrupt);
        let status =
            printed.and_then(|printed| Ok((printed, await_end(&mut child, deadline, interrupt)?)));
        let (printed, status) = status.map_err(|reason| {
            kill(&mut child);
            match reason {
                Stopped::Late => format!("the command took longer than {:?}", self.timeout),
                Stopped::Interrupted => "the server is ending".to_owned(),
                Stopped::TooMuch => format!("the command printed more than {OUTPUT_MAX} octets"),
                Stopped::Failed(reason) => reason,
            }
        })?;
        if status.success() {
            return Ok(printed);
        }
        Err(format!("the command failed: {status}"))
    }

    fn command(&self) -> Command {
        let (shell, flag) = if cfg!(windows) {
            ("cmd", "/C")
        } else {
            ("sh", "-c")
        };
        let mut command = Command::new(shell);
        command
            .arg(flag)
            .arg(&self.line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // A group of its own, so that all of it can be killed.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
    }
}

enum Stopped {
    Late,
    Interrupted,
    TooMuch,
    Failed(String),
}

/// Writes the request to the command, on a thread: a command may print before it reads.
fn feed(child: &mut Child, input: &[Bytes]) -> Result<(), String> {
    let Some(mut stdin) = child.stdin.take() else {
        return Ok(());
    };
    let input = input.to_vec();
    let write = move || {
        // A command that does not read its input is none the worse.
        let _ = input.iter().try_for_each(|frame| stdin.write_all(frame));
    };
    spawn(child, "exec-stdin", write)
}

type Printed = std::io::Result<Vec<u8>>;

fn collect(child: &mut Child) -> Result<Receiver<Printed>, String> {
    let (sender, output) = channel();
    if let Some(stdout) = child.stdout.take() {
        spawn(child, "exec-stdout", move || {
            let mut printed = Vec::new();
            let read = stdout.take(OUTPUT_MAX + 1).read_to_end(&mut printed);
            let _ = sender.send(read.map(|_| printed));
        })?;
    }
    Ok(output)
}

fn spawn(
    child: &mut Child,
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<(), String> {
    match std::thread::Builder::new().name(name.into()).spawn(work) {
        Ok(_) => Ok(()),
        Err(error) => {
            kill(child);
            Err(format!("no thread could be started: {error}"))
        }
    }
}

fn await_output(
    output: &Receiver<Printed>,
    deadline: Instant,
    interrupt: &Interrupt,
) -> Result<Vec<u8>, Stopped> {
    loop {
        let left = look(deadline, interrupt)?;
        match output.recv_timeout(left) {
            Ok(Ok(printed)) if printed.len() as u64 > OUTPUT_MAX => return Err(Stopped::TooMuch),
            Ok(Ok(printed)) => return Ok(printed),
            Ok(Err(error)) => {
                return Err(Stopped::Failed(format!(
                    "the command's output can't be read: {error}"
                )));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Stopped::Failed("the command has no output".to_owned()));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// How soon a command that has closed its output usually ends.
const ENDING: Duration = Duration::from_millis(1);

fn await_end(
    child: &mut Child,
    deadline: Instant,
    interrupt: &Interrupt,
) -> Result<std::process::ExitStatus, Stopped> {
    let mut pause = ENDING;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => {}
            Err(error) => {
                return Err(Stopped::Failed(format!(
                    "the command's end can't be seen: {error}"
                )));
            }
        }
        let left = look(deadline, interrupt)?;
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(LOOK_EVERY);
    }
}

/// How long to wait before the next look.
fn look(deadline: Instant, interrupt: &Interrupt) -> Result<Duration, Stopped> {
    if interrupt.is_set() {
        return Err(Stopped::Interrupted);
    }
    match deadline.checked_duration_since(Instant::now()) {
        None | Some(Duration::ZERO) => Err(Stopped::Late),
        Some(left) => Ok(left.min(LOOK_EVERY)),
    }
}

/// Ends the command and what it has started.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    let _ = Command::new("kill")
        .args(["-KILL", "--", &format!("-{}", child.id())])
        .stderr(Stdio::null())
        .status();
    let _ = child.kill();
    let _ = child.wait();
}
