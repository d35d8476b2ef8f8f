//! `Executor`: where a node's callbacks run, one at a time, on the thread that called `run()` or `spawn()`. Knows tasks and times, not what they do.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use crate::event::{Event, EventHub};
use crate::sync::lock;
use crate::timers::{Agenda, Timed};
use crate::transport::World;

/// How long a callback may wait before it is said that nobody runs it.
const STARVED_AFTER: Duration = Duration::from_secs(1);
/// Messages that one task may handle before the next task has its turn.
const TURN: usize = 64;

/// What a task does. `run` handles at most `budget` things and returns whether more are left.
pub(crate) trait Work: Send + Sync {
    fn run(&self, budget: usize) -> bool;
}

/// Something that may have callbacks to run. It is in the queue at most once.
pub(crate) struct Task {
    label: Arc<str>,
    work: Weak<dyn Work>,
    executor: Weak<Executor>,
    queued: AtomicBool,
    warned: AtomicBool,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Task({})", self.label)
    }
}

impl Task {
    pub(crate) fn new(
        executor: &Arc<Executor>,
        label: Arc<str>,
        work: Weak<dyn Work>,
    ) -> Arc<Self> {
        Arc::new(Self {
            label,
            work,
            executor: Arc::downgrade(executor),
            queued: AtomicBool::new(false),
            warned: AtomicBool::new(false),
        })
    }

    /// There may be something to do.
    pub(crate) fn schedule(self: &Arc<Self>) {
        if let Some(sleeper) = self.enqueue() {
            sleeper.wake();
        }
    }

    /// The same; gives the thread to be woken for it, if one is.
    #[must_use]
    pub(crate) fn enqueue(self: &Arc<Self>) -> Option<Waker> {
        if self.queued.swap(true, Ordering::AcqRel) {
            return None;
        }
        self.executor.upgrade()?.push(self.clone())
    }

    /// Calls `schedule` at a time.
    pub(crate) fn schedule_at(self: &Arc<Self>, due: Instant) {
        if let Some(executor) = self.executor.upgrade() {
            executor.push_at(due, self);
        }
    }

    /// Whether a callback of its node is on some thread's stack right now: another must not begin.
    #[cfg_attr(
        not(feature = "testing"),
        allow(
            dead_code,
            reason = "only the virtual network runs tasks inside others"
        )
    )]
    pub(crate) fn is_running(&self) -> bool {
        self.executor
            .upgrade()
            .is_some_and(|executor| executor.in_turn.load(Ordering::Acquire))
    }

    /// One turn, on the thread that runs callbacks.
    pub(crate) fn turn(self: &Arc<Self>) {
        self.queued.store(false, Ordering::Release);
        let (Some(work), Some(executor)) = (self.work.upgrade(), self.executor.upgrade()) else {
            return;
        };
        let outer = CURRENT.replace(executor.key());
        executor.in_turn.store(true, Ordering::Release);
        let more = work.run(TURN);
        executor.in_turn.store(false, Ordering::Release);
        CURRENT.set(outer);
        if more {
            self.schedule();
        }
    }
}

impl Timed for Task {
    fn fire(self: Arc<Self>, _: Instant) {
        self.schedule();
    }
}

thread_local! {
    /// The executor whose callback this thread is in.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
    /// How many inline callbacks this thread is in.
    static INLINE: Cell<u32> = const { Cell::new(0) };
}

/// Whether this thread is in an inline callback, where nothing may wait.
pub(crate) fn in_inline() -> bool {
    INLINE.get() > 0
}

/// Marks the thread as being in an inline callback until dropped.
pub(crate) struct InlineGuard;

impl InlineGuard {
    pub(crate) fn enter() -> Self {
        INLINE.set(INLINE.get() + 1);
        Self
    }
}

impl Drop for InlineGuard {
    fn drop(&mut self) {
        INLINE.set(INLINE.get().saturating_sub(1));
    }
}

/// Why `run` came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Stopped,
    Deadline,
    Closed,
    AlreadyRunning,
}

#[derive(Debug)]
pub(crate) struct Executor {
    world: Arc<dyn World>,
    events: Arc<EventHub>,
    state: Mutex<State>,
    wake: Condvar,
    in_turn: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<(Arc<Task>, Instant)>,
    agenda: Agenda,
    running: bool,
    idle: bool,
    stop: bool,
    closed: bool,
    watched: bool,
}

impl Executor {
    pub(crate) fn new(world: Arc<dyn World>, events: Arc<EventHub>) -> Arc<Self> {
        Arc::new(Self {
            world,
            events,
            state: Mutex::default(),
            wake: Condvar::new(),
            in_turn: AtomicBool::new(false),
        })
    }

    /// Whether this thread is inside a callback of this executor.
    pub(crate) fn is_current(self: &Arc<Self>) -> bool {
        CURRENT.get() == self.key()
    }

