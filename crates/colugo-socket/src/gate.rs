//! `Gate`: threads and tasks that wait until something changes; free of cost while nobody waits. Used for room in queues, peers and subscribers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Instant;

/// Locks whether or not another thread panicked: the state behind our locks is whole at every unlock.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One waker, replaced by the latest.
#[derive(Debug, Default)]
pub(crate) struct WakerSlot(Mutex<Option<Waker>>);

impl WakerSlot {
    pub(crate) fn register(&self, waker: &Waker) {
        let mut slot = lock(&self.0);
        match &mut *slot {
            Some(old) if old.will_wake(waker) => {}
            slot => *slot = Some(waker.clone()),
        }
    }

    pub(crate) fn wake(&self) {
        let waker = lock(&self.0).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Waiters for a condition that others change.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    waiting: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    epoch: u64,
    wakers: Vec<Waker>,
}

impl Gate {
    /// Wakes all who wait. Call it after the change.
    #[inline]
    pub(crate) fn notify(&self) {
        if self.waiting.load(Ordering::SeqCst) != 0 {
            self.notify_slow();
        }
    }

    #[cold]
    fn notify_slow(&self) {
        let mut state = lock(&self.state);
        state.epoch = state.epoch.wrapping_add(1);
        let wakers = std::mem::take(&mut state.wakers);
        self.waiting.fetch_sub(wakers.len(), Ordering::SeqCst);
        drop(state);
        self.changed.notify_all();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Blocks until `ready` gives something or `deadline` (None: never) is over; `ready` is asked once more then.
    pub(crate) fn wait_until<T>(
        &self,
        deadline: Option<Instant>,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        if let Some(done) = ready() {
            return Some(done);
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let result = self.block(deadline, &mut ready);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        result
    }

    fn block<T>(
        &self,
        deadline: Option<Instant>,
        ready: &mut impl FnMut() -> Option<T>,
    ) -> Option<T> {
        loop {
            let epoch = lock(&self.state).epoch;
            if let Some(done) = ready() {
                return Some(done);
            }
            let mut state = lock(&self.state);
            while state.epoch == epoch {
                let Some(deadline) = deadline else {
                    state = self
                        .changed
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                    continue;
                };
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    drop(state);
                    return ready();
                }
                state = self
                    .changed
                    .wait_timeout(state, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
        }
    }

    /// For a future: registers its waker, to be followed by another look at the condition.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        let mut state = lock(&self.state);
        if state.wakers.iter().any(|w| w.will_wake(cx.waker())) {
            return;
        }
        state.wakers.push(cx.waker().clone());
        self.waiting.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_waiter_is_woken_by_the_change() {
        let gate = Arc::new(Gate::default());
        let open = Arc::new(AtomicBool::new(false));
        let other = (gate.clone(), open.clone());
        let thread = std::thread::spawn(move || {
            other.1.store(true, Ordering::SeqCst);
            other.0.notify();
        });
        let done = gate.wait_until(Some(Instant::now() + Duration::from_secs(10)), || {
            open.load(Ordering::SeqCst).then_some(7)
        });
        assert_eq!(done, Some(7));
        assert!(thread.join().is_ok());
    }

    #[test]
    fn a_deadline_ends_the_wait() {
        let gate = Gate::default();
        let none: Option<()> =
            gate.wait_until(Some(Instant::now() + Duration::from_millis(1)), || None);
        assert_eq!(none, None);
    }
}
