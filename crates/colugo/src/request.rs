//! `Request`: one about to be sent, with its options; and `PendingReply`: one in flight, to be waited for, awaited or cancelled by dropping it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use colugo_graph::NodeId;

use crate::client_core::{Body, ClientCore, Limits};
use crate::codec::Decoder;
use crate::error::RequestError;
use crate::executor::in_inline;
use crate::pending::{Failure, Outcome, Waiter};
use crate::request_client::RequestClient;
use crate::stats::count;

pub(crate) enum Payload<'a, Q: ?Sized> {
    Value(&'a Q),
    Bytes(Bytes),
    Parts(&'a [Bytes]),
}

/// A request that is not sent yet. Four ways to send it: [`wait`](Self::wait), `.await`, [`on_reply`](Self::on_reply), [`start`](Self::start).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::time::Duration;
/// let net = colugo::testing::Net::new();
/// let node = net.node("a")?;
/// let _echo = node.reply_server("echo").on_request(|q, reply| { reply.reply(&q).ok(); })?;
/// let echo = node.request_client("echo").build()?;
/// assert_eq!(echo.request(b"hi").wait()?, "hi");
/// assert_eq!(pollster::block_on(async { echo.request(b"ho").await })?, "ho");
/// echo.request(b"hu").on_reply(|reply| assert_eq!(reply.ok(), Some("hu".into())));
/// let many: Vec<_> = (0..100u8).map(|n| echo.request(&[n]).start()).collect();
/// for (n, pending) in (0..100u8).zip(many) {
///     assert_eq!(pending.wait()?, [n][..]);
/// }
/// # Ok(()) }
/// ```
#[must_use = "a request is sent by .wait(), .await, .on_reply(…) or .start()"]
pub struct Request<'a, Q: ?Sized, R> {
    client: &'a RequestClient<Q, R>,
    payload: Payload<'a, Q>,
    limits: Limits,
}

impl<'a, Q: ?Sized, R: Send + 'static> Request<'a, Q, R> {
    pub(crate) fn new(client: &'a RequestClient<Q, R>, payload: Payload<'a, Q>) -> Self {
        let timeout = client.timeout;
        let server_wait = client.server_wait.unwrap_or(timeout);
        Self {
            client,
            payload,
            limits: Limits {
                timeout,
                server_wait,
            },
        }
    }

    /// How long the reply may take, the wait for a server included.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        if self.client.server_wait.is_none() {
            self.limits.server_wait = timeout;
        }
        self
    }

    /// How long a server may take to be there. Zero: only servers that are connected now will do.
    pub fn server_wait(mut self, wait: Duration) -> Self {
        self.limits.server_wait = wait;
        self
    }

    /// Sends the request and waits for the reply on this thread.
    ///
    /// # Errors
    /// Every way in which a request can end without a reply is a [`RequestError`].
    pub fn wait(self) -> Result<R, RequestError> {
        let waited = self.limits;
        let (client, decoder) = (&self.client.core, &self.client.decoder);
        may_wait()?;
        let avoid = deadlocking_node(client);
        let id = match self.send(avoid, Waiter::Nobody, false) {
            Ok(id) => id,
            Err((failure, _)) => return Err(error_of(client, waited, failure)),
        };
        surface(client, decoder, waited, client.wait(id))
    }

    /// Sends the request and calls `callback` with its end where the node's callbacks run; always, and once.
    pub fn on_reply(self, callback: impl FnOnce(Result<R, RequestError>) + Send + 'static) {
        self.call_back(callback, false);
    }

    /// Sends the request and calls `callback` with its end on the thread that learns of it: the one that reads the network, the timer
    /// thread, or this one. It must not wait for anything.
    pub fn on_reply_inline(self, callback: impl FnOnce(Result<R, RequestError>) + Send + 'static) {
        self.call_back(callback, true);
    }

    /// Sends the request. The reply is waited for later, so that many requests can be in flight.
    pub fn start(self) -> PendingReply<R> {
        let waited = self.limits;
        let (client, decoder) = (self.client.core.clone(), self.client.decoder.clone());
        let state = match self.send(None, Waiter::Nobody, true) {
            Ok(id) => State::InFlight(id),
            Err((failure, _)) => State::Failed(error_of(&client, waited, failure)),
        };
        PendingReply {
            client,
            decoder,
            limits: waited,
            state,
        }
    }

    fn call_back(
        self,
        callback: impl FnOnce(Result<R, RequestError>) + Send + 'static,
        inline: bool,
    ) {
        let waited = self.limits;
        let (client, decoder) = (self.client.core.clone(), self.client.decoder.clone());
        let on = Arc::downgrade(&client);
        let wrapped = Box::new(move |outcome: Outcome| match on.upgrade() {
            Some(client) => callback(surface(&client, &decoder, waited, outcome)),
            None => callback(Err(RequestError::Closed)),
        });
        let waiter = if inline {
            Waiter::Inline(wrapped)
        } else {
            Waiter::Callback(wrapped)
        };
        if let Err((failure, waiter)) = self.send(None, waiter, true) {
            client.refuse(waiter, failure);
        }
    }

    fn send(
        self,
        avoid: Option<NodeId>,
        waiter: Waiter,
        watch: bool,
    ) -> Result<u64, (Failure, Waiter)> {
        let Self {
            client,
            payload,
            limits,
        } = self;
        let core = &client.core;
        match payload {
            Payload::Value(value) => {
                // Kept out here for the case that the value can't be written.
                let mut waiter = Some(waiter);
                let encoded = client.encoder.encode(value, |octets| {
                    let waiter = waiter.take().unwrap_or_default();
                    core.begin(&Body::Slice(octets), limits, avoid, waiter, watch)
                });
                encoded.unwrap_or_else(|error| {
                    Err((Failure::Encode(error), waiter.unwrap_or_default()))
                })
            }
            Payload::Bytes(bytes) => {
                core.begin(&Body::Parts(&[bytes]), limits, avoid, waiter, watch)
            }
            Payload::Parts(parts) => core.begin(&Body::Parts(parts), limits, avoid, waiter, watch),
        }
    }
}

