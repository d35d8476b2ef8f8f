//! What Colugo's tests have in common: peers on real libzmq, hosts made of network namespaces, processes that end with the test, and
//! waiting without sleeping. Knows none of Colugo's crates, so that the tests of each of them can use it.
//!
//! Its functions panic where a test should fail. Where the machine lacks what a test needs they give `None`, after a line on the standard
//! error that says what is missing and which command gets it:
//!
//! ```no_run
//! # use colugo_testkit::ZmqPeer;
//! fn libzmq_hears_us() {
//!     let Some(libzmq) = ZmqPeer::start() else { return };
//!     let pull = libzmq.socket("PULL", &[]);
//!     let endpoint = pull.bind("tcp://127.0.0.1:0");
//!     // …
//!     assert_eq!(pull.recv(), [b"work"]);
//! }
//! ```

mod alone;
pub mod bad_peer;
mod lan;
mod memory;
mod pattern;
mod program;
mod python;
mod wait;
pub mod wire;
mod zmq_peer;

pub use alone::{Alone, open_descriptors};
pub use lan::{Host, Lan};
pub use memory::{forget_peak, peak_memory_kib, peak_memory_kib_of};
pub use pattern::pattern;
pub use program::Program;
pub use python::Python;
pub use wait::{PATIENCE, free_port, wait_until};
pub use zmq_peer::{Working, ZmqPeer, ZmqSocket, octets};

/// Says on the standard error, past the test harness's capture, that a test was skipped, and what to do about it; once per reason.
pub fn skipped(why: &str, remedy: &str) {
    use std::collections::BTreeSet;
    use std::io::Write;
    use std::sync::{Mutex, PoisonError};
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.insert(why.to_owned()) {
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED: {why}. To run these tests: {remedy}\n"
        );
    }
}
