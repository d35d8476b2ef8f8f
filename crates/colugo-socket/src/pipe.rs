//! `Pipe`: octets between two places of one process, in memory, both ways, each way bounded. Behaves like a connected stream of the
//! system: what was written before the end is read before the end. Knows neither messages nor names; `inproc` makes them between sockets,
//! `trunk` between a socket and the connection that carries it on.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::io::ReadBuf;

use crate::gate::lock;
use crate::options::PIPE_OCTETS;

/// A reader that finds nothing gives a buffer of more than this back: an idle peer holds none.
const IDLE_CAPACITY: usize = 4 << 10;

/// One end of a pipe.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) read: PipeRead,
    pub(crate) write: PipeWrite,
    /// Who is at the end of the connection that carries it on, if one does.
    pub(crate) remote: Option<SocketAddr>,
}

/// Where the other end's octets come out. Dropping it fails the other end's writes.
#[derive(Debug)]
pub(crate) struct PipeRead(Arc<Way>);

/// Where octets for the other end go in. Dropping it ends what the other end reads.
#[derive(Debug)]
pub(crate) struct PipeWrite(Arc<Way>);

/// One way.
#[derive(Debug)]
struct Way {
    state: Mutex<State>,
    limit: usize,
    /// What was written is out only when it was read: the reader carries it on.
    carried: bool,
}

#[derive(Debug, Default)]
struct State {
    octets: VecDeque<u8>,
    no_more: bool,
    nobody_reads: bool,
    failed: Option<io::ErrorKind>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What a look into a pipe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// So many octets.
    Seen(usize),
    /// Nothing yet; the waker hears of more.
    NoneNow,
    /// Nothing, and nothing more comes.
    NoMore,
}

impl Pipe {
    /// Two ends that are connected.
    pub(crate) fn pair() -> (Self, Self) {
        Self::pair_of(PIPE_OCTETS)
    }

    /// Two ends that are connected, with room for so many octets each way.
    pub(crate) fn pair_of(limit: usize) -> (Self, Self) {
        Self::new_pair(limit, false)
    }

    /// The same, where one end is held by who carries on what is written to the other.
    pub(crate) fn carried(limit: usize) -> (Self, Self) {
        Self::new_pair(limit, true)
    }

    fn new_pair(limit: usize, carried: bool) -> (Self, Self) {
        let there = Arc::new(Way::new(limit, carried));
        let back = Arc::new(Way::new(limit, carried));
        let near = Self {
            read: PipeRead(back.clone()),
            write: PipeWrite(there.clone()),
            remote: None,
        };
        let far = Self {
            read: PipeRead(there),
            write: PipeWrite(back),
            remote: None,
        };
        (near, far)
    }
}

impl Way {
    fn new(limit: usize, carried: bool) -> Self {
        Self {
            state: Mutex::default(),
            limit,
            carried,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Changes the state and wakes both ends, with no lock held.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// Breaks one end of a pipe, as a reset does: what it has not read is gone, and what it writes goes nowhere.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Breaker([Arc<Way>; 2]);

#[cfg(test)]
impl Breaker {
    pub(crate) fn fail(&self, kind: io::ErrorKind) {
        for lane in &self.0 {
            lane.change(|state| {
                state.failed.get_or_insert(kind);
                state.octets = VecDeque::new();
            });
        }
    }
}

#[cfg(test)]
impl Pipe {
    /// What breaks the *other* end of this pipe: its way in and its way out are this one's way out and in.
    pub(crate) fn breaker(&self) -> Breaker {
        Breaker([self.read.0.clone(), self.write.0.clone()])
    }
}

fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    if !slot.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
        *slot = Some(cx.waker().clone());
    }
}

impl PipeRead {
    pub(crate) fn poll_read(
        &self,
        cx: &Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.state();
        if let Some(kind) = state.failed {
            return Poll::Ready(Err(kind.into()));
        }
        if state.octets.is_empty() {
            if state.no_more {
                return Poll::Ready(Ok(()));
            }
            if state.octets.capacity() > IDLE_CAPACITY {
                state.octets = VecDeque::new();
            }
            remember(&mut state.reader, cx);
            return Poll::Pending;
        }
        let mut taken = 0;
        let (front, back) = state.octets.as_slices();
        for piece in [front, back] {
            let piece = piece.get(..buf.remaining()).unwrap_or(piece);
            buf.put_slice(piece);
            taken += piece.len();
        }
        state.octets.drain(..taken);
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        Poll::Ready(Ok(()))
    }

    /// Shows at most `most` octets beyond the first `skip`, in two pieces. They stay in the pipe until they are [consumed](Self::consume).
    pub(crate) fn look(
        &self,
        cx: &Context<'_>,
        skip: usize,
        most: usize,
        see: impl FnOnce([&[u8]; 2]),
    ) -> Look {
        let mut state = self.0.state();
        let (front, back) = state.octets.as_slices();
        let rest = back
            .get(skip.saturating_sub(front.len())..)
            .unwrap_or_default();
        let front = front.get(skip..).unwrap_or_default();
        let front = front.get(..most).unwrap_or(front);
        let rest = rest.get(..most.saturating_sub(front.len())).unwrap_or(rest);
        let seen = front.len() + rest.len();
        if seen > 0 {
            see([front, rest]);
            return Look::Seen(seen);
        }
        if state.no_more || state.failed.is_some() {
            return Look::NoMore;
        }
        remember(&mut state.reader, cx);
        Look::NoneNow
    }

