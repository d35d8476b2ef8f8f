//! `Subscriber`: receives the values of one topic from everyone who publishes it. Waiting for them is here; callbacks are in `callbacks`.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use colugo_graph::Kind;
use colugo_socket::{Inbox, Message as RawMessage, MessageRef, RecvError as RawRecvError};
use futures_core::Stream;

use crate::callbacks::{InlineMessages, OnMessage};
use crate::codec::{self, Decode, DecodeError, Decoder};
use crate::core::{Core, Forever};
use crate::error::{BuildError, RecvError, WaitError};
use crate::event::Event;
use crate::executor::in_inline;
use crate::guard::Guard;
use crate::handle::{Handle, WeakObserver};
use crate::handle_options::{HandleOptions, handle_options};
use crate::message::{Message, MessageMeta};
use crate::peer::Peer;
use crate::stats::{Stats, count};
use crate::sync::lock;
use crate::transport::Receive;

pub(crate) const QUEUE_MESSAGES: usize = 1000;
pub(crate) const QUEUE_OCTETS: usize = 16 << 20;

type DecodeErrorCallback = Box<dyn FnMut(&DecodeError) + Send>;

/// Makes a [`Subscriber`], or a callback: from [`Node::subscriber`](crate::Node::subscriber).
pub struct SubscriberBuilder<T = Bytes> {
    core: Arc<Core>,
    topic: String,
    decoder: Decoder<T>,
    options: HandleOptions,
    on_decode_error: Option<DecodeErrorCallback>,
}

impl SubscriberBuilder<Bytes> {
    pub(crate) fn new(core: Arc<Core>, topic: &str) -> Self {
        let options = HandleOptions::default();
        Self {
            core,
            topic: topic.to_owned(),
            decoder: Decoder::raw(),
            options,
            on_decode_error: None,
        }
    }
}

impl<T: Send + 'static> SubscriberBuilder<T> {
    handle_options!();

    /// Receives all frames of a message, not only the first.
    #[must_use]
    pub fn parts(self) -> SubscriberBuilder<Vec<Bytes>> {
        self.decoder(Decoder::parts())
    }

    /// Receives UTF-8 text.
    #[must_use]
    pub fn text(self) -> SubscriberBuilder<String> {
        self.decoder(Decoder::text())
    }

    /// Receives `U` as JSON.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn json<U: serde::de::DeserializeOwned>(self) -> SubscriberBuilder<U> {
        self.codec(codec::Json)
    }

    /// Receives `U` as MessagePack.
    #[cfg(feature = "msgpack")]
    #[must_use]
    pub fn msgpack<U: serde::de::DeserializeOwned>(self) -> SubscriberBuilder<U> {
        self.codec(codec::MsgPack)
    }

    /// Receives `U` as Protobuf.
    #[cfg(feature = "protobuf")]
    #[must_use]
    pub fn protobuf<U: prost::Message + Default>(self) -> SubscriberBuilder<U> {
        self.codec(codec::Protobuf)
    }

    /// Receives `U` in a format of your own: see [`Decode`].
    #[must_use]
    pub fn codec<U, C: Decode<U> + 'static>(self, codec: C) -> SubscriberBuilder<U> {
        self.decoder(Decoder::Codec(Arc::new(codec)))
    }

    fn decoder<U>(self, decoder: Decoder<U>) -> SubscriberBuilder<U> {
        let Self {
            core,
            topic,
            options,
            on_decode_error,
            ..
        } = self;
        SubscriberBuilder {
            core,
            topic,
            decoder,
            options,
            on_decode_error,
        }
    }

    /// Receives only messages whose first frame begins with `prefix`: ZeroMQ's own filter, for publishers that put a topic in front.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Bytes>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// For [`on_message`](Self::on_message): calls `callback` with each payload that does not decode. They are counted and reported as
    /// events in any case; a [`Subscriber`] returns them as errors.
    #[must_use]
    pub fn on_decode_error(mut self, callback: impl FnMut(&DecodeError) + Send + 'static) -> Self {
        self.on_decode_error = Some(Box::new(callback));
        self
    }

    /// Subscribes. Messages are then taken with [`Subscriber::recv`] and its kin.
    ///
    /// # Errors
    /// The name is no topic, an endpoint is none, or the node is closed.
    pub fn build(mut self) -> Result<Subscriber<T>, BuildError> {
        let (handle, inbox) = self.open()?;
        Ok(Subscriber {
            handle,
            inbox,
            decoder: self.decoder,
            undecoded: Mutex::default(),
            some_undecoded: AtomicBool::new(false),
        })
    }

    /// Subscribes, and calls `callback` with each message where the node's callbacks run, one at a time.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn on_message(
        mut self,
        callback: impl FnMut(Message<T>) + Send + 'static,
    ) -> Result<Guard, BuildError> {
        let (handle, inbox) = self.open()?;
        let work = OnMessage::start(
            &handle,
            inbox,
            self.decoder,
            Box::new(callback),
            self.on_decode_error,
        );
        Ok(Guard::new(
            &self.core,
            Some(handle),
            Box::new(Forever(work)),
        ))
    }

    /// Subscribes, and calls `callback` on the thread that reads the network, with the message still in the read buffer: the fastest way
    /// to receive. The callback stalls that thread's links while it runs, and must not wait for anything; one that takes more than a
    /// millisecond is counted. The codec is not used.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
    /// let net = colugo::testing::Net::new();
    /// let node = net.node("a")?;
    /// let octets = Arc::new(AtomicUsize::new(0));
    /// let counted = octets.clone();
    /// let _guard = node.subscriber("image").on_message_inline(move |message| {
    ///     counted.fetch_add(message.payload().len(), Ordering::Relaxed);
    /// })?;
    /// node.publisher("image").build()?.send(&[0; 300])?;
    /// assert_eq!(octets.load(Ordering::Relaxed), 300);
    /// # Ok(()) }
    /// ```
    pub fn on_message_inline(
        mut self,
        callback: impl FnMut(MessageRef<'_>) + Send + 'static,
    ) -> Result<Guard, BuildError> {
        let handle = Handle::new(&self.core, Kind::Subscriber, &self.topic, &mut self.options)?;
        let receiver = InlineMessages::new(&handle, Box::new(callback));
        handle.open(
            &self.options,
            None,
            self.decoder.encoding(),
            Receive::Inline(Box::new(receiver)),
        )?;
        Ok(Guard::new(&self.core, Some(handle), Box::new(Forever(()))))
    }

    fn open(&mut self) -> Result<(Arc<Handle>, Arc<Inbox>), BuildError> {
        let handle = Handle::new(&self.core, Kind::Subscriber, &self.topic, &mut self.options)?;
        let messages = self.options.queue.unwrap_or(QUEUE_MESSAGES);
        let inbox = Arc::new(Inbox::new(
            messages,
            self.options.queue_octets.unwrap_or(QUEUE_OCTETS),
        ));
        let observer = Arc::new(WeakObserver(Arc::downgrade(&handle)));
        handle.open(
            &self.options,
            None,
            self.decoder.encoding(),
            Receive::Inbox(inbox.clone(), observer),
        )?;
        Ok((handle, inbox))
    }
}

