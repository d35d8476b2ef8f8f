//! `Target`: a socket of the implementation that is tried, as far as a script needs it.

use std::time::Duration;

/// The type of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are ZeroMQ's own names")]
pub enum Kind {
    Pub,
    Sub,
    Push,
    Pull,
    Req,
    Rep,
    Dealer,
    Router,
    XPub,
    XSub,
    Pair,
}

impl Kind {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pub => "PUB",
            Self::Sub => "SUB",
            Self::Push => "PUSH",
            Self::Pull => "PULL",
            Self::Req => "REQ",
            Self::Rep => "REP",
            Self::Dealer => "DEALER",
            Self::Router => "ROUTER",
            Self::XPub => "XPUB",
            Self::XSub => "XSUB",
            Self::Pair => "PAIR",
        }
    }

    /// What a peer of it is called.
    pub fn peer(self) -> &'static str {
        match self {
            Self::Pub => "SUB",
            Self::Sub => "PUB",
            Self::Push => "PULL",
            Self::Pull => "PUSH",
            Self::Req => "REP",
            Self::Rep => "REQ",
            Self::Dealer => "ROUTER",
            Self::Router => "DEALER",
            Self::XPub => "SUB",
            Self::XSub => "PUB",
            Self::Pair => "PAIR",
        }
    }
}

/// A socket under trial. All of it may wait, but for no longer than a test's patience, and fails the test where that is not enough.
pub trait Target {
    /// Listens on a free port of 127.0.0.1, and tells it.
    fn listen(&mut self) -> u16;
    /// Dials this port of 127.0.0.1.
    fn dial(&mut self, port: u16);
    /// The next message, if one comes within this time.
    fn recv(&mut self, within: Duration) -> Option<Vec<Vec<u8>>>;
    /// Sends; a socket without a peer may drop it or wait for one.
    fn send(&mut self, frames: &[&[u8]]);
    /// SUB and XSUB: asks for a topic.
    fn subscribe(&mut self, topic: &[u8]);
    /// SUB: takes one `subscribe` of the topic back.
    fn unsubscribe(&mut self, topic: &[u8]);
    /// The most memory its process has had since [`forget_peak`](Self::forget_peak), in KiB. None: the system does not tell.
    fn peak_kib(&self) -> Option<u64>;
    /// From here on memory counts.
    fn forget_peak(&mut self);
}
