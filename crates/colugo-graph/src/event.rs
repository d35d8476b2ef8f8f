//! `Event`: what a node may want to tell its user about others.
//!
//! Knows facts with names and figures; does not know who reads them. Made by the [`Brain`](crate::Brain).

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::{MessageError, NodeId, Version};

/// Something that happened in the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A node was found and answers.
    NodeJoined {
        /// Its identity.
        node: NodeId,
        /// Its name.
        name: String,
        /// The address of the control link.
        address: SocketAddr,
    },
    /// A node is gone.
    NodeLeft {
        /// Its identity.
        node: NodeId,
        /// Its name.
        name: String,
        /// How it went.
        reason: LeaveReason,
    },
    /// A node has not answered for a while. It is still used.
    NodeSuspect {
        /// Its identity.
        node: NodeId,
        /// Its name.
        name: String,
        /// For how long nothing was heard of it.
        silent_for: Duration,
    },
    /// A node that was suspect answers again.
    NodeRecovered {
        /// Its identity.
        node: NodeId,
        /// Its name.
        name: String,
    },
    /// A node was heard of, but could not be reached. Told at the first failure and at each tenfold number of them.
    NodeUnreachable {
        /// Its identity, where it is known.
        node: Option<NodeId>,
        /// Its name, or the fixed address.
        name: String,
        /// What became of the last attempt.
        failure: DialFailure,
        /// How many attempts have failed.
        attempts: u32,
    },
    /// A peer broke the protocol; the link was closed.
    PeerMisbehaved {
        /// The other end of the link.
        address: SocketAddr,
        /// Who it is, where it has said so.
        node: Option<NodeId>,
        /// What it did.
        what: Misbehaviour,
    },
    /// A node speaks another major version.
    VersionMismatch {
        /// Its identity.
        node: NodeId,
        /// Its name.
        name: String,
        /// What we speak.
        ours: Version,
        /// What it speaks.
        theirs: Version,
    },
    /// A node that was dialled is in another namespace.
    NamespaceMismatch {
        /// Its identity.
        node: NodeId,
        /// Its name.
        name: String,
        /// The namespace we are in.
        ours: String,
        /// The one it is in.
        theirs: String,
    },
    /// A limit was reached; what is over it was refused. Told once per limit.
    LimitReached {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Nobody ran the brain for a while (the machine slept, or the process was stopped); no peer is blamed for it.
    Stalled {
        /// For how long.
        late: Duration,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodeJoined {
                node,
                name,
                address,
            } => {
                write!(f, "found {name:?} ({}) at {address}", node.short())
            }
            Self::NodeLeft { node, name, reason } => {
                write!(f, "{name:?} ({}) is gone: {reason}", node.short())
            }
            Self::NodeSuspect {
                node,
                name,
                silent_for,
            } => {
                write!(
                    f,
                    "{name:?} ({}) has not answered for {silent_for:.1?}",
                    node.short()
                )
            }
            Self::NodeRecovered { node, name } => {
                write!(f, "{name:?} ({}) answers again", node.short())
            }
            Self::NodeUnreachable {
                name,
                failure,
                attempts,
                ..
            } => {
                write!(f, "can't reach {name:?}: {failure} (attempt {attempts})")
            }
            Self::PeerMisbehaved { address, what, .. } => {
                write!(
                    f,
                    "whoever is at {address} does not follow the protocol: {what}"
                )
            }
            Self::VersionMismatch {
                name, ours, theirs, ..
            } => {
                write!(
                    f,
                    "{name:?} speaks version {theirs} of the protocol, we speak {ours}: update the older one"
                )
            }
            Self::NamespaceMismatch {
                name, ours, theirs, ..
            } => {
                write!(
                    f,
                    "{name:?} is in the namespace {theirs:?}, we are in {ours:?}"
                )
            }
            Self::LimitReached { what, limit } => {
                write!(
                    f,
                    "there are more than {limit} {what}: what is over that is ignored"
                )
            }
            Self::Stalled { late } => write!(f, "this process was asleep for {late:.1?}"),
        }
    }
}

/// How a node went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum LeaveReason {
    /// It said goodbye.
    #[error("it said goodbye")]
    Goodbye,
    /// Its link broke and its address refuses connections: the process is gone.
    #[error("its link broke and its address refuses connections")]
    Refused,
    /// Its link broke and its address belongs to another node now.
    #[error("its link broke and another node has its address")]
    Replaced,
    /// Its link broke and could not be made again.
    #[error("its link broke and could not be made again")]
    Unreachable,
    /// It stopped answering.
    #[error("it stopped answering")]
    Silent,
    /// It ended the link for a reason of its own.
    #[error("it ended the link")]
    Dismissed,
    /// It broke the protocol.
    #[error("it broke the protocol")]
    Misbehaved,
}

impl LeaveReason {
    /// Whether the node, or the way to it, is gone: nothing more comes from it. Otherwise it lives, or ends in order, and
    /// what is on its way from it may still arrive.
    pub fn is_death(self) -> bool {
        matches!(
            self,
            Self::Refused | Self::Replaced | Self::Unreachable | Self::Silent
        )
    }
}

/// Why no link could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DialFailure {
    /// The address answers, and nobody listens there.
    #[error("connection refused")]
    Refused,
    /// Nothing came back in time.
    #[error("no answer")]
    TimedOut,
    /// There is no way to the address.
    #[error("no route to it")]
    Unreachable,
    /// The name has no address.
    #[error("its name could not be resolved")]
    Unresolved,
    /// Somebody answers who is no Colugo node.
    #[error("whatever answers there is no Colugo node")]
    NotANode,
    /// Another node answers.
    #[error("another node answers there")]
    OtherNode,
    /// It ended the link at once.
    #[error("it ended the link at once")]
    Dismissed,
    /// It is in another namespace.
    #[error("it is in another namespace")]
    OtherNamespace,
    /// It speaks another major version.
    #[error("it speaks another version of the protocol")]
    OtherVersion,
    /// It knows as many nodes as it may.
    #[error("it has too many peers")]
    Full,
}

/// What a peer did wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// A message that can't be read.
    #[error("{0}")]
    Message(#[from] MessageError),
    /// Something else came before HELLO, or nothing in time.
    #[error("it did not say HELLO first")]
    NoHello,
    /// A second HELLO on one link.
    #[error("it said HELLO twice")]
    SecondHello,
    /// More announcements than allowed.
    #[error("it announces more than {} things", crate::limits::ENTRIES)]
    TooManyEntries,
}
