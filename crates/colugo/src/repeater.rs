//! `Repeater` and delayed callbacks: callbacks that are due at times. Which times is [`Schedule`]'s business, who runs them the executor's.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use crate::core::{Core, Forever, Kept};
use crate::error::BuildError;
use crate::executor::{Task, Work};
use crate::guard::Guard;
use crate::schedule::{MissedTicks, Schedule};
use crate::stats::{Counters, Stats, count};
use crate::sync::lock;

/// Makes a [`Repeater`]: from [`Node::repeater`](crate::Node::repeater).
#[derive(Debug)]
pub struct RepeaterBuilder {
    core: Arc<Core>,
    period: Duration,
    missed: MissedTicks,
}

impl RepeaterBuilder {
    pub(crate) fn new(core: Arc<Core>, period: Duration) -> Self {
        Self {
            core,
            period,
            missed: MissedTicks::default(),
        }
    }

    /// What happens to ticks whose time passed while something else ran. Default [`MissedTicks::Skip`].
    #[must_use]
    pub fn missed(mut self, missed: MissedTicks) -> Self {
        self.missed = missed;
        self
    }

    /// Starts, and calls `callback` where the node's callbacks run: first one period from now, then at every further period from the start,
    /// whatever the callback takes.
    ///
    /// # Errors
    /// The node is closed.
    pub fn on_tick(self, callback: impl FnMut() + Send + 'static) -> Result<Repeater, BuildError> {
        self.core.check()?;
        let label: Arc<str> = format!("repeater {:?}", self.period).into();
        let ticks = Arc::new(Ticks {
            core: Arc::downgrade(&self.core),
            label: label.clone(),
            period: self.period,
            missed: self.missed,
            schedule: Mutex::new(None),
            callback: Mutex::new(Box::new(callback)),
            counters: Counters::default(),
            task: OnceLock::new(),
        });
        let work: Weak<Ticks> = Arc::downgrade(&ticks);
        let _ = ticks.task.set(Task::new(&self.core.executor, label, work));
        let repeater = Repeater {
            core: self.core,
            ticks,
        };
        repeater.start();
        Ok(repeater)
    }
}

/// Calls back again and again, without drift. Dropping it ends that; [`detach`](Self::detach) lets it go on for as long as the node lives.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
/// # use std::time::Duration;
/// let net = colugo::testing::Net::new();
/// let node = net.node("a")?;
/// let ticks = Arc::new(AtomicU32::new(0));
/// let counted = ticks.clone();
/// let repeater = node.repeater(Duration::from_millis(20)).on_tick(move || {
///     counted.fetch_add(1, Ordering::Relaxed);
/// })?;
/// net.advance(Duration::from_secs(1));
/// assert_eq!(ticks.load(Ordering::Relaxed), 50);
/// repeater.stop();
/// net.advance(Duration::from_secs(1));
/// assert_eq!(ticks.load(Ordering::Relaxed), 50);
/// # Ok(()) }
/// ```
#[must_use = "dropping the repeater ends it: keep it, or call .detach()"]
#[doc(alias = "Timer")]
pub struct Repeater {
    core: Arc<Core>,
    ticks: Arc<Ticks>,
}

impl Repeater {
    /// Goes on, counting periods from now. Does nothing while it runs.
    pub fn start(&self) {
        let due = {
            let mut schedule = lock(&self.ticks.schedule);
            if schedule.is_some() {
                return;
            }
            let fresh = Schedule::new(self.core.world.now(), self.ticks.period, self.ticks.missed);
            let due = fresh.due();
            *schedule = Some(fresh);
            due
        };
        self.ticks.ask(due);
    }

    /// Pauses until [`start`](Self::start). No further tick begins.
    pub fn stop(&self) {
        *lock(&self.ticks.schedule) = None;
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        lock(&self.ticks.schedule).is_some()
    }

    /// Lets it live as long as the node.
    pub fn detach(self) {
        self.core.keep(Box::new(Forever(self.ticks.clone())));
    }

    /// What was counted so far: `received` is the number of ticks, `lost` those left out.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        self.ticks.counters.fill(&mut stats);
        stats.lost = std::mem::take(&mut stats.late);
        stats
    }
}

impl fmt::Debug for Repeater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repeater")
            .field("period", &self.ticks.period)
            .field("running", &self.is_running())
            .finish_non_exhaustive()
    }
}

struct Ticks {
    core: Weak<Core>,
    label: Arc<str>,
    period: Duration,
    missed: MissedTicks,
    schedule: Mutex<Option<Schedule>>,
    callback: Mutex<Box<dyn FnMut() + Send>>,
    counters: Counters,
    task: OnceLock<Arc<Task>>,
}

impl Ticks {
    fn ask(&self, due: Option<Instant>) {
        if let (Some(due), Some(task)) = (due, self.task.get()) {
            task.schedule_at(due);
        }
    }

    /// Whether a tick is due.
    fn is_due(&self, now: Instant) -> bool {
        lock(&self.schedule)
            .as_ref()
            .and_then(Schedule::due)
            .is_some_and(|due| due <= now)
    }

    /// Moves on to the next tick, if the repeater still runs.
    fn done(&self, core: &Core, began: Instant) -> Option<Instant> {
        let mut schedule = lock(&self.schedule);
        let schedule = schedule.as_mut()?;
        let skipped = schedule.done(began, core.world.now());
        self.counters
            .late
            .fetch_add(skipped, std::sync::atomic::Ordering::Relaxed);
        schedule.due()
    }
}

impl Work for Ticks {
    fn run(&self, _: usize) -> bool {
        let Some(core) = self.core.upgrade() else {
            return false;
        };
        // After a stop and a start, the time asked for before may come first: it is no tick.
        let began = core.world.now();
        if !self.is_due(began) {
            return false;
        }
        count(&self.counters.received);
        core.contain(&self.label, Some(&self.counters), || lock(&self.callback)());
        let next = self.done(&core, began);
        self.ask(next);
        false
    }
}

/// A callback that is called once.
struct Delayed {
    core: Weak<Core>,
    label: Arc<str>,
    callback: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    task: OnceLock<Arc<Task>>,
}

/// Keeps a delayed callback until it was called.
struct Once(Arc<Delayed>);

impl Kept for Once {
    fn is_over(&self) -> bool {
        lock(&self.0.callback).is_none()
    }
}

/// Calls `callback` once, `delay` from now, where the node's callbacks run.
pub(crate) fn after(
    core: &Arc<Core>,
    delay: Duration,
    callback: Box<dyn FnOnce() + Send>,
) -> Result<Guard, BuildError> {
    core.check()?;
    let label: Arc<str> = format!("delayed callback {delay:?}").into();
    let delayed = Arc::new(Delayed {
        core: Arc::downgrade(core),
        label: label.clone(),
        callback: Mutex::new(Some(callback)),
        task: OnceLock::new(),
    });
    let work: Weak<Delayed> = Arc::downgrade(&delayed);
    let task = delayed
        .task
        .get_or_init(|| Task::new(&core.executor, label, work));
    if let Some(due) = core.world.deadline(delay) {
        task.schedule_at(due);
    }
    Ok(Guard::new(core, None, Box::new(Once(delayed))))
}

impl Work for Delayed {
    fn run(&self, _: usize) -> bool {
        let callback = lock(&self.callback).take();
        if let (Some(core), Some(callback)) = (self.core.upgrade(), callback) {
            core.contain(&self.label, None, callback);
        }
        false
    }
}
