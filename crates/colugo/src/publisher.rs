//! `Publisher`: sends values of one topic to everyone who subscribes. Knows its socket and codec; what happens to full queues is the socket's business.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use colugo_graph::Kind;
use colugo_socket::{Outgoing, Overflow, SendError as RawSendError, Sent};

use crate::codec::{Encode, Encoder};
use crate::core::Core;
use crate::error::{BuildError, SendError, WaitError};
use crate::event::Event;
use crate::executor::in_inline;
use crate::handle::Handle;
use crate::handle_options::{HandleOptions, handle_options};
use crate::peer::Peer;
use crate::stats::Stats;
use crate::sync::block_on;
use crate::transport::{LinkObserver, Packed, Receive, Receiver};

/// Makes a [`Publisher`]: from [`Node::publisher`](crate::Node::publisher).
pub struct PublisherBuilder<T: ?Sized = [u8]> {
    core: Arc<Core>,
    topic: String,
    encoder: Encoder<T>,
    options: HandleOptions,
}

impl PublisherBuilder<[u8]> {
    pub(crate) fn new(core: Arc<Core>, topic: &str) -> Self {
        Self {
            core,
            topic: topic.to_owned(),
            encoder: Encoder::raw(),
            options: HandleOptions::default(),
        }
    }
}

impl<T: ?Sized> PublisherBuilder<T> {
    handle_options!();

    /// Sends UTF-8 text.
    #[must_use]
    pub fn text(self) -> PublisherBuilder<str> {
        self.encoder(Encoder::text())
    }

    /// Sends `U` as JSON.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn json<U: serde::Serialize + ?Sized>(self) -> PublisherBuilder<U> {
        self.codec(crate::codec::Json)
    }

    /// Sends `U` as MessagePack.
    #[cfg(feature = "msgpack")]
    #[must_use]
    pub fn msgpack<U: serde::Serialize + ?Sized>(self) -> PublisherBuilder<U> {
        self.codec(crate::codec::MsgPack)
    }

    /// Sends `U` as Protobuf.
    #[cfg(feature = "protobuf")]
    #[must_use]
    pub fn protobuf<U: prost::Message>(self) -> PublisherBuilder<U> {
        self.codec(crate::codec::Protobuf)
    }

    /// Sends `U` in a format of your own: see [`Encode`].
    #[must_use]
    pub fn codec<U: ?Sized, C: Encode<U> + 'static>(self, codec: C) -> PublisherBuilder<U> {
        self.encoder(Encoder::Codec(Arc::new(codec)))
    }

    fn encoder<U: ?Sized>(self, encoder: Encoder<U>) -> PublisherBuilder<U> {
        PublisherBuilder {
            core: self.core,
            topic: self.topic,
            encoder,
            options: self.options,
        }
    }

    /// What happens to a message for a subscriber whose queue is full. Default: it is dropped for that subscriber, and counted.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.options.overflow = Some(overflow);
        self
    }

    /// Listens and announces the topic.
    ///
    /// # Errors
    /// The name is no topic, the node already publishes it, or no port can be had.
    pub fn build(mut self) -> Result<Publisher<T>, BuildError> {
        let handle = Handle::new(&self.core, Kind::Publisher, &self.topic, &mut self.options)?;
        let mut run = [0; 16];
        getrandom::fill(&mut run).unwrap_or_else(|_| run = crate::node::weak_random());
        let observer = Deaf {
            handle: Arc::downgrade(&handle),
        };
        handle.open(
            &self.options,
            Some(run),
            self.encoder.encoding(),
            Receive::Inline(Box::new(observer)),
        )?;
        let blocks = matches!(self.options.overflow, Some(Overflow::Block(_)));
        let core = PublisherCore {
            handle,
            blocks,
            dropped: AtomicU64::new(0),
            slow_said_ns: AtomicU64::new(0),
        };
        Ok(Publisher {
            core: Arc::new(core),
            encoder: self.encoder,
        })
    }
}

impl<T: ?Sized> fmt::Debug for PublisherBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublisherBuilder")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// Sends values of one topic. Cheap to clone; the last clone withdraws the topic.
///
/// Sending never blocks unless [`Overflow::Block`] was asked for. Nothing is kept for subscribers that come later:
/// [`wait_for_subscribers`](Self::wait_for_subscribers) first, if the first message matters.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::time::Duration;
/// let net = colugo::testing::Net::new();
/// let (robot, screen) = (net.node("robot")?, net.node("screen")?);
/// let poses = robot.publisher("pose").json::<[f64; 2]>().build()?;
/// let seen = screen.subscriber("pose").json::<[f64; 2]>().build()?;
/// poses.wait_for_subscribers(1, Duration::from_secs(1))?;
/// let sent = poses.send(&[1.0, 2.0])?;
/// assert_eq!((sent.queued, sent.dropped), (1, 0));
/// assert_eq!(seen.recv()?.value, [1.0, 2.0]);
/// # Ok(()) }
/// ```
pub struct Publisher<T: ?Sized = [u8]> {
    core: Arc<PublisherCore>,
    encoder: Encoder<T>,
}

struct PublisherCore {
    handle: Arc<Handle>,
    blocks: bool,
    dropped: AtomicU64,
    slow_said_ns: AtomicU64,
}

impl<T: ?Sized> Publisher<T> {
    /// Sends `value` to everyone who subscribes now.
    ///
    /// # Errors
    /// The codec can't write it, it is over the limit, or the publisher is closed. A full queue is no error: see [`Sent::dropped`].
    pub fn send(&self, value: &T) -> Result<Sent, SendError> {
        match &self.encoder {
            // Apart from the codecs: each result that is passed on through memory costs as much as the copy of a small message.
            Encoder::Raw(_, octets) => self.outgoing(&Outgoing::Slice(octets(value))),
            codec @ Encoder::Codec(_) => {
                codec.encode(value, |octets| self.outgoing(&Outgoing::Slice(octets)))?
            }
        }
    }