impl<Q: ?Sized, R: Send + 'static> IntoFuture for Request<'_, Q, R> {
    type Output = Result<R, RequestError>;
    type IntoFuture = PendingReply<R>;

    /// Sends the request.
    fn into_future(self) -> PendingReply<R> {
        self.start()
    }
}

impl<Q: ?Sized, R> fmt::Debug for Request<'_, Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("client", self.client)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A request in flight: a future, or waited for. Dropping it cancels: the reply, if one comes, is thrown away.
///
/// Cancelling does not stop the server: it still does what it was asked.
#[must_use = "dropping a PendingReply cancels the request"]
pub struct PendingReply<R> {
    client: Arc<ClientCore>,
    decoder: Decoder<R>,
    limits: Limits,
    state: State,
}

enum State {
    InFlight(u64),
    Failed(RequestError),
    Over,
}

impl<R> PendingReply<R> {
    /// Waits for the reply on this thread.
    ///
    /// # Errors
    /// As [`Request::wait`].
    pub fn wait(mut self) -> Result<R, RequestError> {
        may_wait()?;
        match std::mem::replace(&mut self.state, State::Over) {
            State::InFlight(id) => {
                if deadlocking_node(&self.client).is_some() && self.client.goes_to_own_node(id) {
                    self.client.cancel(id);
                    return Err(RequestError::WouldDeadlock);
                }
                surface(
                    &self.client,
                    &self.decoder,
                    self.limits,
                    self.client.wait(id),
                )
            }
            State::Failed(error) => Err(error),
            State::Over => Err(RequestError::Closed),
        }
    }

    /// Whether waiting would not wait.
    pub fn is_done(&self) -> bool {
        match self.state {
            State::InFlight(id) => self.client.is_done(id),
            State::Failed(_) | State::Over => true,
        }
    }
}

impl<R> Future for PendingReply<R> {
    type Output = Result<R, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::InFlight(id) => match self.client.poll(id, Waiter::Task(cx.waker().clone())) {
                Some(outcome) => {
                    Poll::Ready(surface(&self.client, &self.decoder, self.limits, outcome))
                }
                None => {
                    self.state = State::InFlight(id);
                    Poll::Pending
                }
            },
            State::Failed(error) => Poll::Ready(Err(error)),
            State::Over => Poll::Ready(Err(RequestError::Closed)),
        }
    }
}

impl<R> Unpin for PendingReply<R> {}

impl<R> Drop for PendingReply<R> {
    fn drop(&mut self) {
        if let State::InFlight(id) = self.state {
            self.client.cancel(id);
        }
    }
}

impl<R> fmt::Debug for PendingReply<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingReply")
            .field("handle", &self.client.handle)
            .field("done", &self.is_done())
            .finish_non_exhaustive()
    }
}

fn may_wait() -> Result<(), RequestError> {
    if in_inline() || colugo_socket::on_data_thread() {
        return Err(RequestError::WouldDeadlock);
    }
    Ok(())
}

/// The own node, if its server of this topic can't answer while the caller waits: both run where the node's callbacks do.
fn deadlocking_node(client: &ClientCore) -> Option<NodeId> {
    let core = &client.handle.core;
    (core.executor.is_current() && core.answers_by_callback(&client.handle.topic))
        .then_some(core.id)
}

/// What the user gets of an outcome.
fn surface<R>(
    client: &ClientCore,
    decoder: &Decoder<R>,
    limits: Limits,
    outcome: Outcome,
) -> Result<R, RequestError> {
    match outcome {
        Ok(raw) => decoder.decode(raw).map_err(|error| {
            count(&client.handle.counters.decode_failed);
            error.into()
        }),
        Err(failure) => Err(error_of(client, limits, failure)),
    }
}

fn error_of(client: &ClientCore, limits: Limits, failure: Failure) -> RequestError {
    let topic = client.handle.topic.to_string();
    match failure {
        Failure::Encode(error) => error.into(),
        Failure::NoServer => RequestError::NoServer {
            topic,
            waited: limits.server_wait.min(limits.timeout),
        },
        Failure::TimedOut => RequestError::TimedOut {
            topic,
            waited: limits.timeout,
        },
        Failure::Refused { code, text } => RequestError::Refused { code, text },
        Failure::Busy => RequestError::Busy { topic },
        Failure::Disconnected => RequestError::Disconnected { topic },
        Failure::TooLarge { octets, limit } => RequestError::TooLarge { octets, limit },
        Failure::WouldDeadlock => RequestError::WouldDeadlock,
        Failure::Closed => RequestError::Closed,
        Failure::Forked => RequestError::Forked,
    }
}
