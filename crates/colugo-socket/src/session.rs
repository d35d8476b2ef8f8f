//! `Session`: one connection that has shaken hands, as a task of the data thread: reads, parses, delivers, and writes what the senders left
//! to it. The handshake itself is in `greet`.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::time::Sleep;

use crate::clock::since_start_ns;
use crate::core::{Core, Sink};
use crate::delivery::deliver;
use crate::event::DownReason;
use crate::flow::Flow;
use crate::link::{CLOSE, END, Link, WRITE};
use crate::parser::Parser;
use crate::peer::Peer;
use crate::stream::ReadHalf;

/// Smallest and largest read. A read that fills its buffer doubles the next one.
const READ_MIN: usize = 8 << 10;
const READ_MAX: usize = 256 << 10;
/// After so long without a read the buffers are given back.
const COOL_AFTER: Duration = Duration::from_secs(1);
/// After a read of so many messages more are let come before the next.
const MANY: usize = 4;
/// How often the processor is given away meanwhile: half a microsecond each when it is idle.
const YIELDS: usize = 4;
/// Two reads are close if no more than this lies between them; then the task stays awake for so long after the second.
const CLOSE_NS: u64 = 150_000;
const AWAKE_NS: u64 = 60_000;
/// Reads before the other tasks of the thread get their turn, and octets: who sends large messages must not hold up who sends small ones.
const READS_IN_A_ROW: usize = 8;
const OCTETS_IN_A_ROW: usize = 256 << 10;
/// The largest read, of a message that is larger.
const READ_LARGE: usize = 512 << 10;
/// Writes before the other tasks of the thread get their turn.
pub(crate) const WRITES_IN_A_ROW: usize = 16;

pub(crate) struct Session {
    core: Arc<Core>,
    link: Arc<Link>,
    peer: Arc<Peer>,
    flow: Arc<Flow>,
    read: ReadHalf,
    parser: Parser,
    read_size: usize,
    read_total: usize,
    cooling: Option<(Pin<Box<Sleep>>, usize)>,
    last_read_ns: u64,
    awake_until_ns: u64,
    /// The last read brought many messages.
    busy: bool,
    paused: bool,
    want_write: bool,
    closing: bool,
    why: Option<DownReason>,
}

impl Session {
    /// A session whose first octets may already be in `buf`.
    pub(crate) fn new(
        core: Arc<Core>,
        link: Arc<Link>,
        peer: Arc<Peer>,
        read: ReadHalf,
        buf: BytesMut,
    ) -> Self {
        let flow = Arc::new(Flow::default());
        let parser = Parser::new(core.clone(), link.clone(), peer.clone(), flow.clone(), buf);
        Self {
            core,
            link,
            peer,
            flow,
            read,
            parser,
            read_size: READ_MIN,
            read_total: 0,
            cooling: None,
            last_read_ns: 0,
            awake_until_ns: 0,
            busy: false,
            paused: false,
            want_write: false,
            closing: false,
            why: None,
        }
    }

