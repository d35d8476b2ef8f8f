//! `Shared`: the state of a virtual network, its clock, and the one queue of things that happen. Knows nodes and sockets by number.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use colugo_graph::{Kind, MatchKind, NodeId, NodeState};
use colugo_socket::{LinkId, Message as RawMessage};

use super::socket::VirtualSocket;
use crate::event::{Event, EventHub};
use crate::executor::Task;
use crate::graph::{Graph, GraphNode};
use crate::peer::Peer;
use crate::sync::lock;
use crate::timers::{Agenda, Timed};
use crate::transport::Found;

/// The first virtual port.
const PORTS_FROM: u16 = 10_001;

pub(super) type OnMatch = Arc<dyn Fn(Found) + Send + Sync>;

/// Something that happens to somebody.
pub(super) enum Job {
    Up(Arc<VirtualSocket>, Arc<Peer>),
    Down(Arc<VirtualSocket>, LinkId, &'static str),
    Message(Arc<VirtualSocket>, RawMessage),
    Command(Arc<VirtualSocket>, LinkId, Vec<u8>, Vec<u8>),
    Run(Arc<Task>),
    Match(OnMatch, Found),
}

pub(super) struct Shared {
    base: Instant,
    state: Mutex<State>,
    changed: Condvar,
    next_id: AtomicU64,
}

#[derive(Default)]
pub(super) struct State {
    passed: Duration,
    agenda: Agenda,
    jobs: VecDeque<Job>,
    /// The thread that does what happens, and how deep it is in it.
    pumping: Option<(ThreadId, u32)>,
    pub(super) nodes: Vec<NodeEntry>,
    pub(super) listeners: HashMap<(usize, u16), Weak<VirtualSocket>>,
    pub(super) sockets: Vec<Weak<VirtualSocket>>,
    cuts: Vec<(String, String)>,
}

pub(super) struct NodeEntry {
    pub(super) id: NodeId,
    pub(super) name: String,
    pub(super) namespace: String,
    events: Arc<EventHub>,
    pub(super) here: bool,
    pub(super) announced: Vec<Announced>,
    pub(super) wanted: Vec<Wanted>,
    pub(super) next_port: u16,
}

pub(super) struct Announced {
    pub(super) id: u64,
    pub(super) topic: String,
    pub(super) kind: Kind,
    pub(super) port: u16,
    pub(super) encoding: String,
}

pub(super) struct Wanted {
    pub(super) id: u64,
    pub(super) topic: String,
    pub(super) kind: Kind,
    pub(super) on_match: OnMatch,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("passed", &lock(&self.state).passed)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            base: Instant::now(),
            state: Mutex::default(),
            changed: Condvar::new(),
            next_id: AtomicU64::new(1),
        })
    }

    pub(super) fn fresh_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut lock(&self.state))
    }

    pub(super) fn now(&self) -> Instant {
        self.base + lock(&self.state).passed
    }

    pub(super) fn passed(&self) -> Duration {
        lock(&self.state).passed
    }

    pub(super) fn at(&self, due: Instant, what: Weak<dyn Timed>) {
        lock(&self.state).agenda.push(due, what);
        self.changed.notify_all();
    }

    /// Adds what happens, and does it all, unless this thread or another is already at it.
    pub(super) fn happen(&self, jobs: impl IntoIterator<Item = Job>) {
        lock(&self.state).jobs.extend(jobs);
        self.changed.notify_all();
        if lock(&self.state).pumping.is_none() {
            self.pump();
        }
    }

    /// Whether nothing waits to be done, so that something done now is in order.
    pub(super) fn is_quiet(&self) -> bool {
        lock(&self.state).jobs.is_empty()
    }

    /// Does all that can be done now. False: another thread is at it.
    fn pump(&self) -> bool {
        if !self.take_pump() {
            return false;
        }
        while let Some(job) = self.next_job() {
            run(job);
            self.changed.notify_all();
        }
        self.leave_pump();
        true
    }

    fn take_pump(&self) -> bool {
        let me = std::thread::current().id();
        let mut state = lock(&self.state);
        match &mut state.pumping {
            Some((thread, depth)) if *thread == me => *depth += 1,
            Some(_) => return false,
            free => *free = Some((me, 1)),
        }
        true
    }

    fn leave_pump(&self) {
        let mut state = lock(&self.state);
        state.pumping = match state.pumping {
            Some((thread, depth)) if depth > 1 => Some((thread, depth - 1)),
            _ => None,
        };
        drop(state);
        self.changed.notify_all();
    }

    /// The first job whose receiver is not on the stack of a callback that waits.
    fn next_job(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        let at = state.jobs.iter().position(|job| !job.is_busy())?;
        state.jobs.remove(at)
    }

    /// Lets time pass.
    pub(super) fn advance(&self, by: Duration) {
        let until = self.now() + by;
        self.pass_until(Some(until), &|| false);
    }

    /// Lets time pass until `done` or the deadline.
    pub(super) fn pass_until(&self, deadline: Option<Instant>, done: &dyn Fn() -> bool) -> bool {
        loop {
            let mine = self.pump();
            if done() {
                return true;
            }
            if !mine {
                // Another thread makes things happen, and time pass.
                let state = lock(&self.state);
                if state.pumping.is_some() {
                    drop(
                        self.changed
                            .wait_timeout(state, Duration::from_millis(10))
                            .unwrap_or_else(PoisonError::into_inner),
                    );
                }
                continue;
            }
            let mut state = lock(&self.state);
            if state.jobs.iter().any(|job| !job.is_busy()) {
                continue;
            }
            let now = self.base + state.passed;
            match (state.agenda.next_due(), deadline) {
                (Some(due), deadline) if deadline.is_none_or(|deadline| due <= deadline) => {
                    state.passed = state.passed.max(due.saturating_duration_since(self.base));
                    let now = self.base + state.passed;
                    let entry = state.agenda.pop_due(now);
                    drop(state);
                    if let Some(what) = entry.and_then(|entry| entry.what.upgrade()) {
                        self.fire(what, now);
                    }
                }
                (_, Some(deadline)) => {
                    state.passed = state
                        .passed
                        .max(deadline.max(now).saturating_duration_since(self.base));
                    drop(state);
                    return done();
                }
                (_, None) => {
                    // Only another thread can help now.
                    drop(
                        self.changed
                            .wait_timeout(state, Duration::from_millis(10))
                            .unwrap_or_else(PoisonError::into_inner),
                    );
                }
            }
        }
    }

    fn fire(&self, what: Arc<dyn Timed>, now: Instant) {
        if self.take_pump() {
            what.fire(now);
            self.leave_pump();
        } else {
            what.fire(now);
        }
    }

    pub(super) fn join(
        &self,
        name: &str,
        namespace: &str,
        events: Arc<EventHub>,
    ) -> (usize, [u8; 16]) {
        let mut state = lock(&self.state);
        let index = state.nodes.len();
        let octets = (index as u128 + 1).to_be_bytes();
        state.nodes.push(NodeEntry {
            id: NodeId(octets),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            events,
            here: true,
            announced: Vec::new(),
            wanted: Vec::new(),
            next_port: PORTS_FROM,
        });
        (index, octets)
    }

    /// Tells everybody of a new node, and the new node of everybody.
    pub(super) fn introduce(&self, index: usize) {
        let seen = self.with(|state| state.seen_from(index).collect::<Vec<_>>());
        for other in seen {
            self.tell(index, other, true);
        }
    }

    /// Two nodes see each other, or no longer do.
    fn tell(&self, a: usize, b: usize, joined: bool) {
        for (who, whom) in [(a, b), (b, a)] {
            let said = self.with(|state| {
                let (hub, node) = (state.nodes.get(who)?, state.nodes.get(whom)?);
                Some((hub.events.clone(), node.id, node.name.clone()))
            });
            if let Some((events, node, name)) = said {
                events.emit(if joined {
                    Event::NodeJoined { node, name }
                } else {
                    Event::NodeLeft { node, name }
                });
            }
        }
    }

    /// A node goes: others lose sight of it.
    pub(super) fn leave(&self, index: usize) {
        let (others, lost) = self.with(|state| {
            if !state.nodes.get(index).is_some_and(|node| node.here) {
                return (Vec::new(), Vec::new());
            }
            let others: Vec<_> = state.seen_from(index).collect();
            let lost = others
                .iter()
                .flat_map(|other| state.matches_between(*other, index, MatchKind::Withdrawn))
                .collect();
            if let Some(node) = state.nodes.get_mut(index) {
                node.here = false;
                node.announced.clear();
                node.wanted.clear();
            }
            (others, lost)
        });
        self.happen(lost);
        for other in others {
            self.tell(index, other, false);
        }
    }

    pub(super) fn cut(&self, a: &str, b: &str) {
        let (pairs, mut jobs, sockets) = self.with(|state| {
            let pairs = state.pairs(a, b);
            let lost = state.matches_of_pairs(&pairs, MatchKind::Dead);
            state.cuts.push((a.to_owned(), b.to_owned()));
            (pairs, lost, state.live_sockets())
        });
        for socket in &sockets {
            jobs.extend(socket.break_links(&|node, other| {
                pairs.contains(&(node, other)) || pairs.contains(&(other, node))
            }));
        }
        self.happen(jobs);
        pairs.into_iter().for_each(|(a, b)| self.tell(a, b, false));
    }

    pub(super) fn heal(&self, a: &str, b: &str) {
        let (pairs, jobs, sockets) = self.with(|state| {
            state
                .cuts
                .retain(|(x, y)| !((x == a && y == b) || (x == b && y == a)));
            let pairs = state.pairs(a, b);
            let found = state.matches_of_pairs(&pairs, MatchKind::Found);
            (pairs, found, state.live_sockets())
        });
        pairs.into_iter().for_each(|(a, b)| self.tell(a, b, true));
        self.happen(jobs);
        sockets.iter().for_each(|socket| socket.redial());
    }

    pub(super) fn graph(&self, index: usize) -> Graph {
        self.with(|state| {
            let mut graph = Graph::default();
            let visible = std::iter::once(index).chain(state.seen_from(index));
            for (at, node) in visible.filter_map(|at| state.nodes.get(at).map(|node| (at, node))) {
                let mut entry = GraphNode::new(
                    node.id,
                    node.name.clone(),
                    if at == index {
                        NodeState::Own
                    } else {
                        NodeState::Alive
                    },
                );
                entry.host = "virtual".to_owned();
                entry.namespace = node.namespace.clone();
                graph.nodes.push(entry);
                for one in &node.announced {
                    let endpoint = matches!(one.kind, Kind::Publisher | Kind::Server)
                        .then(|| endpoint_of(at, one.port));
                    graph.add(node.id, one.kind, &one.topic, &one.encoding, endpoint);
                }
            }
            graph.sort();
            graph
        })
    }
}