    /// Takes octets out that were looked at.
    pub(crate) fn consume(&self, octets: usize) {
        let mut state = self.0.state();
        let octets = octets.min(state.octets.len());
        state.octets.drain(..octets);
        if state.octets.is_empty() && state.octets.capacity() > IDLE_CAPACITY {
            state.octets = VecDeque::new();
        }
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Ready when there is something to read, or the end.
    pub(crate) fn poll_read_ready(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state();
        if !state.octets.is_empty() || state.no_more || state.failed.is_some() {
            return Poll::Ready(Ok(()));
        }
        remember(&mut state.reader, cx);
        Poll::Pending
    }
}

impl PipeWrite {
    pub(crate) fn try_write(&self, octets: &[u8]) -> io::Result<usize> {
        self.write_all_that_fits(std::iter::once(octets))
    }

    pub(crate) fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_all_that_fits(pieces.iter().map(|piece| &**piece))
    }

    fn write_all_that_fits<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> io::Result<usize> {
        let mut state = self.0.state();
        if let Some(kind) = state.failed {
            return Err(kind.into());
        }
        if state.nobody_reads || state.no_more {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let (mut written, mut left) = (0, 0);
        for piece in pieces {
            let room = self.0.limit.saturating_sub(state.octets.len());
            let fits = piece.get(..room).unwrap_or(piece);
            state.octets.extend(fits);
            written += fits.len();
            left += piece.len() - fits.len();
            if left > 0 {
                break;
            }
        }
        if written == 0 && left > 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(written)
    }

    /// Ready when there is room, or writing would fail.
    pub(crate) fn poll_write_ready(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state();
        let dead = state.nobody_reads || state.no_more || state.failed.is_some();
        if dead || state.octets.len() < self.0.limit {
            return Poll::Ready(Ok(()));
        }
        remember(&mut state.writer, cx);
        Poll::Pending
    }

    pub(crate) fn poll_write(&self, cx: &Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.try_write(octets) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
        match self.poll_write_ready(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_) => Poll::Ready(self.try_write(octets)),
        }
    }

    /// Ready when what was written is out: at once, unless it is carried on.
    pub(crate) fn poll_flushed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.0.state();
        if !self.0.carried
            || state.octets.is_empty()
            || state.nobody_reads
            || state.failed.is_some()
        {
            return Poll::Ready(());
        }
        remember(&mut state.writer, cx);
        Poll::Pending
    }

    /// Octets that were not read yet; while there are any, the waker hears of the next read.
    pub(crate) fn unread(&self, cx: &Context<'_>) -> usize {
        let mut state = self.0.state();
        let unread = state.octets.len();
        if unread > 0 {
            remember(&mut state.writer, cx);
        }
        unread
    }

    /// Nothing more comes; what was written is still read.
    pub(crate) fn end(&self) {
        self.0.change(|state| state.no_more = true);
    }
}

impl Drop for PipeRead {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.nobody_reads = true;
            state.octets = VecDeque::new();
        });
    }
}

impl Drop for PipeWrite {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pipe: &Pipe, room: usize) -> Poll<Result<Vec<u8>, io::ErrorKind>> {
        let mut space = vec![0; room];
        let mut buf = ReadBuf::new(&mut space);
        let polled = pipe
            .read
            .poll_read(&Context::from_waker(Waker::noop()), &mut buf);
        polled.map(|done| {
            done.map(|()| buf.filled().to_vec())
                .map_err(|error| error.kind())
        })
    }

    #[test]
    fn octets_come_out_in_order_and_then_the_end() {
        let (near, far) = Pipe::pair();
        assert!(read(&far, 9).is_pending());
        let pieces = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cd")];
        assert_eq!(near.write.try_write_vectored(&pieces).ok(), Some(4));
        assert_eq!(read(&far, 3), Poll::Ready(Ok(b"abc".to_vec())));
        drop(near);
        assert_eq!(read(&far, 9), Poll::Ready(Ok(b"d".to_vec())));
        assert_eq!(read(&far, 9), Poll::Ready(Ok(Vec::new())));
    }

    #[test]
    fn a_full_pipe_takes_no_more_until_it_is_read() {
        let (near, far) = Pipe::pair();
        let much = vec![7; PIPE_OCTETS + 1];
        assert_eq!(near.write.try_write(&much).ok(), Some(PIPE_OCTETS));
        let full = near.write.try_write(b"x").map_err(|error| error.kind());
        assert_eq!(full, Err(io::ErrorKind::WouldBlock));
        let cx = Context::from_waker(Waker::noop());
        assert!(near.write.poll_write_ready(&cx).is_pending());
        assert!(matches!(read(&far, 5), Poll::Ready(Ok(five)) if five == [7; 5]));
        assert!(near.write.poll_write_ready(&cx).is_ready());
        assert_eq!(near.write.try_write(&much).ok(), Some(5));
    }

    #[test]
    fn nobody_to_read_breaks_the_pipe() {
        let (near, far) = Pipe::pair();
        drop(far);
        let broken = near.write.try_write(b"x").map_err(|error| error.kind());
        assert_eq!(broken, Err(io::ErrorKind::BrokenPipe));
    }
}
