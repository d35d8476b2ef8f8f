//! `Socket`: the handle users hold. It forwards to the core; dropping it closes the socket. Request and reply keep their order in `request`.

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::builder::Builder;
use crate::core::{Core, Sink};
use crate::dial::{Dialled, Ways, dial};
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{BindError, BuildError, ConnectError, RecvError, SendError, SubscribeError};
use crate::event::SocketEvent;
use crate::greet::Passed;
use crate::inbox::{Inbox, RecvFuture};
use crate::kind::{
    Addresses, Dealer, Distributes, Kind, Pair, Pub, Pull, Push, Receives, Rep, Req, Router, Sub,
    XPub, XSub,
};
use crate::listen::{self, Listener, Listening};
use crate::message::{LinkId, Message, Outgoing};
use crate::options::DROP_WAIT;
use crate::peer::Peer;
use crate::request::Turns;
use crate::runtime::{Runtime, on_data_thread};
use crate::stats::{PeerStats, Sent, Stats};
use crate::stream::Stream;
use crate::trunk::Lane;

/// A ZeroMQ socket of kind `K`. All methods take `&self`; share it between threads by reference or `Arc`.
///
/// # Closing
///
/// From [`close`](Self::close) or drop on, the socket accepts nothing and receives nothing. What is queued is still written, for as long as
/// the [linger time](Builder::linger), 1 s unless set otherwise: to the peers that are connected, and by a PUSH, DEALER or PAIR that dialled
/// also to a peer that comes only now (the others queue nothing for peers that are not there). Then every connection ends, and what was not
/// sent is counted ([`Stats::dropped_linger`], [`SocketEvent::Closed`]). A linger time of zero drops the queues at once. "Written" means
/// handed to the system, which delivers it unless the machine or the peer fails.
///
/// `close` waits for all that. A drop waits at most 100 ms, and leaves the rest to the data thread, which goes on for it when this was the
/// last socket; but the end of the process ends it too, so that a program that sends and exits calls `close`.
///
/// ```
/// use colugo_socket::{PullSocket, PushSocket};
/// let pull = PullSocket::new()?;
/// let endpoint = pull.bind("tcp://127.0.0.1:0")?;
/// let push = PushSocket::new()?;
/// push.connect(&endpoint)?;
/// push.send("work")?;
/// assert_eq!(pull.recv()?.payload(), "work");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Socket<K: Kind> {
    pub(crate) core: Arc<Core>,
    pub(crate) turns: Turns,
    kind: PhantomData<K>,
    /// There until it is dropped.
    runtime: Option<Arc<Runtime>>,
}

/// Publishes to all who subscribe.
pub type PubSocket = Socket<Pub>;
/// Receives what it subscribes to.
pub type SubSocket = Socket<Sub>;
/// Asks and waits for the answer.
pub type ReqSocket = Socket<Req>;
/// Answers questions.
pub type RepSocket = Socket<Rep>;
/// Asks many at once.
pub type DealerSocket = Socket<Dealer>;
/// Answers many at once.
pub type RouterSocket = Socket<Router>;
/// Hands out work.
pub type PushSocket = Socket<Push>;
/// Takes work.
pub type PullSocket = Socket<Pull>;
/// Publishes as a [`PubSocket`] does, and receives what its subscribers send: `01 topic` when somebody is the first to subscribe to a topic,
/// `00 topic` when the last has cancelled it or left, and their messages as they are. [`Message::link`] tells from whom.
pub type XPubSocket = Socket<XPub>;
/// Subscribes by sending; see [`send`](XSubSocket::send).
pub type XSubSocket = Socket<XSub>;
/// Talks to one peer, and refuses a second one while that is there. Its queue outlives the connection if it dialled.
pub type PairSocket = Socket<Pair>;

impl<K: Kind> Socket<K> {
    pub(crate) fn new_from(core: Arc<Core>, runtime: Arc<Runtime>) -> Self {
        Self {
            core,
            turns: Turns::default(),
            kind: PhantomData,
            runtime: Some(runtime),
        }
    }

