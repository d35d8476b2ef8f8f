//! What each fuzz target does with its octets: more than not to panic. What was accepted is written back as it was, however it was cut; a
//! plain model says the same; memory stays in proportion to the input. Knows no fuzzer: libFuzzer drives it from `fuzz_targets`, and
//! `tests/corpus.rs` from the corpus alone.
//!
//! Everything is built with `cfg(fuzzing)`, by which colugo-socket and colugo show what is not part of their API.

#[cfg(not(fuzzing))]
compile_error!("built by `cargo xtask fuzz`, or with RUSTFLAGS='--cfg fuzzing'");

mod commands;
mod connection;
mod control;
mod dns;
mod frames;
mod greeting;
mod handshake;
mod input;
mod memory;
mod metadata;
mod names;
mod seeds;
mod stamp;
mod subscriptions;
mod trunk;

pub use commands::commands;
pub use connection::connection;
pub use control::control_messages;
pub use dns::{dns_packets, dns_record};
pub use frames::frames;
pub use greeting::greeting;
pub use handshake::{handshake_client, handshake_server};
pub use metadata::metadata;
pub use names::topic_names;
pub use seeds::seeds;
pub use stamp::stamp;
pub use subscriptions::subscriptions;
pub use trunk::trunk;

/// All targets by name.
pub const TARGETS: [(&str, fn(&[u8])); 14] = [
    ("greeting", greeting),
    ("frames", frames),
    ("metadata", metadata),
    ("handshake_server", handshake_server),
    ("handshake_client", handshake_client),
    ("commands", commands),
    ("connection", connection),
    ("subscriptions", subscriptions),
    ("stamp", stamp),
    ("trunk", trunk),
    ("dns_record", dns_record),
    ("dns_packets", dns_packets),
    ("control_messages", control_messages),
    ("topic_names", topic_names),
];
