//! `Brain`: everything one node knows about others, and what it does about it.
//!
//! Knows announcements, peers, links and their timers; refuses to know sockets, threads, clocks and random sources.
//! Driven by `colugo`; driven by a virtual network in the tests.

mod application;
mod greeting;
mod interests;
mod introducing;
mod liveness;
mod matching;
mod outsiders;
mod peer;
mod peers;
mod reaching;
mod told;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{
    Counters, DialFailure, Event, GraphSize, GraphSnapshot, Namespace, NodeId, NodeInfo, NodeState,
    WantId, limits,
};
use application::Own;
use interests::Interests;
use introducing::Introducing;
use matching::Matching;
use outsiders::Outsiders;
use peer::{Link, Peer};
use peers::Peers;
use reaching::{Dial, Fixed};

pub use application::AnnounceError;

/// What a [`Brain`] has to know about its own node.
#[derive(Clone, Debug)]
pub struct Config {
    /// The identity: random, new at each start.
    pub node: NodeId,
    /// The name, for people.
    pub name: String,
    /// A word for the machine, for people.
    pub host: String,
    /// The namespace.
    pub namespace: Namespace,
    /// The port on which control links are accepted; 0 when none are.
    pub port: u16,
    /// Whether everybody that is linked with this node is told of everybody else who is.
    pub hub: bool,
    /// Where others may reach this node, told to them in HELLO.
    pub addresses: Vec<IpAddr>,
    /// Where the own node's sockets can be dialled from this process.
    pub own_address: IpAddr,
    /// What the clock on the wall shows at the `now` given to [`Brain::new`], in nanoseconds since the Unix epoch.
    pub unix_ns: u64,
}

/// Names a connection between two nodes. Chosen by the driver, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Names one attempt to reach somebody. Chosen by the brain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub u64);

/// Names one fixed peer. Chosen by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FixedId(pub u32);

/// Where a record of a node comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The rendezvous directory of this machine. The other side does not learn of us by it.
    Machine,
    /// Multicast DNS. The other side hears us as we hear it.
    Mdns,
    /// This hub. It tells the other side of us as it tells us.
    Hub(NodeId),
}

/// How a link came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// We dialled.
    Dialled(DialId),
    /// The other side dialled.
    Accepted,
}

/// Whom to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A node that is known: try its addresses in an order that suits, all of them at once if need be, and accept none
    /// that turns out to be another node.
    Node {
        /// Who should answer.
        node: NodeId,
        /// Where it may be.
        addresses: Vec<SocketAddr>,
    },
    /// A fixed peer: resolve its name anew each time.
    Fixed(FixedId),
}

/// What the driver shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make a link; answer with [`Brain::handle_link_up`] or [`Brain::handle_dial_failed`].
    Dial {
        /// Names the attempt in the answer.
        dial: DialId,
        /// Whom to reach.
        target: Target,
    },
    /// Give up an attempt; no answer is expected.
    CancelDial(DialId),
    /// Send one control message.
    Send {
        /// On which link.
        link: LinkId,
        /// The frame, the same for all links that it goes to.
        frame: Arc<[u8]>,
    },
    /// Close a link after what was sent on it is out; no answer is expected.
    Close(LinkId),
}

/// What became of a provider of something that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchKind {
    /// It is there.
    Found,
    /// It is offered no longer: nothing new for it, but what is on its way may still arrive.
    Withdrawn,
    /// Its node has gone without a goodbye: nothing more comes from it, and nothing reaches it.
    Dead,
}

/// A provider of something that is wanted has come or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchChange {
    /// Whose want it is.
    pub want: WantId,
    /// Whether it has come or gone, and how.
    pub kind: MatchKind,
    /// The node that provides.
    pub node: NodeId,
    /// Its name.
    pub node_name: String,
    /// Where its socket can be dialled.
    pub endpoint: SocketAddr,
    /// The control port of its node, which hands connections for its topics on: for where nothing else lets them in. `None`: the own node, or a
    /// program that is no node.
    pub control: Option<SocketAddr>,
}