    /// A socket with all defaults.
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// Settings first.
    pub fn builder() -> Builder<K> {
        Builder::new()
    }

    /// Listens, and gives the endpoint with the real port. A socket may listen on several.
    pub fn bind(&self, endpoint: impl ToEndpoint) -> Result<Endpoint, BindError> {
        let endpoint = endpoint.to_endpoint()?;
        if self.core.is_closing() {
            return Err(BindError::Closed);
        }
        let entered = self.core.handle.enter();
        let (listener, bound) = Listener::bind(&endpoint, &self.core.inproc)?;
        drop(entered);
        let listener = Arc::new(listener);
        let task = self.core.handle.spawn(listen::accept(
            self.core.clone(),
            listener.clone(),
            self.core.guard(),
        ));
        self.core.add_listener(Listening {
            endpoint: bound.clone(),
            listener,
            task: task.abort_handle(),
        });
        self.core.emit(SocketEvent::Listening(bound.clone()));
        Ok(bound)
    }

    /// Stops listening on an endpoint that `bind` gave; accepted connections stay. False: it did not listen there.
    pub fn unbind(&self, endpoint: impl ToEndpoint) -> bool {
        endpoint
            .to_endpoint()
            .is_ok_and(|endpoint| self.core.unbind(&endpoint))
    }

