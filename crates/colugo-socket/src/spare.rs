//! `Spare`: a file descriptor that is held so that it can be given up. With it a connection can be accepted, and closed, when there are
//! none left; without, who dials would wait for an answer that never comes. One for the process.

use std::fs::File;
use std::sync::Mutex;

use crate::gate::lock;

#[derive(Debug)]
pub(crate) struct Spare(Mutex<Option<File>>);

impl Spare {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(open()))
    }

    /// Calls `with` while the descriptor is free; whatever it opens it must have closed. None: there is no spare one.
    pub(crate) fn lend<T>(&self, with: impl FnOnce() -> T) -> Option<T> {
        let mut spare = lock(&self.0);
        if spare.is_none() {
            *spare = open();
        }
        drop(spare.take()?);
        let done = with();
        *spare = open();
        Some(done)
    }
}

/// Any file will do that opens without waiting; where this one is not, there is no spare descriptor.
fn open() -> Option<File> {
    File::open("/dev/null").ok()
}
