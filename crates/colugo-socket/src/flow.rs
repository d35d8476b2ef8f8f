//! `Flow`: how much of one link's traffic waits in the inbox, and whether its reader is paused for it. Shared by connection and inbox.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::gate::WakerSlot;
use crate::options::QueueLimit;

/// Receive-side account of one link.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    messages: AtomicUsize,
    octets: AtomicUsize,
    paused: AtomicBool,
    reader: WakerSlot,
}

impl Flow {
    /// Counts what goes into the inbox. True: the reader must pause until [`taken`](Self::taken) wakes it.
    pub(crate) fn delivered(&self, messages: usize, octets: usize, limit: QueueLimit) -> bool {
        let messages = self
            .messages
            .fetch_add(messages, Ordering::AcqRel)
            .saturating_add(messages);
        let octets = self
            .octets
            .fetch_add(octets, Ordering::AcqRel)
            .saturating_add(octets);
        messages >= limit.messages || octets >= limit.octets
    }

    /// Pauses the reader with `waker`, unless the inbox was emptied meanwhile. True: paused.
    pub(crate) fn pause(&self, waker: &std::task::Waker, limit: QueueLimit) -> bool {
        self.reader.register(waker);
        self.paused.store(true, Ordering::SeqCst);
        let full = self.messages.load(Ordering::SeqCst) >= limit.messages
            || self.octets.load(Ordering::SeqCst) >= limit.octets;
        if !full {
            self.paused.store(false, Ordering::SeqCst);
        }
        full
    }

    /// Counts what the consumer took, and wakes a paused reader.
    pub(crate) fn taken(&self, messages: usize, octets: usize) {
        self.messages.fetch_sub(messages, Ordering::SeqCst);
        self.octets.fetch_sub(octets, Ordering::SeqCst);
        if self.paused.load(Ordering::SeqCst) && self.paused.swap(false, Ordering::SeqCst) {
            self.reader.wake();
        }
    }
}
