//! `Graph`: a snapshot of who is out there, for people and tools. Plain data; filled by discovery.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use colugo_graph::{DialFailure, FixedPeerInfo, InterfaceInfo, NodeId, NodeState};

/// What a node knows of itself and others at one moment.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let net = colugo::testing::Net::new();
/// let (a, b) = (net.node("a")?, net.node("b")?);
/// let _poses = a.publisher("pose").build()?;
/// let graph = b.graph();
/// assert_eq!(graph.nodes.len(), 2);
/// assert_eq!(graph.topics[0].name, "pose");
/// assert_eq!(graph.topics[0].publishers, [a.id()]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Graph {
    /// All nodes that were heard of, this one among them, by name.
    pub nodes: Vec<GraphNode>,
    /// All topics that are published or subscribed to, by name.
    pub topics: Vec<GraphTopic>,
    /// All topics that are served or called, by name.
    pub services: Vec<GraphService>,
    /// The peers that were given by address, and whether they answer.
    pub fixed_peers: Vec<FixedPeerInfo>,
    /// This machine's addresses, and whether discovery uses them.
    pub interfaces: Vec<InterfaceInfo>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphNode {
    /// Its id, new with each start.
    pub id: NodeId,
    /// Its name; several nodes may share one.
    pub name: String,
    /// The machine it runs on, as it says.
    pub host: String,
    /// The namespace it says it is in.
    pub namespace: String,
    /// How things stand with it.
    pub state: NodeState,
    /// Where its control port was reached, as seen from here.
    pub address: Option<SocketAddr>,
    /// How long a probe took there and back.
    pub round_trip: Option<Duration>,
    /// How far its clock is ahead of ours, in nanoseconds (negative: behind); uncertain by half of the round trip.
    pub clock_ahead_ns: Option<i64>,
    /// The last thing that went wrong with it, as a sentence for people.
    pub problem: Option<String>,
    /// Why the last attempt to reach it failed, while it is not reached.
    pub failure: Option<DialFailure>,
    /// Where it may be, as records of it say.
    pub addresses: Vec<SocketAddr>,
    /// What happened with it, the oldest first: the latest 24 steps, of those seen from this node.
    pub history: Vec<NodeStep>,
}

/// One thing that happened with a node, as seen from here: it was shown, dialled, not reached, linked, matched, lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStep {
    /// What happened, for people.
    pub what: String,
    /// How long ago it happened first.
    pub first: Duration,
    /// How long ago it happened last.
    pub last: Duration,
    /// How often: attempts that fail alike are one step.
    pub times: u32,
}

impl fmt::Display for NodeStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.first.as_secs_f64();
        write!(f, "{seconds:>8.3} s ago  {}", self.what)?;
        if self.times > 1 {
            let last = self.last.as_secs_f64();
            write!(f, " ({} times, last {last:.3} s ago)", self.times)?;
        }
        Ok(())
    }
}

impl GraphNode {
    /// For worlds to fill in.
    pub(crate) fn new(id: NodeId, name: String, state: NodeState) -> Self {
        Self {
            id,
            name,
            host: String::new(),
            namespace: String::new(),
            state,
            address: None,
            round_trip: None,
            clock_ahead_ns: None,
            problem: None,
            failure: None,
            addresses: Vec::new(),
            history: Vec::new(),
        }
    }
}

/// One published or subscribed topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphTopic {
    /// Its name.
    pub name: String,
    /// How payloads are written, as the publishers say; several if they disagree.
    pub encodings: Vec<String>,
    /// Who publishes it.
    pub publishers: Vec<NodeId>,
    /// Who subscribes to it.
    pub subscribers: Vec<NodeId>,
    /// Where its publishers can be reached by any ZeroMQ program, as seen from here.
    pub endpoints: Vec<String>,
}

/// One served or called topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphService {
    /// Its name.
    pub name: String,
    /// How requests are written, as the servers say.
    pub encodings: Vec<String>,
    /// Who serves it.
    pub servers: Vec<NodeId>,
    /// Who calls it.
    pub clients: Vec<NodeId>,
    /// Where its servers can be reached by any ZeroMQ program, as seen from here.
    pub endpoints: Vec<String>,
}