impl State {
    /// The nodes that this one sees, without itself.
    pub(super) fn seen_from(&self, index: usize) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(move |other| {
            *other != index && self.sees(index, *other) && self.same_namespace(index, *other)
        })
    }

    fn same_namespace(&self, a: usize, b: usize) -> bool {
        matches!((self.nodes.get(a), self.nodes.get(b)), (Some(a), Some(b)) if a.namespace == b.namespace)
    }

    /// Whether links between these nodes work.
    pub(super) fn sees(&self, a: usize, b: usize) -> bool {
        let (Some(a), Some(b)) = (self.nodes.get(a), self.nodes.get(b)) else {
            return false;
        };
        let apart = |(x, y): &(String, String)| {
            (*x == a.name && *y == b.name) || (*x == b.name && *y == a.name)
        };
        a.here && b.here && !self.cuts.iter().any(apart)
    }

    /// Pairs of nodes with these names that see each other.
    fn pairs(&self, a: &str, b: &str) -> Vec<(usize, usize)> {
        let named = |name: &str| {
            (0..self.nodes.len())
                .filter(|at| self.nodes.get(*at).is_some_and(|n| n.name == name))
                .collect::<Vec<_>>()
        };
        let (left, right) = (named(a), named(b));
        let pairs = left
            .iter()
            .flat_map(|x| right.iter().map(move |y| (*x, *y)));
        pairs.filter(|(x, y)| x != y && self.sees(*x, *y)).collect()
    }

    fn matches_of_pairs(&self, pairs: &[(usize, usize)], kind: MatchKind) -> Vec<Job> {
        let both = pairs.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]);
        both.flat_map(|(who, whom)| self.matches_between(who, whom, kind))
            .collect()
    }

    /// What `who` is to be told of what `whom` announces.
    pub(super) fn matches_between(&self, who: usize, whom: usize, kind: MatchKind) -> Vec<Job> {
        let (Some(wants), Some(has)) = (self.nodes.get(who), self.nodes.get(whom)) else {
            return Vec::new();
        };
        if wants.namespace != has.namespace {
            return Vec::new();
        }
        let told =
            |one: &Announced, want: &Wanted| one.kind == want.kind && one.topic == want.topic;
        let pairs = has.announced.iter().flat_map(|one| {
            wants
                .wanted
                .iter()
                .filter(move |want| told(one, want))
                .map(move |want| (one, want))
        });
        pairs
            .map(|(one, want)| {
                Job::Match(
                    want.on_match.clone(),
                    Found {
                        endpoint: endpoint_of(whom, one.port),
                        control: None,
                        kind,
                    },
                )
            })
            .collect()
    }

    fn live_sockets(&mut self) -> Vec<Arc<VirtualSocket>> {
        self.sockets.retain(|socket| socket.strong_count() > 0);
        self.sockets.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Job {
    fn is_busy(&self) -> bool {
        match self {
            Self::Up(socket, _)
            | Self::Down(socket, ..)
            | Self::Message(socket, _)
            | Self::Command(socket, ..) => socket.is_busy(),
            Self::Run(task) => task.is_running(),
            Self::Match(..) => false,
        }
    }
}

fn run(job: Job) {
    match job {
        Job::Up(socket, peer) => socket.up(peer),
        Job::Down(socket, link, reason) => socket.down(link, reason),
        Job::Message(socket, message) => socket.deliver(message),
        Job::Command(socket, link, name, data) => socket.command(link, &name, &data),
        Job::Run(task) => task.turn(),
        Job::Match(on_match, found) => on_match(found),
    }
}

/// Each node has an address of its own.
pub(super) fn address_of(node: usize) -> std::net::Ipv4Addr {
    let [.., a, b] = (node + 1).to_be_bytes();
    std::net::Ipv4Addr::new(10, 0, a, b)
}

pub(super) fn endpoint_of(node: usize, port: u16) -> String {
    format!("tcp://{}:{port}", address_of(node))
}
