//! One small error enum per verb.

use std::io;
use std::time::Duration;

use colugo_zmtp::SocketType;

use crate::endpoint::EndpointError;

/// Why a socket could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The data thread could not be started.
    #[error(
        "the data thread could not be started ({0}): the process may be out of threads, memory or file descriptors"
    )]
    Thread(#[source] io::Error),
    /// This process was forked from one that used sockets; threads do not survive a fork.
    #[error(
        "this process was forked after sockets were made: make them in the child, or fork first"
    )]
    Forked,
    /// An identity of more than 255 octets.
    #[error("an identity has at most 255 octets, this one has {0}")]
    IdentityTooLong(usize),
    /// A property that the handshake cannot carry.
    #[error(
        "the property `{0}` cannot be sent: names are letters, digits and -_.+ (1 to 255), all of them together at most 4 KiB"
    )]
    Property(String),
    /// Message limit out of range.
    #[error("the message limit must be 1 octet to 1 GiB, not {0}")]
    MessageLimit(usize),
    /// Heartbeats too close to each other, or not given the time for an answer.
    #[error(
        "a heartbeat needs an interval of at least 10 ms and a timeout of at least three times that, not {interval:?} and {timeout:?}"
    )]
    Heartbeat {
        /// Between two PINGs.
        interval: Duration,
        /// Until a silent connection is closed.
        timeout: Duration,
    },
    /// A queue that holds nothing.
    #[error("a queue must hold at least one message and one octet")]
    EmptyQueue,
}

/// Why a socket could not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The text is no endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Another socket listens there.
    #[error(
        "{0} is in use by another socket: choose another port or name, or port 0 for a free one"
    )]
    InUse(String),
    /// No interface of this machine has that address.
    #[error("no interface of this machine has the address of {0}")]
    NoInterface(String),
    /// Not allowed, for example a port below 1024, or a path in a directory of somebody else's.
    #[error(
        "not allowed to listen on {0}: ports below 1024 need a privilege, paths a directory one may write to"
    )]
    NotAllowed(String),
    /// A file of that name is there, and it is no socket.
    #[error("{0} names a file that is no socket: move it away, or choose another path")]
    NotASocket(String),
    /// The name does not resolve.
    #[error("the name in {0} does not resolve: {1}")]
    Resolve(String, #[source] io::Error),
    /// The process or system has no file descriptors left.
    #[error(
        "no file descriptors left to listen on {0}: raise the limit (ulimit -n) or close something"
    )]
    NoDescriptors(String),
    /// The system refused for another reason.
    #[error("listening on {0} failed: {1}")]
    Io(String, #[source] io::Error),
    /// The socket is closed.
    #[error("the socket is closed")]
    Closed,
}

/// Why a socket will not dial.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text is no endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Port 0 and `ipc://*` can be bound, not dialled.
    #[error("{0} cannot be dialled: asking for a free port or path only makes sense for listening")]
    PortZero(String),
    /// The socket is closed.
    #[error("the socket is closed")]
    Closed,
}

/// Why a message was not sent, or not to everyone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Every queue stayed full, or no peer was there, for as long as the sender may wait.
    #[error("no peer has room: all queues are full, or nobody is connected")]
    Full,
    /// The link is gone.
    #[error("that peer is not connected (any more)")]
    NoPeer,
    /// Larger than the socket's own limit.
    #[error(
        "the message has {octets} octets, the limit is {limit}: raise max_message on both sides"
    )]
    TooLarge {
        /// Octets of all frames.
        octets: usize,
        /// The limit.
        limit: usize,
    },
    /// Waiting is not possible here: the caller is the data thread, which alone could make room.
    #[error("waiting for room inside an inline callback would never end")]
    WouldDeadlock,
    /// REQ and REP alternate between sending and receiving.
    #[error("{0}")]
    Order(&'static str),
    /// A ROUTER's message begins with the identity of the peer it goes to.
    #[error(
        "a ROUTER's message needs the receiver's identity as its first frame, and at least one more"
    )]
    NoIdentity,
    /// XSUB: the message was a subscription that this socket cannot make.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// The socket is closed.
    #[error("the socket is closed")]
    Closed,
}

/// Why nothing was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// Nothing was there, for as long as the receiver may wait.
    #[error("nothing arrived in time")]
    TimedOut,
    /// Waiting is not possible here: the caller is the data thread, which alone could bring a message.
    #[error("waiting for a message inside an inline callback would never end")]
    WouldDeadlock,
    /// REQ receives only after it has sent.
    #[error("{0}")]
    Order(&'static str),
    /// The socket is closed and everything received was taken.
    #[error("the socket is closed")]
    Closed,
}

/// Why a proxy was not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// A socket was built with a handler, which gets all its messages.
    #[error("the {0} was built with a handler, which gets all its messages: build it without")]
    Handler(SocketType),
    /// A socket announces `X-Colugo`, or stamps its messages; both go from one connection to the next only.
    #[error(
        "the {0} announces X-Colugo, which a proxy cannot keep: build it without that property"
    )]
    Colugo(SocketType),
}

/// Why a topic was not subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// Too many or too long.
    #[error("a socket has at most 4096 subscriptions of at most 512 octets each")]
    Limit,
    /// The socket is closed.
    #[error("the socket is closed")]
    Closed,
}
