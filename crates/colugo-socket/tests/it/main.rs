//! Sockets on loopback, ours with ours.

mod bounds;
mod patterns;
mod pubsub;
mod reconnect;

use std::time::Duration;

/// Far more than anything here takes: only a failure waits so long.
pub const PATIENCE: Duration = Duration::from_secs(20);
