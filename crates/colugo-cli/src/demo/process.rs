//! `Process`: one of the demo's processes, as the one that watches sees it. It is killed when this is dropped.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Role;
use super::report::Report;
use crate::args::NetworkArgs;
use crate::exit::Failure;

/// What comes from a process: a report, or that there will be none any more.
pub(super) struct Heard {
    pub(super) index: usize,
    pub(super) report: Option<Report>,
}

/// Of what a process writes to its standard error so much is kept, to be shown if it fails.
const WORDS_MAX: u64 = 4096;
/// A rate is that of the last second.
const RATE_OVER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) report: Report,
    /// Messages a second, lately.
    pub(super) rate: f64,
    pub(super) ended: bool,
    rated: (Instant, u64),
    words: Arc<Mutex<String>>,
    child: Child,
}

impl Process {
    pub(super) fn start(
        index: usize,
        name: &'static str,
        role: Role,
        namespace: &str,
        network: &NetworkArgs,
        heard: &Sender<Heard>,
    ) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(format!("can't start the process {name}: {error}"))
        };
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.args(["--namespace", namespace]);
        for interface in &network.interface {
            command.args(["--interface", interface]);
        }
        let word =
            clap::ValueEnum::to_possible_value(&role).map(|value| value.get_name().to_owned());
        command
            .arg("demo-part")
            .arg(word.unwrap_or_default())
            .arg(name);
        // Those would make the processes meet others, or listen where only one can.
        for variable in ["COLUGO_LISTEN", "COLUGO_PEERS", "COLUGO_REMAP"] {
            command.env_remove(variable);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let words = Arc::default();
        listen(&mut child, index, heard.clone(), &words);
        let report = Report::default();
        Ok(Self {
            name,
            role,
            report,
            rate: 0.0,
            ended: false,
            rated: (Instant::now(), 0),
            words,
            child,
        })
    }

    pub(super) fn hear(&mut self, report: Option<Report>) {
        let Some(report) = report else {
            self.ended = true;
            return;
        };
        let (since, count) = self.rated;
        let passed = since.elapsed();
        if passed >= RATE_OVER {
            self.rate = report.count.saturating_sub(count) as f64 / passed.as_secs_f64();
            self.rated = (Instant::now(), report.count);
        }
        self.report = report;
    }

    /// Asks it to end.
    pub(super) fn stop(&mut self) {
        drop(self.child.stdin.take());
    }

    /// What it said before it failed, after a colon.
    pub(super) fn last_words(&self) -> String {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.is_empty() {
            String::new()
        } else {
            format!(": {}", words.trim_end())
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
        if !self.ended {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// Reads what the process writes, on threads that end with it.
fn listen(child: &mut Child, index: usize, heard: Sender<Heard>, words: &Arc<Mutex<String>>) {
    if let Some(stderr) = child.stderr.take() {
        let words = words.clone();
        std::thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            let mut kept = String::new();
            let _ = stderr.by_ref().take(WORDS_MAX).read_to_string(&mut kept);
            *words.lock().unwrap_or_else(PoisonError::into_inner) = kept;
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        });
    }
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let report = Report::parse(&line);
                if report.is_some() && heard.send(Heard { index, report }).is_err() {
                    return;
                }
            }
            let _ = heard.send(Heard {
                index,
                report: None,
            });
        });
    }
}
