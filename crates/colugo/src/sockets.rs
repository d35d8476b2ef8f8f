//! The real data sockets: colugo-socket's behind [`DataSocket`], with the handshake properties of a Colugo peer.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use colugo_graph::{Kind, NodeId};
use colugo_socket::{
    BindError, Builder, ConnectError, DownReason, Handler, LinkId, MessageRef, Outgoing, Overflow,
    Peer as RawPeer, SendError, Socket, SocketEvent, kind,
};

use crate::control::lane_address;
use crate::error::BuildError;
use crate::peer::Peer;
use crate::sharing::{Share, Sharing};
use crate::stats::Stats;
use crate::transport::{
    DataSocket, Knock, LinkObserver, Packed, Receive, Receiver, Role, SocketSpec, Trouble,
};

const NODE: &str = "X-Colugo-Node";
const TOPIC: &str = "X-Colugo-Topic";

/// Makes a socket.
pub(crate) fn open(
    id: NodeId,
    sharing: &Arc<Sharing>,
    spec: SocketSpec,
) -> Result<Arc<dyn DataSocket>, BuildError> {
    let blocks = matches!(spec.overflow, Some(Overflow::Block(_)));
    let provides = if spec.role == Role::Dealer {
        Kind::Server
    } else {
        Kind::Publisher
    };
    let share = Share::new(sharing.clone(), lane_address(provides, &spec.topic));
    Ok(match spec.role {
        Role::Pub => Open::new(configure::<kind::Pub>(id, spec).build()?, share, blocks),
        Role::Sub => {
            let prefix = spec.prefix.clone();
            let socket = configure::<kind::Sub>(id, spec).build()?;
            socket.subscribe(prefix)?;
            Open::new(socket, share, blocks)
        }
        Role::Dealer => Open::new(configure::<kind::Dealer>(id, spec).build()?, share, blocks),
        Role::Router => Open::new(configure::<kind::Router>(id, spec).build()?, share, blocks),
    })
}

fn configure<K: kind::Kind>(id: NodeId, spec: SocketSpec) -> Builder<K> {
    let mut builder = Socket::<K>::builder()
        .property("X-Colugo", "1")
        .property(NODE, Bytes::copy_from_slice(&id.0))
        .property(TOPIC, spec.topic.clone());
    if spec.by_name {
        builder = builder.expect_property(TOPIC, spec.topic);
    }
    if let Some(run) = spec.run {
        builder = builder
            .property("X-Colugo-Run", Bytes::copy_from_slice(&run))
            .stamped(true);
    }
    let (messages, octets) = (
        spec.queue.unwrap_or(QUEUE_MESSAGES),
        spec.queue_octets.unwrap_or(QUEUE_OCTETS),
    );
    builder = builder
        .send_queue(messages, octets)
        .receive_queue(messages, octets);
    if let Some(octets) = spec.max_message {
        builder = builder.max_message(octets);
    }
    if let Some(overflow) = spec.overflow {
        builder = builder.overflow(overflow);
    }
    let on_trouble = spec.on_trouble;
    match spec.receive {
        Receive::Inbox(inbox, observer) => builder
            .inbox(inbox)
            .on_event(move |event| {
                tell_trouble(event, &*on_trouble);
                tell_observer(event, &*observer);
            })
            .any_thread(),
        Receive::Inline(receiver) => {
            let any_thread = receiver.any_thread();
            let builder = builder
                .handler(Inline(receiver))
                .on_event(move |event| tell_trouble(event, &*on_trouble));
            if any_thread {
                builder.any_thread()
            } else {
                builder
            }
        }
    }
}

const QUEUE_MESSAGES: usize = crate::subscriber::QUEUE_MESSAGES;
const QUEUE_OCTETS: usize = crate::subscriber::QUEUE_OCTETS;

fn tell_observer(event: &SocketEvent, observer: &dyn LinkObserver) {
    match event {
        SocketEvent::Connected(peer) => observer.up(Arc::new(seen(peer))),
        SocketEvent::Disconnected(peer, why) => observer.down(peer.id(), &why.to_string()),
        _ => {}
    }
}

fn tell_trouble(event: &SocketEvent, on_trouble: &(dyn Fn(Trouble) + Send + Sync)) {
    let refused = match event {
        SocketEvent::HandshakeFailed(Some(address), fault) => format!("{address}: {fault}"),
        SocketEvent::HandshakeFailed(None, fault) => fault.to_string(),
        SocketEvent::Refused(address, _) => {
            let who = address.map_or_else(String::new, |address| format!("{address}: "));
            format!("{who}there are as many connections as this socket may have")
        }
        SocketEvent::AcceptFailed(error) => {
            format!("a connection could not be accepted: {error}")
        }
        SocketEvent::Lost(_, count) => return on_trouble(Trouble::Lost(*count)),
        _ => return,
    };
    on_trouble(Trouble::Refused(refused));
}

