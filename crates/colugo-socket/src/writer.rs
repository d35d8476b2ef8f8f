//! `Writer`: the write half of a connection and what is being written to it. Used by whoever has the writer's role on a link.

use std::io::{self, IoSlice};

use bytes::Bytes;

use crate::outbox::{Outbox, Taken};
use crate::pong;
use crate::stream::WriteHalf;

/// Pieces per system call at most.
const SLICES: usize = 64;
/// Octets of one system call at most, and of what the data thread writes for one link before others have their turn: a thread that writes
/// 64 MiB in one call can't be interrupted for that long. With half of it 1 MiB messages are a fifth slower.
const TURN_OCTETS: usize = 512 << 10;

#[derive(Debug)]
pub(crate) struct Writer {
    half: WriteHalf,
    pub(crate) taken: Taken,
    /// First piece not wholly written; written octets of it; octets of the pieces before it.
    index: usize,
    offset: usize,
    before: usize,
    /// Octets the system took, ever.
    total: u64,
}

/// How far a write came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrote {
    All,
    /// The system would take more, but others have waited long enough.
    Enough,
    /// The system's buffer is full.
    Blocked,
    Broken(io::ErrorKind),
}

impl Writer {
    pub(crate) fn new(half: WriteHalf) -> Self {
        Self {
            half,
            taken: Taken::default(),
            index: 0,
            offset: 0,
            before: 0,
            total: 0,
        }
    }

    pub(crate) fn half(&self) -> &WriteHalf {
        &self.half
    }

    /// Nothing is left of what was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.index >= self.taken.chunks.len() && self.taken.tail.is_empty()
    }

    /// Octets of what was taken that the system has.
    pub(crate) fn written(&self) -> usize {
        self.before + self.offset
    }

    /// Messages that were taken and that the system does not have whole.
    pub(crate) fn unwritten(&self) -> usize {
        if self.is_done() {
            return 0;
        }
        Outbox::unwritten(&self.taken, self.written())
    }

    /// Octets that the system took since the connection began.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Puts PONGs where they need not wait for a large frame that has not begun. False: none waits, or PONGs are there already.
    pub(crate) fn insert_pongs(&mut self, pong: &Bytes) -> bool {
        let written = self.written();
        if self.taken.pong_end > written {
            return false;
        }
        match pong::insert(&mut self.taken.chunks, written, pong) {
            Some(end) => {
                self.taken.pong_end = end;
                true
            }
            None => false,
        }
    }

    pub(crate) fn into_taken(self) -> Taken {
        self.taken
    }

    pub(crate) fn capacity(&self) -> usize {
        self.taken.tail.capacity()
    }

    /// Writes until all is written or the system takes no more; with `shared` time, at most some hundred KiB.
    pub(crate) fn write(&mut self, shared: bool) -> Wrote {
        let mut left = if shared { TURN_OCTETS } else { usize::MAX };
        while !self.is_done() {
            if left == 0 {
                return Wrote::Enough;
            }
            match self.write_some(left.min(TURN_OCTETS)) {
                Ok(0) => return Wrote::Broken(io::ErrorKind::WriteZero),
                Ok(n) => {
                    left = left.saturating_sub(n);
                    self.advance(n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Wrote::Blocked,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Wrote::Broken(error.kind()),
            }
        }
        self.taken.chunks.clear();
        self.taken.tail.clear();
        (self.index, self.offset, self.before) = (0, 0, 0);
        (self.taken.pong_end, self.taken.ping) = (0, false);
        Wrote::All
    }

    fn write_some(&self, most: usize) -> io::Result<usize> {
        let rest = |piece: &[u8], i: usize| {
            if i == self.index {
                self.offset.min(piece.len())
            } else {
                0
            }
        };
        if self.index >= self.taken.chunks.len() {
            let skip = rest(&self.taken.tail, self.index);
            return self
                .half
                .try_write(self.taken.tail.get(skip..).unwrap_or_default());
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let (mut count, mut left) = (0, most);
        let pieces = self
            .taken
            .chunks
            .iter()
            .map(|c| &c[..])
            .chain([&self.taken.tail[..]]);
        for ((i, piece), slot) in pieces.enumerate().skip(self.index).zip(&mut slices) {
            let piece = piece.get(rest(piece, i)..).unwrap_or_default();
            let piece = piece.get(..left).unwrap_or(piece);
            *slot = IoSlice::new(piece);
            count += 1;
            left -= piece.len();
            if left == 0 {
                break;
            }
        }
        self.half
            .try_write_vectored(slices.get(..count).unwrap_or_default())
    }

    fn advance(&mut self, mut n: usize) {
        self.total = self.total.wrapping_add(n as u64);
        while n > 0 {
            let Some(len) = self.taken.chunks.get(self.index).map(Bytes::len) else {
                break;
            };
            let left = len.saturating_sub(self.offset);
            if n < left {
                self.offset += n;
                return;
            }
            n -= left;
            self.before += len;
            self.index += 1;
            self.offset = 0;
        }
        self.offset += n;
        if self.index >= self.taken.chunks.len() && self.offset >= self.taken.tail.len() {
            self.taken.tail.clear();
            self.offset = 0;
        }
    }
}
