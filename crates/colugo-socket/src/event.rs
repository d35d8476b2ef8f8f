//! What happens to a socket's links: events for who wants to know, and the handler that gets messages on the data thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use colugo_zmtp::HandshakeError;

use crate::endpoint::Endpoint;
use crate::message::MessageRef;
use crate::peer::Peer;

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DownReason {
    /// The peer closed the connection.
    #[error("the peer closed the connection")]
    Eof,
    /// The system reported an error: reset, timed out, unreachable.
    #[error("the connection failed: {0}")]
    Io(std::io::ErrorKind),
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Protocol(String),
    /// It said nothing for so long, although it was asked (see [`Builder::heartbeat`](crate::Builder::heartbeat)) or had promised to.
    #[error("the peer said nothing for {0:.1?}")]
    Silent(Duration),
    /// We closed it: disconnect, unbind, close, drop.
    #[error("closed on this side")]
    Local,
    /// Another peer with the same identity took its place, as [`handover`](crate::Builder::handover) allows.
    #[error("another peer with the same identity took its place")]
    Replaced,
    /// The peer does not read the subscriptions sent to it.
    #[error("the peer does not read the subscriptions sent to it")]
    Unread,
}

/// Something that happened to a socket. For logs and monitors; nothing depends on it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SocketEvent {
    /// The socket listens.
    Listening(Endpoint),
    /// A peer is there: connected and shaken hands.
    Connected(Arc<Peer>),
    /// A connection ended.
    Disconnected(Arc<Peer>, DownReason),
    /// A peer that was sent messages does not answer any more. Its queue is full, or it is gone: only time will tell, so the connection
    /// stays.
    Stalled(Arc<Peer>),
    /// A stalled peer is there again, after so long.
    Resumed(Arc<Peer>, Duration),
    /// A peer's queue is full, and messages for it are dropped: so many by now. Told once, until it has caught up.
    Slow(Arc<Peer>, u64),
    /// Nothing was dropped for a slow peer for a second; so many messages had been.
    CaughtUp(Arc<Peer>, u64),
    /// A connection attempt failed; it will be tried again.
    DialFailed(Endpoint, std::io::ErrorKind),
    /// It will be dialled again after this pause: an attempt failed, or the connection ended.
    Retrying(Endpoint, Duration),
    /// The other side could not shake hands.
    HandshakeFailed(Option<SocketAddr>, HandshakeFault),
    /// A connection was accepted and closed at once.
    Refused(Option<SocketAddr>, RefusedWhy),
    /// A peer shook hands, but the socket has no place for it; the connection was closed.
    PeerRefused(Arc<Peer>, RefusedWhy),
    /// Accepting fails, for example for want of file descriptors. It is tried again and again, with pauses; this is told once, until a
    /// connection was accepted again. Connections that are there are not harmed.
    AcceptFailed(std::io::ErrorKind),
    /// So many messages that this peer published did not come, as its stamps tell.
    Lost(Arc<Peer>, u64),
    /// The socket was closed and all of it has ended. So many messages were not sent before the linger time was over.
    Closed(u64),
    /// A handler panicked; the message it was given is gone, the socket goes on.
    HandlerPanicked(Arc<Peer>),
}

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeFault {
    /// The peer said something wrong, or something we cannot agree to.
    #[error(transparent)]
    Peer(#[from] HandshakeError),
    /// The peer is not the one that was expected.
    #[error("the peer's {name} is \"{found}\", not \"{expected}\"")]
    Property {
        /// Of the property that [`Builder::expect_property`](crate::Builder::expect_property) named.
        name: String,
        /// What it was to be, as text.
        expected: String,
        /// What the peer announces, as text, cut to 64 characters.
        found: String,
    },
    /// Too many others were shaking hands, and this one had said nothing yet, or was the slowest.
    #[error("too many connections were shaking hands: this one was the oldest of its address")]
    Crowded,
    /// It took too long.
    #[error("the peer did not finish the handshake in time")]
    TimedOut,
    /// The connection ended first.
    #[error("the connection ended during the handshake")]
    Eof,
    /// The system reported an error.
    #[error("the connection failed during the handshake: {0}")]
    Io(std::io::ErrorKind),
}

/// Why a connection was closed before anything was sent or received on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusedWhy {
    /// The socket has as many connections as it may.
    TooManyConnections,
    /// The process or the system has had no file descriptors for a while, or none but those that are kept back
    /// ([`DESCRIPTOR_RESERVE`](crate::limits::DESCRIPTOR_RESERVE)).
    NoDescriptors,
    /// ROUTER: a peer with this identity is there already, and [`handover`](crate::Builder::handover) is off.
    IdentityTaken,
    /// PAIR: it has its peer already.
    PairTaken,
}

/// Receives on the data thread, without a queue in between: the fastest way, for callbacks that are short.
///
/// One call at a time per socket. `up` comes before any message of that peer, `down` after the last. What takes long here stalls the
/// thread's other links. Blocking sends and receives give `WouldDeadlock` in here.
pub trait Handler: Send + 'static {
    /// A message arrived. On a ROUTER no identity is put in front: `peer.id()` tells whom to answer with `send_to`.
    fn message(&mut self, peer: &Arc<Peer>, message: MessageRef<'_>);
    /// A peer is there.
    fn up(&mut self, peer: &Arc<Peer>) {
        let _ = peer;
    }
    /// A peer is gone.
    fn down(&mut self, peer: &Arc<Peer>, why: &DownReason) {
        let _ = (peer, why);
    }
    /// A command of ours arrived from a peer that announced `X-Colugo`.
    fn command(&mut self, peer: &Arc<Peer>, name: &[u8], data: &[u8]) {
        let _ = (peer, name, data);
    }
    /// All messages of one read were handed over.
    fn batch_end(&mut self) {}
}
