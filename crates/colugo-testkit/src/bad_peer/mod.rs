//! A bad peer that follows a script, run unchanged against any implementation of ZeroMQ's sockets, and what each of two implementations is
//! known to do then: ours, and libzmq 4.3. The peer is a bare TCP connection; no ZeroMQ library has a part in it.
//!
//! A [`Case`] is data: steps, and two verdicts with a reason where they differ. [`check`] plays it against a [`Target`] and compares what it
//! saw with the verdict; [`table`] writes all of them down. Neither knows Colugo's crates: those give a target of their own.

mod case;
mod cases;
mod connection;
mod fact;
mod honest;
mod libzmq;
mod names;
mod play;
mod table;
mod target;
mod telling;

pub use case::{Act, Case, Role, Settings, Step, Whose};
pub use cases::{all, named};
pub use fact::Fact;
pub use libzmq::LibzmqTarget;
pub use play::check;
pub use table::table;
pub use target::{Kind, Target};
