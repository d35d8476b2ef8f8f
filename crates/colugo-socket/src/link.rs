//! `Link`: one way to one peer. Its queue is in the socket's table; here is what is done with it without that lock: writing, signals, counts.
//! Whoever made the queue not empty has the writer's role and either writes or hands it on. Knows nothing of reading.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use colugo_zmtp::{SubscriptionLimit, SubscriptionSet};

use crate::clock::since_start_ns;
use crate::event::DownReason;
use crate::flow::Flow;
use crate::flusher::Flusher;
use crate::gate::{Gate, WakerSlot, lock};
use crate::message::LinkId;
use crate::outbox::{Outbox, Taken};
use crate::peer::Peer;
use crate::pulse::Signs;
use crate::runtime;
use crate::stamping::Stamping;
use crate::table::SharedTable;
use crate::writer::{Writer, Wrote};

/// A foreign thread writes by itself when nobody has done so for this long: a lone message then saves a thread switch, a stream of them
/// is left to the data thread, which writes many at once.
const INLINE_PAUSE_NS: u64 = 20_000;
/// After a pause this long since the last write, a message is written at once; before, it may wait for others.
const STREAM_PAUSE_NS: u64 = 50_000;
/// A sender helps a writer that has not come to it for so long, or when so much waits.
const HELP_AFTER_NS: u64 = 50_000;
const HELP_OCTETS: usize = 128 << 10;
/// From this capacity on a link's buffers are given back when it is idle for so long.
const IDLE_CAPACITY: usize = 4 << 10;
const WARM_NS: u64 = 1_000_000_000;
/// Owned frames from this size on are always written by the sender: a copy-free write beats a thread switch.
pub(crate) const INLINE_FROM: usize = 1 << 20;

/// Signals to the connection's task.
pub(crate) const WRITE: u32 = 1;
pub(crate) const CLOSE: u32 = 2;
pub(crate) const BROKEN: u32 = 4;
pub(crate) const END: u32 = 8;
/// Messages are dropped for want of room in the queue.
pub(crate) const SLOW: u32 = 16;

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// Queued; somebody else writes it.
    Queued,
    /// Queued; the caller has the writer's role and must [`kick`](Link::kick).
    Writer,
    /// Queued, and much waits: the caller should [`help`](Link::help).
    Plenty,
    /// The queue is full.
    Full,
    /// There is no connection, and the link keeps nothing for a later one.
    Gone,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    /// Keeps its queue from one connection to the next.
    pub(crate) persistent: bool,
    table: Arc<SharedTable>,
    writer: Mutex<Option<Writer>>,
    pub(crate) task: WakerSlot,
    /// What waits of it in the inbox, over all its connections.
    pub(crate) flow: Arc<Flow>,
    pub(crate) signals: AtomicU32,
    /// Why the connection is to end, with the signal for it.
    ending: Mutex<Option<DownReason>>,
    room: Arc<Gate>,
    flusher: Arc<Flusher>,
    last_write_ns: AtomicU64,
    pub(crate) queued: AtomicUsize,
    /// Holds large buffers, and is on the flusher's list for it.
    warm: AtomicBool,
    pub(crate) sent: AtomicU64,
    pub(crate) dropped: AtomicU64,
    /// Messages and octets; written by the session alone.
    pub(crate) received: AtomicU64,
    pub(crate) received_octets: AtomicU64,
}

impl Link {
    pub(crate) fn new(
        id: LinkId,
        persistent: bool,
        table: Arc<SharedTable>,
        room: Arc<Gate>,
        flusher: Arc<Flusher>,
    ) -> Self {
        Self {
            id,
            persistent,
            table,
            writer: Mutex::new(None),
            task: WakerSlot::default(),
            flow: Arc::default(),
            signals: AtomicU32::new(0),
            ending: Mutex::default(),
            room,
            flusher,
            last_write_ns: AtomicU64::new(0),
            queued: AtomicUsize::new(0),
            warm: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            received: AtomicU64::new(0),
            received_octets: AtomicU64::new(0),
        }
    }

    /// Queues a command or subscription.
    pub(crate) fn push_control(&self, write: impl FnOnce(&mut Vec<u8>)) -> Pushed {
        let mut table = self.table.lock();
        match table.get(self.id) {
            Some(slot) if slot.outbox.session => {
                slot.outbox.push_control(write);
                slot.outbox.claim(usize::MAX)
            }
            _ => Pushed::Gone,
        }
    }