    /// Until the connection ends.
    pub(crate) async fn run(&mut self) {
        let why = match self.consume() {
            Err(why) => why,
            Ok(()) => poll_fn(|cx| self.poll(cx)).await,
        };
        self.why = Some(why);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<DownReason> {
        self.link.task.register(cx.waker());
        self.poll_cooling(cx);
        loop {
            let signals = self.link.signals.swap(0, Ordering::SeqCst);
            self.want_write |= signals & WRITE != 0;
            self.closing |= signals & CLOSE != 0;
            if signals & END != 0
                && let Some(why) = self.link.take_ending()
            {
                return Poll::Ready(why);
            }
            if !self.want_write {
                break;
            }
            if self.link.poll_writable(cx).is_pending() {
                break;
            }
            self.want_write = false;
            if self.link.drain(WRITES_IN_A_ROW) {
                self.core.flusher.mark(self.link.clone());
            }
        }
        if self.closing && self.link.is_drained() {
            return Poll::Ready(DownReason::Local);
        }
        let read = self.poll_read(cx);
        // What handlers answered goes out now, in one write per link.
        self.core.flusher.flush();
        read
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<DownReason> {
        let mut octets = 0;
        for _ in 0..READS_IN_A_ROW {
            if self.paused
                && let Sink::Inbox(inbox) = &self.core.sink
            {
                if self.flow.pause(cx.waker(), inbox.limit()) {
                    return Poll::Pending;
                }
                self.paused = false;
            }
            if self.busy {
                self.gather();
            }
            let room = self
                .read_size
                .max(self.parser.missing().min(self.read_total.max(READ_MAX)))
                .min(READ_LARGE);
            let buf = self.parser.buffer(room);
            let before = buf.capacity() - buf.len();
            let read = pin!(self.read.read_buf(buf)).poll(cx);
            let Poll::Ready(read) = read else {
                self.busy = false;
                self.arm_cooling(cx);
                self.stay_awake(cx);
                return Poll::Pending;
            };
            match read {
                Ok(0) => return Poll::Ready(DownReason::Eof),
                Ok(n) => {
                    self.adapt(n, before);
                    octets += n;
                }
                Err(error) => return Poll::Ready(DownReason::Io(error.kind())),
            }
            if let Err(why) = self.consume() {
                return Poll::Ready(why);
            }
            if octets >= OCTETS_IN_A_ROW {
                break;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// While messages come many at a time: answers what was read, and lets more come before the next read. A read of a hundred messages
    /// costs hardly more than one of five, and a sender that wakes nobody saves time as well.
    fn gather(&self) {
        self.core.flusher.flush();
        for _ in 0..YIELDS {
            std::thread::yield_now();
        }
    }

    /// Where messages follow each other closely, looks again soon instead of sleeping: to wake a processor costs more than the message.
    /// Between two looks other links and threads have their turn.
    fn stay_awake(&self, cx: &mut Context<'_>) {
        if self.awake_until_ns != 0 && since_start_ns() < self.awake_until_ns {
            std::thread::yield_now();
            cx.waker().wake_by_ref();
        }
    }

    /// In a while, looks whether something was read meanwhile, and gives the buffers back if not.
    fn arm_cooling(&mut self, cx: &mut Context<'_>) {
        if self.cooling.is_none() && self.parser.is_warm() {
            let mut sleep = Box::pin(tokio::time::sleep(COOL_AFTER));
            let _ = sleep.as_mut().poll(cx);
            self.cooling = Some((sleep, self.read_total));
        }
    }

    fn poll_cooling(&mut self, cx: &mut Context<'_>) {
        if let Some((sleep, then)) = &mut self.cooling
            && sleep.as_mut().poll(cx).is_ready()
        {
            if *then == self.read_total {
                self.parser.cool();
                self.read_size = READ_MIN;
            }
            self.cooling = None;
        }
    }

    fn adapt(&mut self, n: usize, room: usize) {
        let now = since_start_ns();
        let close = now.saturating_sub(self.last_read_ns) < CLOSE_NS;
        self.last_read_ns = now;
        self.awake_until_ns = if close { now + AWAKE_NS } else { 0 };
        self.read_total = self.read_total.wrapping_add(n);
        if n >= room {
            self.read_size = (self.read_size * 2).min(READ_MAX);
        } else if n < self.read_size / 4 {
            self.read_size = (self.read_size / 2).max(READ_MIN);
        }
    }

    /// Parses and delivers what is in the buffer.
    fn consume(&mut self) -> Result<(), DownReason> {
        let parsed = self.parser.parse();
        self.deliver();
        parsed.map_err(|fault| {
            self.core
                .counters
                .protocol_errors
                .fetch_add(1, Ordering::Relaxed);
            DownReason::Protocol(fault.to_string())
        })
    }

    fn deliver(&mut self) {
        let keep_buffer = matches!(self.core.sink, Sink::Inbox(_));
        let Some(batch) = self.parser.take_batch(keep_buffer) else {
            return;
        };
        let octets = batch.buf.len();
        self.busy = batch.messages >= MANY;
        let counters = &self.core.counters;
        counters
            .received
            .fetch_add(batch.messages as u64, Ordering::Relaxed);
        counters
            .received_octets
            .fetch_add(octets as u64, Ordering::Relaxed);
        self.paused = deliver(&self.core, &self.flow, batch);
    }
}

impl Drop for Session {
    /// Also when the task is aborted: a link that is up always goes down.
    fn drop(&mut self) {
        let why = self.why.take().unwrap_or(DownReason::Local);
        self.parser.leave();
        self.core.link_down(&self.link, &self.peer, why);
    }
}
