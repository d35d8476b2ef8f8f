//! `Peer`: who is at the other end of a link, as its greeting and READY told. Immutable; a link that is dialled again has a new one.

use std::net::SocketAddr;

use bytes::Bytes;
use colugo_zmtp::{PeerHello, SocketType};

use crate::endpoint::Endpoint;
use crate::message::LinkId;

/// One peer, for as long as one connection lasts.
#[derive(Debug)]
pub struct Peer {
    id: LinkId,
    addr: Option<SocketAddr>,
    dialled: Option<Endpoint>,
    hello: PeerHello,
    identity: Bytes,
    names_itself: bool,
}

impl Peer {
    /// `router`: the socket puts identities in front of what it receives, so a peer without one is given one.
    pub(crate) fn new(
        id: LinkId,
        addr: Option<SocketAddr>,
        dialled: Option<Endpoint>,
        hello: PeerHello,
        router: bool,
    ) -> Self {
        let identity = if hello.identity.is_empty() && router {
            random_identity(id)
        } else {
            hello.identity.clone()
        };
        Self {
            id,
            addr,
            dialled,
            hello,
            identity,
            names_itself: router,
        }
    }

    /// The link to it.
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// Its address, where the transport has one.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    /// What kind of socket it is.
    pub fn socket_type(&self) -> SocketType {
        self.hello.socket_type
    }

    /// The identity it claims; for a ROUTER, that of a peer which claims none is made up: a zero octet and eight random ones. Nobody is
    /// told that one but the application, and no peer gets what is meant for another by claiming the same octets.
    pub fn identity(&self) -> &Bytes {
        &self.identity
    }

    /// A property of its READY, for example `X-Colugo-Topic`; the name's case does not matter.
    pub fn property(&self, name: &str) -> Option<&Bytes> {
        self.hello.metadata.get(name)
    }

    /// Whether it announced `X-Colugo`, and so may be sent commands of ours.
    pub fn is_colugo(&self) -> bool {
        self.hello.colugo
    }

    /// Whether we dialled it, rather than it us.
    pub fn outgoing(&self) -> bool {
        self.dialled.is_some()
    }

    /// The endpoint that was dialled to reach it, as `connect` was told. The connection may be at another one, see
    /// [`connect_or`](crate::Socket::connect_or).
    pub fn dialled(&self) -> Option<&Endpoint> {
        self.dialled.as_ref()
    }

    /// Whether the identity is the peer's own wish.
    pub(crate) fn claims_identity(&self) -> bool {
        !self.hello.identity.is_empty()
    }

    pub(crate) fn minor(&self) -> u8 {
        self.hello.minor
    }

    pub(crate) fn names_itself(&self) -> bool {
        self.names_itself
    }
}

/// Without randomness the link's number has to do: also unique, but not hard to guess.
fn random_identity(id: LinkId) -> Bytes {
    let random = getrandom::u64().unwrap_or(id.as_u64());
    let mut identity = vec![0];
    identity.extend_from_slice(&random.to_be_bytes());
    identity.into()
}
