//! `Spare`: file descriptors that are held so that they can be given up when there are none left. One lets a connection be accepted and
//! closed, where who dials would else wait for an answer that never comes; the others let peers that are known be dialled again. Who
//! comes from outside gets none of them. One for the process.

use std::fs::File;
use std::sync::Mutex;

use crate::gate::lock;
use crate::options::DESCRIPTOR_RESERVE;

#[derive(Debug)]
pub(crate) struct Spare {
    held: Mutex<Vec<File>>,
    size: usize,
}

impl Spare {
    pub(crate) fn new() -> Self {
        Self::sized(DESCRIPTOR_RESERVE)
    }

    fn sized(size: usize) -> Self {
        let spare = Self {
            held: Mutex::default(),
            size,
        };
        spare.is_whole();
        spare
    }

    /// For many processes that are one: nothing is held.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self::sized(0)
    }

    /// Whether nothing is missing, after taking what there is.
    pub(crate) fn is_whole(&self) -> bool {
        let mut held = lock(&self.held);
        while held.len() < self.size {
            match open() {
                Some(file) => held.push(file),
                None => return false,
            }
        }
        true
    }

    /// Calls `with` while one is free; whatever it opens it must have closed. None: there is no spare one.
    pub(crate) fn lend<T>(&self, with: impl FnOnce() -> T) -> Option<T> {
        let mut held = lock(&self.held);
        if held.is_empty() {
            held.extend(open());
        }
        drop(held.pop()?);
        let done = with();
        held.extend(open());
        Some(done)
    }

    /// Gives one up for good, or until there are more. False: there is none.
    pub(crate) fn spend(&self) -> bool {
        lock(&self.held).pop().is_some()
    }
}

/// Any file will do that opens without waiting; where this one is not, there are no spare descriptors.
fn open() -> Option<File> {
    File::open("/dev/null").ok()
}
