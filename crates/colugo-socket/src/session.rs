//! `Session`: one connection that has shaken hands, as a task of the data thread: reads, parses, delivers, and writes what the senders left
//! to it. The handshake itself is in `greet`.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use colugo_zmtp::Command;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, Sleep};

use crate::clock::since_start_ns;
use crate::core::{Core, Sink};
use crate::delivery::deliver;
use crate::event::{DownReason, SocketEvent};
use crate::flow::Flow;
use crate::link::{CLOSE, END, Link, Pushed, SLOW, WRITE};
use crate::options::{LEAVE_WAIT, MIN_INTERVAL, SLOW_FOR};
use crate::parser::{OWN_BUFFER, Parser};
use crate::peer::Peer;
use crate::pulse::{Act, Pulse};
use crate::runtime::poll_again;
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
/// Nor for longer than this: who else wants the processor may keep it for long.
const GATHER_NS: u64 = 5_000;
/// Two reads are close if no more than this lies between them; then the task stays awake for so long once there is nothing to read.
const CLOSE_NS: u64 = 150_000;
const AWAKE_NS: u64 = 60_000;
/// Reads before the other tasks of the thread get their turn, and octets: who sends large messages must not hold up who sends small ones.
const READS_IN_A_ROW: usize = 8;
const OCTETS_IN_A_ROW: usize = 256 << 10;
/// The largest read, of a message that is larger.
const READ_LARGE: usize = 512 << 10;
/// Writes before the other tasks of the thread get their turn.
pub(crate) const WRITES_IN_A_ROW: usize = 16;

/// Whether to look again soon when there is nothing to read.
#[derive(Clone, Copy, Debug)]
enum Awake {
    No,
    /// From the moment that there is nothing more.
    From,
    /// Until this time.
    Until(u64),
}

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
    pulse: Pulse,
    /// When to look at the pulse again, and what had been read at the last look.
    pulse_due: Option<Pin<Box<Sleep>>>,
    pulse_read: usize,
    /// It may be time earlier than was thought.
    pulse_moved: bool,
    /// While messages are dropped: when to look whether that is over, and how many were at the last look.
    slow: Option<(Pin<Box<Sleep>>, u64)>,
    last_read_ns: u64,
    awake: Awake,
    /// The last octets read were of a large message.
    after_large: bool,
    /// The last read brought many messages.
    busy: bool,
    paused: bool,
    want_write: bool,
    closing: bool,
    why: Option<DownReason>,
    is_down: bool,
}

