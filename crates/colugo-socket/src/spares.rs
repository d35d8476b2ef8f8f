//! `Spares`: buffers that were handed over to who received, to be read into again once nobody holds them. A fresh buffer costs the system
//! a cleared page for each 4 KiB, which for a very large message is more than the copy. Used by the parser of one connection.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Up to here a buffer is a small one.
pub(crate) const RECYCLE_MAX: usize = 256 << 10;
/// Small buffers that are kept. The oldest is tried only when there are so many: younger ones are probably still in use.
const SMALL: usize = 3;
/// From here on the last buffer is kept. Allocators have those in between at hand themselves, and give such ones back to the system.
pub(crate) const HUGE_FROM: usize = 16 << 20;

#[derive(Debug, Default)]
pub(crate) struct Spares {
    small: VecDeque<Bytes>,
    huge: Option<Bytes>,
}

impl Spares {
    /// Remembers the first piece of a buffer that is handed over.
    pub(crate) fn keep(&mut self, piece: &Bytes) {
        if piece.len() >= HUGE_FROM {
            self.huge = Some(piece.clone());
        } else if piece.len() <= RECYCLE_MAX && self.small.len() < SMALL {
            self.small.push_back(piece.clone());
        }
    }

    /// An empty buffer, if the oldest small one is free.
    pub(crate) fn small(&mut self) -> Option<BytesMut> {
        if self.small.len() < SMALL {
            return None;
        }
        empty(self.small.pop_front()?)
    }

    pub(crate) fn has_huge(&self) -> bool {
        self.huge.is_some()
    }

    /// An empty buffer for `needed` octets, if the last huge one is free and large enough.
    pub(crate) fn huge(&mut self, needed: usize) -> Option<BytesMut> {
        let buffer = empty(self.huge.take()?)?;
        (buffer.capacity() >= needed).then_some(buffer)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.huge.is_none()
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
    fn of_large_buffers_the_last_huge_one_comes_back() {
        let mut spares = Spares::default();
        spares.keep(&piece(HUGE_FROM - 1));
        assert!(spares.is_empty(), "allocators keep these themselves");
        spares.keep(&piece(HUGE_FROM));
        assert!(
            spares.huge(HUGE_FROM + 1).is_none() && !spares.has_huge(),
            "too small, and let go"
        );
        spares.keep(&piece(HUGE_FROM));
        assert!(
            spares
                .huge(HUGE_FROM)
                .is_some_and(|buffer| buffer.is_empty())
        );
        let held = piece(HUGE_FROM);
        spares.keep(&held);
        assert!(spares.huge(HUGE_FROM).is_none(), "somebody still reads it");
    }
}