    /// Takes in a connection that was accepted elsewhere: several sockets can so share one port. `sent` octets of the ZMTP greeting, which is the same
    /// for all sockets, were sent on it, and `heard` is all that was read from it. From here on it is like one that was accepted here; that a limit
    /// refuses it is an event.
    ///
    /// # Errors
    /// The socket is closed, or the system does not take the stream.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use colugo_socket::{PubSocket, SubSocket};
    /// let door = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let subscriber = SubSocket::new()?;
    /// subscriber.subscribe("")?;
    /// subscriber.connect(door.local_addr()?)?;
    ///
    /// let publisher = PubSocket::new()?;
    /// let (stream, _) = door.accept()?;
    /// // Who shares a port among sockets sends a greeting here, and reads until READY says for whom it is.
    /// publisher.adopt(stream, 0, b"")?;
    /// assert!(publisher.wait_for_subscribers(1, Duration::from_secs(5)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn adopt(
        &self,
        stream: std::net::TcpStream,
        sent: usize,
        heard: &[u8],
    ) -> std::io::Result<()> {
        stream.set_nonblocking(true)?;
        let entered = self.core.handle.enter();
        let stream = tokio::net::TcpStream::from_std(stream)?;
        drop(entered);
        let heard = heard.into();
        self.take_in(Stream::Tcp(stream), Passed { sent, heard })
    }

    fn take_in(&self, stream: Stream, passed: Passed) -> std::io::Result<()> {
        if self.core.is_closing() {
            return Err(std::io::ErrorKind::NotConnected.into());
        }
        let (core, guard) = (self.core.clone(), self.core.guard());
        // Where connections are accepted, too: on the data thread.
        self.core.handle.spawn(async move {
            listen::take(&core, stream, passed);
            drop(guard);
        });
        Ok(())
    }

    /// Dials, now and again until [`disconnect`](Self::disconnect): the peer need not be there yet. Returns at once; a second call for
    /// the same endpoint changes nothing.
    pub fn connect(&self, endpoint: impl ToEndpoint) -> Result<(), ConnectError> {
        self.dial(endpoint.to_endpoint()?, None, None)
    }

    /// [`connect`](Self::connect) with another way to the same peer: each time `endpoint` refuses, or has not answered within 0.3 s, `other` is tried as
    /// well. For peers of which a firewall lets only one port through, see [`adopt`](Self::adopt). [`disconnect`](Self::disconnect) and
    /// [`Peer::dialled`] know the connection by `endpoint`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use colugo_socket::{PubSocket, SubSocket};
    /// let publisher = PubSocket::new()?;
    /// let reached = publisher.bind("tcp://127.0.0.1:0")?;
    /// let subscriber = SubSocket::new()?;
    /// subscriber.subscribe("")?;
    /// // Nobody listens there.
    /// subscriber.connect_or("tcp://127.0.0.1:1", reached)?;
    /// assert!(publisher.wait_for_subscribers(1, Duration::from_secs(5)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connect_or(
        &self,
        endpoint: impl ToEndpoint,
        other: impl ToEndpoint,
    ) -> Result<(), ConnectError> {
        self.dial(endpoint.to_endpoint()?, Some(other.to_endpoint()?), None)
    }

    /// [`connect_or`](Self::connect_or), but by a lane of the trunk to `other` where there are trunks: a connection that all sockets of this process
    /// share which dial so. It is dialled with the first of them, and ends a while after the last. `address` says there, see [`Trunk::adopt`](crate::Trunk::adopt), what
    /// the lane is to; there is none to what takes more than 512 octets to say.
    ///
    /// ```
    /// # use std::io::Read;
    /// # use std::time::Duration;
    /// # use colugo_socket::{PubSocket, SubSocket, Trunk};
    /// let door = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let subscriber = SubSocket::new()?;
    /// subscriber.subscribe("")?;
    /// subscriber.connect_sharing("tcp://127.0.0.1:1", door.local_addr()?, "poses")?;
    ///
    /// let publisher = std::sync::Arc::new(PubSocket::new()?);
    /// let (stream, _) = door.accept()?;
    /// let poses = publisher.clone();
    /// // Who shares the port with others first reads until READY says that this is to be a trunk.
    /// let trunk = Trunk::adopt(stream, 0, b"", move |address, lane| {
    ///     address == b"poses" && poses.take_lane(lane).is_ok()
    /// })?;
    /// assert!(publisher.wait_for_subscribers(1, Duration::from_secs(5)));
    /// # drop(trunk);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connect_sharing(
        &self,
        endpoint: impl ToEndpoint,
        other: impl ToEndpoint,
        address: impl Into<Bytes>,
    ) -> Result<(), ConnectError> {
        let address = address.into();
        let other = Some(other.to_endpoint()?);
        let lane = Some(address).filter(|address| address.len() <= colugo_zmtp::MAX_LANE_ADDRESS);
        self.dial(endpoint.to_endpoint()?, other, lane)
    }

    /// Takes in a lane of a trunk that was accepted. From here on it is like a connection that was accepted here.
    ///
    /// # Errors
    /// The socket is closed.
    pub fn take_lane(&self, lane: Lane) -> std::io::Result<()> {
        self.take_in(Stream::Pipe(lane.0), Passed::default())
    }

    fn dial(
        &self,
        endpoint: Endpoint,
        other: Option<Endpoint>,
        lane: Option<Bytes>,
    ) -> Result<(), ConnectError> {
        let endpoint = endpoint.dialable();
        let other = other.map(|other| other.dialable());
        for endpoint in [Some(&endpoint), other.as_ref()].into_iter().flatten() {
            if endpoint.is_wildcard() {
                return Err(ConnectError::PortZero(endpoint.to_string()));
            }
        }
        if self.core.is_closing() {
            return Err(ConnectError::Closed);
        }
        if self.core.is_dialling(&endpoint) {
            return Ok(());
        }
        let stop = Arc::new(AtomicBool::new(false));
        let dialled = Dialled::new(&self.core);
        let link = dialled.link();
        let ways = Ways {
            endpoint: endpoint.clone(),
            other,
            lane,
        };
        let task = dial(dialled, ways, stop.clone());
        let task = self.core.handle.spawn(task);
        self.core
            .add_dialer(endpoint, link, stop, task.abort_handle());
        Ok(())
    }

    /// Stops dialling an endpoint; what is queued for it is written first, within the linger time. False: it was not dialled.
    pub fn disconnect(&self, endpoint: impl ToEndpoint) -> bool {
        endpoint
            .to_endpoint()
            .is_ok_and(|endpoint| self.core.disconnect(&endpoint.dialable()))
    }

    /// The peers that are there now.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        self.core.peers()
    }

    /// Waits until `count` peers are there. False: they were not within `timeout`, or the socket was closed.
    pub fn wait_for_peers(&self, count: usize, timeout: Duration) -> bool {
        self.core
            .wait_for(timeout, || self.core.peer_count() >= count)
    }

    /// Ends the connection of a link at once; what is queued for it is lost, unless the link keeps its queue for the next connection.
    /// An endpoint that is dialled is dialled again. False: there is no such link.
    pub fn hang_up(&self, link: LinkId) -> bool {
        self.core.hang_up(link)
    }

    /// What it counted so far for each peer that is there.
    pub fn peer_stats(&self) -> Vec<PeerStats> {
        self.core.peer_stats()
    }

    /// What it counted so far.
    pub fn stats(&self) -> Stats {
        let counters = &self.core.counters;
        let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let (sent, dropped) = self.core.sent_and_dropped();
        Stats {
            sent,
            dropped_full: dropped
                .saturating_sub(get(&counters.dropped_disconnect))
                .saturating_sub(get(&counters.dropped_linger)),
            received: get(&counters.received),
            received_octets: get(&counters.received_octets),
            dropped_disconnect: get(&counters.dropped_disconnect),
            dropped_linger: get(&counters.dropped_linger),
            refused_full: get(&counters.refused),
            refused_too_large: get(&counters.too_large),
            ignored: get(&counters.ignored),
            filtered: get(&counters.filtered),
            unknown_commands: get(&counters.unknown_commands),
            lost: get(&counters.lost),
            lost_unexplained: get(&counters.lost_unexplained),
            lost_disconnected: get(&counters.lost_disconnected),
            handshakes_failed: get(&counters.handshakes_failed),
            refused_connections: get(&counters.refused_connections),
            refused_peers: get(&counters.refused_peers),
            protocol_errors: get(&counters.protocol_errors),
            stalled: get(&counters.stalled),
            slow: get(&counters.slow),
            silent: get(&counters.silent),
            handler_panics: get(&counters.handler_panics),
        }
    }

    /// Closes: nothing more is accepted or received, what is queued is written, and then everything has ended. False: the linger time
    /// was not enough, and what was left is dropped and counted. Inside an inline callback it does not wait, and gives false.
    #[doc(alias = "ZMQ_LINGER")]
    pub fn close(self) -> bool {
        let linger = self.core.options.linger;
        self.core.close(linger);
        if on_data_thread() {
            return false;
        }
        self.core
            .wait_sent(Instant::now().checked_add(linger.saturating_add(DROP_WAIT)))
    }

    /// [`close`](Self::close) for a socket that is shared: what is queued may take `linger`, of which this call waits at most `wait`. Later
    /// calls of other methods say `Closed`.
    pub fn shut(&self, linger: Duration, wait: Duration) -> bool {
        self.core.close(linger);
        if on_data_thread() {
            return false;
        }
        self.core.wait_sent(Instant::now().checked_add(wait))
    }

    /// [`close`](Self::close) as a future. Dropped before its end, it closes as dropping the socket does.
    pub async fn close_async(self) {
        self.core.close(self.core.options.linger);
        poll_fn(|cx| self.core.poll_live(cx, 0)).await;
    }

    pub(crate) fn inbox(&self) -> Option<&Arc<Inbox>> {
        match &self.core.sink {
            Sink::Inbox(inbox) => Some(inbox),
            Sink::Handler(_) | Sink::Nowhere => None,
        }
    }
}

