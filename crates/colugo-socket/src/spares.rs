//! Spare buffers: those that were handed over to who received, to be read into again once nobody holds them. A fresh buffer costs the system
//! a cleared page for each 4 KiB, which for large messages is more than the copy. Small messages need few, which stay in the processor's
//! cache: each connection has its own. Buffers of large messages serve all connections of a thread.

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// From here on a message is a large one, whose buffer the thread keeps.
pub(crate) const LARGE_FROM: usize = 16 << 10;
/// Buffers of small messages that are kept. The oldest is tried only when there are so many: younger ones are probably still in use.
const SMALL: usize = 3;
/// What a thread keeps in all, but for a single buffer that may have any size: as much as may wait in an inbox by default.
const OCTETS: usize = 16 << 20;
/// How many are looked at, of the youngest that are free and of the oldest.
const LOOKS: usize = 4;
/// A buffer is not taken for less than this part of it.
const WASTE: usize = 8;

thread_local! {
    static LARGE: RefCell<Large> = RefCell::default();
}

/// The spares that one connection may use: its own small ones, and the large ones of its thread. When the last connection that handed a
/// large one over is quiet or gone, those are let go.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    small: VecDeque<Bytes>,
    /// What the count of large buffers was when this one kept its last.
    last: u64,
}

impl Spares {
    /// Remembers the first piece of a buffer, with so many messages, that is handed over.
    pub(crate) fn keep(&mut self, piece: &Bytes, messages: usize) {
        if piece.len() / messages.max(1) >= LARGE_FROM {
            self.last = with(|large| large.keep(piece)).unwrap_or_default();
        } else if self.small.len() < SMALL {
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

    /// An empty buffer for `needed` octets, if one of the large ones that are looked at is free and large enough.
    pub(crate) fn large(&self, needed: usize) -> Option<BytesMut> {
        with(|large| large.take(needed))?
    }

    pub(crate) fn has_large(&self) -> bool {
        self.last != 0
    }

    /// Whether there is something that an idle connection should not keep.
    pub(crate) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.last == 0
    }

    /// Nothing was read for a while.
    pub(crate) fn cool(&mut self) {
        self.small = VecDeque::new();
        let last = std::mem::take(&mut self.last);
        if last != 0 {
            with(|large| {
                if large.count == last {
                    large.clear();
                }
            });
        }
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        self.cool();
    }
}

/// Lets go of what the thread has: a run of the simulator is the same whatever ran before.
#[cfg(test)]
pub(crate) fn clear() {
    with(|large| *large = Large::default());
}

/// None while the thread ends.
fn with<R>(act: impl FnOnce(&mut Large) -> R) -> Option<R> {
    LARGE
        .try_with(|large| Some(act(&mut *large.try_borrow_mut().ok()?)))
        .ok()?
}

/// The buffers of large messages that a thread keeps, the oldest first.
#[derive(Debug, Default)]
struct Large {
    pieces: VecDeque<Bytes>,
    octets: usize,
    /// How many were kept so far.
    count: u64,
}

impl Large {
    fn keep(&mut self, piece: &Bytes) -> u64 {
        self.octets = self.octets.saturating_add(piece.len());
        self.pieces.push_back(piece.clone());
        while self.octets > OCTETS && self.pieces.len() > 1 {
            self.remove(0);
        }
        self.count += 1;
        self.count
    }

    fn take(&mut self, needed: usize) -> Option<BytesMut> {
        let likely = needed / 2..=needed.saturating_mul(WASTE);
        let fits = |piece: &Bytes| likely.contains(&piece.len()) && piece.is_unique();
        // They are let go of in about the order in which they were handed over: the youngest that is free is the one still in a cache.
        let free = self.pieces.partition_point(Bytes::is_unique);
        let young = (free.saturating_sub(LOOKS)..free).rev();
        let free = young
            .chain(0..LOOKS)
            .find(|at| self.pieces.get(*at).is_some_and(fits))?;
        empty(self.remove(free)?).filter(|buffer| buffer.capacity() >= needed)
    }

    fn remove(&mut self, at: usize) -> Option<Bytes> {
        let piece = self.pieces.remove(at)?;
        self.octets = self.octets.saturating_sub(piece.len());
        Some(piece)
    }

    fn clear(&mut self) {
        self.pieces = VecDeque::new();
        self.octets = 0;
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
            spares.keep(&piece(1000), 1);
        }
        assert!(
            spares
                .small()
                .is_some_and(|buffer| buffer.is_empty() && buffer.capacity() >= 1000)
        );
        let held = piece(LARGE_FROM);
        let mut spares = Spares::default();
        for _ in 0..SMALL {
            spares.keep(&held, 2);
        }
        assert!(spares.small().is_none(), "somebody still reads it");
    }

    #[test]
    fn a_large_buffer_comes_back_if_it_is_free_and_large_enough() {
        clear();
        let mut spares = Spares::default();
        spares.keep(&piece(LARGE_FROM), 1);
        assert!(spares.large(3 * LARGE_FROM).is_none(), "too small");
        assert!(
            spares.large(LARGE_FROM / WASTE - 1).is_none(),
            "too large a buffer for that"
        );
        assert!(
            spares
                .large(LARGE_FROM)
                .is_some_and(|buffer| buffer.is_empty())
        );
        let held = piece(LARGE_FROM);
        spares.keep(&held, 1);
        assert!(
            spares.large(LARGE_FROM).is_none(),
            "somebody still reads it"
        );
        spares.keep(&piece(LARGE_FROM), 1);
        assert!(spares.large(LARGE_FROM).is_some(), "a younger one is free");
        drop(held);
        assert!(spares.large(LARGE_FROM).is_some());
    }

    #[test]
    fn of_the_large_buffers_the_youngest_that_is_free_comes_back() {
        let mut large = Large::default();
        let pieces: Vec<_> = (0..8).map(|_| piece(LARGE_FROM)).collect();
        for piece in &pieces {
            large.keep(piece);
        }
        let places: Vec<_> = pieces.iter().map(|piece| piece.as_ptr()).collect();
        // Those after the fifth are still read.
        let mut read = pieces;
        read.drain(..5);
        let took: Vec<_> = std::iter::from_fn(|| large.take(LARGE_FROM)).collect();
        let took: Vec<_> = took.iter().map(|buffer| buffer.as_ptr()).collect();
        assert_eq!(
            took,
            [places[4], places[3], places[2], places[1], places[0]]
        );
    }

    #[test]
    fn what_a_thread_keeps_is_bounded_but_the_last_one_is_of_any_size() {
        let mut large = Large::default();
        for _ in 0..100 {
            large.keep(&piece(1 << 20));
        }
        assert!(large.octets <= OCTETS);
        large.keep(&piece(2 * OCTETS));
        assert_eq!(large.pieces.len(), 1);
        assert!(large.take(2 * OCTETS).is_some());
        assert_eq!(large.octets, 0);
    }

    #[test]
    fn the_last_connection_that_kept_a_large_one_lets_all_go() {
        clear();
        let (mut one, mut other) = (Spares::default(), Spares::default());
        for spares in [&mut one, &mut other] {
            spares.keep(&piece(LARGE_FROM), 1);
        }
        one.cool();
        assert!(one.is_empty() && !other.is_empty());
        assert!(one.large(LARGE_FROM).is_some(), "the other still reads");
        drop(other);
        assert!(one.large(LARGE_FROM).is_none());
    }
}
