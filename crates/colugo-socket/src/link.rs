//! `Link`: one way to one peer: its queue, its writer, its subscriptions. Senders push into it; whoever made the queue not empty has the
//! writer's role and either writes or hands it on. Knows nothing of reading.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use colugo_zmtp::SubscriptionSet;

use crate::flusher::Flusher;
use crate::gate::{Gate, WakerSlot, lock};
use crate::message::{LinkId, Outgoing};
use crate::options::QueueLimit;
use crate::outbox::Outbox;
use crate::runtime;
use crate::stamping::{SendClock, Stamping};
use crate::writer::{Writer, Wrote};

/// A foreign thread writes by itself when it has not done so for this long: a lone message then saves a thread switch, a stream of them
/// is left to the data thread, which writes many at once.
const INLINE_PAUSE_NS: u64 = 20_000;
/// Owned frames from this size on are always written by the sender: a copy-free write beats a thread switch.
pub(crate) const INLINE_FROM: usize = 1 << 20;

/// Signals to the connection's task.
pub(crate) const WRITE: u32 = 1;
pub(crate) const CLOSE: u32 = 2;
pub(crate) const BROKEN: u32 = 4;

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// Queued; somebody else writes it.
    Queued,
    /// Queued; the caller has the writer's role and must [`kick`](Link::kick).
    Writer,
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
    outbox: Mutex<Outbox>,
    full: AtomicBool,
    writer: Mutex<Option<Writer>>,
    pub(crate) task: WakerSlot,
    pub(crate) signals: AtomicU32,
    subscriptions: Mutex<SubscriptionSet>,
    takes_all: AtomicBool,
    subscribed: AtomicBool,
    limit: QueueLimit,
    room: Arc<Gate>,
    flusher: Arc<Flusher>,
    last_inline_ns: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) dropped: AtomicU64,
}

fn since_start_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(|| {
        Instant::now()
            .checked_sub(Duration::from_secs(1))
            .unwrap_or_else(Instant::now)
    });
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