/// What PUB and XPUB have in common.
macro_rules! publishes {
    ($($socket:ident)*) => {$(
        impl $socket {
            /// Sends to all subscribers whose subscriptions are a prefix of the first frame. Waits only with
            /// [`Overflow::Block`](crate::Overflow::Block); says how many queues took it and how many were full.
            #[inline]
            pub fn send<'a>(&self, message: impl Into<Outgoing<'a>>) -> Result<Sent, SendError> {
                self.core.publish(&message.into())
            }

            /// [`send`](Self::send) for who already has an [`Outgoing`]: it is large, and handing it on by value costs more than the queue.
            #[inline]
            pub fn publish(&self, message: &Outgoing<'_>) -> Result<Sent, SendError> {
                self.core.publish(message)
            }

            /// Peers with at least one subscription.
            pub fn subscriber_count(&self) -> usize {
                self.core.subscriber_count()
            }

            /// Waits until `count` peers have subscribed: what is sent then is not lost to them. False: they had not within `timeout`, or
            /// the socket was closed.
            pub fn wait_for_subscribers(&self, count: usize, timeout: Duration) -> bool {
                self.core
                    .wait_for(timeout, || self.core.subscriber_count() >= count)
            }

            /// The same as a future without a time limit. Cancel-safe.
            pub fn wait_for_subscribers_async(&self, count: usize) -> impl Future<Output = bool> + '_ {
                poll_fn(move |cx| {
                    self.core.peers_changed.register(cx);
                    let there = self.core.subscriber_count() >= count;
                    if there || self.core.is_closing() {
                        Poll::Ready(there)
                    } else {
                        Poll::Pending
                    }
                })
            }
        }
    )*};
}

