//! One small error enum per verb. Each variant is a fact: what happened, to whom, and what to do.

use std::io;
use std::time::Duration;

use colugo_graph::TopicError;
use colugo_socket::{BindError, ConnectError, EndpointError};

use crate::codec::{DecodeError, EncodeError};
use crate::settings::SettingsError;

/// Why a node could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The name can't be announced.
    #[error("{name:?} is no node name: use 1 to 63 letters, digits, `_`, `-` or `.`")]
    Name {
        /// What was asked for.
        name: String,
    },
    /// A setting of the builder, the environment or the file is wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Discovery or the control port could not be started.
    #[error("node {name:?} could not be started: {reason}")]
    Start {
        /// The node.
        name: String,
        /// What is in the way, and what to do.
        reason: String,
    },
    /// The system gave no random numbers, threads or descriptors.
    #[error("node {name:?} could not be started: {source}")]
    System {
        /// The node.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why a publisher, subscriber, client or server could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The name is no topic.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// One node has at most one publisher and one reply server of a topic: receivers could not tell two apart.
    #[error(
        "node {node:?} already has a {kind} of {topic:?}: clone that one, or use another topic"
    )]
    Duplicate {
        /// The node.
        node: String,
        /// `publisher` or `reply server`.
        kind: &'static str,
        /// The topic.
        topic: String,
    },
    /// An address is no endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The socket could not listen: the address or all ports of the range are in use, or no descriptors are left.
    #[error("the {kind} of {topic:?} can't listen: {source}")]
    Bind {
        /// `publisher` or `reply server`.
        kind: &'static str,
        /// The topic.
        topic: String,
        /// What is in the way.
        #[source]
        source: BindError,
    },
    /// The socket could not dial that address.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The socket could not be made.
    #[error(transparent)]
    Socket(#[from] colugo_socket::BuildError),
    /// The subscription is too long.
    #[error(transparent)]
    Subscribe(#[from] colugo_socket::SubscribeError),
    /// The node is closed.
    #[error("node {node:?} is closed")]
    Closed {
        /// The node.
        node: String,
    },
    /// The process was forked after the node was made; its threads are in the parent.
    #[error("this process was forked after node {node:?} was made: make the node in the child")]
    Forked {
        /// The node.
        node: String,
    },
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The codec can't write the value.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Larger than this publisher's limit.
    #[error(
        "a message of {octets} octets is over the limit of {limit}: raise `max_message` here and at the subscribers"
    )]
    TooLarge {
        /// Octets of all frames.
        octets: usize,
        /// The limit.
        limit: usize,
    },
    /// A publisher that blocks was used in an inline callback, which must not wait.
    #[error(
        "a publisher with Overflow::Block can't send in an inline callback: it might wait for itself"
    )]
    WouldDeadlock,
    /// The publisher or its node is closed.
    #[error("the publisher is closed")]
    Closed,
}

/// Why nothing was received.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// A message came, but its payload is not what this handle expects. The next call goes on with the next message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Nothing came in the time given.
    #[error("nothing was received in {0:?}")]
    TimedOut(Duration),
    /// Waiting in an inline callback would stall the thread that receives.
    #[error(
        "receiving in an inline callback would wait for itself: use a callback or a thread of your own"
    )]
    WouldDeadlock,
    /// The handle or its node is closed, and everything that had come was taken.
    #[error("the node is closed")]
    Closed,
    /// The process was forked after the node was made.
    #[error("this process was forked after the node was made: make the node in the child")]
    Forked,
}