    /// Sends octets as they are, past the codec. Large ones are not copied.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_bytes(&self, payload: impl Into<Bytes>) -> Result<Sent, SendError> {
        self.outgoing(&Outgoing::Owned(payload.into()))
    }

    /// Sends one message of several frames, past the codec.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_parts(&self, parts: &[Bytes]) -> Result<Sent, SendError> {
        self.outgoing(&Outgoing::Parts(parts))
    }

    #[inline]
    fn outgoing(&self, message: &Outgoing<'_>) -> Result<Sent, SendError> {
        if self.core.blocks && in_inline() {
            return Err(SendError::WouldDeadlock);
        }
        let handle = &self.core.handle;
        let Some(socket) = handle.socket() else {
            return Err(SendError::Closed);
        };
        let mut sent = Packed::default();
        match socket.send(message, &mut sent) {
            Ok(()) => {
                let sent = sent.sent();
                if sent.dropped > 0 {
                    self.core.note_dropped(sent.dropped);
                }
                Ok(sent)
            }
            Err(error) => not_sent(*error),
        }
    }

    /// How many subscribers would get a message sent now. One may have several subscriptions.
    pub fn subscriber_count(&self) -> usize {
        self.core
            .handle
            .socket()
            .map_or(0, |socket| socket.subscriber_count())
    }

    /// Waits until at least `n` subscribers are ready for messages.
    ///
    /// # Errors
    /// Fewer were there after `timeout`.
    pub fn wait_for_subscribers(&self, n: usize, timeout: Duration) -> Result<(), WaitError> {
        let handle = &self.core.handle;
        let virtual_world = handle.core.world.is_virtual();
        if !virtual_world && !in_inline() && !handle.core.is_forked() {
            // The socket knows of subscriptions; the links only of peers.
            let deadline = handle.core.world.deadline(timeout);
            block_on(self.wait_for_subscribers_async(n), deadline);
            return handle.waited("subscribers", n, timeout, self.subscriber_count());
        }
        handle.wait_for("subscribers", n, timeout, || self.subscriber_count())
    }

    /// As [`wait_for_subscribers`](Self::wait_for_subscribers), as a future and without a timeout of its own.
    ///
    /// # Errors
    /// The publisher was closed.
    pub async fn wait_for_subscribers_async(&self, n: usize) -> Result<(), WaitError> {
        let handle = &self.core.handle;
        let Some(socket) = handle.socket() else {
            return Err(WaitError::Closed);
        };
        std::future::poll_fn(|cx| {
            handle.links.wake_on_change(cx.waker());
            if handle.is_ending() {
                return Poll::Ready(Err(WaitError::Closed));
            }
            socket.poll_subscribers(n, cx).map(Ok)
        })
        .await
    }

    /// The topic, after remapping.
    pub fn topic(&self) -> &str {
        self.core.handle.topic.as_str()
    }

    /// Where it listens; any ZeroMQ SUB can connect there.
    pub fn endpoints(&self) -> Vec<String> {
        self.core.handle.endpoints()
    }

    /// Who is connected.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        self.core.handle.links.list()
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.core.handle.stats()
    }
}

#[cold]
fn not_sent(error: RawSendError) -> Result<Sent, SendError> {
    match error {
        RawSendError::TooLarge { octets, limit } => Err(SendError::TooLarge { octets, limit }),
        RawSendError::WouldDeadlock => Err(SendError::WouldDeadlock),
        RawSendError::Full | RawSendError::NoPeer => Ok(Sent::default()),
        _ => Err(SendError::Closed),
    }
}

impl PublisherCore {
    /// Says that a subscriber is slow, at most once a second. The clock is read for the first drop and then for every 1024th.
    #[cold]
    fn note_dropped(&self, dropped: u32) {
        let before = self
            .dropped
            .fetch_add(u64::from(dropped), Ordering::Relaxed);
        let after = before + u64::from(dropped);
        if before != 0 && before / 1024 == after / 1024 {
            return;
        }
        let now = self.handle.core.world.wall_ns();
        let said = self.slow_said_ns.load(Ordering::Relaxed);
        let due = said == 0 || now >= said + 1_000_000_000;
        if due
            && self
                .slow_said_ns
                .compare_exchange(said, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            tracing::warn!(
                handle = &*self.handle.label,
                dropped = after,
                "a subscriber is too slow: messages for it are dropped"
            );
            self.handle.core.events.emit(Event::SlowSubscriber {
                handle: self.handle.label.clone(),
                dropped: after,
            });
        }
    }
}

impl<T: ?Sized> Clone for Publisher<T> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            encoder: self.encoder.clone(),
        }
    }
}

impl<T: ?Sized> fmt::Debug for Publisher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("topic", &self.topic())
            .field("encoding", &self.encoder.encoding())
            .finish_non_exhaustive()
    }
}

/// A publisher hears of links and subscriptions, and of nothing else.
struct Deaf {
    handle: std::sync::Weak<Handle>,
}

impl Receiver for Deaf {
    fn message(&mut self, _: colugo_socket::LinkId, _: colugo_socket::MessageRef<'_>) {}

    fn up(&mut self, peer: Arc<Peer>) {
        if let Some(handle) = self.handle.upgrade() {
            handle.up(peer);
        }
    }

    fn down(&mut self, link: colugo_socket::LinkId, reason: &str) {
        if let Some(handle) = self.handle.upgrade() {
            handle.down(link, reason);
        }
    }
}