/// The control state of one node.
///
/// A `Brain` does no I/O, starts no thread and reads no clock. Its methods are of four kinds:
///
/// - **Application**: [`announce`](Self::announce), [`withdraw`](Self::withdraw), [`want`](Self::want),
///   [`unwant`](Self::unwant), [`add_fixed_peer`](Self::add_fixed_peer), [`leave`](Self::leave): what this node offers
///   and looks for.
/// - **Inputs**, `handle_*`: what the driver has seen: records, links, messages, failures, and the passing of time.
/// - **Outputs**, `poll_*`: after any call of the first two kinds, call [`poll_effect`](Self::poll_effect),
///   [`poll_match`](Self::poll_match) and [`poll_event`](Self::poll_event) until each returns `None`, then
///   [`poll_timeout`](Self::poll_timeout), and call [`handle_timeout`](Self::handle_timeout) at that instant if nothing
///   came before.
/// - **Looking**: [`snapshot`](Self::snapshot).
///
/// `now` may be any point on a monotonic clock and never goes backwards between calls. A link exists for the brain from
/// `handle_link_up` until `handle_link_down` or [`Effect::Close`], whichever comes first; messages of other links are
/// ignored. The same inputs at the same times give the same outputs.
///
/// ```
/// use std::time::Instant;
/// use colugo_graph::{Announcement, Brain, Config, Kind, MatchKind, Namespace, NodeId};
///
/// let now = Instant::now();
/// let mut brain = Brain::new(
///     Config {
///         node: NodeId([1; 16]),
///         name: "demo".into(),
///         host: "box".into(),
///         namespace: Namespace::default(),
///         port: 4000,
///         hub: false,
///         addresses: Vec::new(),
///         own_address: [127, 0, 0, 1].into(),
///         unix_ns: 0,
///     },
///     now,
/// );
/// let topic = "pose".parse()?;
/// let want = brain.want(now, topic, Kind::Publisher);
/// let pose = Announcement { topic: "pose".parse()?, kind: Kind::Publisher, port: 5555, encoding: String::new() };
/// brain.announce(now, pose)?;
///
/// let found = brain.poll_match().unwrap();      // its own announcements match its own wants
/// assert!(found.kind == MatchKind::Found && found.want == want);
/// assert_eq!(found.endpoint.to_string(), "127.0.0.1:5555");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Brain {
    config: Config,
    started: Instant,
    own: Own,
    matching: Matching,
    interests: Interests,
    peers: Peers,
    links: BTreeMap<LinkId, Link>,
    /// Those of the links whose other end has not said HELLO.
    strangers: BTreeSet<LinkId>,
    dials: BTreeMap<DialId, Dial>,
    next_dial: u64,
    fixed: BTreeMap<FixedId, Fixed>,
    departed: Departed,
    introducing: Introducing,
    outsiders: Outsiders,
    /// Octets of all directories that hubs have told of.
    told_len: usize,
    effects: VecDeque<Effect>,
    events: VecDeque<Event>,
    limits_told: Vec<&'static str>,
    counters: Counters,
    left: bool,
}

