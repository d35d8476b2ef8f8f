//! `RequestClient` and its builder: the typed face of [`ClientCore`].

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use colugo_graph::Kind;

use crate::client_core::{ClientCore, ClientReceiver};
use crate::codec::{Decode, Decoder, Encode, Encoder};
use crate::core::Core;
use crate::error::{BuildError, WaitError};
use crate::handle::Handle;
use crate::handle_options::{HandleOptions, handle_options};
use crate::peer::Peer;
use crate::request::{Payload, Request};
use crate::stats::Stats;
use crate::transport::Receive;

/// The original's: how long a reply may take unless said otherwise.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Requests in flight at once, unless said otherwise; each holds some 100 octets and its reply.
const IN_FLIGHT_MAX: usize = 65_536;

/// Makes a [`RequestClient`]: from [`Node::request_client`](crate::Node::request_client).
pub struct RequestClientBuilder<Q: ?Sized = [u8], R = Bytes> {
    core: Arc<Core>,
    topic: String,
    encoder: Encoder<Q>,
    decoder: Decoder<R>,
    options: HandleOptions,
    timeout: Duration,
    server_wait: Option<Duration>,
    in_flight: usize,
}

impl RequestClientBuilder<[u8], Bytes> {
    pub(crate) fn new(core: Arc<Core>, topic: &str) -> Self {
        Self {
            core,
            topic: topic.to_owned(),
            encoder: Encoder::raw(),
            decoder: Decoder::raw(),
            options: HandleOptions::default(),
            timeout: TIMEOUT,
            server_wait: None,
            in_flight: IN_FLIGHT_MAX,
        }
    }
}

impl<Q: ?Sized, R: Send + 'static> RequestClientBuilder<Q, R> {
    handle_options!();

    /// Sends and receives UTF-8 text.
    #[must_use]
    pub fn text(self) -> RequestClientBuilder<str, String> {
        self.with(Encoder::text(), Decoder::text())
    }

    /// Sends octets and receives all frames of a reply, not only the first.
    #[must_use]
    pub fn parts(self) -> RequestClientBuilder<[u8], Vec<Bytes>> {
        self.with(Encoder::raw(), Decoder::parts())
    }

    /// Sends `U` and receives `V` as JSON.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn json<U: serde::Serialize + ?Sized, V: serde::de::DeserializeOwned>(
        self,
    ) -> RequestClientBuilder<U, V> {
        self.codec(crate::codec::Json)
    }

    /// Sends `U` and receives `V` as MessagePack.
    #[cfg(feature = "msgpack")]
    #[must_use]
    pub fn msgpack<U: serde::Serialize + ?Sized, V: serde::de::DeserializeOwned>(
        self,
    ) -> RequestClientBuilder<U, V> {
        self.codec(crate::codec::MsgPack)
    }

    /// Sends `U` and receives `V` as Protobuf.
    #[cfg(feature = "protobuf")]
    #[must_use]
    pub fn protobuf<U: prost::Message, V: prost::Message + Default>(
        self,
    ) -> RequestClientBuilder<U, V> {
        self.codec(crate::codec::Protobuf)
    }

    /// Sends `U` and receives `V` in a format of your own: see [`Encode`].
    #[must_use]
    pub fn codec<U: ?Sized, V, C: Encode<U> + Decode<V> + Clone + 'static>(
        self,
        codec: C,
    ) -> RequestClientBuilder<U, V> {
        self.with(
            Encoder::Codec(Arc::new(codec.clone())),
            Decoder::Codec(Arc::new(codec)),
        )
    }

    fn with<U: ?Sized, V>(
        self,
        encoder: Encoder<U>,
        decoder: Decoder<V>,
    ) -> RequestClientBuilder<U, V> {
        let Self {
            core,
            topic,
            options,
            timeout,
            server_wait,
            in_flight,
            ..
        } = self;
        RequestClientBuilder {
            core,
            topic,
            encoder,
            decoder,
            options,
            timeout,
            server_wait,
            in_flight,
        }
    }

    /// How long a reply may take, unless the request says otherwise. Default 2 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a request may wait for a server to be there, before it ends with `NoServer`. Default: its timeout.
    #[must_use]
    pub fn server_wait(mut self, wait: Duration) -> Self {
        self.server_wait = Some(wait);
        self
    }

    /// How many requests may be in flight at once; one more ends with `Busy`. Default 65,536.
    #[must_use]
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.in_flight = requests.clamp(1, u32::MAX as usize);
        self
    }

    /// Looks for servers of the topic and connects to all of them.
    ///
    /// # Errors
    /// The name is no topic, an endpoint is none, or the node is closed.
    pub fn build(mut self) -> Result<RequestClient<Q, R>, BuildError> {
        let handle = Handle::new(&self.core, Kind::Client, &self.topic, &mut self.options)?;
        let late = Arc::new(OnceLock::new());
        let receiver = ClientReceiver::new(late.clone());
        let client = ClientCore::new(handle.clone(), self.in_flight);
        let _ = late.set(Arc::downgrade(&client));
        let weak = Arc::downgrade(&client);
        handle.on_lost(Box::new(move |found| {
            if let Some(client) = weak.upgrade() {
                client.lost(found);
            }
        }));
        handle.open(
            &self.options,
            None,
            self.encoder.encoding(),
            Receive::Inline(Box::new(receiver)),
        )?;
        let Self {
            encoder,
            decoder,
            timeout,
            server_wait,
            ..
        } = self;
        Ok(RequestClient {
            core: client,
            encoder,
            decoder,
            timeout,
            server_wait,
        })
    }
}

