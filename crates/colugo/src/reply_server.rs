//! `ReplyServer` and its builder: answers requests of one topic. What carries the answer back is a [`Responder`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use colugo_graph::Kind;
use colugo_socket::{Inbox, Message as RawMessage, RecvError as RawRecvError};

use crate::codec::{Decode, Decoder, Encode, Encoder};
use crate::core::{Core, Forever};
use crate::error::{BuildError, RecvError};
use crate::executor::in_inline;
use crate::guard::Guard;
use crate::handle::{Handle, WeakObserver};
use crate::handle_options::{HandleOptions, handle_options};
use crate::peer::Peer;
use crate::request_ref::RequestRef;
use crate::responder::{Refusal, Responder, ServerCore};
use crate::serving::{InlineRequests, OnRequest};
use crate::stats::Stats;
use crate::subscriber::{QUEUE_MESSAGES, QUEUE_OCTETS, not_received, note_undecoded};
use crate::transport::Receive;

type PlainError = Arc<dyn Fn(&Refusal) -> Option<Bytes> + Send + Sync>;

/// Makes a [`ReplyServer`], or a callback: from [`Node::reply_server`](crate::Node::reply_server).
pub struct ReplyServerBuilder<Q = Bytes, R: ?Sized = [u8]> {
    core: Arc<Core>,
    topic: String,
    decoder: Decoder<Q>,
    encoder: Encoder<R>,
    options: HandleOptions,
    plain_error: Option<PlainError>,
}

impl ReplyServerBuilder<Bytes, [u8]> {
    pub(crate) fn new(core: Arc<Core>, topic: &str) -> Self {
        let options = HandleOptions::default();
        Self {
            core,
            topic: topic.to_owned(),
            decoder: Decoder::raw(),
            encoder: Encoder::raw(),
            options,
            plain_error: None,
        }
    }
}

impl<Q: Send + 'static, R: ?Sized + 'static> ReplyServerBuilder<Q, R> {
    handle_options!();

    /// Receives and replies UTF-8 text.
    #[must_use]
    pub fn text(self) -> ReplyServerBuilder<String, str> {
        self.with(Decoder::text(), Encoder::text())
    }

    /// Receives all frames of a request, not only the first, and replies octets.
    #[must_use]
    pub fn parts(self) -> ReplyServerBuilder<Vec<Bytes>, [u8]> {
        self.with(Decoder::parts(), Encoder::raw())
    }