/// The peer as handles show it.
fn seen(peer: &RawPeer) -> Peer {
    // By the way it was found, which may be another one than that by which it was reached.
    let found = peer
        .dialled()
        .and_then(colugo_socket::Endpoint::socket_addr);
    let node = peer.property(NODE).filter(|_| peer.is_colugo());
    Peer {
        link: peer.id(),
        node: node.and_then(|octets| NodeId::try_from(&octets[..]).ok()),
        addr: found.or_else(|| peer.addr()),
        socket_type: peer.socket_type().as_str(),
        outgoing: peer.outgoing(),
    }
}

/// Hands on what the data thread says.
struct Inline(Box<dyn Receiver>);

impl Handler for Inline {
    #[inline]
    fn message(&mut self, peer: &Arc<RawPeer>, message: MessageRef<'_>) {
        self.0.message(peer.id(), message);
    }

    fn up(&mut self, peer: &Arc<RawPeer>) {
        self.0.up(Arc::new(seen(peer)));
    }

    fn down(&mut self, peer: &Arc<RawPeer>, why: &DownReason) {
        self.0.down(peer.id(), &why.to_string());
    }

    fn command(&mut self, peer: &Arc<RawPeer>, name: &[u8], data: &[u8]) {
        self.0.command(peer.id(), name, data);
    }

    fn batch_end(&mut self) {
        self.0.batch_end();
    }
}

/// A socket as handles see it.
struct Open<K: kind::Kind> {
    socket: Socket<K>,
    share: Share,
    /// Its senders wait for room.
    blocks: bool,
}

impl<K: kind::Kind> fmt::Debug for Open<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open")
            .field("peers", &self.socket.peers().len())
            .finish_non_exhaustive()
    }
}

impl<K: kind::Kind> Open<K> {
    fn new(socket: Socket<K>, share: Share, blocks: bool) -> Arc<Self> {
        Arc::new(Self {
            socket,
            share,
            blocks,
        })
    }

    fn fill_from_socket(&self, stats: &mut Stats) {
        let counted = self.socket.stats();
        stats.sent += counted.sent;
        stats.received += counted.received;
        let full = counted.dropped_full + counted.refused_full;
        // A sender that waits drops only what it has waited for in vain.
        if self.blocks {
            stats.dropped.timeout += full;
        } else {
            stats.dropped.full += full;
        }
        stats.dropped.too_large += counted.refused_too_large;
        stats.dropped.disconnected += counted.dropped_disconnect + counted.dropped_linger;
        stats.lost += counted.lost + counted.lost_unexplained + counted.lost_disconnected;
    }
}

/// The part that is the same for all kinds.
macro_rules! shared {
    () => {
        fn bind(&self, endpoint: &str) -> Result<String, BindError> {
            self.socket.bind(endpoint).map(|bound| bound.to_string())
        }

        fn unbind(&self, endpoint: &str) {
            self.socket.unbind(endpoint);
        }

        fn connect(&self, endpoint: &str) -> Result<(), ConnectError> {
            self.socket.connect(endpoint)
        }

        fn connect_or(&self, endpoint: &str, other: &str) -> Result<(), ConnectError> {
            if self.share.has_own(endpoint, other) {
                self.socket.connect_or(endpoint, other)
            } else {
                let lane = self.share.lane.clone();
                self.socket.connect_sharing(endpoint, other, lane)
            }
        }

        fn adopt(&self, knock: Knock) -> io::Result<()> {
            match knock {
                Knock::Connection(it) => self.socket.adopt(it.stream, it.sent, &it.heard),
                Knock::Lane(lane) => self.socket.take_lane(lane),
            }
        }

        fn disconnect(&self, endpoint: &str) {
            self.share.gives_up(endpoint);
            self.socket.disconnect(endpoint);
        }

        fn hang_up(&self, link: LinkId) {
            self.socket.hang_up(link);
        }

        fn fill(&self, stats: &mut Stats) {
            self.fill_from_socket(stats);
        }

        fn close(&self, linger: Duration, wait: Duration) -> bool {
            self.socket.shut(linger, wait)
        }
    };
}

impl DataSocket for Open<kind::Pub> {
    shared!();

