//! The control plane of a node: it drives a [`colugo_graph::Brain`] with discovery, control links and time.
//!
//! Knows mDNS, the rendezvous directory of the machine, fixed peers, and the connections between control ports; refuses
//! to know data sockets and users' callbacks. Everything runs on one thread per process, which nothing of the data plane
//! can hold up. Used by `Node` and its handles.

mod choice;
mod dial;
mod dns;
mod door;
mod interfaces;
mod link;
mod listen;
mod mdns;
mod node;
mod original;
mod rendezvous;
mod seed;
mod srv;
#[cfg(test)]
mod tests;
mod thread;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use colugo_graph::{
    AnnounceError, Announcement, AnnouncementId, GraphSize, GraphSnapshot, Kind, Namespace, NodeId,
    Topic, WantId,
};

pub(crate) use door::address as lane_address;
#[cfg(fuzzing)]
pub use mdns::record_from_octets;
use node::NodeControl;
#[cfg(fuzzing)]
pub use original::outsiders_from_packets;
pub(crate) use seed::is_seed;
use thread::ControlThread;

use crate::transport::Knock;

/// How long [`Control::close`] waits for goodbyes to go out.
const GOODBYE: Duration = Duration::from_millis(100);

/// What the control plane of a node has to know.
#[derive(Clone, Debug)]
pub(crate) struct ControlConfig {
    /// Random, new at each start.
    pub(crate) id: NodeId,
    /// For people.
    pub(crate) name: String,
    pub(crate) namespace: Namespace,
    /// Where control links are accepted; `None`: on all interfaces at a port that is free.
    pub(crate) listen: Option<SocketAddr>,
    /// Fixed peers: `tcp://host:port`, the scheme may be missing, or `dns-sd:domain`. Names are resolved again at each attempt.
    pub(crate) peers: Vec<String>,
    /// Whether the original's records are shown and read.
    pub(crate) original: bool,
    /// Whether those who are linked with this node are told of each other.
    pub(crate) hub: bool,
    /// Names or addresses of the interfaces that discovery may use, or with `!` may not; none named: all others.
    pub(crate) interfaces: Vec<String>,
    /// Addresses to announce instead of those of the interfaces; empty: theirs.
    pub(crate) advertise: Vec<IpAddr>,
    /// Whether to look for others and be seen at all (mDNS, rendezvous directory); fixed peers work without.
    pub(crate) discovery: bool,
}

/// The control plane could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ControlError {
    /// The control port could not be opened.
    #[error(
        "can't listen for other nodes at {address}: {source}; choose another address with `listen`"
    )]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A fixed peer is no address.
    #[error("the peer {peer:?} is no address: write it as tcp://host:port, or dns-sd:domain")]
    Peer {
        /// What was given.
        peer: String,
    },
    /// The thread could not be started.
    #[error("can't start the control thread: {0}")]
    Thread(#[source] io::Error),
}

/// A provider of something that is wanted has come or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// It has come.
    Found {
        /// The node that provides; may be the own one.
        node: NodeId,
        node_name: String,
        /// Where its socket can be dialled.
        endpoint: SocketAddr,
        /// The control port of its node, where it can be dialled as well.
        control: Option<SocketAddr>,
    },
    /// It has gone: use it for nothing new. If its node is dead, nothing more comes from there either.
    Lost {
        node: NodeId,
        endpoint: SocketAddr,
        dead: bool,
    },
}

/// Something that happened out there, or to discovery itself.
#[derive(Clone, Debug)]
pub(crate) enum GraphEvent {
    /// To other nodes.
    Graph(colugo_graph::Event),
    /// Multicast discovery does not work at the moment; it is tried again.
    DiscoveryFailed { reason: String },
    /// Multicast discovery works again.
    DiscoveryRestored,
    /// An interface got an address.
    InterfaceAdded(IpAddr),
    /// An interface lost an address.
    InterfaceRemoved(IpAddr),
}

pub(crate) type OnMatch = Arc<dyn Fn(Match) + Send + Sync>;
pub(crate) type OnKnock = Box<dyn Fn(Knock) -> io::Result<()> + Send + Sync>;
pub(crate) type OnEvent = Arc<dyn Fn(GraphEvent) + Send + Sync>;

/// The control plane of one node. Clones are the same one; the last one to go closes it.
///
/// `on_match` and `on_event` are called on the control thread with no lock held, one at a time per node and in order.
/// They must not block. They may call any method but [`close`](Self::close), which does not wait there. One call may
/// still be on its way when [`unwant`](Self::unwant) returns.
#[derive(Clone)]
pub(crate) struct Control(Arc<Handle>);

struct Handle {
    node: Arc<NodeControl>,
    thread: Arc<ControlThread>,
}

impl Control {
    /// Opens the control port and begins to look for others. Returns when the node can be found, not when it has found.
    ///
    /// # Errors
    /// When the control port can't be opened, or a fixed peer is no address.
    pub(crate) fn start(config: ControlConfig, on_event: OnEvent) -> Result<Self, ControlError> {
        let thread = ControlThread::shared().map_err(ControlError::Thread)?;
        let node = NodeControl::start(config, on_event, &thread)?;
        Ok(Self(Arc::new(Handle { node, thread })))
    }

    /// Tells everybody that this node offers or uses something; see [`colugo_graph::Brain::announce`].
    ///
    /// `on_knock` gets the connections for it that come to the control port.
    pub(crate) fn announce(
        &self,
        what: Announcement,
        on_knock: OnKnock,
    ) -> Result<AnnouncementId, AnnounceError> {
        let announced = self.0.node.announce(what, on_knock);
        self.0.node.offers_changed();
        announced
    }

    /// Takes an announcement back.
    pub(crate) fn withdraw(&self, id: AnnouncementId) -> bool {
        let withdrawn = self.0.node.withdraw(id);
        self.0.node.offers_changed();
        withdrawn
    }

    /// Looks for publishers or servers of a topic. The own node's match too, at 127.0.0.1 or where it listens.
    pub(crate) fn want(&self, topic: Topic, kind: Kind, on_match: OnMatch) -> WantId {
        self.0.node.want(topic, kind, on_match)
    }

    /// Stops looking.
    pub(crate) fn unwant(&self, id: WantId) -> bool {
        self.0.node.unwant(id)
    }

    /// How much is out there now.
    pub(crate) fn graph_size(&self) -> GraphSize {
        self.0.node.graph_size()
    }

    /// Who is out there now.
    pub(crate) fn graph(&self) -> GraphSnapshot {
        self.0.node.graph()
    }

    /// The address of the control port; with an unspecified IP when it listens on all interfaces.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.node.address()
    }

    /// Says goodbye on all links and in discovery, and waits until that is out, at most 100 ms. What is called later
    /// finds nobody.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

impl Handle {
    fn close(&self) {
        let wait = if self.thread.is_current() {
            Duration::ZERO
        } else {
            GOODBYE
        };
        self.node.close(wait);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Control")
            .field(&self.0.node.address())
            .finish()
    }
}
