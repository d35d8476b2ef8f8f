//! Sockets of ours with ours. What patterns do is tried on every transport.

#[macro_use]
mod transport;

mod bounds;
mod compliance;
mod identities;
mod ipc;
mod linger;
#[cfg(target_os = "linux")]
mod lone;
mod one_port;
mod pair;
mod patterns;
mod proxy;
mod pubsub;
mod reconnect;
mod returning;
mod trunk;
mod xpub;

use std::time::Duration;

use transport::Transport;

/// Far more than anything here takes: only a failure waits so long.
pub const PATIENCE: Duration = Duration::from_secs(20);
