//! `RealWorld`: TCP sockets, the control plane and the system's clock behind the traits of `transport`. Holds no state of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use colugo_graph::{
    Announcement, AnnouncementId, GraphSize, Kind, MatchKind, NodeId, Topic, WantId,
};
use colugo_socket::{Inbox, Message as RawMessage, RecvError as RawRecvError};

use crate::builder::Network;
use crate::control::{Control, ControlConfig, GraphEvent, Match};
use crate::core::LateCore;
use crate::error::{BuildError, NodeError};
use crate::event::{Event, EventHub};
use crate::executor::Task;
use crate::graph::{Graph, GraphNode, NodeStep};
use crate::settings::{Origin, Parsed, SettingsError};
use crate::sharing::Sharing;
use crate::sockets;
use crate::sync::Signal;
use crate::timers::{Timed, Timers};
use crate::transport::{DataSocket, Found, SocketSpec, World};

#[derive(Debug)]
pub(crate) struct RealWorld {
    id: NodeId,
    control: Control,
    timers: Arc<Timers>,
    /// Stands in for announcements that were refused.
    refused: AtomicU64,
    events: Arc<EventHub>,
    network: Network,
    sharing: Arc<Sharing>,
}

/// Given where an announcement was refused: withdrawing it does nothing.
const REFUSED: u64 = u64::MAX;

impl RealWorld {
    pub(crate) fn start(
        id: NodeId,
        name: &str,
        parsed: &Parsed,
        network: Network,
        events: Arc<EventHub>,
        core: LateCore,
    ) -> Result<Self, NodeError> {
        let advertise = parsed.advertise.iter().map(|address| {
            address.parse().map_err(|_| SettingsError::Value {
                key: "advertise",
                value: address.clone(),
                origin: Origin::Builder,
                reason: "an IP address is expected".to_owned(),
            })
        });
        let mut interfaces = parsed.interfaces.clone();
        if network == Network::Host {
            interfaces = vec!["127.0.0.1".to_owned()];
        }
        let loopback = (network == Network::Host).then(|| (Ipv4Addr::LOCALHOST, 0).into());
        let config = ControlConfig {
            id,
            name: name.to_owned(),
            namespace: parsed.namespace.clone(),
            listen: parsed.listen.or(loopback),
            peers: parsed.peers.clone(),
            original: parsed.original.is_on(&parsed.namespace),
            hub: parsed.hub,
            interfaces,
            advertise: advertise.collect::<Result<_, _>>()?,
            discovery: network != Network::Peers,
        };
        let hub = events.clone();
        let control = Control::start(config, Arc::new(move |event| report(&hub, &core, event)))
            .map_err(|error| NodeError::Start {
                name: name.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            id,
            control,
            timers: Timers::shared(),
            refused: AtomicU64::new(0),
            events,
            network,
            sharing: Arc::new(Sharing::new(parsed.share_after)),
        })
    }
}

/// Hands on what discovery says.
fn report(events: &EventHub, core: &LateCore, event: GraphEvent) {
    if let GraphEvent::Graph(colugo_graph::Event::NodeLeft { node, reason, .. }) = &event
        && reason.is_death()
        && let Some(core) = core.get().and_then(Weak::upgrade)
    {
        core.node_died(*node);
    }
    let event = match event {
        GraphEvent::Graph(colugo_graph::Event::NodeJoined { node, name, .. }) => {
            Event::NodeJoined { node, name }
        }
        GraphEvent::Graph(colugo_graph::Event::NodeLeft { node, name, .. }) => {
            Event::NodeLeft { node, name }
        }
        GraphEvent::Graph(other) => match notice(&other) {
            Some(text) => Event::Notice { text },
            None => return,
        },
        GraphEvent::DiscoveryFailed { reason } => {
            tracing::warn!(reason, "discovery does not work at the moment");
            Event::Notice {
                text: format!("discovery does not work at the moment: {reason}"),
            }
        }
        GraphEvent::DiscoveryRestored => Event::Notice {
            text: "discovery works again".to_owned(),
        },
        GraphEvent::InterfaceAdded(address) => Event::Notice {
            text: format!("{address} is there"),
        },
        GraphEvent::InterfaceRemoved(address) => Event::Notice {
            text: format!("{address} is gone"),
        },
    };
    events.emit(event);
}

/// What people should know of an event of discovery.
fn notice(event: &colugo_graph::Event) -> Option<String> {
    use colugo_graph::Event as Of;
    let text = match event {
        Of::NodeSuspect {
            name, silent_for, ..
        } => format!("node {name:?} has not answered for {silent_for:?}"),
        Of::NodeRecovered { name, .. } => format!("node {name:?} answers again"),
        Of::NodeUnreachable {
            name,
            failure,
            attempts,
            ..
        } => {
            format!(
                "node {name:?} was heard of but can't be reached: {failure} ({attempts} attempts)"
            )
        }
        Of::PeerMisbehaved { address, what, .. } => format!("{address} broke the protocol: {what}"),
        Of::VersionMismatch {
            name, ours, theirs, ..
        } => {
            format!("node {name:?} speaks protocol {theirs}, this one {ours}: they can't talk")
        }
        Of::NamespaceMismatch {
            name, ours, theirs, ..
        } => {
            format!(
                "peer {name:?} is in namespace {theirs:?}, this node in {ours:?}: they don't talk"
            )
        }
        Of::LimitReached { what, limit } => format!("the limit of {limit} {what} is reached"),
        Of::Stalled { late } => {
            format!("the control thread was held up for {late:?}: is the machine overloaded?")
        }
        other => {
            tracing::debug!(event = ?other, "discovery");
            return None;
        }
    };
    tracing::info!("{text}");
    Some(text)
}

