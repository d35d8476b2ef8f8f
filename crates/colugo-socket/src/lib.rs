//! ZeroMQ sockets in safe Rust, without libzmq: PUB, SUB, XPUB, XSUB, REQ, REP, DEALER, ROUTER, PUSH, PULL and PAIR over TCP, ipc and
//! inproc, for ZMTP 3.0 and 3.1 peers; and [proxies](proxy) between them.
//!
//! ```
//! use colugo_socket::{PubSocket, SubSocket};
//! use std::time::Duration;
//!
//! let publisher = PubSocket::new()?;
//! let endpoint = publisher.bind("tcp://127.0.0.1:0")?;
//! let subscriber = SubSocket::new()?;
//! subscriber.subscribe("pose")?;
//! subscriber.connect(&endpoint)?;
//!
//! assert!(publisher.wait_for_subscribers(1, Duration::from_secs(10)), "the first message is not lost");
//! publisher.send("pose 1 2")?;
//! assert_eq!(subscriber.recv()?.payload(), "pose 1 2");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Three ways to receive
//!
//! One at a time ([`Socket::recv`], `recv_timeout`, `try_recv`, `recv_async`), many at once ([`Socket::recv_batch`]), or borrowed, on the data
//! thread, without a queue in between ([`Handler`]). No runtime is needed: the futures run on any executor.
//!
//! # What is bounded
//!
//! Queues in messages and octets ([`QueueLimit`]), messages, frames, commands, handshakes, connections, subscriptions: each with its default in
//! [`limits`]. What does not fit is refused or dropped, and counted ([`Stats`]).
//!
//! # Threads
//!
//! All sockets of a process share one data thread, which starts with the first socket and ends with the last. On Linux a thread that waits in `recv`
//! for messages that come one by one, more than 0.2 ms apart, reads the network in its place, for all sockets: a message then wakes one thread, not
//! two. Its stack should have 128 KiB for that. [`Builder::any_thread`] says when it is not done.
#![forbid(unsafe_code)]
// Nothing a peer sends may end in a panic; the modules that take octets apart deny unchecked arithmetic as well.
#![cfg_attr(
    not(test),
    deny(
        clippy::unreachable,
        clippy::string_slice,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::indexing_slicing
    )
)]

mod alarm;
mod batch;
mod beats;
mod builder;
mod clock;
mod core;
mod delivery;
mod dial;
mod endpoint;
mod error;
mod event;
mod flow;
mod flusher;
mod gate;
mod greet;
mod held_topics;
mod inbox;
mod inproc;
#[cfg(unix)]
mod ipc;
pub mod kind;
mod lead;
mod link;
mod listen;
mod lobby;
mod message;
mod names;
mod options;
mod outbox;
mod own_topics;
mod pair;
mod parser;
mod peer;
mod pipe;
mod pong;
pub mod proxy;
mod pulse;
mod random;
mod request;
mod rhythm;
mod runs;
mod runtime;
#[cfg(any(test, fuzzing))]
mod scripted;
mod sealed;
mod security;
mod sending;
mod session;
#[cfg(test)]
mod simulator;
mod socket;
mod spare;
mod spares;
mod stamping;
mod stats;
mod stream;
mod table;
mod tasks;
mod tcp;
mod trunk;
mod writer;
mod xpub;
mod xsub;

/// Every default and bound, with its unit and reason.
pub mod limits {
    pub use crate::options::{
        ACCEPT_PAUSE, AWAY, BACKLOG, CLOSING_PAUSE, CONNECT_TIMEOUT, DESCRIPTOR_RESERVE, DROP_WAIT,
        HANDSHAKE_GRACE, HANDSHAKE_TIMEOUT, HEALTHY_AFTER, HEARTBEAT, KEEPALIVE_AFTER,
        KEEPALIVE_EVERY, LANE_WINDOW, LANE_WITHIN, LEAVE_WAIT, LINGER, MAX_COMMAND,
        MAX_CONNECTIONS_DEFAULT, MAX_CROWD, MAX_FRAMES, MAX_HANDSHAKES, MAX_LANES,
        MAX_MESSAGE_DEFAULT, MAX_MESSAGE_LIMIT, MAX_PONGS, MAX_TTL_DS, MAX_UNREAD_SUBSCRIPTIONS,
        MIN_INTERVAL, MIN_TTL, NO_TRUNK_FOR, PIPE_OCTETS, PONG_BEFORE, READ_BEFORE, RECONNECT,
        SHORTAGE, SLOW_FOR, SPEAKER_GRACE, TRUNK_IDLE, TRUNK_OUT, TRUNKS_LEAVE, UNTAKEN_TIMEOUT,
    };
}

/// What fuzz targets see: no part of the API, and not there in any build but theirs.
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    pub use crate::scripted::{Output, Scripted, Setup, Stamps, State};
    pub use crate::trunk::Trunked;
}

pub use builder::Builder;
pub use bytes::Bytes;
pub use colugo_zmtp::{Decision, HandshakeError, Mechanism, Question, SocketType};
pub use endpoint::{Endpoint, EndpointError, ToEndpoint};
pub use error::{
    BindError, BuildError, ConnectError, ProxyError, RecvError, SendError, SubscribeError,
};
pub use event::{DownReason, Handler, HandshakeFault, RefusedWhy, SocketEvent};
pub use inbox::{Inbox, RecvFuture};
pub use message::{LinkId, Message, MessageRef, Meta, Outgoing};
pub use options::{Overflow, QueueLimit};
pub use peer::Peer;
pub use runtime::on_data_thread;
pub use security::Security;
pub use socket::{
    DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterSocket, Socket, SubSocket, XPubSocket, XSubSocket,
};
pub use stats::{PeerStats, Sent, Stats};
pub use trunk::{Lane, Trunk};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
