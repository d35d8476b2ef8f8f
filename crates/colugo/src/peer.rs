//! `Peer`: who is at the other end of a data link, and `Links`: those of one handle. Knows nothing of discovery.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use colugo_graph::NodeId;
use colugo_socket::LinkId;

use crate::sync::Signal;

/// Who is at the other end of a data link: a Colugo node or any ZeroMQ socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The link to it.
    pub link: LinkId,
    /// Its node, if it is one of Colugo's.
    pub node: Option<NodeId>,
    /// Its address, as seen from here.
    pub addr: Option<SocketAddr>,
    /// Its socket type as the handshake names it: `PUB`, `SUB`, `REQ`, `REP`, `DEALER`, `ROUTER`…
    pub socket_type: &'static str,
    /// Whether we dialled it, rather than it us.
    pub outgoing: bool,
}

impl Peer {
    /// Whether it speaks Colugo's commands: stamps, refusals.
    pub fn is_colugo(&self) -> bool {
        self.node.is_some()
    }
}

/// The live links of one handle, and a signal for those who wait for them.
#[derive(Debug, Default)]
pub(crate) struct Links {
    peers: Mutex<HashMap<LinkId, Arc<Peer>>>,
    pub(crate) changed: Signal,
}

impl Links {
    pub(crate) fn up(&self, peer: Arc<Peer>) {
        self.lock().insert(peer.link, peer);
        self.changed.notify();
    }

    pub(crate) fn down(&self, link: LinkId) -> Option<Arc<Peer>> {
        let gone = self.lock().remove(&link);
        self.changed.notify();
        gone
    }

    pub(crate) fn get(&self, link: LinkId) -> Option<Arc<Peer>> {
        self.lock().get(&link).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn list(&self) -> Vec<Arc<Peer>> {
        let mut peers: Vec<_> = self.lock().values().cloned().collect();
        peers.sort_by_key(|peer| peer.link);
        peers
    }

    /// Registers `waker` for the next change.
    pub(crate) fn wake_on_change(&self, waker: &Waker) {
        self.changed.register(waker);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<LinkId, Arc<Peer>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