impl Session {
    /// A session whose first octets may already be in `buf`, on a link that had sent so many messages before.
    pub(crate) fn new(
        core: Arc<Core>,
        link: Arc<Link>,
        peer: Arc<Peer>,
        read: ReadHalf,
        buf: BytesMut,
        sent_before: u64,
    ) -> Self {
        let flow = link.flow.clone();
        // What earlier connections of this link brought may fill the inbox still.
        let fills = matches!(core.sink, Sink::Inbox(_));
        // Before 3.1 there are no PINGs, and some implementations end a connection on a command they do not know.
        let heartbeat = core.options.heartbeat.filter(|_| peer.minor() >= 1);
        let pulse = Pulse::new(Instant::now(), heartbeat, peer.is_colugo(), sent_before);
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
            pulse,
            pulse_due: None,
            pulse_read: 0,
            pulse_moved: true,
            slow: None,
            last_read_ns: 0,
            awake: Awake::No,
            after_large: false,
            busy: false,
            paused: fills,
            want_write: false,
            closing: false,
            why: None,
            is_down: false,
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

    /// Takes the link down. Where this side ends the connection, reads what the peer has sent meanwhile: unread octets would turn the end
    /// into a reset, and the system would drop what it has still to deliver.
    pub(crate) async fn leave(&mut self) {
        let ours = self.why == Some(DownReason::Local);
        self.down();
        if ours {
            let _ = tokio::time::timeout(LEAVE_WAIT, self.discard()).await;
        }
    }

    /// Reads until the end, if there is anything to read now.
    async fn discard(&mut self) {
        let mut scrap = BytesMut::new();
        let mut first = true;
        poll_fn(|cx| {
            loop {
                scrap.clear();
                scrap.reserve(READ_MIN);
                match pin!(self.read.read_buf(&mut scrap)).poll(cx) {
                    Poll::Ready(Ok(n)) if n > 0 => first = false,
                    Poll::Pending if !first => return Poll::Pending,
                    _ => return Poll::Ready(()),
                }
            }
        })
        .await;
    }

    fn down(&mut self) {
        if !std::mem::replace(&mut self.is_down, true) {
            let why = self.why.take().unwrap_or(DownReason::Local);
            self.parser.leave();
            self.core.link_down(&self.link, &self.peer, why);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<DownReason> {
        self.link.task.register(cx.waker());
        self.poll_cooling(cx);
        self.poll_slow(cx);
        loop {
            let signals = self.link.signals.swap(0, Ordering::SeqCst);
            self.want_write |= signals & WRITE != 0;
            self.closing |= signals & CLOSE != 0;
            if signals & SLOW != 0 && self.slow.is_none() {
                self.begin_slow();
            }
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
        if self.closing && self.link.is_drained() && self.link.poll_flushed(cx).is_ready() {
            return Poll::Ready(DownReason::Local);
        }
        let read = self.poll_read(cx);
        // After reading: what was there to be read says that the peer lives, however long this thread was kept from it.
        let silent = if read.is_pending() {
            self.poll_pulse(cx)
        } else {
            None
        };
        // What handlers answered goes out now, in one write per link.
        self.core.flusher.flush();
        match silent {
            Some(silent) => Poll::Ready(DownReason::Silent(silent)),
            None => read,
        }
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
            let missing = self.parser.missing();
            let (room, most) = self.room(missing);
            let buf = self.parser.buffer(room);
            let before = (buf.capacity() - buf.len()).min(most);
            let read = pin!(self.read.read_buf(&mut buf.limit(most))).poll(cx);
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
                    self.after_large = missing > OWN_BUFFER || (self.after_large && missing > 0);
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
        poll_again(cx);
        Poll::Pending
    }

    /// Octets to have room for, and to read at most. A large message is read to its end and no further, and then a little of the next one:
    /// if that is large too, it has a buffer of its own from the start, and little to move there.
    fn room(&self, missing: usize) -> (usize, usize) {
        if missing > OWN_BUFFER {
            let room = missing.min(self.read_total.max(READ_MAX));
            (room.max(self.read_size), missing.min(READ_LARGE))
        } else if self.after_large {
            let little = missing.max(READ_MIN);
            (little, little)
        } else {
            (missing.max(self.read_size), READ_LARGE)
        }
    }

    /// While messages come many at a time: answers what was read, and lets more come before the next read. A read of a hundred messages
    /// costs hardly more than one of five, and a sender that wakes nobody saves time as well.
    fn gather(&self) {
        self.core.flusher.flush();
        let start = since_start_ns();
        for _ in 0..YIELDS {
            std::thread::yield_now();
            if since_start_ns().saturating_sub(start) > GATHER_NS {
                break;
            }
        }
    }

    /// Where messages follow each other closely, looks again soon instead of sleeping: to wake a processor costs more than the message.
    /// Between two looks other links and threads have their turn.
    fn stay_awake(&mut self, cx: &mut Context<'_>) {
        let until = match self.awake {
            Awake::No => return,
            Awake::Until(until) => until,
            // What the handlers answered is to go out first.
            Awake::From => {
                self.core.flusher.flush();
                let until = since_start_ns() + AWAKE_NS;
                self.awake = Awake::Until(until);
                until
            }
        };
        if since_start_ns() < until {
            std::thread::yield_now();
            poll_again(cx);
        } else {
            self.awake = Awake::No;
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
            && is_over(sleep, cx)
        {
            if *then == self.read_total {
                self.parser.cool();
                self.read_size = READ_MIN;
            }
            self.cooling = None;
        }
    }

    /// The peer takes its messages more slowly than they come: told once, until none was dropped for a while.
    fn begin_slow(&mut self) {
        if let Some((dropped, lately)) = self.link.shortage(None) {
            self.core.counters.slow.fetch_add(1, Ordering::Relaxed);
            self.core.emit(SocketEvent::Slow(self.peer.clone(), lately));
            self.slow = Some((Box::pin(tokio::time::sleep(SLOW_FOR)), dropped));
        }
    }

    fn poll_slow(&mut self, cx: &mut Context<'_>) {
        while let Some((due, then)) = &mut self.slow
            && due.as_mut().poll(cx).is_ready()
        {
            let then = *then;
            self.slow = match self.link.shortage(Some(then)) {
                Some((dropped, _)) if dropped != then => {
                    Some((Box::pin(tokio::time::sleep(SLOW_FOR)), dropped))
                }
                Some((_, lately)) => {
                    self.core
                        .emit(SocketEvent::CaughtUp(self.peer.clone(), lately));
                    None
                }
                None => None,
            };
        }
    }

    /// Looks at the pulse when it is time. Gives how long the peer was silent, if it is to be given up.
    fn poll_pulse(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        loop {
            if let Some(due) = &mut self.pulse_due
                && is_over(due, cx)
            {
                if let Act::Close(silent) = self.look_at_pulse() {
                    self.core.counters.silent.fetch_add(1, Ordering::Relaxed);
                    return Some(silent);
                }
                self.pulse_moved = true;
            }
            if !std::mem::take(&mut self.pulse_moved) {
                return None;
            }
            let Some(next) = self.pulse.next() else {
                self.pulse_due = None;
                return None;
            };
            // Not at once again, whatever the clock says.
            let next = next.max(Instant::now() + MIN_INTERVAL / 2);
            match &mut self.pulse_due {
                Some(due) => due.as_mut().reset(next),
                None => self.pulse_due = Some(Box::pin(tokio::time::sleep_until(next))),
            }
            if let Some(due) = &mut self.pulse_due {
                let _ = due.as_mut().poll(cx);
            }
        }
    }

    fn look_at_pulse(&mut self) -> Act {
        let mut signs = self.link.signs();
        signs.deaf = self.paused;
        if self.read_total != self.pulse_read {
            self.pulse_read = self.read_total;
            let age = since_start_ns().saturating_sub(self.last_read_ns);
            signs.heard = Some(Duration::from_nanos(age));
        }
        let now = Instant::now();
        let act = self.pulse.look(now, &signs);
        match act {
            Act::Ping => {
                let (ttl, context) = (self.pulse.ttl_ds(), self.pulse.context());
                let (queued, pushed) = self.link.push_ping(ttl, &context);
                self.pulse.pinged(now, queued);
                if pushed == Pushed::Writer {
                    self.link.kick(true, false);
                }
            }
            Act::Stalled => {
                self.core.counters.stalled.fetch_add(1, Ordering::Relaxed);
                self.core.emit(SocketEvent::Stalled(self.peer.clone()));
            }
            Act::Rest | Act::Close(_) => {}
        }
        act
    }

    /// What came says that the peer lives, and perhaps asks the same of us.
    fn beat(&mut self) {
        if self.pulse.is_stalled() {
            let stalled = self.pulse.resume(Instant::now());
            self.pulse_moved = true;
            self.core
                .emit(SocketEvent::Resumed(self.peer.clone(), stalled));
        }
        let Some(beats) = self.parser.take_beats() else {
            return;
        };
        if let Some(context) = beats.pong {
            self.pulse.ponged(context.octets());
            self.pulse_moved = true;
        }
        if !beats.pings.is_empty() {
            self.pulse_moved |= self.pulse.was_pinged(beats.ttl_ds);
            let mut pongs = Vec::new();
            for context in &beats.pings {
                let context = context.octets();
                Command::Pong { context }.encode(&mut pongs);
            }
            if self.link.push_pongs(pongs.into()) == Pushed::Writer {
                self.link.kick(true, false);
            }
        }
    }

    fn adapt(&mut self, n: usize, room: usize) {
        let now = since_start_ns();
        let close = now.saturating_sub(self.last_read_ns) < CLOSE_NS;
        self.last_read_ns = now;
        self.awake = if close { Awake::From } else { Awake::No };
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
        self.beat();
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
        self.link.count_received(batch.messages, octets);
        self.paused = deliver(&self.core, &self.flow, batch);
    }
}

/// Whether a time has come of which the task is to be woken, and was told when it was set. Less work than to ask for that again at each turn.
fn is_over(due: &mut Pin<Box<Sleep>>, cx: &mut Context<'_>) -> bool {
    due.is_elapsed() && due.as_mut().poll(cx).is_ready()
}

impl Drop for Session {
    /// Also when the task is aborted: a link that is up always goes down.
    fn drop(&mut self) {
        self.down();
    }
}
