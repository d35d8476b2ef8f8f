//! What handles need of the world: clocks, discovery and sockets, behind two traits. `real` is time, control thread and TCP; the virtual network
//! of `testing` is the other. Nearly all logic of the handles is tested on the latter.

use std::fmt::Debug;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use colugo_graph::{GraphSize, Kind, MatchKind, Topic};
use colugo_socket::{
    Inbox, Lane, LinkId, Message as RawMessage, MessageRef, Outgoing, Overflow,
    RecvError as RawRecvError, Sent,
};

use crate::error::BuildError;
use crate::executor::Task;
use crate::graph::Graph;
use crate::peer::Peer;
use crate::stats::Stats;
use crate::sync::Signal;
use crate::timers::Timed;

/// Where a node lives.
pub(crate) trait World: Send + Sync + Debug {
    /// The time by this world's clock.
    fn now(&self) -> Instant;

    /// Nanoseconds since the Unix epoch by this world's clock.
    fn wall_ns(&self) -> u64;

    /// Calls `what` at `due`, if it still exists then.
    fn at(&self, due: Instant, what: Weak<dyn Timed>);

    /// Waits until `done` or the deadline; `signal` tells when to ask again. Returns whether it is done.
    fn wait(&self, signal: &Signal, deadline: Option<Instant>, done: &dyn Fn() -> bool) -> bool;

    /// The next message of an inbox.
    fn recv(&self, inbox: &Inbox, timeout: Option<Duration>) -> Result<RawMessage, RawRecvError>;

    /// Runs a task itself, or gives it back for the executor's queue.
    fn run_task(&self, task: Arc<Task>) -> Option<Arc<Task>>;

    /// Whether time passes only when it is told to.
    fn is_virtual(&self) -> bool;

    /// Lets virtual time pass. In the real world it does so by itself.
    fn advance(&self, by: Duration);

    /// Makes a socket.
    fn open(&self, spec: SocketSpec) -> Result<Arc<dyn DataSocket>, BuildError>;

    /// The host part of endpoints that listen for whoever finds them.
    fn listen_host(&self) -> &'static str;

    /// Tells other nodes what this node has.
    /// Connections for what is provided that come to the control port are handed to `socket`.
    fn announce(
        &self,
        topic: &Topic,
        kind: Kind,
        port: u16,
        encoding: &str,
        socket: &Arc<dyn DataSocket>,
    ) -> u64;

    /// The opposite of `announce`.
    fn withdraw(&self, announcement: u64);

    /// Asks for the publishers or servers of a topic, now and later.
    fn want(&self, topic: &Topic, kind: Kind, on_match: Arc<dyn Fn(Found) + Send + Sync>) -> u64;

    /// The opposite of `want`.
    fn unwant(&self, want: u64);

    /// What is known about this and other nodes.
    fn graph(&self) -> Graph;

    /// How much that is.
    fn graph_size(&self) -> GraphSize {
        let graph = self.graph();
        let topics = graph.topics.iter();
        let topics = topics.map(|topic| topic.publishers.len() + topic.subscribers.len());
        let services = graph.services.iter();
        let services = services.map(|service| service.servers.len() + service.clients.len());
        GraphSize::new(graph.nodes.len(), topics.chain(services).sum())
    }

    /// Where other nodes can name this one as their peer.
    fn address(&self) -> Option<SocketAddr>;

    /// Says goodbye to other nodes.
    fn close(&self);

    /// `now` plus a timeout; `None` if that is beyond all clocks.
    fn deadline(&self, timeout: Duration) -> Option<Instant> {
        self.now().checked_add(timeout)
    }
}

/// A publisher or server of a wanted topic was found at this endpoint, or is gone from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) endpoint: String,
    /// The control port of its node, where it can be dialled as well.
    pub(crate) control: Option<String>,
    pub(crate) kind: MatchKind,
}

/// A connection that was accepted at the control port, for others than the control plane.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    /// Octets of the ZMTP greeting that were sent.
    pub(crate) sent: usize,
    /// All that was read.
    pub(crate) heard: Vec<u8>,
}

/// What came to the control port for a topic.
#[derive(Debug)]
pub(crate) enum Knock {
    /// A connection of its own.
    Connection(Accepted),
    /// A lane of one that it shares with others.
    Lane(Lane),
}

/// What kind of ZeroMQ socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Pub,
    Sub,
    Dealer,
    Router,
}