    /// Queues a PING behind what is queued, unless one is queued already. Gives how many messages were queued before it.
    pub(crate) fn push_ping(&self, ttl_ds: u16, context: &[u8]) -> (u64, Pushed) {
        let mut table = self.table.lock();
        match table.get(self.id) {
            Some(slot) if slot.outbox.session => {
                if !slot.outbox.holds_ping() {
                    slot.outbox.push_ping(ttl_ds, context);
                }
                let queued = self.queued_ever(&slot.outbox);
                (queued, slot.outbox.claim(usize::MAX))
            }
            _ => (0, Pushed::Gone),
        }
    }

    /// Queues PONGs before what is queued; before what is being written too, if a large frame is among it. Those that were queued before
    /// and not written are answered for by these.
    pub(crate) fn push_pongs(&self, pong: Bytes) -> Pushed {
        let mut writer = lock(&self.writer);
        if writer
            .as_mut()
            .is_some_and(|writer| writer.insert_pongs(&pong))
        {
            return Pushed::Queued;
        }
        let mut table = self.table.lock();
        match table.get(self.id) {
            Some(slot) if slot.outbox.session => {
                slot.outbox.push_pongs(pong);
                slot.outbox.claim(usize::MAX)
            }
            _ => Pushed::Gone,
        }
    }

    /// Counts what came in one read; only the session does.
    pub(crate) fn count_received(&self, messages: usize, octets: usize) {
        let add = |counter: &AtomicU64, more: usize| {
            let sum = counter.load(Ordering::Relaxed).wrapping_add(more as u64);
            counter.store(sum, Ordering::Relaxed);
        };
        add(&self.received, messages);
        add(&self.received_octets, octets);
    }

    /// Messages dropped so far, and how many of them since room was short; with `since` as the last answer, that is over if there are no
    /// more.
    pub(crate) fn shortage(&self, since: Option<u64>) -> Option<(u64, u64)> {
        let mut table = self.table.lock();
        let slot = table.get(self.id)?;
        let dropped = self.dropped.load(Ordering::Relaxed);
        let before = slot.slow?;
        if since == Some(dropped) {
            slot.slow = None;
        }
        Some((dropped, dropped.saturating_sub(before)))
    }

    /// Messages queued for the peer, ever; with the table's lock held.
    fn queued_ever(&self, outbox: &Outbox) -> u64 {
        self.sent.load(Ordering::Relaxed) + outbox.messages() as u64
    }

    /// What this side knows of how the connection does.
    pub(crate) fn signs(&self) -> Signs {
        let writer = lock(&self.writer);
        let mut table = self.table.lock();
        let mut signs = Signs::default();
        if let Some(slot) = table.get(self.id) {
            signs.queued = self.queued_ever(&slot.outbox);
            signs.ping_waits = slot.outbox.holds_ping();
        }
        if let Some(writer) = writer.as_ref() {
            signs.written = writer.total();
            let ns = since_start_ns().saturating_sub(self.last_write_ns.load(Ordering::Relaxed));
            signs.wrote = Duration::from_nanos(ns);
            signs.ping_waits |= writer.taken.ping;
        }
        signs
    }

    /// Uses or hands on the writer's role. `alone`: the socket has no other peer to write to, so writing here is worth a thought.
    pub(crate) fn kick(self: &Arc<Self>, alone: bool, large: bool) {
        if alone && !runtime::on_data_thread() {
            let now = since_start_ns();
            let idle_ns = now.saturating_sub(self.last_write_ns.load(Ordering::Relaxed));
            let lone = idle_ns > INLINE_PAUSE_NS && !self.flusher.is_busy(now);
            if large || lone {
                if self.drain(1) {
                    self.flusher.mark(self.clone());
                }
                return;
            }
        }
        self.flusher.mark(self.clone());
    }

    /// Writes what is queued, as the holder of the writer's role. True: there is more after `rounds`, and the role is still the caller's.
    pub(crate) fn drain(self: &Arc<Self>, rounds: usize) -> bool {
        let mut slot = lock(&self.writer);
        let Some(writer) = slot.as_mut() else {
            if let Some(slot) = self.table.lock().get(self.id) {
                slot.outbox.writer = false;
            }
            return false;
        };
        let on_data_thread = runtime::on_data_thread();
        for round in 0..=rounds {
            if writer.is_done() && !self.take(writer, round == rounds) {
                return round == rounds && !self.is_idle();
            }
            match writer.write(on_data_thread) {
                Wrote::Enough => {
                    self.note_write();
                    return true;
                }
                Wrote::All => self.note_write(),
                Wrote::Blocked => {
                    self.signal(WRITE);
                    return false;
                }
                Wrote::Broken(_) => {
                    self.signal(BROKEN);
                    return false;
                }
            }
        }
        true
    }

