//! A measuring process seen from inside: the settings it was started with, and its conversation with the runner over stdin and
//! stdout. Knows nothing of engines. It ends when the runner does: end of input is the end of the process.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::str::FromStr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::Result;
use crate::report::Report;

/// What the runner asked of this process: `key=value` arguments.
#[derive(Debug, Clone, Default)]
pub struct Spec(BTreeMap<String, String>);

impl Spec {
    /// Reads `key=value` arguments.
    pub fn parse(args: &[String]) -> Result<Self> {
        let mut map = BTreeMap::new();
        for arg in args {
            let (key, value) = arg
                .split_once('=')
                .ok_or_else(|| format!("{arg:?} is not key=value"))?;
            map.insert(key.to_owned(), value.to_owned());
        }
        Ok(Self(map))
    }

    /// The same with one setting changed.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.0.insert(key.to_owned(), value.to_string());
        self
    }

    /// The text behind `key`.
    pub fn text(&self, key: &str) -> Result<&str> {
        self.0
            .get(key)
            .map(String::as_str)
            .ok_or_else(|| format!("no {key}= was given").into())
    }

    /// The number behind `key`, or `default` if it was not given.
    pub fn number<T: FromStr>(&self, key: &str, default: T) -> Result<T> {
        match self.0.get(key) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| format!("{key}={text} is not a number").into()),
        }
    }

    /// Whether `key=1` was given.
    pub fn flag(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|value| value == "1")
    }

    /// Octets of a message.
    pub fn size(&self) -> Result<usize> {
        self.number("size", 64)
    }

    /// How long the measurement lasts.
    pub fn duration(&self) -> Result<Duration> {
        Ok(Duration::from_secs_f64(self.number("secs", 1.0)?))
    }

    /// How many peers, threads or requests in flight, as the role has it.
    pub fn count(&self) -> Result<usize> {
        self.number("count", 1)
    }
}

/// The conversation with the runner: `ready`, then `go`, then `done`; `stop` tells the side that cannot know when it is over.
#[derive(Debug)]
pub struct Link {
    lines: Receiver<String>,
}

impl Link {
    /// Starts to listen to the runner.
    pub fn open() -> Self {
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in std::io::stdin()
                .lock()
                .lines()
                .map_while(std::result::Result::ok)
            {
                if sender.send(line).is_err() {
                    break;
                }
            }
            // The runner is gone, or has dropped us.
            std::process::exit(3);
        });
        Self { lines }
    }

    /// Tells the runner that this side can be dialled at `address` (empty: it is the one that dials), and waits for the start.
    pub fn ready(&self, address: &str) -> Result<()> {
        println!("ready {address}");
        match self.lines.recv()?.as_str() {
            "go" => Ok(()),
            other => Err(format!("the runner said {other:?} where go was due").into()),
        }
    }

    /// Tells the runner something in the middle of a run.
    pub fn say(&self, word: &str) {
        println!("{word}");
    }

    /// Waits for `stop`; false if `timeout` passed first.
    pub fn stopped_within(&self, timeout: Duration) -> bool {
        !matches!(
            self.lines.recv_timeout(timeout),
            Err(RecvTimeoutError::Timeout)
        )
    }

    /// Waits for `stop`.
    pub fn wait_for_stop(&self) {
        let _ = self.lines.recv();
    }

    /// Hands in the figures. The process is over after this: nothing an engine does at its end shall cost time or be measured.
    pub fn done(&self, report: &Report) -> ! {
        println!("done {report}");
        std::process::exit(0)
    }

    /// Hands in why there are no figures.
    pub fn failed(&self, why: &str) -> ! {
        println!("failed {}", why.replace('\n', " "));
        std::process::exit(1)
    }
}
