//! What loads need of an engine: publishers that listen and subscribers that dial. Knows libzmq, colugo-socket and colugo's nodes by
//! their ordinary API, and no load: each load is written once, for all of them.

use std::time::Duration;

use colugo::{Network, Node, Overflow};
use colugo_socket::{PubSocket, SubSocket};
use zmq::{Context, Message, SocketType};

use crate::lent::Lender;
use crate::recycled::Recycler;
use crate::zmq_side;
use kit::Result;
use kit::child::Spec;

/// Longer than any run: who waits so long has been forgotten.
const PATIENCE: Duration = Duration::from_secs(30);
const ANYWHERE: &str = "tcp://127.0.0.1:0";

/// What a publisher does when a subscriber's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Drops, as PUB does.
    Drops,
    /// Waits for room.
    Waits,
}

/// One library, used in one way.
pub trait Engine: 'static {
    /// What publishers and subscribers of a process have in common.
    type Home;
    /// Publishes one topic.
    type Publisher: Publisher;
    /// Subscribes to one topic.
    type Subscriber: Subscriber;

    /// What the others need.
    fn home() -> Result<Self::Home>;
    /// A publisher at a port of its own.
    fn publisher(
        home: &Self::Home,
        topic: &str,
        spec: &Spec,
        full: Full,
    ) -> Result<Self::Publisher>;
    /// A subscriber to all of `addresses`.
    fn subscriber(
        home: &Self::Home,
        topic: &str,
        spec: &Spec,
        addresses: &[&str],
    ) -> Result<Self::Subscriber>;
}

/// Sends to all who subscribe.
pub trait Publisher: Send + 'static {
    /// Where it can be dialled.
    fn endpoint(&self) -> Result<String>;
    /// Until so many subscribe.
    fn wait_for_subscribers(&self, count: usize) -> Result<()>;
    /// Sends octets that are the caller's: how many subscribers' queues were full, if the engine says so.
    fn send(&mut self, payload: &[u8]) -> Result<Option<u32>>;
    /// Sends `size` octets without copying them, in a buffer that `fill` has written to.
    fn send_uncopied(&mut self, size: usize, fill: impl FnOnce(&mut [u8])) -> Result<()>;
}

/// Receives what it is sent.
pub trait Subscriber: Send + 'static {
    /// Waits for the next message.
    fn receive<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> Result<T>;
}

/// libzmq.
pub struct Zmq;

/// A PUB that tells when it is subscribed to; or a PUSH, with `kind=push`.
pub struct ZmqPublisher {
    socket: zmq::Socket,
    kind: SocketType,
    lender: Option<Lender>,
}

/// A SUB; or a PULL.
pub struct ZmqSubscriber {
    socket: zmq::Socket,
    message: Message,
}

impl Engine for Zmq {
    type Home = Context;
    type Publisher = ZmqPublisher;
    type Subscriber = ZmqSubscriber;

    fn home() -> Result<Context> {
        Ok(Context::new())
    }

    fn publisher(home: &Context, _topic: &str, spec: &Spec, full: Full) -> Result<ZmqPublisher> {
        let kind = if spec.text("kind").is_ok_and(|kind| kind == "push") {
            zmq::PUSH
        } else {
            zmq::XPUB
        };
        let mut socket = zmq_side::socket(home, kind, spec)?;
        if kind == zmq::XPUB {
            zmq_side::set(&mut socket, zmq_sys::ZMQ_XPUB_VERBOSE, 1)?;
            let waits = i32::from(full == Full::Waits);
            zmq_side::set(&mut socket, zmq_sys::ZMQ_XPUB_NODROP, waits)?;
        }
        socket.bind("tcp://127.0.0.1:*")?;
        Ok(ZmqPublisher {
            socket,
            kind,
            lender: None,
        })
    }

    fn subscriber(
        home: &Context,
        _topic: &str,
        spec: &Spec,
        addresses: &[&str],
    ) -> Result<ZmqSubscriber> {
        let socket = if spec.text("kind").is_ok_and(|kind| kind == "push") {
            zmq_side::socket(home, zmq::PULL, spec)?
        } else {
            let socket = zmq_side::socket(home, zmq::SUB, spec)?;
            socket.set_subscribe(b"")?;
            socket
        };
        for address in addresses {
            socket.connect(address)?;
        }
        Ok(ZmqSubscriber {
            socket,
            message: Message::new(),
        })
    }
}

impl Publisher for ZmqPublisher {
    fn endpoint(&self) -> Result<String> {
        zmq_side::endpoint(&self.socket)
    }