impl<Q: ?Sized, R> fmt::Debug for RequestClientBuilder<Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestClientBuilder")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// Asks the reply servers of one topic, each in turn, with any number of requests in flight. Cheap to clone.
///
/// Each request ends: with a reply or a [`RequestError`](crate::RequestError). A reply that comes after its request has ended is thrown away
/// and counted, never given to another.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::time::Duration;
/// let net = colugo::testing::Net::new();
/// let (a, b) = (net.node("a")?, net.node("b")?);
/// let _double = b.reply_server("double").json::<i64, i64>().on_request(|n, reply| {
///     reply.reply(&(2 * n)).ok();
/// })?;
/// let double = a.request_client("double").json::<i64, i64>().build()?;
/// assert_eq!(double.request(&21).timeout(Duration::from_millis(500)).wait()?, 42);
/// # Ok(()) }
/// ```
pub struct RequestClient<Q: ?Sized = [u8], R = Bytes> {
    pub(crate) core: Arc<ClientCore>,
    pub(crate) encoder: Encoder<Q>,
    pub(crate) decoder: Decoder<R>,
    pub(crate) timeout: Duration,
    pub(crate) server_wait: Option<Duration>,
}

impl<Q: ?Sized, R: Send + 'static> RequestClient<Q, R> {
    /// A request that is sent when it is waited for, awaited, started or given a callback.
    pub fn request<'a>(&'a self, value: &'a Q) -> Request<'a, Q, R> {
        Request::new(self, Payload::Value(value))
    }

    /// As [`request`](Self::request) with octets, past the codec.
    pub fn request_bytes(&self, payload: impl Into<Bytes>) -> Request<'_, Q, R> {
        Request::new(self, Payload::Bytes(payload.into()))
    }

    /// As [`request`](Self::request) with several frames, past the codec.
    pub fn request_parts<'a>(&'a self, parts: &'a [Bytes]) -> Request<'a, Q, R> {
        Request::new(self, Payload::Parts(parts))
    }

    /// Waits until a server is connected.
    ///
    /// # Errors
    /// None was there after `timeout`.
    #[doc(alias = "wait_for_service")]
    pub fn wait_for_server(&self, timeout: Duration) -> Result<(), WaitError> {
        self.wait_for_servers(1, timeout)
    }

    /// Waits until at least `n` servers are connected.
    ///
    /// # Errors
    /// Fewer were there after `timeout`.
    pub fn wait_for_servers(&self, n: usize, timeout: Duration) -> Result<(), WaitError> {
        self.core
            .handle
            .wait_for("servers", n, timeout, || self.server_count())
    }

    /// As [`wait_for_server`](Self::wait_for_server), as a future and without a timeout of its own.
    ///
    /// # Errors
    /// The client was closed.
    pub async fn wait_for_server_async(&self) -> Result<(), WaitError> {
        self.core
            .handle
            .wait_for_async(1, || self.server_count())
            .await
    }

    /// How many servers are connected.
    pub fn server_count(&self) -> usize {
        self.core.ready_links()
    }

    /// How many requests have not ended yet.
    pub fn in_flight(&self) -> usize {
        self.core.in_flight()
    }

    /// The topic, after remapping.
    pub fn topic(&self) -> &str {
        self.core.handle.topic.as_str()
    }

    /// Who is connected.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        self.core.handle.links.list()
    }

    /// What was counted so far: `sent` requests, `received` replies.
    pub fn stats(&self) -> Stats {
        self.core.handle.stats()
    }
}

impl<Q: ?Sized, R> Clone for RequestClient<Q, R> {
    fn clone(&self) -> Self {
        let Self {
            core,
            encoder,
            decoder,
            timeout,
            server_wait,
        } = self;
        Self {
            core: core.clone(),
            encoder: encoder.clone(),
            decoder: decoder.clone(),
            timeout: *timeout,
            server_wait: *server_wait,
        }
    }
}

impl<Q: ?Sized, R> fmt::Debug for RequestClient<Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestClient")
            .field("handle", &self.core.handle)
            .finish_non_exhaustive()
    }
}