impl Link {
    pub(crate) fn new(
        id: LinkId,
        persistent: bool,
        limit: QueueLimit,
        room: Arc<Gate>,
        flusher: Arc<Flusher>,
    ) -> Self {
        Self {
            id,
            persistent,
            outbox: Mutex::default(),
            full: AtomicBool::new(false),
            writer: Mutex::new(None),
            task: WakerSlot::default(),
            signals: AtomicU32::new(0),
            subscriptions: Mutex::default(),
            takes_all: AtomicBool::new(false),
            subscribed: AtomicBool::new(false),
            limit,
            room,
            flusher,
            last_inline_ns: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// Whether there is no room, without a lock.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Queues a message behind `head` frames; with a number, stamped as the rules want it.
    #[inline]
    pub(crate) fn push(
        &self,
        head: &[&[u8]],
        body: &Outgoing<'_>,
        stamp: Option<(u64, &mut SendClock)>,
    ) -> Pushed {
        if self.is_full() {
            return Pushed::Full;
        }
        let mut outbox = lock(&self.outbox);
        if !outbox.session && !self.persistent {
            return Pushed::Gone;
        }
        if let Some((seq, clock)) = stamp {
            let empty = outbox.is_empty();
            if let Some(stamping) = &mut outbox.stamping
                && let Some(stamp) = stamping.before(seq, empty, clock)
            {
                outbox.push_stamp(stamp);
            }
        }
        outbox.push(head, body);
        if outbox.is_full(self.limit) {
            self.full.store(true, Ordering::Release);
        }
        Self::claim(&mut outbox)
    }

    /// Queues a command or subscription.
    pub(crate) fn push_control(&self, write: impl FnOnce(&mut Vec<u8>)) -> Pushed {
        let mut outbox = lock(&self.outbox);
        if !outbox.session {
            return Pushed::Gone;
        }
        outbox.push_control(write);
        Self::claim(&mut outbox)
    }

    fn claim(outbox: &mut MutexGuard<'_, Outbox>) -> Pushed {
        if outbox.session && !outbox.writer {
            outbox.writer = true;
            Pushed::Writer
        } else {
            Pushed::Queued
        }
    }

    /// A message was not queued: counts it, for the peer too if it is told.
    pub(crate) fn count_drop(&self, seq: Option<u64>) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        if let Some(seq) = seq
            && let Some(stamping) = &mut lock(&self.outbox).stamping
        {
            stamping.lost(seq);
        }
    }

    pub(crate) fn count_filtered(&self, seq: u64) {
        if let Some(stamping) = &mut lock(&self.outbox).stamping {
            stamping.filtered(seq);
        }
    }

    /// Uses or hands on the writer's role. `alone`: the socket has no other peer to write to, so writing here is worth a thought.
    pub(crate) fn kick(self: &Arc<Self>, alone: bool, large: bool) {
        if alone && !runtime::on_data_thread() {
            let now = since_start_ns();
            let last = self.last_inline_ns.swap(now, Ordering::Relaxed);
            if large || now.saturating_sub(last) > INLINE_PAUSE_NS {
                if self.drain(1) {
                    self.flusher.mark(self.clone());
                }
                return;
            }
        }
        self.flusher.mark(self.clone());
    }

    /// Writes what is queued, as the holder of the writer's role. True: there is more after `rounds`, and the role is still the caller's.
    pub(crate) fn drain(&self, rounds: usize) -> bool {
        let mut slot = lock(&self.writer);
        let Some(writer) = slot.as_mut() else {
            lock(&self.outbox).writer = false;
            return false;
        };
        let mut round = 0;
        loop {
            if writer.is_done() {
                let mut outbox = lock(&self.outbox);
                if outbox.is_empty()
                    && let Some(stamp) = outbox.stamping.as_mut().and_then(Stamping::on_drained)
                {
                    outbox.push_stamp(stamp);
                }
                if outbox.is_empty() {
                    outbox.writer = false;
                    drop(outbox);
                    writer.on_idle();
                    return false;
                }
                if round == rounds {
                    return true;
                }
                round += 1;
                self.sent
                    .fetch_add(outbox.messages() as u64, Ordering::Relaxed);
                outbox.take_into(&mut writer.taken);
                self.full.store(false, Ordering::Release);
                drop(outbox);
                self.room.notify();
            }
            match writer.write() {
                Wrote::All => {}
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
    }

    /// Wakes the connection's task with a signal.
    pub(crate) fn signal(&self, signal: u32) {
        self.signals.fetch_or(signal, Ordering::SeqCst);
        self.task.wake();
    }

    /// Whether the socket's buffer has room again; registers the task otherwise.
    pub(crate) fn poll_writable(&self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        match lock(&self.writer).as_ref() {
            Some(writer) => writer.stream().poll_write_ready(cx).map(|_| ()),
            None => std::task::Poll::Pending,
        }
    }

    /// A connection is there. True: something waits, and the caller has the writer's role.
    pub(crate) fn open(&self, writer: Writer, stamped: bool) -> bool {
        let mut slot = lock(&self.writer);
        let mut outbox = lock(&self.outbox);
        *slot = Some(writer);
        outbox.session = true;
        outbox.stamping = stamped.then(Stamping::default);
        outbox.writer = !outbox.is_empty();
        outbox.writer
    }

    /// The connection is gone. Gives how many queued messages are lost with it.
    pub(crate) fn shut(&self) -> usize {
        let mut slot = lock(&self.writer);
        let mut outbox = lock(&self.outbox);
        outbox.session = false;
        outbox.writer = false;
        outbox.stamping = None;
        let writer = slot.take();
        let lost = if self.persistent {
            if let Some(writer) = writer {
                let written = writer.written();
                outbox.restore(writer.into_taken(), written);
            }
            0
        } else {
            outbox.clear()
        };
        self.full
            .store(outbox.is_full(self.limit), Ordering::Release);
        drop(outbox);
        drop(slot);
        self.subscribed.store(false, Ordering::Release);
        self.takes_all.store(false, Ordering::Release);
        *lock(&self.subscriptions) = SubscriptionSet::new();
        self.dropped.fetch_add(lost as u64, Ordering::Relaxed);
        self.room.notify();
        lost
    }

    /// Queues the last stamp.
    pub(crate) fn push_final_stamp(&self) -> Pushed {
        let mut outbox = lock(&self.outbox);
        let Some(stamp) = outbox.stamping.as_mut().and_then(Stamping::on_close) else {
            return Pushed::Queued;
        };
        outbox.push_stamp(stamp);
        Self::claim(&mut outbox)
    }

    /// Nothing is queued and nothing is being written.
    pub(crate) fn is_drained(&self) -> bool {
        let writing = lock(&self.writer).as_ref().is_some_and(|w| !w.is_done());
        !writing && lock(&self.outbox).is_empty()
    }

    /// Applies the peer's wish to get (or no longer get) what begins with `prefix`. False: it asked for more than it may.
    pub(crate) fn subscribe(&self, prefix: &[u8], wanted: bool) -> bool {
        let mut set = lock(&self.subscriptions);
        let fits = if wanted {
            set.insert(prefix).is_ok()
        } else {
            set.remove(prefix);
            true
        };
        self.takes_all.store(set.matches_all(), Ordering::Release);
        self.subscribed.store(!set.is_empty(), Ordering::Release);
        fits
    }

    #[inline]
    pub(crate) fn wants(&self, topic: &[u8]) -> bool {
        self.takes_all.load(Ordering::Acquire)
            || (self.is_subscribed() && lock(&self.subscriptions).matches(topic))
    }

    #[inline]
    pub(crate) fn is_subscribed(&self) -> bool {
        self.subscribed.load(Ordering::Acquire)
    }
}
