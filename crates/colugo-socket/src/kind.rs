//! The kinds of socket, as types: what a kind cannot do does not compile.

use colugo_zmtp::SocketType;

mod sealed {
    pub trait Sealed {}
}

/// A kind of socket. Implemented by the types of this module only.
pub trait Kind: sealed::Sealed + Send + Sync + 'static {
    /// Its name on the wire.
    const TYPE: SocketType;
}

/// Kinds that send to the next peer in turn, and wait for room.
pub trait Distributes: Kind {}

/// Kinds that receive whenever something is there.
pub trait Receives: Kind {}

/// Kinds that can address one of their peers.
pub trait Addresses: Kind {}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $type:ident: $($can:ident)*;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        #[non_exhaustive]
        pub struct $name;
        impl sealed::Sealed for $name {}
        impl Kind for $name {
            const TYPE: SocketType = SocketType::$type;
        }
        $(impl $can for $name {})*
    )*};
}

kinds! {
    /// Sends every message to all subscribers whose subscriptions match (RFC 29).
    Pub = Pub:;
    /// Receives what it subscribed to (RFC 29).
    Sub = Sub: Receives;
    /// Asks, then waits for the answer (RFC 28).
    Req = Req:;
    /// Waits for a question, then answers it (RFC 28).
    Rep = Rep:;
    /// Sends to its peers in turn and receives from all of them, in any order (RFC 28).
    Dealer = Dealer: Distributes Receives Addresses;
    /// Knows its peers by identity: the first frame of what it receives and sends (RFC 28).
    Router = Router: Receives Addresses;
    /// A PUB that hands its subscribers' subscriptions up as messages (RFC 29).
    XPub = XPub: Receives;
    /// A SUB that subscribes by sending messages (RFC 29).
    XSub = XSub: Receives;
    /// Talks to exactly one peer (RFC 31).
    Pair = Pair: Distributes Receives;
    /// Sends to its peers in turn (RFC 30).
    Push = Push: Distributes;
    /// Receives from all its peers (RFC 30).
    Pull = Pull: Receives;
}
