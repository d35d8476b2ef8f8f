//! The tasks of a socket, listening, dialling and accepted connections, and how they end.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use crate::core::{Core, Sink};
use crate::dial::DialledLink;
use crate::endpoint::Endpoint;
use crate::event::{DownReason, SocketEvent};
use crate::gate::lock;
use crate::link::{CLOSE, Pushed};
use crate::listen::Listening;
use crate::message::LinkId;
use crate::runtime::Runtime;

#[derive(Default)]
pub(crate) struct Tasks {
    listeners: Vec<Listening>,
    dialers: Vec<Dialer>,
    accepted: BTreeMap<LinkId, AbortHandle>,
    /// Dialers that were told to stop, and may not have done so yet.
    leaving: Vec<AbortHandle>,
}

struct Dialer {
    endpoint: Endpoint,
    link: DialledLink,
    stop: Arc<AtomicBool>,
    task: AbortHandle,
}

/// Counts a task of the socket for as long as it lives.
pub(crate) struct TaskGuard(Arc<Core>);

impl Drop for TaskGuard {
    fn drop(&mut self) {
        #[cfg(test)]
        if crate::simulator::is_sabotaged_one_in(crate::simulator::Sabotage::LeavesATask, 5) {
            return;
        }
        self.0.live_tasks.fetch_sub(1, Ordering::SeqCst);
        self.0.task_ended.notify();
    }
}

impl Core {
    pub(crate) fn guard(self: &Arc<Self>) -> TaskGuard {
        self.live_tasks.fetch_add(1, Ordering::SeqCst);
        TaskGuard(self.clone())
    }

    pub(crate) fn add_listener(&self, listening: Listening) {
        lock(&self.tasks).listeners.push(listening);
    }

    pub(crate) fn add_dialer(
        &self,
        endpoint: Endpoint,
        link: DialledLink,
        stop: Arc<AtomicBool>,
        task: AbortHandle,
    ) {
        lock(&self.tasks).dialers.push(Dialer {
            endpoint,
            link,
            stop,
            task,
        });
    }

    pub(crate) fn add_accepted(&self, link: LinkId, task: AbortHandle) {
        lock(&self.tasks).accepted.insert(link, task);
    }

    pub(crate) fn remove_accepted(&self, link: LinkId) {
        lock(&self.tasks).accepted.remove(&link);
    }

    pub(crate) fn is_dialling(&self, endpoint: &Endpoint) -> bool {
        lock(&self.tasks)
            .dialers
            .iter()
            .any(|d| d.endpoint == *endpoint)
    }

    pub(crate) fn unbind(&self, endpoint: &Endpoint) -> bool {
        let mut tasks = lock(&self.tasks);
        let before = tasks.listeners.len();
        tasks
            .listeners
            .retain(|listening| listening.endpoint != *endpoint);
        tasks.listeners.len() < before
    }

    /// Stops dialling and lets the link finish what is queued.
    pub(crate) fn disconnect(self: &Arc<Self>, endpoint: &Endpoint) -> bool {
        let mut tasks = lock(&self.tasks);
        let Some(at) = tasks.dialers.iter().position(|d| d.endpoint == *endpoint) else {
            return false;
        };
        let dialer = tasks.dialers.swap_remove(at);
        tasks.leaving.retain(|task| !task.is_finished());
        tasks.leaving.push(dialer.task.clone());
        drop(tasks);
        dialer.stop.store(true, Ordering::SeqCst);
        let link = dialer.link.now();
        let mut up = false;
        if let Some(slot) = self.table.lock().get(link.id) {
            up = slot.peer.is_some();
            slot.leaving = true;
            slot.outbox.takes = false;
        }
        let linger = self.options.linger;
        if linger.is_zero() || (!up && link.is_drained()) {
            dialer.task.abort();
            return true;
        }
        // Also when it is just shaking hands: the connection looks at `stop` once it is up.
        link.signal(CLOSE);
        self.handle.spawn(async move {
            tokio::time::sleep(linger).await;
            dialer.task.abort();
        });
        true
    }

