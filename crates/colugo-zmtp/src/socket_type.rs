//! The socket types of ZeroMQ and which may talk to which. Knows names and pairs, not how a type
//! behaves.

use std::fmt;

/// A socket type as announced in the `Socket-Type` property.
///
/// ```
/// use colugo_zmtp::SocketType;
/// assert_eq!(SocketType::parse(b"XPUB"), Some(SocketType::XPub));
/// assert_eq!(SocketType::Dealer.to_string(), "DEALER");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketType {
    /// One to one.
    Pair,
    /// Publisher, filters by subscription.
    Pub,
    /// Subscriber.
    Sub,
    /// Client that asks and waits in turn.
    Req,
    /// Server that answers in turn.
    Rep,
    /// Asynchronous client, round robin.
    Dealer,
    /// Asynchronous server, addresses its peers.
    Router,
    /// Receiving end of a pipeline.
    Pull,
    /// Sending end of a pipeline.
    Push,
    /// Publisher that hands subscriptions to the application.
    XPub,
    /// Subscriber that sends subscriptions as messages.
    XSub,
}

impl SocketType {
    /// All types, in the order of their ZMTP 2.0 numbers.
    ///
    /// ```
    /// # use colugo_zmtp::SocketType;
    /// assert!(SocketType::ALL.iter().all(|t| SocketType::parse(t.as_str().as_bytes()) == Some(*t)));
    /// ```
    pub const ALL: [Self; 11] = [
        Self::Pair,
        Self::Pub,
        Self::Sub,
        Self::Req,
        Self::Rep,
        Self::Dealer,
        Self::Router,
        Self::Pull,
        Self::Push,
        Self::XPub,
        Self::XSub,
    ];

    /// The name on the wire, in upper case.
    ///
    /// ```
    /// # use colugo_zmtp::SocketType;
    /// assert_eq!(SocketType::Pub.as_str(), "PUB");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pair => "PAIR",
            Self::Pub => "PUB",
            Self::Sub => "SUB",
            Self::Req => "REQ",
            Self::Rep => "REP",
            Self::Dealer => "DEALER",
            Self::Router => "ROUTER",
            Self::Pull => "PULL",
            Self::Push => "PUSH",
            Self::XPub => "XPUB",
            Self::XSub => "XSUB",
        }
    }

    /// The type with this name on the wire. Names are case-sensitive, as in RFC 37.
    ///
    /// ```
    /// # use colugo_zmtp::SocketType;
    /// assert_eq!(SocketType::parse(b"REP"), Some(SocketType::Rep));
    /// assert_eq!(SocketType::parse(b"rep"), None);
    /// ```
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|socket_type| socket_type.as_str().as_bytes() == name)
    }

    /// Whether a socket of this type may be connected to one of type `other`.
    ///
    /// ```
    /// # use colugo_zmtp::SocketType;
    /// assert!(SocketType::Req.compatible(SocketType::Router));
    /// assert!(!SocketType::Req.compatible(SocketType::Dealer));
    /// ```
    pub const fn compatible(self, other: Self) -> bool {
        match self {
            Self::Pair => matches!(other, Self::Pair),
            Self::Pub | Self::XPub => matches!(other, Self::Sub | Self::XSub),
            Self::Sub | Self::XSub => matches!(other, Self::Pub | Self::XPub),
            Self::Req => matches!(other, Self::Rep | Self::Router),
            Self::Rep => matches!(other, Self::Req | Self::Dealer),
            Self::Dealer => matches!(other, Self::Rep | Self::Dealer | Self::Router),
            Self::Router => matches!(other, Self::Req | Self::Dealer | Self::Router),
            Self::Pull => matches!(other, Self::Push),
            Self::Push => matches!(other, Self::Pull),
        }
    }

    /// Whether this type announces an `Identity`, even an empty one, as libzmq does.
    ///
    /// ```
    /// # use colugo_zmtp::SocketType;
    /// assert!(SocketType::Req.announces_identity() && !SocketType::Rep.announces_identity());
    /// ```
    pub const fn announces_identity(self) -> bool {
        matches!(self, Self::Req | Self::Dealer | Self::Router)
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::SocketType::{self, *};

    /// RFC 37's table: each pair once.
    const PAIRS: [(SocketType, SocketType); 11] = [
        (Pair, Pair),
        (Pub, Sub),
        (Pub, XSub),
        (XPub, Sub),
        (XPub, XSub),
        (Req, Rep),
        (Req, Router),
        (Rep, Dealer),
        (Dealer, Dealer),
        (Dealer, Router),
        (Router, Router),
    ];

    #[test]
    fn exactly_the_pairs_of_the_rfc_are_compatible() {
        for a in SocketType::ALL {
            for b in SocketType::ALL {
                let listed = PAIRS.contains(&(a, b)) || PAIRS.contains(&(b, a));
                let pipeline = matches!((a, b), (Push, Pull) | (Pull, Push));
                assert_eq!(a.compatible(b), listed || pipeline, "{a} and {b}");
            }
        }
    }

    #[test]
    fn names_are_case_sensitive_and_exact() {
        for name in ["", "pub", "Pub", "PUB ", "PU", "PUBX", "CLIENT", "STREAM"] {
            assert_eq!(SocketType::parse(name.as_bytes()), None, "{name:?}");
        }
    }
}
