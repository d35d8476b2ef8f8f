//! What a socket counts.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::peer::Peer;

/// What became of one published message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Queues of matching subscribers it went into.
    pub queued: u32,
    /// Matching subscribers whose queue was full.
    pub dropped: u32,
}

/// Counters of a socket since it was made. All count messages unless they say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Handed to the system for writing, once per peer.
    pub sent: u64,
    /// Received, and put into the inbox or given to the handler.
    pub received: u64,
    /// Octets received, framing included.
    pub received_octets: u64,
    /// Not queued for a peer because its queue was full, once per peer.
    pub dropped_full: u64,
    /// Queued, but the connection ended before they were written.
    pub dropped_disconnect: u64,
    /// Queued, but not written when the linger time of a closed socket or a disconnected endpoint was over.
    pub dropped_linger: u64,
    /// Not sent at all, because no peer had room in time.
    pub refused_full: u64,
    /// Not sent because they are over the limit.
    pub refused_too_large: u64,
    /// Received, but not what this socket takes, for example a message to a PUSH.
    pub ignored: u64,
    /// Received by a SUB, but of no topic that it subscribes to: a subscription may be cancelled while messages are on their way. No loss.
    pub filtered: u64,
    /// Commands that nobody here knows.
    pub unknown_commands: u64,
    /// Messages that publishers' stamps say were sent and did not come, with a cause.
    pub lost: u64,
    /// Gaps in publishers' numbers that no publisher explained.
    pub lost_unexplained: u64,
    /// Messages of a publisher that were sent while its connection was down, or were on their way when it ended. Known of a publisher that
    /// stamps, is dialled, and was back by now, where everything is subscribed to.
    pub lost_disconnected: u64,
    /// Handshakes that failed.
    pub handshakes_failed: u64,
    /// Connections that were closed as soon as they were accepted.
    pub refused_connections: u64,
    /// Peers that had no place: a second one of a PAIR, or of an identity at a ROUTER. Counts attempts.
    pub refused_peers: u64,
    /// Connections closed because the peer broke the protocol.
    pub protocol_errors: u64,
    /// Times a peer with messages on their way did not answer any more.
    pub stalled: u64,
    /// Times a peer was so slow that messages for it were dropped.
    pub slow: u64,
    /// Connections closed because the peer was silent for too long.
    pub silent: u64,
    /// Inline handlers that panicked.
    pub handler_panics: u64,
}

/// Counters of one link, since it was accepted or first dialled. For one peer the messages that it was to get are `sent`, `queued` and
/// `dropped` together.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerStats {
    /// Who is there.
    pub peer: Arc<Peer>,
    /// Messages handed to the system for writing.
    pub sent: u64,
    /// Messages that wait to be.
    pub queued: u64,
    /// Octets that wait, framing included.
    pub queued_octets: u64,
    /// Messages not queued, because the queue was full: the one cause there is while a peer is there. What was queued for one that went is
    /// in [`Stats::dropped_disconnect`] and [`Stats::dropped_linger`].
    pub dropped: u64,
    /// Messages received.
    pub received: u64,
    /// Octets received in messages, framing included.
    pub received_octets: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) dropped_disconnect: AtomicU64,
    pub(crate) dropped_linger: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) too_large: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) received_octets: AtomicU64,
    pub(crate) ignored: AtomicU64,
    pub(crate) filtered: AtomicU64,
    pub(crate) unknown_commands: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) lost_unexplained: AtomicU64,
    pub(crate) lost_disconnected: AtomicU64,
    pub(crate) handshakes_failed: AtomicU64,
    pub(crate) refused_connections: AtomicU64,
    pub(crate) refused_peers: AtomicU64,
    pub(crate) protocol_errors: AtomicU64,
    pub(crate) stalled: AtomicU64,
    pub(crate) slow: AtomicU64,
    pub(crate) silent: AtomicU64,
    pub(crate) handler_panics: AtomicU64,
}
