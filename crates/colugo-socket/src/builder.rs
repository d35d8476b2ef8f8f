//! `Builder`: all settings of a socket, checked once.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use colugo_zmtp::{HandshakeConfig, MAX_IDENTITY, SocketType};

use crate::core::{Core, OnEvent, Sink};
use crate::error::BuildError;
use crate::event::{Handler, SocketEvent};
use crate::inbox::Inbox;
use crate::kind::{Kind, Router, XPub};
use crate::options::{Heartbeat, MAX_MESSAGE_LIMIT, MIN_INTERVAL, Options, Overflow, QueueLimit};
use crate::runtime::Runtime;
use crate::security::Security;
use crate::socket::Socket;

/// Settings of a socket to be made. See each method for the default.
///
/// ```
/// use colugo_socket::{Overflow, PubSocket};
/// use std::time::Duration;
/// let socket = PubSocket::builder().send_queue(100, 1 << 20).overflow(Overflow::Block(Duration::from_secs(1))).build()?;
/// # Ok::<(), colugo_socket::BuildError>(())
/// ```
#[must_use = "a builder makes nothing until build()"]
pub struct Builder<K: Kind> {
    options: Options,
    sink: Option<Sink>,
    on_event: Option<OnEvent>,
    any_thread: bool,
    kind: PhantomData<K>,
}

impl<K: Kind> Builder<K> {
    pub(crate) fn new() -> Self {
        let overflow = match K::TYPE {
            SocketType::Pub
            | SocketType::XPub
            | SocketType::XSub
            | SocketType::Router
            | SocketType::Rep => Overflow::DropNewest,
            _ => Overflow::Block(Duration::MAX),
        };
        Self {
            options: Options::new(overflow),
            sink: None,
            on_event: None,
            any_thread: false,
            kind: PhantomData,
        }
    }

    /// What REQ, DEALER and ROUTER tell their peers they are called, at most 255 octets. Default: nothing.
    #[doc(alias = "ZMQ_ROUTING_ID")]
    #[doc(alias = "ZMQ_IDENTITY")]
    pub fn identity(mut self, identity: impl Into<Bytes>) -> Self {
        self.options.identity = Some(identity.into());
        self
    }

