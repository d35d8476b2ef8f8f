//! `Flusher`: writes what was queued for many links, and tells of what came by many, on the data thread, with one wake-up for all of them. Senders mark
//! a link dirty.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::Sleep;

use crate::clock::since_start_ns;
use crate::gate::{WakerSlot, lock};
use crate::inbox::Inbox;
use crate::link::Link;
use crate::runtime::poll_again;

/// Rounds before the other tasks of the thread get their turn.
const ROUNDS: usize = 8;
/// A stream's queue is let grow this often, for as long as it does grow, before it is written: larger writes cost less for all.
const LOOKS: usize = 40;
/// Between two looks the processor is given away so often: half a microsecond each when it is idle, and when it is not, the sender goes
/// on. Looking more often would take the counter's cache line from the sender.
const YIELDS: usize = 4;
/// Pause between looks for links that have gone idle.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Nor for longer than this, where other threads keep the processor.
const GATHER_NS: u64 = 100_000;
/// So many links in a row are written by their sender, if each follows the one before within this time.
const KICKS_IN_A_ROW: u32 = 16;
const KICK_PAUSE_NS: u64 = 12_000;
/// Enough for one write.
const GATHER_OCTETS: usize = 256 << 10;

/// What became of the marked links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// There were none.
    Nothing,
    /// What they had is written, or waits for the system.
    All,
    /// Some have more to write, after others had their turn.
    Part,
}

/// Links with something to write, and the task that writes it.
#[derive(Debug, Default)]
pub(crate) struct Flusher {
    dirty: Mutex<Vec<Arc<Link>>>,
    /// Inboxes that something came into.
    arrived: Mutex<Vec<Arc<Inbox>>>,
    /// Links that hold large buffers.
    warm: Mutex<Vec<Arc<Link>>>,
    /// Set from the first mark until the task has found nothing more: a sender in between need not wake it.
    awake: AtomicBool,
    task: WakerSlot,
    /// When a sender last had something to write on a quiet link, and how many such times followed closely on each other.
    kicked_ns: AtomicU64,
    kicks: AtomicU32,
}

impl Flusher {
    /// Has the link written soon. The caller is its writer and hands that role over.
    pub(crate) fn mark(&self, link: Arc<Link>) {
        lock(&self.dirty).push(link);
        self.stir();
    }

    /// Has somebody told that something came into an inbox, once the other links have had their turn that something came by: who is woken by the first
    /// message of many takes the processor from this thread, and sleeps again before the second.
    pub(crate) fn notify_later(&self, inbox: Arc<Inbox>) {
        lock(&self.arrived).push(inbox);
        self.stir();
    }

    /// Has the task look, unless it is about to.
    fn stir(&self) {
        if !self.awake.swap(true, Ordering::SeqCst) {
            self.task.wake();
        }
    }

    fn notify(&self) {
        let arrived = std::mem::take(&mut *lock(&self.arrived));
        let mut sleepers: Vec<Waker> = Vec::new();
        for inbox in arrived {
            if let Some(sleeper) = inbox.notify()
                && !sleepers.iter().any(|other| other.will_wake(&sleeper))
            {
                sleepers.push(sleeper);
            }
        }
        sleepers.into_iter().for_each(Waker::wake);
    }

    /// The same for several links, with one lock and one wake-up.
    pub(crate) fn mark_all(&self, links: impl Iterator<Item = Arc<Link>>) {
        lock(&self.dirty).extend(links);
        self.stir();
    }

    /// Writes the marked links. Only on the data thread.
    pub(crate) fn flush(&self) -> Flushed {
        let links = std::mem::take(&mut *lock(&self.dirty));
        if links.is_empty() {
            return Flushed::Nothing;
        }
        let mut flushed = Flushed::All;
        for link in links {
            if link.drain(1) {
                lock(&self.dirty).push(link);
                flushed = Flushed::Part;
            }
        }
        flushed
    }

    /// While senders fill the queues faster than a write takes, waits for more to write at once.
    fn gather(&self) {
        let links = lock(&self.dirty).clone();
        if !links.iter().any(|link| link.is_streaming()) {
            return;
        }
        let (mut before, start) = (0, since_start_ns());
        for _ in 0..LOOKS {
            let (mut queued, mut enough) = (0, false);
            for link in &links {
                let octets = link.queued_octets();
                queued += octets;
                enough |= octets >= GATHER_OCTETS;
            }
            // Less than before: the sender writes by itself, and is still at it.
            if enough || queued == before || since_start_ns().saturating_sub(start) > GATHER_NS {
                return;
            }
            before = queued;
            for _ in 0..YIELDS {
                std::thread::yield_now();
            }
        }
    }

    /// Asked by a sender that could write by itself now: whether senders have had so much to write, on whatever links, that this thread had
    /// better write for all of them.
    pub(crate) fn is_busy(&self, now_ns: u64) -> bool {
        // Two senders at once may miscount by one, which is no matter.
        let before = self.kicked_ns.load(Ordering::Relaxed);
        self.kicked_ns.store(now_ns, Ordering::Relaxed);
        let kicks = if now_ns.saturating_sub(before) < KICK_PAUSE_NS {
            self.kicks.load(Ordering::Relaxed).saturating_add(1)
        } else {
            0
        };
        self.kicks.store(kicks, Ordering::Relaxed);
        kicks > KICKS_IN_A_ROW
    }

    /// Has the link's buffers taken away once it is idle.
    pub(crate) fn keep_warm(&self, link: Arc<Link>) {
        lock(&self.warm).push(link);
        self.stir();
    }

    /// The task.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut sweep: Option<Pin<Box<Sleep>>> = None;
        poll_fn(|cx| {
            self.task.register(cx.waker());
            if sweep
                .as_mut()
                .is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready())
            {
                sweep = None;
                lock(&self.warm).retain(|link| !link.cool());
            }
            for _ in 0..ROUNDS {
                self.notify();
                self.gather();
                match self.flush() {
                    Flushed::Nothing => {}
                    Flushed::All => continue,
                    Flushed::Part => break,
                }
                self.awake.store(false, Ordering::SeqCst);
                if !lock(&self.dirty).is_empty() || !lock(&self.arrived).is_empty() {
                    self.awake.store(true, Ordering::SeqCst);
                    continue;
                }
                if sweep.is_none() && !lock(&self.warm).is_empty() {
                    let mut sleep = Box::pin(tokio::time::sleep(SWEEP_EVERY));
                    let _ = sleep.as_mut().poll(cx);
                    sweep = Some(sleep);
                }
                return Poll::<()>::Pending;
            }
            poll_again(cx);
            Poll::Pending
        })
        .await;
    }
}
