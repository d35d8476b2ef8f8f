//! `Announcement`: what a node offers or uses, as told to other nodes.
//!
//! Knows the four kinds and the fields; does not know who announced or how it travels. Used by the application side of
//! the [`Brain`](crate::Brain) and by the directory.

use std::fmt;
use std::net::SocketAddr;

use crate::{NodeId, Topic};

/// What a node does with a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Publishes it. Can be wanted.
    Publisher,
    /// Answers requests on it. Can be wanted.
    Server,
    /// Subscribes to it. Announced for people and tools only.
    Subscriber,
    /// Sends requests on it. Announced for people and tools only.
    Client,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [
        Self::Publisher,
        Self::Server,
        Self::Subscriber,
        Self::Client,
    ];

    /// The word for it on control links.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publisher => "pub",
            Self::Server => "srv",
            Self::Subscriber => "sub",
            Self::Client => "cli",
        }
    }

    pub(crate) fn parse(word: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().as_bytes() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Publisher => "publisher",
            Self::Server => "server",
            Self::Subscriber => "subscriber",
            Self::Client => "client",
        })
    }
}

/// One thing that a node offers or uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Under which name.
    pub topic: Topic,
    /// What the node does with it.
    pub kind: Kind,
    /// The TCP port of its socket; 0 for kinds that only dial.
    pub port: u16,
    /// How payloads are encoded (`json`, `protobuf`, …), for people and tools; empty when unknown.
    /// Cut to [`limits::ENCODING_LEN`](crate::limits::ENCODING_LEN) octets.
    pub encoding: String,
}

/// Names one announcement of one node for as long as the node lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnnouncementId(pub u64);

/// Names one want of the own node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WantId(pub u64);

/// An announcement together with its id, as directories hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id within the node that announced it.
    pub id: AnnouncementId,
    /// What was announced.
    pub announcement: Announcement,
}

impl Entry {
    /// About how many octets it takes in a message.
    pub(crate) fn size(&self) -> usize {
        self.announcement.topic.as_str().len() + self.announcement.encoding.len() + 32
    }
}

/// A socket of a program that is no node of ours: discovery shows it, and nothing else is known of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outsider {
    /// The id that its record says.
    pub node: NodeId,
    /// Publisher or server.
    pub kind: Kind,
    /// Of which topic or service.
    pub topic: Topic,
    /// Where it can be dialled.
    pub endpoint: SocketAddr,
}
