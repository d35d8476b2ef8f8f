//! `Progress`: says on the standard error, every few seconds, how far a scenario has come.

use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(5);

/// Of one scenario.
#[derive(Debug)]
pub(crate) struct Progress {
    name: &'static str,
    last: Instant,
}

impl Progress {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            last: Instant::now(),
        }
    }

    /// Perhaps says so.
    pub(crate) fn at(&mut self, done: impl std::fmt::Display, of: impl std::fmt::Display) {
        if self.last.elapsed() >= EVERY {
            self.last = Instant::now();
            eprintln!("{}: {done} of {of}", self.name);
        }
    }
}