    fn note_write(&self) {
        self.last_write_ns
            .store(since_start_ns(), Ordering::Relaxed);
    }

    /// Takes what is queued. False: there is nothing, and the role is given up; or there is, but it is `enough` already.
    fn take(self: &Arc<Self>, writer: &mut Writer, enough: bool) -> bool {
        let mut table = self.table.lock_politely();
        let limit = table.limit();
        let Some(slot) = table.get(self.id) else {
            return false;
        };
        let outbox = &mut slot.outbox;
        let made_room = outbox.settle();
        if outbox.is_empty()
            && let Some(stamp) = outbox.stamping.as_mut().and_then(Stamping::on_drained)
        {
            outbox.push_stamp(stamp);
        }
        if outbox.is_empty() {
            outbox.writer = false;
            let keeps = writer.capacity().max(outbox.capacity()) > IDLE_CAPACITY;
            drop(table);
            if made_room {
                self.room.notify();
            }
            if keeps && !self.warm.swap(true, Ordering::Relaxed) {
                self.flusher.keep_warm(self.clone());
            }
            return false;
        }
        if enough {
            drop(table);
            if made_room {
                self.room.notify();
            }
            return false;
        }
        self.sent
            .fetch_add(outbox.messages() as u64, Ordering::Relaxed);
        outbox.take_into(&mut writer.taken, limit);
        drop(table);
        self.room.notify();
        true
    }

    /// Nobody has the writer's role.
    fn is_idle(&self) -> bool {
        self.table
            .lock()
            .get(self.id)
            .is_none_or(|slot| !slot.outbox.writer)
    }

    /// Whether the last write ended so recently that the sender is probably in the middle of more.
    pub(crate) fn is_streaming(&self) -> bool {
        since_start_ns().saturating_sub(self.last_write_ns.load(Ordering::Relaxed))
            < STREAM_PAUSE_NS
    }

    /// Octets that wait, as they are now.
    pub(crate) fn waiting_octets(&self) -> usize {
        let mut table = self.table.lock();
        table.get(self.id).map_or(0, |slot| slot.outbox.octets())
    }