publishes! { PubSocket XPubSocket }

impl SubSocket {
    /// Asks all publishers, now and after each reconnect, for messages whose first frame begins with `prefix`; `""` is everything.
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError> {
        if self.core.is_closing() {
            return Err(SubscribeError::Closed);
        }
        self.core.subscribe(prefix.as_ref()).map(|_| ())
    }

    /// Takes one `subscribe` of the same prefix back. False: there was none.
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> bool {
        self.core.unsubscribe(prefix.as_ref()).is_some()
    }
}

impl<K: Distributes> Socket<K> {
    /// Sends to the next peer with room, in turn; waits for room as [`Builder::overflow`] says. Gives the link it took.
    #[inline]
    pub fn send<'a>(&self, message: impl Into<Outgoing<'a>>) -> Result<LinkId, SendError> {
        self.core.distribute(&message.into(), true)
    }

    /// Sends if a peer has room now.
    pub fn try_send<'a>(&self, message: impl Into<Outgoing<'a>>) -> Result<LinkId, SendError> {
        self.core.distribute(&message.into(), false)
    }

    /// Sends as soon as a peer has room. Cancel-safe: a dropped future has sent nothing.
    pub async fn send_async<'a>(
        &self,
        message: impl Into<Outgoing<'a>>,
    ) -> Result<LinkId, SendError> {
        let message = message.into();
        poll_fn(|cx| match self.core.distribute_now(&message) {
            Some(done) => Poll::Ready(done),
            None => {
                self.core.room.register(cx);
                self.core
                    .distribute_now(&message)
                    .map_or(Poll::Pending, Poll::Ready)
            }
        })
        .await
    }
}

impl<K: Addresses> Socket<K> {
    /// Sends to one peer, by its link; no identity in front.
    #[inline]
    pub fn send_to<'a>(
        &self,
        link: LinkId,
        message: impl Into<Outgoing<'a>>,
    ) -> Result<(), SendError> {
        self.core.send_to(link, &[], &message.into())
    }

    /// Sends to one peer, with `head` frames in front of the message: an envelope, without copying the frames together first.
    #[inline]
    pub fn send_with<'a>(
        &self,
        link: LinkId,
        head: &[&[u8]],
        message: impl Into<Outgoing<'a>>,
    ) -> Result<(), SendError> {
        self.core.send_to(link, head, &message.into())
    }

    /// Sends a ZMTP command of the application's to a peer that announced `X-Colugo`; its handler gets it. To others nothing is sent:
    /// some implementations end the connection on a command they do not know.
    pub fn send_command_to(&self, link: LinkId, name: &str, data: &[u8]) -> Result<(), SendError> {
        self.core.send_command_to(link, name, data)
    }
}

