//! Everything that needs several nodes: on the virtual network first, then over real sockets. One binary, one scenario a file.

mod callbacks;
mod children;
mod closing;
mod errors;
mod foreign;
mod patterns;
mod publish;
mod real_calls;
mod real_closing;
mod real_endings;
mod real_one_port;
mod real_patterns;
mod real_sharing;
mod repeaters;
mod requests;
mod sockets;

use std::error::Error;
use std::time::Duration;

/// What tests return.
type Done = Result<(), Box<dyn Error>>;

/// How long something may take that should take no time.
const SOON: Duration = Duration::from_secs(10);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