    /// Receives `U` and replies `V` as JSON.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn json<U: serde::de::DeserializeOwned, V: serde::Serialize + ?Sized>(
        self,
    ) -> ReplyServerBuilder<U, V> {
        self.codec(crate::codec::Json)
    }

    /// Receives `U` and replies `V` as MessagePack.
    #[cfg(feature = "msgpack")]
    #[must_use]
    pub fn msgpack<U: serde::de::DeserializeOwned, V: serde::Serialize + ?Sized>(
        self,
    ) -> ReplyServerBuilder<U, V> {
        self.codec(crate::codec::MsgPack)
    }

    /// Receives `U` and replies `V` as Protobuf.
    #[cfg(feature = "protobuf")]
    #[must_use]
    pub fn protobuf<U: prost::Message + Default, V: prost::Message>(
        self,
    ) -> ReplyServerBuilder<U, V> {
        self.codec(crate::codec::Protobuf)
    }

    /// Receives `U` and replies `V` in a format of your own: see [`Encode`].
    #[must_use]
    pub fn codec<U, V: ?Sized, C: Decode<U> + Encode<V> + Clone + 'static>(
        self,
        codec: C,
    ) -> ReplyServerBuilder<U, V> {
        self.with(
            Decoder::Codec(Arc::new(codec.clone())),
            Encoder::Codec(Arc::new(codec)),
        )
    }

    fn with<U, V: ?Sized>(
        self,
        decoder: Decoder<U>,
        encoder: Encoder<V>,
    ) -> ReplyServerBuilder<U, V> {
        let Self {
            core,
            topic,
            options,
            plain_error,
            ..
        } = self;
        ReplyServerBuilder {
            core,
            topic,
            decoder,
            encoder,
            options,
            plain_error,
        }
    }

    /// What a plain ZeroMQ client is sent instead of a reply when its request is refused. Without it such a client is sent nothing, since it
    /// could not tell a refusal from a reply; that is counted.
    #[must_use]
    pub fn plain_error<F>(mut self, reply: F) -> Self
    where
        F: Fn(&Refusal) -> Option<Bytes> + Send + Sync + 'static,
    {
        self.plain_error = Some(Arc::new(reply));
        self
    }

    /// Listens and announces the topic. Requests are then taken with [`ReplyServer::recv`].
    ///
    /// # Errors
    /// The name is no topic, the node already serves it, or no port can be had.
    pub fn build(mut self) -> Result<ReplyServer<Q, R>, BuildError> {
        let (server, inbox) = self.open()?;
        Ok(ReplyServer {
            server: Serving::new(server),
            inbox,
            decoder: self.decoder,
            encoder: self.encoder,
        })
    }

    /// Listens and announces the topic; calls `callback` with each request where the node's callbacks run, one at a time. The responder may
    /// be kept and answer later, from anywhere.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn on_request(
        mut self,
        callback: impl FnMut(Q, Responder<R>) + Send + 'static,
    ) -> Result<Guard, BuildError> {
        let (server, inbox) = self.open()?;
        self.core.answer_by_callback(&server.handle.topic);
        let work = OnRequest::start(
            &server,
            inbox,
            self.decoder,
            self.encoder,
            Box::new(callback),
        );
        let handle = server.handle.clone();
        Ok(Guard::new(
            &self.core,
            Some(handle),
            Box::new(Forever((Serving::new(server), work))),
        ))
    }

    /// Listens and announces the topic; calls `callback` on the thread that reads the network, with the request still in the read buffer: the
    /// fastest way to answer. The callback stalls that thread's links while it runs, and must not wait for anything. The codec is not used
    /// for requests.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let net = colugo::testing::Net::new();
    /// let node = net.node("a")?;
    /// let _len = node.reply_server("len").on_request_inline(|request, reply| {
    ///     reply.reply(&[request.payload().len() as u8]).ok();
    /// })?;
    /// let len = node.request_client("len").build()?;
    /// assert_eq!(len.request(b"12345").wait()?, [5][..]);
    /// # Ok(()) }
    /// ```
    pub fn on_request_inline<F>(mut self, callback: F) -> Result<Guard, BuildError>
    where
        F: FnMut(RequestRef<'_>, Responder<R>) + Send + 'static,
    {
        let handle = Handle::new(&self.core, Kind::Server, &self.topic, &mut self.options)?;
        let server = ServerCore::new(handle.clone(), self.plain_error.take());
        let receiver = InlineRequests::new(&server, self.encoder.clone(), Box::new(callback));
        handle.open(
            &self.options,
            None,
            self.decoder.encoding(),
            Receive::Inline(Box::new(receiver)),
        )?;
        Ok(Guard::new(
            &self.core,
            Some(handle),
            Box::new(Forever(Serving::new(server))),
        ))
    }

    fn open(&mut self) -> Result<(Arc<ServerCore>, Arc<Inbox>), BuildError> {
        let handle = Handle::new(&self.core, Kind::Server, &self.topic, &mut self.options)?;
        let server = ServerCore::new(handle.clone(), self.plain_error.take());
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
        Ok((server, inbox))
    }
}

impl<Q, R: ?Sized> fmt::Debug for ReplyServerBuilder<Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyServerBuilder")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// Holds a service open: dropped, it is withdrawn, even while responders are still out.
pub(crate) struct Serving(Arc<ServerCore>);