impl World for RealWorld {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall_ns(&self) -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    fn at(&self, due: Instant, what: Weak<dyn Timed>) {
        self.timers.at(due, what);
    }

    fn wait(&self, signal: &Signal, deadline: Option<Instant>, done: &dyn Fn() -> bool) -> bool {
        signal.wait_until(deadline, done)
    }

    fn recv(&self, inbox: &Inbox, timeout: Option<Duration>) -> Result<RawMessage, RawRecvError> {
        match timeout {
            Some(timeout) => inbox.recv_timeout(timeout),
            None => inbox.recv(),
        }
    }

    fn run_task(&self, task: Arc<Task>) -> Option<Arc<Task>> {
        Some(task)
    }

    fn is_virtual(&self) -> bool {
        false
    }

    fn advance(&self, _: Duration) {}

    fn open(&self, spec: SocketSpec) -> Result<Arc<dyn DataSocket>, BuildError> {
        sockets::open(self.id, &self.sharing, spec)
    }

    fn listen_host(&self) -> &'static str {
        if self.network == Network::Host {
            "127.0.0.1"
        } else {
            "*"
        }
    }

    fn announce(
        &self,
        topic: &Topic,
        kind: Kind,
        port: u16,
        encoding: &str,
        socket: &Arc<dyn DataSocket>,
    ) -> u64 {
        let what = Announcement {
            topic: topic.clone(),
            kind,
            port,
            encoding: encoding.to_owned(),
        };
        let socket = Arc::downgrade(socket);
        let announced = self.control.announce(
            what,
            Box::new(move |knock| match socket.upgrade() {
                Some(socket) => socket.adopt(knock),
                None => Err(io::ErrorKind::NotConnected.into()),
            }),
        );
        match announced {
            Ok(id) => id.0,
            Err(error) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%topic, %error, "not announced");
                self.events.emit(Event::Notice {
                    text: format!("{topic} is not announced: {error}"),
                });
                REFUSED
            }
        }
    }

    fn withdraw(&self, announcement: u64) {
        if announcement != REFUSED {
            self.control.withdraw(AnnouncementId(announcement));
        }
    }

    fn want(&self, topic: &Topic, kind: Kind, on_match: Arc<dyn Fn(Found) + Send + Sync>) -> u64 {
        let hand_on = move |change| {
            on_match(match change {
                Match::Found {
                    endpoint, control, ..
                } => Found {
                    endpoint: endpoint_of(endpoint),
                    control: control.map(endpoint_of),
                    kind: MatchKind::Found,
                },
                Match::Lost { endpoint, dead, .. } => Found {
                    endpoint: endpoint_of(endpoint),
                    control: None,
                    kind: if dead {
                        MatchKind::Dead
                    } else {
                        MatchKind::Withdrawn
                    },
                },
            });
        };
        self.control.want(topic.clone(), kind, Arc::new(hand_on)).0
    }

    fn unwant(&self, want: u64) {
        self.control.unwant(WantId(want));
    }

    fn graph(&self) -> Graph {
        let (now, snapshot) = (Instant::now(), self.control.graph());
        let mut graph = Graph::default();
        for info in snapshot.nodes {
            let mut node = GraphNode::new(info.id, info.name, info.state);
            node.host = info.host;
            node.namespace = info.namespace;
            node.address = info.address;
            node.round_trip = info.round_trip;
            node.clock_ahead_ns = info.clock_ahead_ns;
            node.problem = info.problem;
            node.failure = info.failure;
            node.addresses = info.addresses;
            let steps = info.history.into_iter().map(|noted| NodeStep {
                what: noted.step.to_string(),
                first: now.saturating_duration_since(noted.first),
                last: now.saturating_duration_since(noted.last),
                times: noted.times,
            });
            node.history = steps.collect();
            graph.nodes.push(node);
        }
        let kinds = [
            (snapshot.topics, Kind::Publisher, Kind::Subscriber),
            (snapshot.services, Kind::Server, Kind::Client),
        ];
        for (infos, provides, uses) in kinds {
            for info in infos {
                for (participants, kind) in [(&info.providers, provides), (&info.users, uses)] {
                    for who in participants {
                        graph.add(
                            who.node,
                            kind,
                            info.topic.as_str(),
                            &who.encoding,
                            who.address.map(endpoint_of),
                        );
                    }
                }
            }
        }
        graph.fixed_peers = snapshot.fixed_peers;
        graph.interfaces = snapshot.interfaces;
        graph.sort();
        graph
    }

    fn graph_size(&self) -> GraphSize {
        self.control.graph_size()
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(self.control.address())
    }

    fn close(&self) {
        self.control.close();
    }
}

fn endpoint_of(address: SocketAddr) -> String {
    format!("tcp://{address}")
}
