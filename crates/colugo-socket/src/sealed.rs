//! Sealed connections: where the mechanism seals traffic (CURVE does, NULL does not), a task stands between the session, which knows clear frames,
//! and the connection, which has sealed ones. Without sealing there is none, and nothing is paid for it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use colugo_zmtp::{Sealing, parse_header, put_frame, put_header};
use tokio::io::AsyncReadExt;

use crate::core::Core;
use crate::options::{MAX_COMMAND, PIPE_OCTETS};
use crate::pipe::{Look, Pipe};
use crate::stream::Stream;
use crate::tasks::TaskGuard;

/// Octets that are read and sealed at a time.
const READ: usize = 64 << 10;
/// Sealed octets that wait for the system, until no more are sealed.
const OUT: usize = 256 << 10;

/// Puts the task between: gives the stream of clear frames in place of the connection, of which `rest` came with the handshake.
pub(crate) fn seal(core: &Arc<Core>, stream: Stream, sealing: Sealing, rest: BytesMut) -> Stream {
    let (near, mut far) = Pipe::carried(PIPE_OCTETS);
    far.remote = stream.remote();
    let limit = core
        .options
        .max_message
        .max(MAX_COMMAND as usize)
        .saturating_add(sealing.overhead);
    let sealer = Sealer {
        stream,
        pipe: near,
        sealing,
        limit,
        clear: Vec::new(),
        taken: 0,
        out: Vec::new(),
        written: 0,
        input: rest,
        opened: Vec::new(),
        handed: 0,
        said_all: false,
        _guard: core.guard(),
    };
    core.handle.spawn(sealer.run());
    Stream::Pipe(far)
}

struct Sealer {
    stream: Stream,
    pipe: Pipe,
    sealing: Sealing,
    /// Octets of a sealed frame's body at most.
    limit: usize,
    /// What the session wrote and was not sealed yet: the beginning of a frame.
    clear: Vec<u8>,
    /// Octets of the pipe that are in `clear` or `out`.
    taken: usize,
    out: Vec<u8>,
    written: usize,
    input: BytesMut,
    /// Clear frames of the peer, as far as the session has no room.
    opened: Vec<u8>,
    handed: usize,
    /// The session has ended.
    said_all: bool,
    _guard: TaskGuard,
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl Sealer {
    async fn run(mut self) {
        let ended = poll_fn(|cx| self.poll(cx)).await;
        if let Err(error) = &ended {
            tracing::debug!(%error, "a sealed connection broke");
        }
        self.pipe.write.end();
        self.stream.leave().await;
    }

    /// Ready when either side has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let sealed = self.poll_out(cx)?;
            if self.said_all && self.out.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let opened = self.poll_in(cx)?;
            if let Poll::Ready(false) = opened {
                return Poll::Ready(Ok(()));
            }
            if sealed.is_pending() && opened.is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Seals what the session writes, and writes it. Ready if something was done.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        let mut done = false;
        while self.out.len() < OUT && !self.said_all {
            let clear = &mut self.clear;
            let look = self.pipe.read.look(cx, self.taken, READ, |[front, back]| {
                clear.extend_from_slice(front);
                clear.extend_from_slice(back);
            });
            match look {
                Look::Seen(octets) => self.taken += octets,
                Look::NoneNow => break,
                Look::NoMore => self.said_all = true,
            }
            self.seal_frames()?;
            // A frame that is larger than the pipe has to leave it.
            if self.out.is_empty() {
                self.pipe.read.consume(std::mem::take(&mut self.taken));
            }
            done = true;
        }
        let wrote = self.stream.poll_write_all(cx, &self.out, &mut self.written);
        if wrote?.is_ready() {
            self.out.clear();
            self.written = 0;
            self.pipe.read.consume(std::mem::take(&mut self.taken));
        }
        Ok(if done { Poll::Ready(()) } else { Poll::Pending })
    }

    fn seal_frames(&mut self) -> io::Result<()> {
        let mut sealed = 0;
        loop {
            let rest = self.clear.get(sealed..).unwrap_or_default();
            let Some(header) = parse_header(rest).map_err(broken)? else {
                break;
            };
            let len = usize::try_from(header.body_len).map_err(broken)?;
            let end = header.header_len.saturating_add(len);
            let Some(body) = rest.get(header.header_len..end) else {
                break;
            };
            let seal = &mut self.sealing.seal;
            seal.seal(&mut self.out, body, header.more, header.command)
                .map_err(broken)?;
            sealed += end;
        }
        self.clear.drain(..sealed);
        Ok(())
    }

    /// Opens what comes, and hands it to the session. Ready with false: the end.
    fn poll_in(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<bool>> {
        loop {
            self.open_frames()?;
            while let Some(rest) = self
                .opened
                .get(self.handed..)
                .filter(|rest| !rest.is_empty())
            {
                match self.pipe.write.poll_write(cx, rest) {
                    Poll::Ready(Ok(handed)) => self.handed += handed,
                    // It reads no more, and says so by its own end.
                    Poll::Ready(Err(_)) => self.handed = self.opened.len(),
                    Poll::Pending => return Ok(Poll::Pending),
                }
            }
            self.opened.clear();
            self.handed = 0;
            self.input.reserve(READ);
            let Poll::Ready(read) = pin!(self.stream.read_buf(&mut self.input)).poll(cx) else {
                return Ok(Poll::Pending);
            };
            if read? == 0 {
                return Ok(Poll::Ready(false));
            }
        }
    }

    fn open_frames(&mut self) -> io::Result<()> {
        while let Some(header) = parse_header(&self.input).map_err(broken)? {
            let len = usize::try_from(header.body_len).map_err(broken)?;
            if len > self.limit {
                return Err(broken("a sealed frame over the limit"));
            }
            let end = header.header_len.saturating_add(len);
            let Some(body) = self.input.get_mut(header.header_len..end) else {
                break;
            };
            let opened = self.sealing.open.open(header, body).map_err(broken)?;
            let clear = opened.body(body);
            if opened.command {
                put_header(&mut self.opened, clear.len(), false, true);
                self.opened.extend_from_slice(clear);
            } else {
                put_frame(&mut self.opened, clear, opened.more);
            }
            self.input.advance(end);
        }
        Ok(())
    }
}
