//! Who is out there: announcements, directory, matching and liveness of Colugo nodes, as a pure state machine.
//!
//! [`Brain`] is the whole control state of one node. It is fed with what its driver sees (records, links, messages, the
//! passing of time) and asked what to do about it; it does no I/O, starts no thread and reads no clock, so that its
//! tests move an [`Instant`](std::time::Instant) by hand and need no socket. What travels on the control links between
//! two nodes is a [`Message`]; what a node says of itself in DNS-SD is a [`NodeRecord`].
//!
//! The crate `colugo` drives it. Programs use `colugo`, not this crate.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::indexing_slicing
    )
)]

mod announcement;
mod brain;
mod event;
mod fields;
mod history;
mod id;
mod introduction;
pub mod limits;
mod listing;
mod message;
mod msgpack;
mod record;
mod snapshot;
mod topic;

pub use announcement::{Announcement, AnnouncementId, Entry, Kind, Outsider, WantId};
pub use brain::{
    AnnounceError, Brain, Config, DialId, Effect, FixedId, LinkId, MatchChange, MatchKind, Origin,
    Source, Target,
};
pub use event::{DialFailure, Event, LeaveReason, Misbehaviour};
pub use history::{Noted, Step};
pub use id::{InvalidNodeId, NodeId};
pub use introduction::{Change, Introduction};
pub use listing::Listing;
pub use message::{Bye, HUB, Hello, Message, MessageError, Version};
pub use msgpack::MsgPackError;
pub use record::{NodeRecord, RecordError, SERVICE_TYPE};
pub use snapshot::{
    Counters, FixedPeerInfo, GraphSize, GraphSnapshot, InterfaceInfo, NodeInfo, NodeState,
    Participant, TopicInfo,
};
pub use topic::{
    MAX_NAMESPACE_LEN, MAX_TOPIC_LEN, NameFault, Namespace, NamespaceError, Topic, TopicError,
};

/// The README's example, so that it is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
