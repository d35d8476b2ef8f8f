//! Peers written octet by octet: old ones, odd ones, broken ones and hostile ones. Whatever they do, the socket serves its good peers.

use std::time::Duration;

mod attacks;
mod crowds;
mod descriptors;
mod garbage;
mod greetings;
mod heartbeats;
mod interop_habits;
mod interop_scripted;
mod linger;
mod memory;
mod raw;
mod scripted;
mod slow;
mod subscriptions;
mod target;
mod traffic;

const PATIENCE: Duration = colugo_testkit::PATIENCE;