/// What to make.
pub(crate) struct SocketSpec {
    pub(crate) role: Role,
    pub(crate) topic: String,
    /// Whom it dials was found by the topic's name: who announces another one is somebody else.
    pub(crate) by_name: bool,
    /// Of the messages this side publishes; makes a publisher send stamps.
    pub(crate) run: Option<[u8; 16]>,
    pub(crate) queue: Option<usize>,
    pub(crate) queue_octets: Option<usize>,
    pub(crate) max_message: Option<usize>,
    pub(crate) overflow: Option<Overflow>,
    /// Of a subscriber: what its subscription begins with.
    pub(crate) prefix: Bytes,
    pub(crate) receive: Receive,
    /// Told on the data thread; must not block.
    pub(crate) on_trouble: Arc<dyn Fn(Trouble) + Send + Sync>,
}

/// Trouble with peers.
pub(crate) enum Trouble {
    /// A handshake was refused.
    Refused(String),
    /// So many messages that a publisher sent did not come.
    Lost(u64),
}

/// Where received messages go.
pub(crate) enum Receive {
    /// To a queue; the observer hears of links.
    Inbox(Arc<Inbox>, Arc<dyn LinkObserver>),
    /// To a handler on the data thread.
    Inline(Box<dyn Receiver>),
}

/// Hears of links that come and go.
pub(crate) trait LinkObserver: Send + Sync {
    fn up(&self, peer: Arc<Peer>);
    fn down(&self, link: LinkId, reason: &str);
}

/// Receives on the data thread. One call at a time.
pub(crate) trait Receiver: Send + 'static {
    /// Whether a thread that waits in a `recv`, and reads the network meanwhile, may call it as well.
    fn any_thread(&self) -> bool {
        true
    }
    fn message(&mut self, link: LinkId, message: MessageRef<'_>);
    fn up(&mut self, peer: Arc<Peer>);
    fn down(&mut self, link: LinkId, reason: &str);
    fn command(&mut self, link: LinkId, name: &[u8], data: &[u8]) {
        let _ = (link, name, data);
    }
    /// All messages of one read were handed over.
    fn batch_end(&mut self) {}
}

/// What became of a published message, as one number. A result that does not fit into a register is written in pieces and read as a whole,
/// for which the processor waits as long as for half of the message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Packed(u64);

impl Packed {
    #[inline]
    pub(crate) fn new(sent: Sent) -> Self {
        Self(u64::from(sent.queued) << 32 | u64::from(sent.dropped))
    }

    #[inline]
    pub(crate) fn sent(self) -> Sent {
        Sent {
            queued: (self.0 >> 32) as u32,
            dropped: self.0 as u32,
        }
    }
}

/// One ZeroMQ socket, real or not. All methods but `close` return at once, unless the overflow policy is to block.
pub(crate) trait DataSocket: Send + Sync + Debug {
    /// Listens, and returns the endpoint with its real port.
    fn bind(&self, endpoint: &str) -> Result<String, colugo_socket::BindError>;
    /// Stops listening there.
    fn unbind(&self, endpoint: &str);
    fn connect(&self, endpoint: &str) -> Result<(), colugo_socket::ConnectError>;
    /// The same, with another way to the same peer where this one does not work.
    fn connect_or(&self, endpoint: &str, other: &str) -> Result<(), colugo_socket::ConnectError> {
        let _ = other;
        self.connect(endpoint)
    }
    /// Takes a connection in that the control port accepted.
    fn adopt(&self, knock: Knock) -> io::Result<()> {
        drop(knock);
        Err(io::ErrorKind::Unsupported.into())
    }
    fn disconnect(&self, endpoint: &str);
    /// Ends a link at once, whatever is queued for it. An endpoint that is dialled is dialled again.
    fn hang_up(&self, link: LinkId);
    /// Publishes. What became of the message is in `sent`, if it is no error.
    fn send(
        &self,
        message: &Outgoing<'_>,
        sent: &mut Packed,
    ) -> Result<(), Box<colugo_socket::SendError>>;
    /// Sends to one link, `head` in front.
    fn send_to(
        &self,
        link: LinkId,
        head: &[&[u8]],
        message: Outgoing<'_>,
    ) -> Result<(), colugo_socket::SendError>;
    fn send_command_to(&self, link: LinkId, name: &str, data: &[u8]);
    fn subscriber_count(&self) -> usize;
    /// Ready when `n` subscribers are there.
    fn poll_subscribers(&self, n: usize, cx: &mut Context<'_>) -> Poll<()>;
    /// Adds what the socket counts.
    fn fill(&self, stats: &mut Stats);
    /// Sends what is queued, for as long as `linger`, then ends all links. Waits for that at most `wait`. True: all was sent.
    fn close(&self, linger: Duration, wait: Duration) -> bool;
}
