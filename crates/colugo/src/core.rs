//! `Core`: what all handles of one node share, and how it is closed. Knows no sockets beyond closing them, and nothing of what handles do.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use colugo_graph::{Kind, NodeId, Topic};

use crate::error::BuildError;
use crate::event::{Event, EventHub};
use crate::executor::Executor;
use crate::settings::{Parsed, Settings};
use crate::stats::{Counters, count};
use crate::sync::{Signal, lock};
use crate::transport::World;

/// Something of a node that must end before the node is closed.
pub(crate) trait Closable: Send + Sync {
    /// Sends what is queued, for as long as `linger`, of which it waits at most `wait`. True: all was sent.
    fn close(&self, linger: Duration, wait: Duration) -> bool;

    /// The node begins to close: whoever waits here looks again.
    fn node_closes(&self) {}

    /// Another node is dead: nothing more comes from it.
    fn node_died(&self, node: NodeId) {
        let _ = node;
    }
}

/// The node's core, for who is made before it.
pub(crate) type LateCore = Arc<OnceLock<Weak<Core>>>;

/// Something that a guard keeps, or the node in its place.
pub(crate) trait Kept: Send + Sync {
    /// Whether it will do nothing any more.
    fn is_over(&self) -> bool {
        false
    }
}

/// Keeps anything until it is dropped.
pub(crate) struct Forever<T>(pub(crate) T);

impl<T: Send + Sync> Kept for Forever<T> {}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) id: NodeId,
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) parsed: Parsed,
    pub(crate) world: Arc<dyn World>,
    pub(crate) executor: Arc<Executor>,
    pub(crate) events: Arc<EventHub>,
    /// Done closing.
    pub(crate) ended: Signal,
    owned: Mutex<HashSet<(Kind, Topic)>>,
    /// Topics whose server needs this node's callbacks to run.
    answered_by_callback: Mutex<HashSet<Topic>>,
    parts: Mutex<Parts>,
    closing: AtomicBool,
    closed: AtomicBool,
    drained: AtomicBool,
    pid: u32,
}