    #[inline]
    fn send(&self, message: &Outgoing<'_>, sent: &mut Packed) -> Result<(), Box<SendError>> {
        *sent = Packed::new(self.socket.publish(message)?);
        Ok(())
    }

    fn send_to(&self, _: LinkId, _: &[&[u8]], _: Outgoing<'_>) -> Result<(), SendError> {
        Err(SendError::NoPeer)
    }

    fn send_command_to(&self, _: LinkId, _: &str, _: &[u8]) {}

    fn subscriber_count(&self) -> usize {
        self.socket.subscriber_count()
    }

    fn poll_subscribers(&self, n: usize, cx: &mut Context<'_>) -> Poll<()> {
        std::pin::pin!(self.socket.wait_for_subscribers_async(n))
            .poll(cx)
            .map(drop)
    }
}

/// The part of sockets that do not publish.
macro_rules! no_publisher {
    () => {
        fn send(&self, _: &Outgoing<'_>, _: &mut Packed) -> Result<(), Box<SendError>> {
            Err(Box::new(SendError::NoPeer))
        }

        fn subscriber_count(&self) -> usize {
            0
        }

        fn poll_subscribers(&self, _: usize, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    };
}

impl DataSocket for Open<kind::Sub> {
    shared!();
    no_publisher!();

    fn send_to(&self, _: LinkId, _: &[&[u8]], _: Outgoing<'_>) -> Result<(), SendError> {
        Err(SendError::NoPeer)
    }

    fn send_command_to(&self, _: LinkId, _: &str, _: &[u8]) {}
}

macro_rules! addressing {
    ($kind:ident) => {
        impl DataSocket for Open<kind::$kind> {
            shared!();
            no_publisher!();

            #[inline]
            fn send_to(&self, link: LinkId, head: &[&[u8]], message: Outgoing<'_>) -> Result<(), SendError> {
                self.socket.send_with(link, head, message)
            }

            fn send_command_to(&self, link: LinkId, name: &str, data: &[u8]) {
                if let Err(error) = self.socket.send_command_to(link, name, data) {
                    tracing::debug!(%link, name, %error, "a command was not sent");
                }
            }
        }
    };
}

addressing!(Dealer);
addressing!(Router);

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver as Told, channel};

    use colugo_socket::{Inbox, PubSocket};

    use super::*;

    struct Nobody;

    impl LinkObserver for Nobody {
        fn up(&self, _: Arc<Peer>) {}
        fn down(&self, _: LinkId, _: &str) {}
    }

    /// A subscriber of the topic `t`; who is refused.
    fn subscriber(by_name: bool) -> (Arc<dyn DataSocket>, Arc<Inbox>, Told<String>) {
        let (tell, told) = channel();
        let inbox = Arc::new(Inbox::default());
        let spec = SocketSpec {
            role: Role::Sub,
            topic: "t".to_owned(),
            by_name,
            run: None,
            queue: None,
            queue_octets: None,
            max_message: None,
            overflow: None,
            prefix: Bytes::new(),
            receive: Receive::Inbox(inbox.clone(), Arc::new(Nobody)),
            on_trouble: Arc::new(move |trouble| {
                if let Trouble::Refused(why) = trouble {
                    let _ = tell.send(why);
                }
            }),
        };
        let sharing = Arc::new(Sharing::new(None));
        (open(NodeId([7; 16]), &sharing, spec).unwrap(), inbox, told)
    }

    fn other_topic() -> (PubSocket, String) {
        let builder = PubSocket::builder().property("X-Colugo", "1");
        let publisher = builder.property(TOPIC, "other").build().unwrap();
        let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap();
        (publisher, endpoint.to_string())
    }

    #[test]
    fn another_topic_where_a_publisher_was_found_is_refused_by_its_name() {
        let (_publisher, endpoint) = other_topic();
        let (subscriber, _, refused) = subscriber(true);
        subscriber.connect(&endpoint).unwrap();
        let why = refused.recv_timeout(PATIENCE).unwrap();
        assert!(
            why.ends_with("the peer's X-Colugo-Topic is \"other\", not \"t\""),
            "{why}"
        );
    }

    #[test]
    fn another_topic_at_an_address_that_the_user_gave_is_what_the_user_wants() {
        let (publisher, endpoint) = other_topic();
        let (subscriber, inbox, _) = subscriber(false);
        subscriber.connect(&endpoint).unwrap();
        assert!(publisher.wait_for_subscribers(1, PATIENCE));
        publisher.send("x").unwrap();
        assert_eq!(inbox.recv_timeout(PATIENCE).unwrap().payload(), "x");
    }

    const PATIENCE: Duration = Duration::from_secs(30);
}