impl<T> fmt::Debug for SubscriberBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriberBuilder")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// Receives the values of one topic: one by one, in batches, async, or as a `Stream`. Dropping it unsubscribes.
///
/// Messages wait in a queue that is bounded per publisher; when it is full, the publisher's own queue for this subscriber fills, and what
/// happens then is the publisher's choice.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::time::Duration;
/// let net = colugo::testing::Net::new();
/// let node = net.node("a")?;
/// let sub = node.subscriber("count").json::<u32>().queue(64).build()?;
/// let counts = node.publisher("count").json::<u32>().build()?;
/// for n in 0..10 {
///     counts.send(&n)?;
/// }
/// assert_eq!(sub.recv()?.value, 0);
/// assert_eq!(sub.recv_timeout(Duration::from_secs(1))?.value, 1);
/// assert_eq!(sub.try_recv()?.map(|m| m.value), Some(2));
/// let mut batch = Vec::new();
/// assert_eq!(sub.recv_batch(&mut batch, 256)?, 7);
/// assert!(sub.try_recv()?.is_none());
/// # Ok(()) }
/// ```
pub struct Subscriber<T = Bytes> {
    handle: Arc<Handle>,
    inbox: Arc<Inbox>,
    decoder: Decoder<T>,
    /// What a batch came upon after its first message.
    undecoded: Mutex<VecDeque<DecodeError>>,
    /// Whether there are any: asked for each message, without the lock.
    some_undecoded: AtomicBool,
}

