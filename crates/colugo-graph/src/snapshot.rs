//! `GraphSnapshot`: who is out there and what they do, as data for people and tools.
//!
//! Knows one moment; does not follow changes. Made by [`Brain::snapshot`](crate::Brain::snapshot).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::history::Noted;
use crate::{Announcement, DialFailure, Kind, Namespace, NodeId, Topic};

/// The graph as one node sees it at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GraphSnapshot {
    /// The node that looks.
    pub own: NodeId,
    /// Its namespace.
    pub namespace: Namespace,
    /// All nodes it has heard of, itself first, then by name.
    pub nodes: Vec<NodeInfo>,
    /// The peers that were given by address, as they were given.
    pub fixed_peers: Vec<FixedPeerInfo>,
    /// Topics that somebody publishes or subscribes to, by name.
    pub topics: Vec<TopicInfo>,
    /// Services that somebody serves or calls, by name.
    pub services: Vec<TopicInfo>,
    /// The network interfaces that discovery uses. Filled in by the driver.
    pub interfaces: Vec<InterfaceInfo>,
    /// What was counted so far.
    pub counters: Counters,
}

/// How much one node knows at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphSize {
    /// Nodes of its namespace, itself among them, that are alive as far as it knows.
    pub nodes: usize,
    /// What they announce in all: publishers, subscribers, servers and clients.
    pub announcements: usize,
}

impl GraphSize {
    /// So many.
    pub fn new(nodes: usize, announcements: usize) -> Self {
        Self {
            nodes,
            announcements,
        }
    }
}

/// One node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeInfo {
    /// Its identity.
    pub id: NodeId,
    /// Its name; empty when only its address is known.
    pub name: String,
    /// A word for its machine.
    pub host: String,
    /// The namespace it says it is in.
    pub namespace: String,
    /// How things stand with it.
    pub state: NodeState,
    /// Its control address, once it was reached.
    pub address: Option<SocketAddr>,
    /// How long a probe took there and back, once one was answered.
    pub round_trip: Option<Duration>,
    /// How far its clock was ahead of ours then (negative: behind), uncertain by half of the round trip.
    pub clock_ahead_ns: Option<i64>,
    /// What it announces.
    pub announcements: Vec<Announcement>,
    /// The last thing that went wrong with it, as a sentence for people.
    pub problem: Option<String>,
    /// Why the last attempt to reach it failed, while it is not reached.
    pub failure: Option<DialFailure>,
    /// Where it may be, as records of it say.
    pub addresses: Vec<SocketAddr>,
    /// What happened with it, the oldest first.
    pub history: Vec<Noted>,
}

/// A peer that was given by address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FixedPeerInfo {
    /// What the user wrote.
    pub address: String,
    /// The node that answers there.
    pub node: Option<NodeId>,
    /// Why none does, as a sentence for people.
    pub problem: Option<String>,
    /// The same, for programs.
    pub failure: Option<DialFailure>,
}

/// How things stand with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeState {
    /// The node that looks.
    Own,
    /// It answers.
    Alive,
    /// It has not answered for a while.
    Suspect,
    /// A hub says that it is there and what it announces. There is no link to it, and no reason for one, or not yet.
    Relayed,
    /// It was heard of, and no link to it is up (yet).
    Heard,
    /// It was heard of, and is in another namespace or speaks another version.
    Foreign,
    /// It is no node of ours: a program that announces sockets by the records of the original. Whether it lives only its sockets show.
    Outside,
}

impl NodeState {
    /// A word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Relayed => "relayed",
            Self::Heard => "heard",
            Self::Foreign => "foreign",
            Self::Outside => "outside",
        }
    }
}

/// One topic or service, and who takes part.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TopicInfo {
    /// Its name.
    pub topic: Topic,
    /// Its publishers or servers.
    pub providers: Vec<Participant>,
    /// Its subscribers or clients.
    pub users: Vec<Participant>,
}

impl TopicInfo {
    /// The encodings that participants name, each once.
    pub fn encodings(&self) -> Vec<&str> {
        let all = self.providers.iter().chain(&self.users);
        let mut words: Vec<_> = all
            .map(|who| who.encoding.as_str())
            .filter(|word| !word.is_empty())
            .collect();
        words.sort_unstable();
        words.dedup();
        words
    }
}

/// One node's part in a topic.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Participant {
    /// The node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// Where its socket can be dialled; `None` for subscribers and clients.
    pub address: Option<SocketAddr>,
    /// How it encodes payloads; empty when unknown.
    pub encoding: String,
}

/// An address of this machine, and whether discovery uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// The interface's name.
    pub name: String,
    /// One of its addresses.
    pub address: IpAddr,
    /// Whether discovery uses it.
    pub used: bool,
}

/// What a brain has counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Records of nodes in other namespaces.
    pub foreign_records: u64,
    /// Nodes refused because too many were known.
    pub peers_refused: u64,
    /// Links closed because too many had not said HELLO.
    pub strangers_refused: u64,
    /// Links closed because the peer broke the protocol.
    pub misbehaved: u64,
    /// Messages ignored because a newer version would be needed.
    pub unknown_messages: u64,
    /// Snapshots asked for because a delta did not follow on.
    pub resyncs: u64,
    /// Directories that hubs told of and that were not kept, because there were too many octets of them.
    pub listings_refused: u64,
    /// Links closed because there were two to one node.
    pub duplicates: u64,
    /// Events dropped because nobody polled them.
    pub events_dropped: u64,
}

impl GraphSnapshot {
    pub(crate) fn gather(
        nodes: Vec<NodeInfo>,
        own: NodeId,
        namespace: Namespace,
        counters: Counters,
    ) -> Self {
        let mut topics = BTreeMap::new();
        let mut services = BTreeMap::new();
        for node in &nodes {
            for announcement in &node.announcements {
                let (map, provides) = match announcement.kind {
                    Kind::Publisher => (&mut topics, true),
                    Kind::Subscriber => (&mut topics, false),
                    Kind::Server => (&mut services, true),
                    Kind::Client => (&mut services, false),
                };
                let info = map
                    .entry(announcement.topic.clone())
                    .or_insert_with(|| TopicInfo {
                        topic: announcement.topic.clone(),
                        providers: Vec::new(),
                        users: Vec::new(),
                    });
                let address = node
                    .address
                    .or_else(|| node.addresses.first().copied())
                    .map(|address| SocketAddr::new(address.ip(), announcement.port));
                let part = Participant {
                    node: node.id,
                    name: node.name.clone(),
                    address: address.filter(|_| provides),
                    encoding: announcement.encoding.clone(),
                };
                if provides {
                    &mut info.providers
                } else {
                    &mut info.users
                }
                .push(part);
            }
        }
        Self {
            own,
            namespace,
            nodes,
            topics: topics.into_values().collect(),
            services: services.into_values().collect(),
            fixed_peers: Vec::new(),
            interfaces: Vec::new(),
            counters,
        }
    }
}