    /// A property for the handshake. Names of the application's own begin with `X-`.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.options.properties.push((name.into(), value.into()));
        self
    }

    /// Secures all its connections, lanes of trunks too. Default: NULL, which is no security.
    pub fn security(mut self, security: impl Security) -> Self {
        self.options.security = Some(Arc::new(security));
        self
    }

    /// Refuses peers that announce another value of this property: something else may listen where a peer was. Those that do not announce
    /// it are welcome.
    pub fn expect_property(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.options.expected.push((name.into(), value.into()));
        self
    }

    /// Bound of what waits to be sent, per peer. Default 1000 messages, 16 MiB.
    #[doc(alias = "ZMQ_SNDHWM")]
    pub fn send_queue(mut self, messages: usize, octets: usize) -> Self {
        self.options.send_queue = QueueLimit { messages, octets };
        self
    }

    /// Bound of what was received and waits to be taken, per peer, on top of one read (256 KiB at most). Default 1000 messages, 16 MiB.
    #[doc(alias = "ZMQ_RCVHWM")]
    pub fn receive_queue(mut self, messages: usize, octets: usize) -> Self {
        self.options.receive_queue = QueueLimit { messages, octets };
        self
    }

    /// What happens when a peer's queue is full. Default: PUB and ROUTER drop, the others wait for ever.
    #[doc(alias = "ZMQ_SNDTIMEO")]
    #[doc(alias = "ZMQ_XPUB_NODROP")]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.options.overflow = overflow;
        self
    }

    /// Whether only peers that are connected are sent to, and what is queued for one that leaves is dropped and counted.
    /// Default false: a dialled PUSH or DEALER keeps its queue until the peer is there (again).
    #[doc(alias = "ZMQ_IMMEDIATE")]
    pub fn immediate(mut self, immediate: bool) -> Self {
        self.options.immediate = immediate;
        self
    }

    /// For how long what is queued may still be sent after the socket was closed or dropped, or the endpoint disconnected; see
    /// [`Socket`]. Zero: it is dropped at once, and counted. Default 1 s.
    #[doc(alias = "ZMQ_LINGER")]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.options.linger = linger;
        self
    }

    /// Largest message, sent or received, all frames together, in octets. Default 64 MiB, at most 1 GiB.
    #[doc(alias = "ZMQ_MAXMSGSIZE")]
    pub fn max_message(mut self, octets: usize) -> Self {
        self.options.max_message = octets;
        self
    }

    /// Accepted connections at a time, not counting those that still shake hands; more are closed at once. Default 1024.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.options.max_connections = connections;
        self
    }

    /// Accepted connections that shake hands at a time, in all and per address (of IPv6, per network). When there are more, the oldest of
    /// the address with the most is closed, first those that have said nothing. Default 64 and 8.
    pub fn max_handshakes(mut self, all: usize, per_address: usize) -> Self {
        self.options.max_handshakes = (all, per_address);
        self
    }

    /// How long a handshake may take, from the first octet to the last. Default 5 s.
    #[doc(alias = "ZMQ_HANDSHAKE_IVL")]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.options.handshake_timeout = timeout;
        self
    }

    /// First and longest pause before dialling again. Default 50 ms and 1 s.
    #[doc(alias = "ZMQ_RECONNECT_IVL")]
    #[doc(alias = "ZMQ_RECONNECT_IVL_MAX")]
    pub fn reconnect(mut self, first: Duration, longest: Duration) -> Self {
        self.options.reconnect = (first, longest);
        self
    }

    /// How often a silent peer is asked whether it lives, and after how long a silence a connection that carries nothing is closed (and,
    /// where we dialled, dialled again). Default 2 s and 6 s; `timeout` is at least three times `interval`, which is at least 10 ms.
    ///
    /// Goes to peers of ZMTP 3.1 only. A connection that carried messages since the peer's last answer is not closed but *stalled*
    /// ([`SocketEvent::Stalled`]): libzmq, for one, answers nothing while its receive queue is full.
    ///
    /// A longer `timeout` is for networks that lose much: where one packet of ten is lost, TCP says nothing for 6 s about once in an hour of
    /// a stream of 200 messages a second, and what is on its way is lost with the connection (and counted).
    pub fn heartbeat(mut self, interval: Duration, timeout: Duration) -> Self {
        self.options.heartbeat = Some(Heartbeat { interval, timeout });
        self
    }

    /// Asks no peer whether it lives. What peers ask is answered all the same.
    pub fn no_heartbeat(mut self) -> Self {
        self.options.heartbeat = None;
        self
    }

    /// How long the system may hold octets that the peer's system does not take, before it gives the connection up: the peer's machine
    /// is gone, or its program has stopped reading. `None`: as long as the system likes. Default 5 minutes; Linux and Android only.
    pub fn untaken_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.options.untaken_timeout = timeout;
        self
    }

    /// PUB: tells peers that announce `X-Colugo` each message's number and time, and what was dropped for them. Default false.
    pub fn stamped(mut self, stamped: bool) -> Self {
        self.options.stamped = stamped;
        self
    }

    /// Hands messages to `handler` on the data thread, instead of into an inbox.
    pub fn handler(mut self, handler: impl Handler) -> Self {
        self.sink = Some(Sink::Handler(Mutex::new(Box::new(handler))));
        self
    }

    /// Puts messages into this inbox; its bound counts, not [`receive_queue`](Self::receive_queue).
    pub fn inbox(mut self, inbox: Arc<Inbox>) -> Self {
        self.sink = Some(Sink::Inbox(inbox));
        self
    }

    /// Calls `on_event` with what happens to the socket's connections, on the data thread: it must be quick and must not wait.
    #[doc(alias = "zmq_socket_monitor")]
    pub fn on_event(mut self, on_event: impl Fn(&SocketEvent) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Box::new(on_event));
        self
    }

    /// Lets the handler, `on_event` and the security's decisions run on another thread than the data thread too: one that waits in a `recv`, on
    /// whatever socket of this process, and reads the network for all of them meanwhile. They must not lock what such a thread may hold.
    ///
    /// Default: they do not. While a socket with one of them lives, no receiver reads by itself then, and a lone message wakes two threads, not one.
    pub fn any_thread(mut self) -> Self {
        self.any_thread = true;
        self
    }

    /// Makes the socket.
    pub fn build(self) -> Result<Socket<K>, BuildError> {
        self.check()?;
        Ok(self.build_on(Runtime::acquire()?))
    }

    pub(crate) fn build_on(self, runtime: Arc<Runtime>) -> Socket<K> {
        let sends_only = matches!(K::TYPE, SocketType::Pub | SocketType::Push);
        let sink = self.sink.unwrap_or_else(|| {
            if sends_only {
                Sink::Nowhere
            } else {
                Sink::Inbox(Arc::new(Inbox::with_limit(self.options.receive_queue)))
            }
        });
        let calls = matches!(sink, Sink::Handler(_))
            || self.on_event.is_some()
            || self.options.security.is_some();
        let core = Core::new(K::TYPE, self.options, sink, self.on_event, &runtime);
        if calls && !self.any_thread {
            core.keep_to_data_thread();
        }
        Socket::new_from(Arc::new(core), runtime)
    }

    fn check(&self) -> Result<(), BuildError> {
        let options = &self.options;
        if let Some(identity) = options.identity.as_ref().filter(|i| i.len() > MAX_IDENTITY) {
            return Err(BuildError::IdentityTooLong(identity.len()));
        }
        if options.max_message == 0 || options.max_message > MAX_MESSAGE_LIMIT {
            return Err(BuildError::MessageLimit(options.max_message));
        }
        for limit in [options.send_queue, options.receive_queue] {
            if limit.messages == 0 || limit.octets == 0 {
                return Err(BuildError::EmptyQueue);
            }
        }
        if let Some(Heartbeat { interval, timeout }) = options.heartbeat
            && (interval < MIN_INTERVAL || timeout / 3 < interval)
        {
            return Err(BuildError::Heartbeat { interval, timeout });
        }
        let mut config = HandshakeConfig::new(K::TYPE);
        for property in &options.properties {
            config.properties.push(property.clone());
            config
                .check()
                .map_err(|_| BuildError::Property(property.0.clone()))?;
        }
        Ok(())
    }
}

impl Builder<Router> {
    /// What becomes of a second peer that claims an identity which a live one has. False, the default: it is refused, and told as
    /// [`PeerRefused`](SocketEvent::PeerRefused); it dials again by itself and gets in when the first is gone. True: it takes over, and the
    /// first is disconnected as [`Replaced`](crate::DownReason::Replaced).
    #[doc(alias = "ZMQ_ROUTER_HANDOVER")]
    pub fn handover(mut self, handover: bool) -> Self {
        self.options.handover = handover;
        self
    }
}

impl Builder<XPub> {
    /// Whether the application is told of every subscriber's subscriptions and their ends, not only of a topic's first and last.
    /// One subscriber that subscribes twice to a topic is still told of once. Default false.
    #[doc(alias = "ZMQ_XPUB_VERBOSE")]
    #[doc(alias = "ZMQ_XPUB_VERBOSER")]
    pub fn verbose(mut self, verbose: bool) -> Self {
        self.options.verbose = verbose;
        self
    }
}

impl<K: Kind> fmt::Debug for Builder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("kind", &K::TYPE)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