impl<T: 'static> Subscriber<T> {
    /// The next message; waits for one. On Linux a thread that waits for messages that come one by one reads the network meanwhile, so that it is
    /// woken alone.
    ///
    /// # Errors
    /// The message does not decode, or the node is closed.
    pub fn recv(&self) -> Result<Message<T>, RecvError> {
        self.receive(None)
    }

    /// The next message; waits for one, at most `timeout`.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), and [`RecvError::TimedOut`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message<T>, RecvError> {
        self.receive(Some(timeout))
    }

    /// The next message, if one is there.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<Option<Message<T>>, RecvError> {
        self.undecoded()?;
        match self.inbox.try_recv() {
            Ok(raw) => self.decode(raw).map(Some),
            Err(RawRecvError::TimedOut) => Ok(None),
            Err(error) => Err(not_received(error, Duration::ZERO)),
        }
    }

    /// The next message, as a future for any executor. Dropping the future loses nothing.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn recv_async(&self) -> Result<Message<T>, RecvError> {
        self.undecoded()?;
        let raw = self
            .inbox
            .recv_async()
            .await
            .map_err(|error| not_received(error, Duration::ZERO))?;
        self.decode(raw)
    }

    /// Appends up to `max` messages to `out`, and returns how many. Waits for the first one only.
    ///
    /// # Errors
    /// As [`recv`](Self::recv). A message that does not decode ends the batch before it, and is the error of the next call.
    pub fn recv_batch(&self, out: &mut Vec<Message<T>>, max: usize) -> Result<usize, RecvError> {
        if max == 0 {
            return Ok(0);
        }
        out.push(self.recv()?);
        let mut taken = 1;
        if let Decoder::Raw(_, take) = &self.decoder {
            let with = |raw| {
                let meta = MessageMeta::from(&raw);
                out.push(Message::new(codec::as_it_is(raw, *take), meta));
            };
            return Ok(taken + self.inbox.drain(max - taken, with));
        }
        while taken < max {
            let Ok(raw) = self.inbox.try_recv() else {
                break;
            };
            match self.decode(raw) {
                Ok(message) => out.push(message),
                Err(RecvError::Decode(error)) => {
                    lock(&self.undecoded).push_back(error);
                    self.some_undecoded.store(true, Ordering::Release);
                    break;
                }
                Err(_) => break,
            }
            taken += 1;
        }
        Ok(taken)
    }

    #[inline]
    fn receive(&self, timeout: Option<Duration>) -> Result<Message<T>, RecvError> {
        if !self.some_undecoded.load(Ordering::Acquire)
            && let Some(raw) = self.inbox.next_at_hand()
        {
            return self.decode(raw);
        }
        self.receive_patiently(timeout)
    }

    #[cold]
    fn receive_patiently(&self, timeout: Option<Duration>) -> Result<Message<T>, RecvError> {
        self.undecoded()?;
        let raw = match self.inbox.try_recv() {
            Err(RawRecvError::TimedOut) => self.wait(timeout)?,
            taken => taken.map_err(|error| not_received(error, Duration::ZERO))?,
        };
        self.decode(raw)
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<RawMessage, RecvError> {
        if in_inline() {
            return Err(RecvError::WouldDeadlock);
        }
        if self.handle.core.is_forked() {
            return Err(RecvError::Forked);
        }
        let received = self.handle.core.world.recv(&self.inbox, timeout);
        received.map_err(|error| not_received(error, timeout.unwrap_or_default()))
    }

    #[inline]
    fn undecoded(&self) -> Result<(), RecvError> {
        if !self.some_undecoded.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut undecoded = lock(&self.undecoded);
        let first = undecoded.pop_front();
        self.some_undecoded
            .store(!undecoded.is_empty(), Ordering::Release);
        first.map_or(Ok(()), |error| Err(error.into()))
    }

    #[inline(always)]
    fn decode(&self, raw: RawMessage) -> Result<Message<T>, RecvError> {
        let meta = MessageMeta::from(&raw);
        if let Decoder::Raw(_, take) = &self.decoder {
            return Ok(Message::new(codec::as_it_is(raw, *take), meta));
        }
        match self.decoder.decode(raw) {
            Ok(value) => Ok(Message::new(value, meta)),
            Err(error) => {
                note_undecoded(&self.handle, &error);
                Err(error.into())
            }
        }
    }
}

impl<T> Subscriber<T> {
    /// How many publishers are connected.
    pub fn publisher_count(&self) -> usize {
        self.handle.links.len()
    }

    /// Waits until at least `n` publishers are connected.
    ///
    /// # Errors
    /// Fewer were there after `timeout`.
    pub fn wait_for_publishers(&self, n: usize, timeout: Duration) -> Result<(), WaitError> {
        self.handle
            .wait_for("publishers", n, timeout, || self.publisher_count())
    }

    /// The topic, after remapping.
    pub fn topic(&self) -> &str {
        self.handle.topic.as_str()
    }

    /// Where it listens, if it was told to.
    pub fn endpoints(&self) -> Vec<String> {
        self.handle.endpoints()
    }

    /// Who is connected.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        self.handle.links.list()
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.handle.stats()
    }
}

/// Counts and reports a payload that is not what was expected.
pub(crate) fn note_undecoded(handle: &Handle, error: &DecodeError) {
    count(&handle.counters.decode_failed);
    tracing::debug!(handle = &*handle.label, %error, "a payload does not decode");
    handle.core.events.emit(Event::DecodeFailed {
        handle: handle.label.clone(),
        error: error.to_string(),
    });
}

pub(crate) fn not_received(error: RawRecvError, waited: Duration) -> RecvError {
    match error {
        RawRecvError::TimedOut => RecvError::TimedOut(waited),
        RawRecvError::WouldDeadlock => RecvError::WouldDeadlock,
        _ => RecvError::Closed,
    }
}

impl<T: 'static> Stream for Subscriber<T> {
    type Item = Result<Message<T>, RecvError>;

    /// Ends when the node is closed.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = std::pin::pin!(self.recv_async()).poll(cx);
        next.map(|received| match received {
            Err(RecvError::Closed) => None,
            received => Some(received),
        })
    }
}

impl<T> Unpin for Subscriber<T> {}

impl<T> fmt::Debug for Subscriber<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("topic", &self.topic())
            .field("encoding", &self.decoder.encoding())
            .finish_non_exhaustive()
    }
}
