//! The timer thread of the process: calls what is due at a time. Made with the first timer, joined with the last node.
//! Repeaters and delayed callbacks do not pass here while a thread runs their node's callbacks: that thread waits for them itself.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::sync::lock;

/// Something that wants to be called at a time.
pub(crate) trait Timed: Send + Sync {
    /// Called once for each time asked for, on a thread that must not be held up.
    fn fire(self: Arc<Self>, now: Instant);
}

/// A time that was asked for.
pub(crate) struct Entry {
    pub(crate) due: Instant,
    pub(crate) order: u64,
    pub(crate) what: Weak<dyn Timed>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.order) == (other.due, other.order)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

/// Times in order; equal ones in the order they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Reverse<Entry>>,
    order: u64,
}

impl Agenda {
    pub(crate) fn push(&mut self, due: Instant, what: Weak<dyn Timed>) {
        self.order += 1;
        self.heap.push(Reverse(Entry {
            due,
            order: self.order,
            what,
        }));
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(entry)| entry.due)
    }

    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Entry> {
        if self.next_due()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}

/// A share in the timer thread. The thread ends with the last share.
#[derive(Debug)]
pub(crate) struct Timers {
    inner: Arc<Inner>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    agenda: Agenda,
    stop: bool,
}

static SHARED: Mutex<Weak<Timers>> = Mutex::new(Weak::new());

impl Timers {
    pub(crate) fn shared() -> Arc<Self> {
        let mut shared = lock(&SHARED);
        shared.upgrade().unwrap_or_else(|| {
            let fresh = Arc::new(Self {
                inner: Arc::default(),
                thread: Mutex::new(None),
            });
            *shared = Arc::downgrade(&fresh);
            fresh
        })
    }

    pub(crate) fn at(&self, due: Instant, what: Weak<dyn Timed>) {
        self.start();
        let mut state = lock(&self.inner.state);
        let first = state.agenda.next_due().is_none_or(|next| due < next);
        state.agenda.push(due, what);
        drop(state);
        if first {
            self.inner.wake.notify_one();
        }
    }

    fn start(&self) {
        let mut thread = lock(&self.thread);
        if thread.is_some() {
            return;
        }
        let inner = self.inner.clone();
        let spawned = std::thread::Builder::new()
            .name("colugo-timer".into())
            .spawn(move || inner.run());
        match spawned {
            Ok(handle) => *thread = Some(handle),
            Err(error) => {
                tracing::error!(%error, "no thread for timers: timeouts of async requests will not fire")
            }
        }
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        lock(&self.inner.state).stop = true;
        self.inner.wake.notify_one();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl Inner {
    fn run(&self) {
        let mut state = lock(&self.state);
        while !state.stop {
            let now = Instant::now();
            if let Some(entry) = state.agenda.pop_due(now) {
                drop(state);
                if let Some(what) = entry.what.upgrade() {
                    what.fire(now);
                }
                state = lock(&self.state);
                continue;
            }
            state = match state.agenda.next_due() {
                None => self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    self.wake
                        .wait_timeout(state, due - now)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    struct Bell(u32, mpsc::Sender<u32>);
    impl Timed for Bell {
        fn fire(self: Arc<Self>, _: Instant) {
            let _ = self.1.send(self.0);
        }
    }

    #[test]
    fn what_is_due_first_is_called_first_whatever_the_order_of_asking() {
        let (tx, rx) = mpsc::channel();
        let timers = Timers::shared();
        let now = Instant::now();
        let bells: Vec<Arc<dyn Timed>> = (0..3)
            .map(|n| Arc::new(Bell(n, tx.clone())) as Arc<dyn Timed>)
            .collect();
        for (bell, ms) in bells.iter().zip([30, 10, 20]) {
            timers.at(now + Duration::from_millis(ms), Arc::downgrade(bell));
        }
        let rung: Vec<_> = (0..3)
            .filter_map(|_| rx.recv_timeout(Duration::from_secs(10)).ok())
            .collect();
        assert_eq!(rung, [1, 2, 0]);
    }
}