impl Serving {
    fn new(server: Arc<ServerCore>) -> Self {
        Self(server)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Answers requests of one topic, taken one by one. Dropping it withdraws the service.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let net = colugo::testing::Net::new();
/// let node = net.node("a")?;
/// let server = node.reply_server("upper").text().build()?;
/// let upper = node.request_client("upper").text().build()?;
/// let pending = upper.request("abc").start();
/// let (text, responder) = server.recv()?;
/// responder.reply(&text.to_uppercase())?;
/// assert_eq!(pending.wait()?, "ABC");
/// # Ok(()) }
/// ```
pub struct ReplyServer<Q = Bytes, R: ?Sized = [u8]> {
    server: Serving,
    inbox: Arc<Inbox>,
    decoder: Decoder<Q>,
    encoder: Encoder<R>,
}

impl<Q, R: ?Sized> ReplyServer<Q, R> {
    /// The next request and what answers it; waits for one. A request that does not decode is refused.
    ///
    /// # Errors
    /// The request did not decode, or the node is closed.
    pub fn recv(&self) -> Result<(Q, Responder<R>), RecvError> {
        self.receive(None)
    }

    /// The next request; waits for one, at most `timeout`.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), and [`RecvError::TimedOut`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<(Q, Responder<R>), RecvError> {
        self.receive(Some(timeout))
    }

    /// The next request, if one is there.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<Option<(Q, Responder<R>)>, RecvError> {
        match self.inbox.try_recv() {
            Ok(raw) => self.decode(&raw).map(Some),
            Err(RawRecvError::TimedOut) => Ok(None),
            Err(error) => Err(not_received(error, Duration::ZERO)),
        }
    }

    /// The next request, as a future for any executor. Dropping the future loses nothing.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn recv_async(&self) -> Result<(Q, Responder<R>), RecvError> {
        let raw = self
            .inbox
            .recv_async()
            .await
            .map_err(|error| not_received(error, Duration::ZERO))?;
        self.decode(&raw)
    }

    fn receive(&self, timeout: Option<Duration>) -> Result<(Q, Responder<R>), RecvError> {
        let handle = &self.server.0.handle;
        let raw = match self.inbox.try_recv() {
            Err(RawRecvError::TimedOut) if in_inline() => return Err(RecvError::WouldDeadlock),
            Err(RawRecvError::TimedOut) if handle.core.is_forked() => {
                return Err(RecvError::Forked);
            }
            Err(RawRecvError::TimedOut) => handle.core.world.recv(&self.inbox, timeout),
            taken => taken,
        };
        self.decode(&raw.map_err(|error| not_received(error, timeout.unwrap_or_default()))?)
    }

    fn decode(&self, raw: &RawMessage) -> Result<(Q, Responder<R>), RecvError> {
        let (body, responder) = self.server.0.accept(raw, &self.encoder);
        match self.decoder.decode(body) {
            Ok(request) => Ok((request, responder)),
            Err(error) => {
                note_undecoded(&self.server.0.handle, &error);
                responder.refuse(Refusal::UNDECODABLE, &error.to_string());
                Err(error.into())
            }
        }
    }

    /// How many clients are connected.
    pub fn client_count(&self) -> usize {
        self.server.0.handle.links.len()
    }

    /// The topic, after remapping.
    pub fn topic(&self) -> &str {
        self.server.0.handle.topic.as_str()
    }

    /// Where it listens; any ZeroMQ REQ or DEALER can connect there.
    pub fn endpoints(&self) -> Vec<String> {
        self.server.0.handle.endpoints()
    }

    /// Who is connected.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        self.server.0.handle.links.list()
    }

    /// What was counted so far: `received` requests, `sent` replies.
    pub fn stats(&self) -> Stats {
        self.server.0.handle.stats()
    }

    /// How many requests were taken and not answered yet.
    pub fn unanswered(&self) -> usize {
        self.server.0.owed.load(Ordering::Relaxed)
    }
}

impl<Q, R: ?Sized> fmt::Debug for ReplyServer<Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyServer")
            .field("topic", &self.topic())
            .finish_non_exhaustive()
    }
}