    /// Octets in the queue, without its lock: what the last push left there.
    pub(crate) fn queued_octets(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Gives large buffers back if nothing was written for a while: an idle peer holds none. False: it was.
    pub(crate) fn cool(&self) -> bool {
        let quiet = since_start_ns().saturating_sub(self.last_write_ns.load(Ordering::Relaxed));
        if quiet < WARM_NS {
            return false;
        }
        let mut writer = lock(&self.writer);
        if let Some(writer) = writer.as_mut().filter(|w| w.is_done()) {
            writer.taken = Taken::default();
        }
        drop(writer);
        if let Some(slot) = self.table.lock().get(self.id) {
            slot.outbox.shrink();
        }
        self.warm.store(false, Ordering::Relaxed);
        true
    }

    /// Writes, as a sender that has queued a lot, if nobody else is writing.
    #[cold]
    pub(crate) fn help(self: &Arc<Self>) {
        if runtime::on_data_thread() {
            return;
        }
        let waited_ns = since_start_ns().saturating_sub(self.last_write_ns.load(Ordering::Relaxed));
        let due = waited_ns > HELP_AFTER_NS || self.queued_octets() >= HELP_OCTETS;
        if due && self.writer.try_lock().is_ok() && self.drain(1) {
            self.flusher.mark(self.clone());
        }
    }

    /// Makes room, as a sender that would have to wait otherwise.
    pub(crate) fn make_room(self: &Arc<Self>) {
        if self.drain(1) {
            self.flusher.mark(self.clone());
        }
    }

    pub(crate) fn flusher(&self) -> &Arc<Flusher> {
        &self.flusher
    }

    /// Wakes the connection's task with a signal.
    pub(crate) fn signal(&self, signal: u32) {
        self.signals.fetch_or(signal, Ordering::SeqCst);
        self.task.wake();
    }

    /// Ends the connection, whatever is queued for it.
    pub(crate) fn end(&self, why: DownReason) {
        *lock(&self.ending) = Some(why);
        self.signal(END);
    }

    /// Why the connection is to end.
    pub(crate) fn take_ending(&self) -> Option<DownReason> {
        lock(&self.ending).take()
    }

    /// Whether the socket's buffer has room again; registers the task otherwise.
    pub(crate) fn poll_writable(&self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        match lock(&self.writer).as_ref() {
            Some(writer) => writer.half().poll_write_ready(cx).map(|_| ()),
            None => std::task::Poll::Pending,
        }
    }

    /// Ready when the system has what was written to the connection.
    pub(crate) fn poll_flushed(&self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        match lock(&self.writer).as_ref() {
            Some(writer) => writer.half().poll_flushed(cx),
            None => std::task::Poll::Ready(()),
        }
    }

    /// A connection is there. True: something waits, and the caller has the writer's role.
    pub(crate) fn open(&self, writer: Writer, stamped: bool, peer: Arc<Peer>) -> bool {
        let mut place = lock(&self.writer);
        let mut table = self.table.lock();
        let Some(slot) = table.get(self.id) else {
            return false;
        };
        *place = Some(writer);
        // That was meant for an earlier connection.
        lock(&self.ending).take();
        slot.peer = Some(peer);
        slot.slow = None;
        slot.outbox.session = true;
        slot.outbox.takes = !slot.leaving;
        slot.outbox.stamping = stamped.then(Stamping::default);
        slot.outbox.writer = !slot.outbox.is_empty();
        let waiting = slot.outbox.writer;
        table.sessions += 1;
        waiting
    }

    /// The connection is gone. Gives how many queued messages are lost with it.
    pub(crate) fn shut(&self) -> usize {
        let mut place = lock(&self.writer);
        let mut table = self.table.lock();
        let writer = place.take();
        let Some(slot) = table.get(self.id) else {
            return 0;
        };
        let outbox = &mut slot.outbox;
        outbox.session = false;
        outbox.takes = self.persistent && !slot.leaving;
        outbox.writer = false;
        outbox.stamping = None;
        // Counted as sent when they were taken.
        let unwritten = writer.as_ref().map_or(0, Writer::unwritten);
        self.sent.fetch_sub(unwritten as u64, Ordering::Relaxed);
        let mut lost = 0;
        if self.persistent {
            if let Some(writer) = writer {
                let written = writer.written();
                outbox.restore(writer.into_taken(), written);
            }
        } else {
            lost = outbox.clear().saturating_add(unwritten);
        }
        slot.subscriptions = SubscriptionSet::new();
        if slot.peer.take().is_some() {
            table.sessions = table.sessions.saturating_sub(1);
        }
        drop(table);
        drop(place);
        self.dropped.fetch_add(lost as u64, Ordering::Relaxed);
        self.room.notify();
        lost
    }

    /// Queues the last stamp.
    pub(crate) fn push_final_stamp(&self) -> Pushed {
        let mut table = self.table.lock();
        let Some(slot) = table.get(self.id) else {
            return Pushed::Gone;
        };
        let Some(stamp) = slot.outbox.stamping.as_mut().and_then(Stamping::on_close) else {
            return Pushed::Queued;
        };
        slot.outbox.push_stamp(stamp);
        slot.outbox.claim(usize::MAX)
    }

    /// Messages that are queued, or taken and not written.
    #[cfg(test)]
    pub(crate) fn waiting_messages(&self) -> usize {
        let unwritten = self.unwritten_messages();
        let mut table = self.table.lock();
        table
            .get(self.id)
            .map_or(0, |slot| slot.outbox.messages() + unwritten)
    }

    /// Messages that were taken and that the system does not have whole.
    #[cfg(test)]
    pub(crate) fn unwritten_messages(&self) -> usize {
        lock(&self.writer).as_ref().map_or(0, Writer::unwritten)
    }

    /// Nothing is queued and nothing is being written.
    pub(crate) fn is_drained(&self) -> bool {
        let writing = lock(&self.writer).as_ref().is_some_and(|w| !w.is_done());
        !writing
            && self
                .table
                .lock()
                .get(self.id)
                .is_none_or(|slot| slot.outbox.is_empty())
    }

    /// Applies the peer's wish to get (or no longer get) what begins with `prefix`. Whether that changed anything.
    pub(crate) fn subscribe(&self, prefix: &[u8], wanted: bool) -> Result<bool, SubscriptionLimit> {
        let mut table = self.table.lock();
        let Some(slot) = table.get(self.id) else {
            return Ok(false);
        };
        if wanted {
            slot.subscriptions.insert(prefix)
        } else {
            Ok(slot.subscriptions.remove(prefix))
        }
    }

    /// What the peer has subscribed to, which it will get no more.
    pub(crate) fn take_subscriptions(&self) -> SubscriptionSet {
        let mut table = self.table.lock();
        let slot = table.get(self.id);
        slot.map(|slot| std::mem::take(&mut slot.subscriptions))
            .unwrap_or_default()
    }
}
