//! `Event` and `Events`: what happened to a node, for those who ask. Reporting never blocks: a reader that is too slow loses the oldest.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use colugo_graph::NodeId;
use futures_core::Stream;

use crate::peer::Peer;
use crate::sync::{Queue, lock};
use crate::transport::World;

/// Something that happened to a node or one of its handles. Handles are named as in `subscriber "pose"`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A node was found in this namespace.
    NodeJoined {
        /// Its id.
        node: NodeId,
        /// Its name.
        name: String,
    },
    /// A node said goodbye, or has not been heard for too long.
    NodeLeft {
        /// Its id.
        node: NodeId,
        /// Its name.
        name: String,
    },
    /// A data link is up.
    PeerConnected {
        /// Of which handle.
        handle: Arc<str>,
        /// To whom.
        peer: Arc<Peer>,
    },
    /// A data link ended.
    PeerDisconnected {
        /// Of which handle.
        handle: Arc<str>,
        /// To whom it was.
        peer: Arc<Peer>,
        /// Why it ended.
        reason: String,
    },
    /// Someone connected who does not speak ZMTP 3, or not what fits this socket.
    PeerRefused {
        /// Which handle was called.
        handle: Arc<str>,
        /// What was wrong.
        reason: String,
    },
    /// A callback panicked. It was contained; the node goes on.
    CallbackPanicked {
        /// Whose callback.
        handle: Arc<str>,
        /// What the panic said.
        message: String,
    },
    /// A callback has waited for a second because nobody runs callbacks.
    CallbackStarved {
        /// Whose callback.
        handle: Arc<str>,
        /// The call that is missing.
        missing: &'static str,
    },
    /// A payload is not what its receiver expects.
    DecodeFailed {
        /// Which receiver.
        handle: Arc<str>,
        /// What the codec says.
        error: String,
    },
    /// A subscriber does not take what is sent: its queue became full, and messages for it are dropped. Said at most once a second.
    SlowSubscriber {
        /// Which publisher.
        handle: Arc<str>,
        /// All that this publisher has dropped so far.
        dropped: u64,
    },
    /// A subscriber missed messages, as publishers' stamps tell, or as its own full queue does. Said at the first loss, then at most once a
    /// second.
    Lost {
        /// Which subscriber.
        handle: Arc<str>,
        /// How many since this was last said.
        count: u64,
    },
    /// A request ended without an answer that its plain ZeroMQ client could understand. Said once for each server.
    Unanswered {
        /// Which server.
        handle: Arc<str>,
        /// What the client was to be told.
        reason: String,
    },
    /// An inline callback took more than a millisecond: the links of that thread stood still.
    SlowInline {
        /// Whose callback.
        handle: Arc<str>,
        /// How long it took.
        took: Duration,
    },
    /// Something about discovery or the network that people should know.
    Notice {
        /// What, and what to do.
        text: String,
    },
}

/// A reader further behind than this loses the oldest events.
const EVENTS_MAX: usize = 1024;

/// The events of one node: [`Event::NodeJoined`] for each node that is there already, then what happens. An iterator, a `Stream`, or one by
/// one.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use colugo::Event;
/// let net = colugo::testing::Net::new();
/// let node = net.node("a")?;
/// let events = node.events();
/// let _b = net.node("b")?;
/// assert!(matches!(events.try_recv(), Some(Event::NodeJoined { name, .. }) if name == "b"));
/// # Ok(()) }
/// ```
pub struct Events {
    queue: Arc<Queue<Event>>,
    world: Arc<dyn World>,
}

impl Events {
    /// The next event if there is one.
    pub fn try_recv(&self) -> Option<Event> {
        self.queue.pop()
    }

    /// The next event, or `None` when the node is closed.
    pub fn recv(&self) -> Option<Event> {
        self.world
            .wait(&self.queue.changed, None, &|| self.queue.is_ready());
        self.queue.pop()
    }

    /// The next event within `timeout`, or `None`.
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Event> {
        let deadline = self.world.deadline(timeout);
        self.world
            .wait(&self.queue.changed, deadline, &|| self.queue.is_ready());
        self.queue.pop()
    }

    /// The next event, or `None` when the node is closed. Dropping the future loses nothing.
    pub async fn recv_async(&self) -> Option<Event> {
        std::future::poll_fn(|cx| self.queue.poll_pop(cx)).await
    }

    /// How many events were forgotten because they were not taken in time.
    pub fn lost(&self) -> u64 {
        self.queue.lost()
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.recv()
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.queue.poll_pop(cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}

/// Where events are handed in: one per node.
#[derive(Debug, Default)]
pub(crate) struct EventHub {
    state: Mutex<HubState>,
}

#[derive(Debug, Default)]
struct HubState {
    readers: Vec<Weak<Queue<Event>>>,
    /// Nodes that have joined and not left: who asks later is told of them first.
    present: BTreeMap<NodeId, String>,
    closed: bool,
}

impl EventHub {
    pub(crate) fn emit(&self, event: Event) {
        let readers: Vec<_> = {
            let mut state = lock(&self.state);
            state.note(&event);
            state.readers.retain(|reader| reader.strong_count() > 0);
            state.readers.iter().filter_map(Weak::upgrade).collect()
        };
        for reader in readers {
            reader.push(event.clone());
        }
    }

    pub(crate) fn subscribe(&self, world: Arc<dyn World>) -> Events {
        let queue = Arc::new(Queue::new(EVENTS_MAX));
        let mut state = lock(&self.state);
        // Under the lock: what happens from now on comes after these.
        for (node, name) in &state.present {
            let (node, name) = (*node, name.clone());
            queue.push(Event::NodeJoined { node, name });
        }
        if state.closed {
            queue.close();
        }
        state.readers.push(Arc::downgrade(&queue));
        drop(state);
        Events { queue, world }
    }

    pub(crate) fn close(&self) {
        let readers = {
            let mut state = lock(&self.state);
            state.closed = true;
            state.present.clear();
            std::mem::take(&mut state.readers)
        };
        for reader in readers.iter().filter_map(Weak::upgrade) {
            reader.close();
        }
    }
}

impl HubState {
    fn note(&mut self, event: &Event) {
        match event {
            Event::NodeJoined { node, name } => {
                self.present.insert(*node, name.clone());
            }
            Event::NodeLeft { node, .. } => {
                self.present.remove(node);
            }
            _ => {}
        }
    }
}