    fn key(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self) as usize
    }

    fn push(self: &Arc<Self>, task: Arc<Task>) -> Option<Waker> {
        let task = self.world.run_task(task)?;
        let now = self.world.now();
        let mut state = lock(&self.state);
        if state.closed {
            return None;
        }
        state.ready.push_back((task, now));
        self.sleeper(state, now)
    }

    fn push_at(self: &Arc<Self>, due: Instant, task: &Arc<Task>) {
        let weak: Weak<Task> = Arc::downgrade(task);
        if self.world.is_virtual() {
            return self.world.at(due, weak);
        }
        let mut state = lock(&self.state);
        if state.closed {
            return;
        }
        state.agenda.push(due, weak);
        if let Some(sleeper) = self.sleeper(state, due) {
            sleeper.wake();
        }
    }

    /// The thread that runs callbacks, if it sleeps and nobody is about to wake it. If there is none, has someone look later whether there is.
    fn sleeper(
        self: &Arc<Self>,
        mut state: std::sync::MutexGuard<'_, State>,
        since: Instant,
    ) -> Option<Waker> {
        if state.running {
            let idle = std::mem::take(&mut state.idle);
            return idle.then(|| self.clone().into());
        }
        if !std::mem::replace(&mut state.watched, true) {
            drop(state);
            self.watch(since + STARVED_AFTER);
        }
        None
    }

    fn watch(self: &Arc<Self>, due: Instant) {
        let this: Weak<Self> = Arc::downgrade(self);
        self.world.at(due, this);
    }

    /// Runs callbacks until stopped, closed or the deadline.
    pub(crate) fn run(self: &Arc<Self>, deadline: Option<Instant>) -> Ended {
        if self.reserve() {
            self.run_reserved(deadline)
        } else {
            Ended::AlreadyRunning
        }
    }

    /// Takes the right to run callbacks, for a thread that is about to.
    pub(crate) fn reserve(&self) -> bool {
        !std::mem::replace(&mut lock(&self.state).running, true)
    }

    /// The opposite of `reserve`.
    pub(crate) fn release(&self) {
        lock(&self.state).running = false;
    }

    /// `run` after `reserve`.
    pub(crate) fn run_reserved(self: &Arc<Self>, deadline: Option<Instant>) -> Ended {
        let ended = self.run_loop(deadline);
        let mut state = lock(&self.state);
        state.running = false;
        state.stop = false;
        if !state.ready.is_empty() {
            let now = self.world.now();
            let nobody = self.sleeper(state, now);
            debug_assert!(nobody.is_none(), "it is this thread");
        }
        ended
    }

    fn run_loop(self: &Arc<Self>, deadline: Option<Instant>) -> Ended {
        let mut state = lock(&self.state);
        loop {
            let now = Instant::now();
            while let Some(entry) = state.agenda.pop_due(now) {
                drop(state);
                if let Some(task) = entry.what.upgrade() {
                    task.fire(now);
                }
                state = lock(&self.state);
            }
            // From here on the lock is held until the wait: an end that is told in between would be slept through.
            if state.closed {
                return Ended::Closed;
            }
            if state.stop {
                return Ended::Stopped;
            }
            if let Some((task, _)) = state.ready.pop_front() {
                drop(state);
                task.turn();
                drop(task);
                state = lock(&self.state);
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return Ended::Deadline;
                }
                continue;
            }
            let until = [deadline, state.agenda.next_due()]
                .into_iter()
                .flatten()
                .min();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ended::Deadline;
            }
            state.idle = true;
            state = match until {
                None => self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(now);
                    self.wake
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            state.idle = false;
        }
    }

    /// Waits for `stop` without running anything: for nodes whose callbacks the virtual network runs.
    pub(crate) fn wait_for_stop(&self) -> Ended {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return Ended::Closed;
            }
            if std::mem::take(&mut state.stop) {
                return Ended::Stopped;
            }
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn stop(&self) {
        lock(&self.state).stop = true;
        self.wake.notify_all();
    }

    pub(crate) fn close(&self) {
        let forgotten = {
            let mut state = lock(&self.state);
            state.closed = true;
            (
                std::mem::take(&mut state.ready),
                std::mem::take(&mut state.agenda),
            )
        };
        self.wake.notify_all();
        drop(forgotten);
    }

    /// Names the callbacks that have waited too long, and returns when to look again.
    fn find_starved(&self, now: Instant) -> (Vec<Arc<Task>>, Option<Instant>) {
        let mut state = lock(&self.state);
        state.watched = false;
        if state.running || state.closed {
            return (Vec::new(), None);
        }
        // Times that came while nobody was there to wait for them.
        while let Some(entry) = state.agenda.pop_due(now) {
            drop(state);
            if let Some(task) = entry.what.upgrade() {
                task.fire(entry.due);
            }
            state = lock(&self.state);
            // It has waited since it was due, not since somebody looked.
            if let Some((_, since)) = state.ready.back_mut() {
                *since = entry.due.min(*since);
            }
        }
        let waiting = state
            .ready
            .iter()
            .filter(|(task, _)| !task.warned.load(Ordering::Relaxed));
        let (starved, fresh): (Vec<_>, Vec<_>) =
            waiting.partition(|(_, since)| now >= *since + STARVED_AFTER);
        let again = fresh
            .iter()
            .map(|(_, since)| *since)
            .chain(state.agenda.next_due())
            .min();
        let starved = starved.into_iter().map(|(task, _)| task.clone()).collect();
        state.watched = again.is_some();
        (starved, again.map(|since| since + STARVED_AFTER))
    }
}

/// Wakes the thread that runs callbacks.
impl Wake for Executor {
    fn wake(self: Arc<Self>) {
        self.wake.notify_all();
    }
}

impl Timed for Executor {
    fn fire(self: Arc<Self>, now: Instant) {
        let (starved, again) = self.find_starved(now);
        for task in starved {
            if task.warned.swap(true, Ordering::Relaxed) {
                continue;
            }
            let missing = "node.run() or node.spawn()";
            tracing::warn!(
                handle = &*task.label,
                "a callback has waited for 1 s because nobody runs it: call {missing}"
            );
            self.events.emit(Event::CallbackStarved {
                handle: task.label.clone(),
                missing,
            });
        }
        if let Some(again) = again {
            self.watch(again);
        }
    }
}
