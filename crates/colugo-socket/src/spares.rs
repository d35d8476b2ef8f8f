//! `Spares`: buffers that were handed over to who received, to be read into again once nobody holds them. A fresh buffer costs the system
//! a cleared page for each 4 KiB, which for a large message is more than the copy. Used by the parser of one connection.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Up to here a buffer is a small one.
pub(crate) const RECYCLE_MAX: usize = 256 << 10;
/// Small buffers that are kept. The oldest is tried only when there are so many: younger ones are probably still in use.
const SMALL: usize = 3;
/// Octets of large buffers that are kept; one is kept whatever it has.
const LARGE_OCTETS: usize = 16 << 20;

#[derive(Debug, Default)]
pub(crate) struct Spares {
    small: VecDeque<Bytes>,
    large: VecDeque<Bytes>,
    large_octets: usize,
}

impl Spares {
    /// Remembers the first piece of a buffer that is handed over.
    pub(crate) fn keep(&mut self, piece: &Bytes) {
        if piece.len() <= RECYCLE_MAX {
            if self.small.len() < SMALL {
                self.small.push_back(piece.clone());
            }
            return;
        }
        self.large_octets += piece.len();
        self.large.push_back(piece.clone());
        while self.large_octets > LARGE_OCTETS && self.large.len() > 1 {
            self.pop_large();
        }
    }

    /// An empty buffer, if the oldest small one is free.
    pub(crate) fn small(&mut self) -> Option<BytesMut> {
        if self.small.len() < SMALL {
            return None;
        }
        empty(self.small.pop_front()?)
    }

    pub(crate) fn has_large(&self) -> bool {
        !self.large.is_empty()
    }

    /// An empty buffer for `needed` octets, if the oldest large one is free and large enough.
    pub(crate) fn large(&mut self, needed: usize) -> Option<BytesMut> {
        let buffer = empty(self.pop_large()?)?;
        (buffer.capacity() >= needed).then_some(buffer)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.large.is_empty()
    }

    fn pop_large(&mut self) -> Option<Bytes> {
        let oldest = self.large.pop_front()?;
        self.large_octets = self.large_octets.saturating_sub(oldest.len());
        Some(oldest)
    }
}

fn empty(piece: Bytes) -> Option<BytesMut> {
    let mut buffer = piece.try_into_mut().ok()?;
    buffer.clear();
    Some(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(len: usize) -> Bytes {
        BytesMut::zeroed(len).freeze()
    }

    #[test]
    fn a_small_buffer_comes_back_when_nobody_holds_it() {
        let mut spares = Spares::default();
        for _ in 0..SMALL {
            spares.keep(&piece(1000));
        }
        assert!(
            spares
                .small()
                .is_some_and(|buffer| buffer.is_empty() && buffer.capacity() >= 1000)
        );
        let held = piece(1000);
        let mut spares = Spares::default();
        for _ in 0..SMALL {
            spares.keep(&held);
        }
        assert!(spares.small().is_none(), "somebody still reads it");
    }

    #[test]
    fn large_buffers_are_bounded_in_octets_but_for_one() {
        let mut spares = Spares::default();
        let len = LARGE_OCTETS / 2 + 1;
        for _ in 0..4 {
            spares.keep(&piece(len));
        }
        assert_eq!(spares.large.len(), 1);
        assert!(
            spares.large(len + 1).is_none() && !spares.has_large(),
            "too small, and let go"
        );
        spares.keep(&piece(LARGE_OCTETS * 2));
        assert!(spares.large(LARGE_OCTETS * 2).is_some());
    }
}