impl Brain {
    /// A node that knows nobody yet.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            peers: Peers::new(config.node),
            config,
            started: now,
            own: Own::default(),
            matching: Matching::default(),
            interests: Interests::default(),
            links: BTreeMap::new(),
            strangers: BTreeSet::new(),
            dials: BTreeMap::new(),
            next_dial: 0,
            fixed: BTreeMap::new(),
            departed: Departed::default(),
            introducing: Introducing::default(),
            outsiders: Outsiders::default(),
            told_len: 0,
            effects: VecDeque::new(),
            events: VecDeque::new(),
            limits_told: Vec::new(),
            counters: Counters::default(),
            left: false,
        }
    }

    /// Takes the next thing to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Takes the next change of what is wanted.
    pub fn poll_match(&mut self) -> Option<MatchChange> {
        self.matching.poll()
    }

    /// Takes the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None`: not before another input.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        if self.left {
            return None;
        }
        let peers = self.peers.next_timeout();
        let strangers = self.strangers.iter();
        let strangers = strangers.filter_map(|link| self.links.get(link)?.next_timeout());
        let fixed = self.fixed.values().filter_map(Fixed::next_timeout);
        peers
            .into_iter()
            .chain(strangers)
            .chain(fixed)
            .chain(self.own.flush_at())
            .chain(self.introducing.flush_at())
            .chain(self.interests.look_at)
            .min()
    }

    /// The own identity.
    pub fn node(&self) -> NodeId {
        self.config.node
    }

    /// What the own node announces.
    pub fn announcements(&self) -> Vec<crate::Announcement> {
        self.own.announcements().cloned().collect()
    }

    /// Everything known at this moment.
    pub fn snapshot(&self) -> GraphSnapshot {
        let own = NodeInfo {
            id: self.config.node,
            name: self.config.name.clone(),
            host: self.config.host.clone(),
            namespace: self.config.namespace.to_string(),
            state: NodeState::Own,
            address: Some(SocketAddr::new(self.config.own_address, self.config.port)),
            round_trip: None,
            clock_ahead_ns: None,
            announcements: self.own.announcements().cloned().collect(),
            problem: None,
            failure: None,
            history: Vec::new(),
            addresses: Vec::new(),
        };
        let mut others: Vec<_> = self.peers.values().map(Peer::info).collect();
        others.extend(self.outsiders.infos());
        others.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let nodes = [own].into_iter().chain(others).collect();
        let mut snapshot = GraphSnapshot::gather(
            nodes,
            self.config.node,
            self.config.namespace.clone(),
            self.counters,
        );
        snapshot.fixed_peers = self.fixed.values().map(Fixed::info).collect();
        snapshot
    }

    /// How much is known at this moment, without a look at each announcement.
    pub fn size(&self) -> GraphSize {
        let known = self.peers.values().filter_map(Peer::known);
        known.fold(GraphSize::new(1, self.own.len()), |sum, more| {
            GraphSize::new(sum.nodes + 1, sum.announcements + more)
        })
    }

    fn tell(&mut self, event: Event) {
        if self.events.len() >= limits::EVENTS {
            self.events.pop_front();
            self.counters.events_dropped += 1;
        }
        self.events.push_back(event);
    }

    fn tell_limit(&mut self, what: &'static str, limit: usize) {
        if !self.limits_told.contains(&what) {
            self.limits_told.push(what);
            self.tell(Event::LimitReached { what, limit });
        }
    }

    fn unix_ns(&self, now: Instant) -> u64 {
        let passed = u64::try_from((now - self.started).as_nanos()).unwrap_or(u64::MAX);
        self.config.unix_ns.saturating_add(passed)
    }
}

/// Nodes that said goodbye: what discovery still says of them is stale. An id never comes back but by its own HELLO.
#[derive(Debug, Default)]
struct Departed {
    order: VecDeque<NodeId>,
    since: HashMap<NodeId, Instant>,
}

impl Departed {
    /// Longer than any record is cached.
    const KEPT: Duration = Duration::from_secs(4500);

    fn insert(&mut self, node: NodeId, now: Instant) {
        if self.since.insert(node, now).is_none() {
            self.order.push_back(node);
        }
        if self.order.len() > limits::PEERS
            && let Some(oldest) = self.order.pop_front()
        {
            self.since.remove(&oldest);
        }
    }

    fn remove(&mut self, node: NodeId) {
        if self.since.remove(&node).is_some() {
            self.order.retain(|other| *other != node);
        }
    }

    fn contains(&self, node: NodeId, now: Instant) -> bool {
        self.since
            .get(&node)
            .is_some_and(|since| now - *since < Self::KEPT)
    }
}

/// The pause before attempt `failures + 1`: doubles from `first` to `most`.
fn back_off(failures: u32, first: Duration, most: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    first.saturating_mul(1 << doublings).min(most)
}

/// Whether trying again soon could help.
fn is_lasting(failure: DialFailure) -> bool {
    matches!(
        failure,
        DialFailure::OtherNamespace | DialFailure::OtherVersion | DialFailure::Full
    )
}
