//! `Signal` and `Queue`: what threads and tasks wait on. Nothing here knows what is waited for.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// "Something changed": threads sleep on it, tasks register with it. Conditions are the caller's.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    state: Mutex<SignalState>,
    condvar: Condvar,
}

#[derive(Debug, Default)]
struct SignalState {
    version: u64,
    wakers: Vec<Waker>,
}

impl Signal {
    pub(crate) fn notify(&self) {
        let wakers = {
            let mut state = lock(&self.state);
            state.version += 1;
            std::mem::take(&mut state.wakers)
        };
        self.condvar.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn register(&self, waker: &Waker) {
        let mut state = lock(&self.state);
        if !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
    }

    /// Waits until `done` or the deadline, in real time. `done` is asked once more at the end.
    pub(crate) fn wait_until(&self, deadline: Option<Instant>, done: impl Fn() -> bool) -> bool {
        loop {
            let version = lock(&self.state).version;
            if done() {
                return true;
            }
            let state = lock(&self.state);
            if state.version != version {
                continue;
            }
            match deadline {
                None => drop(
                    self.condvar
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner),
                ),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    drop(
                        self.condvar
                            .wait_timeout(state, left)
                            .unwrap_or_else(PoisonError::into_inner),
                    );
                }
            }
        }
    }
}

/// Waits on this thread until `future` is ready, or the deadline; `None` then.
pub(crate) fn block_on<T>(future: impl Future<Output = T>, deadline: Option<Instant>) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
            return Some(done);
        }
        match deadline {
            None => std::thread::park(),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                std::thread::park_timeout(left);
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A bounded queue that forgets its oldest entry when full, and counts that. For events, not for messages.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<QueueState<T>>,
    pub(crate) changed: Signal,
    limit: usize,
}

#[derive(Debug)]
struct QueueState<T> {
    items: VecDeque<T>,
    lost: u64,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(limit: usize) -> Self {
        let state = QueueState {
            items: VecDeque::new(),
            lost: 0,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Signal::default(),
            limit,
        }
    }

    pub(crate) fn push(&self, item: T) {
        let forgotten = {
            let mut state = lock(&self.state);
            if state.closed {
                return;
            }
            let full = state.items.len() >= self.limit;
            state.lost += u64::from(full);
            let forgotten = if full { state.items.pop_front() } else { None };
            state.items.push_back(item);
            forgotten
        };
        drop(forgotten);
        self.changed.notify();
    }

    pub(crate) fn pop(&self) -> Option<T> {
        lock(&self.state).items.pop_front()
    }

    pub(crate) fn is_ready(&self) -> bool {
        let state = lock(&self.state);
        state.closed || !state.items.is_empty()
    }

    pub(crate) fn lost(&self) -> u64 {
        lock(&self.state).lost
    }

    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify();
    }

    /// The next item, or `None` at the end.
    pub(crate) fn poll_pop(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        for registered in [false, true] {
            {
                let mut state = lock(&self.state);
                if let Some(item) = state.items.pop_front() {
                    return Poll::Ready(Some(item));
                }
                if state.closed {
                    return Poll::Ready(None);
                }
            }
            if !registered {
                self.changed.register(cx.waker());
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_forgets_its_oldest_entry_and_counts_it() {
        let queue = Queue::new(2);
        (1..=5).for_each(|n| queue.push(n));
        assert_eq!(
            (queue.pop(), queue.pop(), queue.pop(), queue.lost()),
            (Some(4), Some(5), None, 3)
        );
    }

    #[test]
    fn a_waiting_thread_sees_a_change_made_before_it_slept() {
        let signal = Arc::new(Signal::default());
        let flag = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let other = std::thread::spawn({
            let (signal, flag) = (signal.clone(), flag.clone());
            move || {
                flag.store(true, std::sync::atomic::Ordering::SeqCst);
                signal.notify();
            }
        });
        let deadline = Instant::now() + std::time::Duration::from_secs(10);
        assert!(signal.wait_until(Some(deadline), || {
            flag.load(std::sync::atomic::Ordering::SeqCst)
        }));
        assert!(other.join().is_ok());
    }
}