    /// Ends a link's connection, whatever is queued.
    pub(crate) fn hang_up(&self, link: LinkId) -> bool {
        let mut table = self.table.lock();
        let link = table.get(link).filter(|slot| slot.peer.is_some());
        let link = link.map(|slot| slot.link.clone());
        drop(table);
        if let Some(link) = &link {
            link.end(DownReason::Local);
        }
        link.is_some()
    }

    /// Ends the socket: nothing more is accepted or queued; what is queued is written within `linger`. Idempotent.
    pub(crate) fn close(self: &Arc<Self>, linger: Duration) {
        if self.closing.swap(true, Ordering::SeqCst) {
            return;
        }
        let unsent = self.counters.dropped_linger.load(Ordering::Relaxed);
        self.unsent_before.store(unsent, Ordering::Relaxed);
        if let Sink::Inbox(inbox) = &self.sink {
            inbox.close();
        }
        let mut tasks = lock(&self.tasks);
        tasks.listeners.clear();
        let up: Vec<_> = self
            .table
            .lock()
            .up()
            .map(|(link, _)| link.clone())
            .collect();
        for dialer in &tasks.dialers {
            let link = dialer.link.now();
            let connected = up.iter().any(|l| l.id == link.id);
            if !connected && link.is_drained() {
                dialer.task.abort();
            }
        }
        for (link, task) in &tasks.accepted {
            if !up.iter().any(|l| l.id == *link) {
                task.abort();
            }
        }
        drop(tasks);
        if self.live_tasks.load(Ordering::SeqCst) == 0 {
            self.emit(SocketEvent::Closed(self.unsent()));
        } else {
            self.handle.spawn(finish(self.guard(), linger));
        }
        if linger.is_zero() {
            self.abort_all();
        }
        for link in up {
            if link.push_final_stamp() == Pushed::Writer {
                link.kick(false, false);
            }
            link.signal(CLOSE);
        }
        self.room.notify();
        self.peers_changed.notify();
    }

    /// Messages that closing left unsent.
    fn unsent(&self) -> u64 {
        let all = self.counters.dropped_linger.load(Ordering::Relaxed);
        all.saturating_sub(self.unsent_before.load(Ordering::Relaxed))
    }

    /// Has the data thread live until the socket has ended, though nobody holds it any more.
    pub(crate) fn keep_until_closed(self: &Arc<Self>, runtime: Arc<Runtime>) {
        let (handle, core) = (self.handle.clone(), self.clone());
        handle.spawn(async move {
            poll_fn(|cx| core.poll_live(cx, 0)).await;
            drop(runtime);
        });
    }

    fn abort_all(&self) {
        let tasks = lock(&self.tasks);
        for dialer in &tasks.dialers {
            dialer.task.abort();
        }
        for task in tasks.accepted.values().chain(&tasks.leaving) {
            task.abort();
        }
    }

    /// Waits until all tasks of the socket have ended. True: they have, and nothing was left unsent.
    pub(crate) fn wait_sent(&self, deadline: Option<Instant>) -> bool {
        self.wait_closed(deadline) && self.unsent() == 0
    }

    /// Waits until all tasks of the socket have ended.
    pub(crate) fn wait_closed(&self, deadline: Option<Instant>) -> bool {
        let ended = || (self.live_tasks.load(Ordering::SeqCst) == 0).then_some(());
        self.task_ended.wait_until(deadline, ended).is_some()
    }

    /// Ready when no more than so many of its tasks live.
    pub(crate) fn poll_live(&self, cx: &Context<'_>, tasks: usize) -> Poll<()> {
        self.task_ended.register(cx);
        if self.live_tasks.load(Ordering::SeqCst) <= tasks {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// Ends what has not ended within `linger`, and tells when all has. Itself the last task of the socket.
async fn finish(task: TaskGuard, linger: Duration) {
    let core = task.0.clone();
    let others_ended = || poll_fn(|cx| core.poll_live(cx, 1));
    if tokio::time::timeout(linger, others_ended()).await.is_err() {
        core.abort_all();
        others_ended().await;
    }
    core.emit(SocketEvent::Closed(core.unsent()));
}