    fn wait_for_subscribers(&self, count: usize) -> Result<()> {
        if self.kind == zmq::XPUB {
            for _ in 0..count {
                self.socket.recv_msg(0)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, payload: &[u8]) -> Result<Option<u32>> {
        self.socket.send(payload, 0)?;
        Ok(None)
    }

    fn send_uncopied(&mut self, size: usize, fill: impl FnOnce(&mut [u8])) -> Result<()> {
        let lender = self.lender.get_or_insert_with(|| Lender::new(size));
        let mut buffer = lender.take();
        fill(&mut buffer);
        lender.send(&mut self.socket, buffer)
    }
}

impl Subscriber for ZmqSubscriber {
    fn receive<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> Result<T> {
        self.socket.recv(&mut self.message, 0)?;
        Ok(see(&self.message))
    }
}

fn overflow(full: Full) -> Overflow {
    match full {
        Full::Drops => Overflow::DropNewest,
        Full::Waits => Overflow::Block(PATIENCE),
    }
}

/// A publisher of ours with the buffers it lends.
pub struct Ours<P> {
    publisher: P,
    endpoint: String,
    buffers: Option<Recycler>,
}

/// colugo-socket, stamped as the nodes do it.
pub struct Sockets;

impl Engine for Sockets {
    type Home = ();
    type Publisher = Ours<PubSocket>;
    type Subscriber = SubSocket;

    fn home() -> Result<()> {
        Ok(())
    }

    fn publisher((): &(), _topic: &str, _spec: &Spec, full: Full) -> Result<Ours<PubSocket>> {
        let publisher = PubSocket::builder()
            .overflow(overflow(full))
            .stamped(true)
            .property("X-Colugo", "1")
            .build()?;
        let endpoint = publisher.bind(ANYWHERE)?.to_string();
        Ok(Ours {
            publisher,
            endpoint,
            buffers: None,
        })
    }

    fn subscriber((): &(), _topic: &str, _spec: &Spec, addresses: &[&str]) -> Result<SubSocket> {
        let socket = SubSocket::builder().property("X-Colugo", "1").build()?;
        socket.subscribe("")?;
        for address in addresses {
            socket.connect(*address)?;
        }
        Ok(socket)
    }
}

impl Publisher for Ours<PubSocket> {
    fn endpoint(&self) -> Result<String> {
        Ok(self.endpoint.clone())
    }

    fn wait_for_subscribers(&self, count: usize) -> Result<()> {
        if self.publisher.wait_for_subscribers(count, PATIENCE) {
            Ok(())
        } else {
            Err("nobody subscribed".into())
        }
    }

    fn send(&mut self, payload: &[u8]) -> Result<Option<u32>> {
        Ok(Some(self.publisher.send(payload)?.dropped))
    }

    fn send_uncopied(&mut self, size: usize, fill: impl FnOnce(&mut [u8])) -> Result<()> {
        let buffers = self.buffers.get_or_insert_with(|| Recycler::new(size));
        self.publisher.send(buffers.next(fill))?;
        Ok(())
    }
}

impl Subscriber for SubSocket {
    fn receive<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> Result<T> {
        Ok(see(self.recv()?.payload()))
    }
}

/// colugo: one node for all of a process's topics.
pub struct Nodes;

impl Engine for Nodes {
    type Home = Node;
    type Publisher = Ours<colugo::Publisher>;
    type Subscriber = colugo::Subscriber;

    fn home() -> Result<Node> {
        Ok(Node::builder("bench").network(Network::Peers).build()?)
    }

    fn publisher(
        home: &Node,
        topic: &str,
        _spec: &Spec,
        full: Full,
    ) -> Result<Ours<colugo::Publisher>> {
        let publisher = home
            .publisher(topic)
            .bind(ANYWHERE)
            .overflow(overflow(full))
            .build()?;
        let endpoint = publisher.endpoints().into_iter().next();
        Ok(Ours {
            publisher,
            endpoint: endpoint.ok_or("it listens nowhere")?,
            buffers: None,
        })
    }

    fn subscriber(
        home: &Node,
        topic: &str,
        _spec: &Spec,
        addresses: &[&str],
    ) -> Result<colugo::Subscriber> {
        let builder = home.subscriber(topic);
        let builder = addresses
            .iter()
            .fold(builder, |builder, address| builder.connect(*address));
        Ok(builder.build()?)
    }
}

impl Nodes {
    /// A publisher that is found by its topic's name.
    pub fn named_publisher(
        home: &Node,
        topic: &str,
        full: Full,
    ) -> Result<Ours<colugo::Publisher>> {
        let publisher = home.publisher(topic).overflow(overflow(full)).build()?;
        Ok(Ours {
            publisher,
            endpoint: String::new(),
            buffers: None,
        })
    }
}

impl Publisher for Ours<colugo::Publisher> {
    fn endpoint(&self) -> Result<String> {
        Ok(self.endpoint.clone())
    }

    fn wait_for_subscribers(&self, count: usize) -> Result<()> {
        Ok(self.publisher.wait_for_subscribers(count, PATIENCE)?)
    }

    fn send(&mut self, payload: &[u8]) -> Result<Option<u32>> {
        Ok(Some(self.publisher.send(payload)?.dropped))
    }

    fn send_uncopied(&mut self, size: usize, fill: impl FnOnce(&mut [u8])) -> Result<()> {
        let buffers = self.buffers.get_or_insert_with(|| Recycler::new(size));
        self.publisher.send_bytes(buffers.next(fill))?;
        Ok(())
    }
}

impl Subscriber for colugo::Subscriber {
    fn receive<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> Result<T> {
        Ok(see(&self.recv()?.value))
    }
}
