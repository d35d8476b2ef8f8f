//! ZMTP 3.1, the protocol of ZeroMQ, on bytes.
//!
//! This crate turns octets into handshakes, frames, commands and subscriptions, and back. It has no
//! sockets, threads, clock or random source, so it can be driven by any kind of I/O, and every test
//! of it is exact.
//!
//! # Contract
//!
//! - **Handshake.** One [`Handshake`] a connection, the same on both sides. Send what
//!   [`Handshake::transmit`] gives; pass what arrives to [`Handshake::receive`] until it returns a
//!   [`PeerHello`]. Deadlines are the caller's.
//! - **Traffic** has no state here. [`parse_header`] finds the frame at the start of a buffer; the
//!   caller has the buffer, compares the announced size with its limits before it makes room, and
//!   gives the body of a command frame to [`Command::parse`]. [`put_frame`], [`put_header`] and
//!   [`Command::encode`] append whole frames to a `Vec<u8>`.
//! - **Anything may arrive.** No input makes a function panic, recurse, or allocate more than in
//!   proportion to the octets received; all bounds are constants of this crate. The results are the
//!   same however the input is cut, and each error names the rule that was broken. After an error
//!   the connection can't be used: close it.
//! - **Versions.** Peers of ZMTP 3.0 and later are spoken to; 1.0 and 2.0 are recognised and
//!   refused.
//! - **Security.** A [`Mechanism`] is a part of its own, given to [`Handshake::with_mechanism`];
//!   [`Null`] is the one that is here. What it may ask of the caller, and how it seals traffic, is
//!   part of the contract already, and costs those who use NULL nothing.
//!
//! # Two handshakes talking
//!
//! ```
//! use colugo_zmtp::{Handshake, HandshakeConfig, SocketType, parse_header, put_frame};
//!
//! let mut publisher = Handshake::new(HandshakeConfig::new(SocketType::Pub));
//! let mut subscriber = Handshake::new(HandshakeConfig::new(SocketType::Sub));
//! let (mut to_subscriber, mut to_publisher) = (Vec::new(), Vec::new());
//! let (mut at_publisher, mut at_subscriber) = (None, None);
//!
//! while at_publisher.is_none() || at_subscriber.is_none() {
//!     publisher.transmit(&mut to_subscriber); // a real program writes this to its connection
//!     let (taken, hello) = subscriber.receive(&to_subscriber)?;
//!     to_subscriber.drain(..taken);
//!     at_subscriber = at_subscriber.or(hello);
//!
//!     subscriber.transmit(&mut to_publisher);
//!     let (taken, hello) = publisher.receive(&to_publisher)?;
//!     to_publisher.drain(..taken);
//!     at_publisher = at_publisher.or(hello);
//! }
//! assert_eq!(at_publisher.unwrap().socket_type, SocketType::Sub);
//! assert_eq!(at_subscriber.unwrap().socket_type, SocketType::Pub);
//!
//! put_frame(&mut to_subscriber, b"hello", false);
//! let frame = parse_header(&to_subscriber)?.expect("a whole header");
//! assert_eq!(&to_subscriber[frame.header_len..], b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The specifications are [RFC 37](https://rfc.zeromq.org/spec/37/) (ZMTP 3.1), [RFC
//! 23](https://rfc.zeromq.org/spec/23/) (3.0) and, for the rules of each socket type,
//! [28](https://rfc.zeromq.org/spec/28/) to [31](https://rfc.zeromq.org/spec/31/). Where libzmq
//! does otherwise this crate takes what libzmq sends.
#![forbid(unsafe_code)]
// Nothing a peer sends may end in a panic: no index, no unwrap, no arithmetic that could overflow.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

mod command;
mod frame;
mod greeting;
mod handshake;
mod handshake_error;
mod hello;
mod limits;
mod mechanism;
mod metadata;
mod sealing;
mod socket_type;
mod stamp;
mod subscriptions;
mod trunk_frame;

pub use command::{
    Command, CommandError, parse_subscription_message, put_cancel, put_command, put_subscribe,
};
pub use frame::{FrameError, FrameHeader, MAX_HEADER_LEN, parse_header, put_frame, put_header};
pub use greeting::{GREETING_LEN, Greeting, GreetingError, MechanismName};
pub use handshake::Handshake;
pub use handshake_error::{HandshakeError, HandshakeFault};
pub use hello::{HandshakeConfig, PeerHello};
pub use limits::*;
pub use mechanism::{Decision, Mechanism, Null, Question, Step};
pub use metadata::{Metadata, MetadataError, MetadataLimits};
pub use sealing::{Open, OpenError, Opened, Seal, SealError, Sealing};
pub use socket_type::SocketType;
pub use stamp::{Cause, Losses, Stamp};
pub use subscriptions::{SubscriptionLimit, SubscriptionSet};
pub use trunk_frame::{TrunkFrame, put_lane_data};

/// The README's example, so that it is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