/// Why a wait for peers ended without them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// They did not come in the time given.
    #[error(
        "{have} of {wanted} {what} of {topic:?} were there after {waited:?}; `node.graph()` shows who is heard"
    )]
    TimedOut {
        /// `subscribers`, `publishers` or `servers`.
        what: &'static str,
        /// The topic.
        topic: String,
        /// How many are there.
        have: usize,
        /// How many were waited for.
        wanted: usize,
        /// How long.
        waited: Duration,
    },
    /// Waiting in an inline callback would stall the thread that connects.
    #[error("waiting in an inline callback would wait for itself")]
    WouldDeadlock,
    /// The node is closed.
    #[error("the node is closed")]
    Closed,
    /// The process was forked after the node was made.
    #[error("this process was forked after the node was made: make the node in the child")]
    Forked,
}

/// How a request ended without a reply.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No reply server was there in the time given for that; nothing was sent.
    #[error("no reply server of {topic:?} after {waited:?}: is one running in this namespace?")]
    NoServer {
        /// The topic.
        topic: String,
        /// How long a server was waited for.
        waited: Duration,
    },
    /// The server did not reply in time. It may still do what was asked.
    #[error("no reply to the request on {topic:?} in {waited:?}")]
    TimedOut {
        /// The topic.
        topic: String,
        /// The request's timeout.
        waited: Duration,
    },
    /// The server said no, or dropped the request unanswered.
    #[error("the server refused the request ({code}): {text}")]
    Refused {
        /// What the server chose; see [`Refusal`](crate::Refusal) for Colugo's own.
        code: u16,
        /// Why, for people.
        text: String,
    },
    /// Too many requests are in flight: nothing was sent.
    #[error("too many requests on {topic:?} are in flight")]
    Busy {
        /// The topic.
        topic: String,
    },
    /// The connection to the server ended first. The server may have done what was asked.
    #[error("the connection to the server of {topic:?} ended before it replied")]
    Disconnected {
        /// The topic.
        topic: String,
    },
    /// The codec can't write the request.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A reply came, but is not what this client expects.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Larger than this client's limit.
    #[error("a request of {octets} octets is over the limit of {limit}")]
    TooLarge {
        /// Octets of all frames.
        octets: usize,
        /// The limit.
        limit: usize,
    },
    /// `wait()` where it would wait for itself: in an inline callback, or in a callback of the node that serves the topic.
    #[error(
        "waiting for a reply here would wait for itself: use `.on_reply(…)`, or another thread"
    )]
    WouldDeadlock,
    /// The client or its node is closed.
    #[error("the node is closed")]
    Closed,
    /// The process was forked after the node was made.
    #[error("this process was forked after the node was made: make the node in the child")]
    Forked,
}

/// Why a reply was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The codec can't write the reply. The client got `Refused`.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The client is gone.
    #[error("the client is not connected any more")]
    Disconnected,
    /// The client takes no more: its queue is full.
    #[error("the client does not take its replies: its queue is full")]
    Full,
    /// Larger than this server's limit. The client got `Refused`.
    #[error("a reply of {octets} octets is over the limit of {limit}: raise `max_message`")]
    TooLarge {
        /// Octets of all frames.
        octets: usize,
        /// The limit.
        limit: usize,
    },
    /// The server or its node is closed.
    #[error("the reply server is closed")]
    Closed,
}

/// Why callbacks were not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Callbacks of a node run on one thread at a time.
    #[error("the callbacks of node {node:?} are run by another thread already")]
    AlreadyRunning {
        /// The node.
        node: String,
    },
    /// The node is closed.
    #[error("node {node:?} is closed")]
    Closed {
        /// The node.
        node: String,
    },
    /// The process was forked after the node was made.
    #[error("this process was forked after node {node:?} was made: make the node in the child")]
    Forked {
        /// The node.
        node: String,
    },
    /// The system gave no thread, or did not let the signals be watched.
    #[error("the callbacks of node {node:?} can't be run: {source}")]
    System {
        /// The node.
        node: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why closing is not complete.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// Some messages were still unsent at the deadline, and are lost.
    #[error("node {node:?} had unsent messages after {waited:?}")]
    TimedOut {
        /// The node.
        node: String,
        /// How long.
        waited: Duration,
    },
}
