//! `Flusher`: writes what was queued for many links, on the data thread, with one wake-up for all of them. Senders mark a link dirty.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use crate::gate::{WakerSlot, lock};
use crate::link::Link;

/// Rounds before the other tasks of the thread get their turn.
const ROUNDS: usize = 8;

/// Links with something to write, and the task that writes it.
#[derive(Debug, Default)]
pub(crate) struct Flusher {
    dirty: Mutex<Vec<Arc<Link>>>,
    /// Set from the first mark until the task has found nothing more: a sender in between need not wake it.
    awake: AtomicBool,
    task: WakerSlot,
}

impl Flusher {
    /// Has the link written soon. The caller is its writer and hands that role over.
    pub(crate) fn mark(&self, link: Arc<Link>) {
        lock(&self.dirty).push(link);
        if !self.awake.swap(true, Ordering::SeqCst) {
            self.task.wake();
        }
    }

    /// Writes the marked links. False: there were none. Only on the data thread.
    pub(crate) fn flush(&self) -> bool {
        let links = std::mem::take(&mut *lock(&self.dirty));
        let some = !links.is_empty();
        for link in links {
            link.drain(usize::MAX);
        }
        some
    }

    /// The task.
    pub(crate) async fn run(self: Arc<Self>) {
        poll_fn(|cx| {
            self.task.register(cx.waker());
            for _ in 0..ROUNDS {
                if self.flush() {
                    continue;
                }
                self.awake.store(false, Ordering::SeqCst);
                if lock(&self.dirty).is_empty() {
                    return Poll::<()>::Pending;
                }
                self.awake.store(true, Ordering::SeqCst);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}