#[derive(Default)]
struct Parts {
    handles: Vec<Weak<dyn Closable>>,
    detached: Vec<Box<dyn Kept>>,
    threads: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("handles", &self.handles.len())
            .field("detached", &self.detached.len())
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn new(
        id: NodeId,
        name: String,
        settings: Settings,
        parsed: Parsed,
        world: Arc<dyn World>,
        events: Arc<EventHub>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            name,
            settings,
            parsed,
            executor: Executor::new(world.clone(), events.clone()),
            world,
            events,
            ended: Signal::default(),
            owned: Mutex::default(),
            answered_by_callback: Mutex::default(),
            parts: Mutex::default(),
            closing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            drained: AtomicBool::new(true),
            pid: std::process::id(),
        })
    }

    /// Whether new handles can be made and waits begun.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        if self.is_forked() {
            return Err(BuildError::Forked {
                node: self.name.clone(),
            });
        }
        if self.is_closing() {
            return Err(BuildError::Closed {
                node: self.name.clone(),
            });
        }
        Ok(())
    }

    pub(crate) fn is_forked(&self) -> bool {
        self.pid != std::process::id()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether all that was queued at closing was sent.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Acquire)
    }

    /// The topic of that name, after remapping.
    pub(crate) fn topic(&self, name: &str) -> Result<Topic, BuildError> {
        let target = self
            .parsed
            .remap
            .iter()
            .find(|(from, _)| from == name)
            .map_or(name, |(_, to)| to);
        Ok(Topic::new(target)?)
    }

    /// Takes the right to be the only publisher or server of a topic in this node.
    pub(crate) fn own(&self, kind: Kind, topic: &Topic) -> Result<(), BuildError> {
        if lock(&self.owned).insert((kind, topic.clone())) {
            return Ok(());
        }
        let kind = if kind == Kind::Publisher {
            "publisher"
        } else {
            "reply server"
        };
        Err(BuildError::Duplicate {
            node: self.name.clone(),
            kind,
            topic: topic.to_string(),
        })
    }

    pub(crate) fn disown(&self, kind: Kind, topic: &Topic) {
        lock(&self.owned).remove(&(kind, topic.clone()));
        if kind == Kind::Server {
            lock(&self.answered_by_callback).remove(topic);
        }
    }

    pub(crate) fn answer_by_callback(&self, topic: &Topic) {
        lock(&self.answered_by_callback).insert(topic.clone());
    }

    pub(crate) fn answers_by_callback(&self, topic: &Topic) -> bool {
        lock(&self.answered_by_callback).contains(topic)
    }

    /// `handle` is closed with the node.
    pub(crate) fn adopt(&self, handle: Weak<dyn Closable>) {
        let mut parts = lock(&self.parts);
        // Dead entries are swept when the list would grow, so that it stays as long as there are handles.
        if parts.handles.len() == parts.handles.capacity() {
            parts.handles.retain(|known| known.strong_count() > 0);
        }
        parts.handles.push(handle);
    }

    /// `guard` lives as long as the node.
    pub(crate) fn keep(&self, guard: Box<dyn Kept>) {
        let over = {
            let mut parts = lock(&self.parts);
            if self.is_closing() {
                vec![guard]
            } else {
                // As with handles: swept when the list would grow.
                let mut over = Vec::new();
                if parts.detached.len() == parts.detached.capacity() {
                    (over, parts.detached) = std::mem::take(&mut parts.detached)
                        .into_iter()
                        .partition(|kept| kept.is_over());
                }
                parts.detached.push(guard);
                over
            }
        };
        drop(over);
    }

    pub(crate) fn join_at_close(&self, thread: JoinHandle<()>) {
        lock(&self.parts).threads.push(thread);
    }

    /// Runs a callback of the user's. A panic is contained, counted and reported.
    pub(crate) fn contain<R>(
        &self,
        label: &Arc<str>,
        counters: Option<&Counters>,
        callback: impl FnOnce() -> R,
    ) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(callback)) {
            Ok(value) => Some(value),
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
                let message = text
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_else(|| "a panic without a text".to_owned());
                if let Some(counters) = counters {
                    count(&counters.panicked);
                }
                tracing::error!(node = %self.name, handle = &**label, %message, "a callback panicked; the node goes on");
                self.events.emit(Event::CallbackPanicked {
                    handle: label.clone(),
                    message,
                });
                None
            }
        }
    }

    /// Another node is dead.
    pub(crate) fn node_died(&self, node: NodeId) {
        for handle in self.handles() {
            handle.node_died(node);
        }
    }

    fn handles(&self) -> Vec<Arc<dyn Closable>> {
        let parts = lock(&self.parts);
        parts.handles.iter().filter_map(Weak::upgrade).collect()
    }

    /// Goodbye, drain, closed. Only the first call does it; others return at once.
    pub(crate) fn close(&self, linger: Duration, wait: Duration) {
        if self.closing.swap(true, Ordering::AcqRel) {
            return;
        }
        if self.is_forked() {
            // The threads that would answer are in the parent.
            self.closed.store(true, Ordering::Release);
            return;
        }
        let deadline = Instant::now().checked_add(wait);
        for handle in self.handles() {
            handle.node_closes();
        }
        self.world.close();
        let parts = std::mem::take(&mut *lock(&self.parts));
        // In the order they were made, in which a server comes before its socket, and a client's requests before its links.
        for handle in parts.handles.iter().filter_map(Weak::upgrade) {
            let left = deadline.map_or(Duration::MAX, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if !handle.close(linger, left) {
                self.drained.store(false, Ordering::Release);
            }
        }
        self.executor.close();
        drop(parts.detached);
        let me = std::thread::current().id();
        for thread in parts.threads {
            let left = deadline.map_or(Duration::MAX, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if thread.thread().id() != me {
                join_within(thread, left);
            }
        }
        self.events.close();
        self.closed.store(true, Ordering::Release);
        self.ended.notify();
    }
}

/// Joins a thread that was told to end. A callback that does not return keeps its thread; it ends when the callback does.
fn join_within(thread: JoinHandle<()>, limit: Duration) {
    const STEP: Duration = Duration::from_micros(200);
    let begun = Instant::now();
    while !thread.is_finished() {
        if begun.elapsed() >= limit {
            return;
        }
        std::thread::sleep(STEP);
    }
    let _ = thread.join();
}

/// Ends the node when the last `Node` is dropped.
#[derive(Debug)]
pub(crate) struct Alive(pub(crate) Arc<Core>);

/// How long dropping something may hold up the thread that drops it.
pub(crate) const DROP_WAIT: Duration = Duration::from_millis(100);
/// How long what is queued then may still take to be sent, in the background, while something else keeps the data thread going.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.close(LINGER, DROP_WAIT);
    }
}
