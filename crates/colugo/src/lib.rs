//! Nodes that find each other and talk over plain ZeroMQ: no broker, no daemon, no configuration.
//!
//! A [`Node`] finds the other nodes of its network by itself. From it come publishers and subscribers, request clients and reply servers, which
//! meet by *topic name*. Each topic is a plain ZeroMQ endpoint too, so that any ZeroMQ program can take part.
//!
//! The examples run without a network, on [`testing::Net`]; in a program write [`Node::new("name")?`](Node::new) where they say
//! `net.node("name")?`.
//!
//! # Publish and subscribe
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::time::Duration;
//! # #[derive(serde::Serialize, serde::Deserialize)]
//! # struct Pose { x: f64 }
//! # let net = colugo::testing::Net::new();
//! let node = net.node("robot")?;
//! let poses = node.publisher("pose").json::<Pose>().build()?;
//! let seen = node.subscriber("pose").json::<Pose>().queue(64).build()?;
//!
//! poses.wait_for_subscribers(1, Duration::from_secs(5))?; // nothing is kept for those who come later
//! poses.send(&Pose { x: 1.0 })?;                          // never blocks; what is dropped is counted
//! let message = seen.recv_timeout(Duration::from_secs(1))?;
//! assert_eq!(message.value.x, 1.0);
//! # Ok(()) }
//! ```
//!
//! # Request and reply
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::time::Duration;
//! # let net = colugo::testing::Net::new();
//! # let (here, there) = (net.node("here")?, net.node("there")?);
//! let _server = there.reply_server("add").json::<(i64, i64), i64>().on_request(|(a, b), reply| {
//!     reply.reply(&(a + b)).ok();
//! })?;
//! there.spawn()?; // callbacks need a thread that runs them
//!
//! let add = here.request_client("add").json::<(i64, i64), i64>().build()?;
//! assert_eq!(add.request(&(1, 2)).timeout(Duration::from_millis(500)).wait()?, 3);
//! # Ok(()) }
//! ```
//!
//! Every request ends, with a reply or one of the ways of [`RequestError`]; any number can be in flight; several servers take turns.
//!
//! # Callbacks
//!
//! Callbacks run one at a time on the thread that calls [`Node::run`], or on one that [`Node::spawn`] starts. So `FnMut` is enough, nothing needs
//! a lock, and a slow callback holds up other callbacks of its node but neither discovery nor other nodes.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::time::Duration;
//! # let net = colugo::testing::Net::new();
//! let node = net.node("counter")?;
//! let counts = node.publisher("count").json::<u64>().build()?;
//! let mut n = 0;
//! let _tick = node.repeater(Duration::from_millis(20)).on_tick(move || {
//!     n += 1;
//!     counts.send(&n).ok();
//! })?;
//! let _seen = node.subscriber("count").json::<u64>().on_message(|m| println!("{}", m.value))?;
//! node.run_for(Duration::from_secs(1))?; // or run(), or run_until_signal()
//! # Ok(()) }
//! ```
//!
//! # Async
//!
//! The same handles, on any executor: the library brings its own threads and no runtime of yours is needed.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # pollster::block_on(async {
//! # let net = colugo::testing::Net::new();
//! # let node = net.node("robot")?;
//! # let _server = node.reply_server("add").json::<(i64, i64), i64>().on_request(|(a, b), reply| { reply.reply(&(a + b)).ok(); })?;
//! let add = node.request_client("add").json::<(i64, i64), i64>().build()?;
//! assert_eq!(add.request(&(1, 2)).await?, 3);
//! let seen = node.subscriber("pose").build()?; // recv_async(), and a `Stream`
//! # node.publisher("pose").build()?.send(b"x")?;
//! assert_eq!(seen.recv_async().await?.value, "x");
//! node.close().await?;
//! # Ok(()) })
//! # }
//! ```
//!
//! # Features
//!
//! `json`, `log` and `signals` are on by default; `msgpack` and `protobuf` add codecs, `testing` the virtual network. All only add.
//!
//! # Settings
//!
//! See [`Node::builder`], and [`settings()`] for where each value came from.
#![doc = include_str!("settings.md")]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

/// What fuzz targets see: no part of the API, and not there in any build but theirs.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use crate::control::outsiders_from_packets as outsiders;
    pub use crate::control::record_from_octets as record;
}

mod builder;
mod callbacks;
mod client_core;
mod codec;
mod connected;
mod control;
mod core;
mod error;
mod event;
mod executor;
mod graph;
mod guard;
mod handle;
mod handle_options;
#[cfg(feature = "log")]
mod log;
mod losses;
mod message;
mod node;
mod peer;
mod pending;
mod ports;
mod publisher;
mod real;
mod repeater;
mod reply_server;
mod request;
mod request_client;
mod request_ref;
mod responder;
mod schedule;
mod serving;
mod settings;
mod sharing;
#[cfg(feature = "signals")]
mod signals;
mod sockets;
mod stats;
mod subscriber;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod timers;
mod transport;
mod wire;

pub use builder::{Network, NodeBuilder};
pub use bytes::Bytes;
#[cfg(feature = "json")]
pub use codec::Json;
#[cfg(feature = "msgpack")]
pub use codec::MsgPack;
#[cfg(feature = "protobuf")]
pub use codec::Protobuf;
pub use codec::{Decode, DecodeError, Encode, EncodeError, Text};
pub use colugo_graph::{
    DialFailure, FixedPeerInfo, GraphSize, InterfaceInfo, NodeId, NodeState, Topic, TopicError,
};
pub use colugo_socket::{
    BindError, ConnectError, Endpoint, EndpointError, LinkId, MessageRef, Overflow, Sent,
};
pub use error::{
    BuildError, CloseError, NodeError, RecvError, ReplyError, RequestError, RunError, SendError,
    WaitError,
};
pub use event::{Event, Events};
pub use graph::{Graph, GraphNode, GraphService, GraphTopic, NodeStep};
pub use guard::Guard;
#[cfg(feature = "log")]
pub use log::log_to_stderr;
pub use message::{Message, MessageMeta};
pub use node::{Closing, Node, StopHandle};
pub use peer::Peer;
pub use publisher::{Publisher, PublisherBuilder};
pub use repeater::{Repeater, RepeaterBuilder};
pub use reply_server::{ReplyServer, ReplyServerBuilder};
pub use request::{PendingReply, Request};
pub use request_client::{RequestClient, RequestClientBuilder};
pub use request_ref::RequestRef;
pub use responder::{Refusal, Responder};
pub use schedule::MissedTicks;
pub use settings::{Origin, OriginalRecords, Setting, SettingsError, settings};
pub use stats::{Dropped, Stats};
pub use subscriber::{Subscriber, SubscriberBuilder};