impl Graph {
    /// Adds one announcement: how worlds build a graph.
    pub(crate) fn add(
        &mut self,
        node: NodeId,
        kind: colugo_graph::Kind,
        topic: &str,
        encoding: &str,
        endpoint: Option<String>,
    ) {
        use colugo_graph::Kind;
        let (encodings, users, endpoints) = match kind {
            Kind::Publisher | Kind::Subscriber => {
                let found = self
                    .topics
                    .iter()
                    .position(|known| known.name == topic)
                    .unwrap_or_else(|| {
                        self.topics.push(GraphTopic {
                            name: topic.into(),
                            ..GraphTopic::default()
                        });
                        self.topics.len() - 1
                    });
                let Some(entry) = self.topics.get_mut(found) else {
                    return;
                };
                let users = if kind == Kind::Publisher {
                    &mut entry.publishers
                } else {
                    &mut entry.subscribers
                };
                (&mut entry.encodings, users, &mut entry.endpoints)
            }
            Kind::Server | Kind::Client => {
                let found = self
                    .services
                    .iter()
                    .position(|known| known.name == topic)
                    .unwrap_or_else(|| {
                        self.services.push(GraphService {
                            name: topic.into(),
                            ..GraphService::default()
                        });
                        self.services.len() - 1
                    });
                let Some(entry) = self.services.get_mut(found) else {
                    return;
                };
                let users = if kind == Kind::Server {
                    &mut entry.servers
                } else {
                    &mut entry.clients
                };
                (&mut entry.encodings, users, &mut entry.endpoints)
            }
        };
        if !users.contains(&node) {
            users.push(node);
        }
        if matches!(kind, Kind::Publisher | Kind::Server) {
            if !encoding.is_empty() && !encodings.iter().any(|known| known == encoding) {
                encodings.push(encoding.into());
            }
            endpoints.extend(endpoint.filter(|e| !endpoints.contains(e)));
        }
    }

    /// The name of a node that is in here.
    pub fn node_name(&self, id: NodeId) -> Option<&str> {
        self.nodes
            .iter()
            .find(|node| node.id == id)
            .map(|node| node.name.as_str())
    }

    /// Topic names that are most like `name`, best first; none that has little in common with it.
    pub fn topics_like(&self, name: &str) -> Vec<&str> {
        nearest(name, self.topics.iter().map(|topic| topic.name.as_str()))
    }

    /// Service names that are most like `name`, best first; none that has little in common with it.
    pub fn services_like(&self, name: &str) -> Vec<&str> {
        nearest(
            name,
            self.services.iter().map(|service| service.name.as_str()),
        )
    }

    /// Names of other nodes of this namespace that are most like `name`, best first; none that has little in common with it.
    pub fn nodes_like(&self, name: &str) -> Vec<&str> {
        let elsewhere =
            |node: &GraphNode| matches!(node.state, NodeState::Own | NodeState::Foreign);
        let here = self.nodes.iter().filter(|node| !elsewhere(node));
        nearest(name, here.map(|node| node.name.as_str()))
    }

    /// Puts everything in order, so that two snapshots of the same state are equal.
    pub(crate) fn sort(&mut self) {
        self.nodes
            .sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        self.topics.sort_by(|a, b| a.name.cmp(&b.name));
        self.services.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

/// At most so many names are suggested.
const SUGGESTIONS: usize = 3;

fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_ascii_lowercase();
    let mut near: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let other = name.to_ascii_lowercase();
            let far = distance(wanted.as_bytes(), other.as_bytes());
            let part = !wanted.is_empty() && (other.contains(&wanted) || wanted.contains(&other));
            (part || far <= wanted.len().max(other.len()) / 2).then_some((far, name))
        })
        .collect();
    near.sort_unstable();
    near.into_iter()
        .map(|(_, name)| name)
        .take(SUGGESTIONS)
        .collect()
}

/// Levenshtein's: how many octets to insert, remove or replace.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b) {
            let above = *cell;
            left = (left + 1)
                .min(above + 1)
                .min(diagonal + usize::from(x != y));
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_slip_are_suggested_and_others_are_not() {
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        let names = ["robot.pose", "robot.scan", "weather"];
        assert_eq!(
            nearest("robot.psoe", names.into_iter()),
            ["robot.pose", "robot.scan"]
        );
        assert_eq!(nearest("pose", names.into_iter()), ["robot.pose"]);
        assert!(nearest("xyzzy", names.into_iter()).is_empty());
    }
}