impl RouterSocket {
    /// Sends to the peer whose identity is the first frame; the rest is the message. Who is not there is told as `NoPeer`, and who has no
    /// room as `Full`: libzmq does that only where it is asked for, and drops the message otherwise.
    #[doc(alias = "ZMQ_ROUTER_MANDATORY")]
    pub fn send<'a>(&self, message: impl Into<Outgoing<'a>>) -> Result<(), SendError> {
        let mut frames = message.into().into_frames();
        if frames.len() < 2 {
            return Err(SendError::NoIdentity);
        }
        let identity = frames.remove(0);
        let link = self.core.link_named(&identity).ok_or(SendError::NoPeer)?;
        self.core.send_to(link, &[], &Outgoing::Frames(frames))
    }
}

impl<K: Receives> Socket<K> {
    fn receiver(&self) -> Result<&Inbox, RecvError> {
        self.inbox().map(|inbox| &**inbox).ok_or(RecvError::Order(
            "this socket was built with a handler, which gets all messages",
        ))
    }

    /// The next message; waits for one.
    pub fn recv(&self) -> Result<Message, RecvError> {
        self.receiver()?.recv()
    }

    /// The next message; waits for one, at most `timeout`.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message, RecvError> {
        self.receiver()?.recv_timeout(timeout)
    }

    /// The next message, if one is there; `TimedOut` otherwise.
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        self.receiver()?.try_recv()
    }

    /// The next message, as a future for any executor. Cancel-safe: a dropped future has taken nothing.
    pub async fn recv_async(&self) -> Result<Message, RecvError> {
        let receive: RecvFuture<'_> = self.receiver()?.recv_async();
        receive.await
    }

    /// Appends up to `max` messages to `out`: waits for the first, takes the others if they are there. The fastest way but a handler.
    pub fn recv_batch(&self, out: &mut Vec<Message>, max: usize) -> Result<usize, RecvError> {
        self.receiver()?.recv_batch(out, max)
    }
}

impl ReqSocket {
    /// Asks the next peer in turn; waits until one is there. Then [`recv`](Self::recv) its answer.
    pub fn send<'a>(&self, message: impl Into<Outgoing<'a>>) -> Result<(), SendError> {
        self.turns.ask(&self.core, &message.into())
    }

    /// The answer; waits for it. Whatever else arrives is not for this question, and dropped.
    pub fn recv(&self) -> Result<Message, RecvError> {
        self.turns.answer(&self.core, None)
    }

    /// The answer; waits for it, at most `timeout`. After `TimedOut` one may ask again: the late answer will not be taken for the new one.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message, RecvError> {
        self.turns
            .answer(&self.core, Instant::now().checked_add(timeout))
    }
}

impl RepSocket {
    /// The next question; waits for one. Then [`send`](Self::send) the answer.
    pub fn recv(&self) -> Result<Message, RecvError> {
        self.turns.question(&self.core, None)
    }

    /// The next question; waits for one, at most `timeout`.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message, RecvError> {
        self.turns
            .question(&self.core, Instant::now().checked_add(timeout))
    }

    /// Answers the question received last. `NoPeer`: the asker has left.
    pub fn send<'a>(&self, message: impl Into<Outgoing<'a>>) -> Result<(), SendError> {
        self.turns.reply(&self.core, &message.into())
    }
}

impl<K: Kind> Drop for Socket<K> {
    fn drop(&mut self) {
        let deadline = Instant::now() + DROP_WAIT;
        self.core.close(self.core.options.linger);
        let closed = !on_data_thread() && self.core.wait_closed(Some(deadline));
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        if !closed {
            self.core.keep_until_closed(runtime.clone());
        }
        runtime.release(deadline);
    }
}

impl<K: Kind> fmt::Debug for Socket<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("kind", &K::TYPE)
            .field("peers", &self.core.peers().len())
            .finish_non_exhaustive()
    }
}
