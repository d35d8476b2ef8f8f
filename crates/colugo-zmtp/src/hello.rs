//! What the two sides of a connection tell each other in READY. Knows which properties there must
//! be and what they mean; refuses to know how they travel. The handshake sends the one and returns
//! the other.

use bytes::Bytes;

use crate::handshake_error::{HandshakeError, HandshakeFault};
use crate::limits::MAX_IDENTITY;
use crate::metadata::{Metadata, MetadataError};
use crate::socket_type::SocketType;

/// What to tell the peer.
///
/// ```
/// use colugo_zmtp::{HandshakeConfig, SocketType};
/// let mut config = HandshakeConfig::new(SocketType::Pub);
/// config.properties.push(("X-Colugo".into(), "1".into()));
/// assert!(config.check().is_ok());
/// ```
#[derive(Debug, Clone)]
pub struct HandshakeConfig {
    /// Our socket type.
    pub socket_type: SocketType,
    /// Our identity, up to 255 octets; told to the peer by REQ, DEALER and ROUTER only, as libzmq
    /// does.
    pub identity: Option<Bytes>,
    /// Further properties, whose names should start with `X-`.
    pub properties: Vec<(String, Bytes)>,
}

impl HandshakeConfig {
    /// A configuration with no identity and no further properties.
    ///
    /// ```
    /// # use colugo_zmtp::{HandshakeConfig, SocketType};
    /// assert_eq!(HandshakeConfig::new(SocketType::Sub).identity, None);
    /// ```
    pub const fn new(socket_type: SocketType) -> Self {
        Self {
            socket_type,
            identity: None,
            properties: Vec::new(),
        }
    }

    /// Whether all of it can be sent. Check once, when the socket is built:
    /// [`Handshake::new`](crate::Handshake::new) leaves out what can't.
    ///
    /// # Errors
    /// [`MetadataError`] names the first property that breaks a rule; an identity of over 255
    /// octets is `TooLarge`.
    ///
    /// ```
    /// # use colugo_zmtp::{HandshakeConfig, SocketType};
    /// let mut config = HandshakeConfig::new(SocketType::Router);
    /// config.identity = Some(vec![1; 256].into());
    /// assert!(config.check().is_err());
    /// ```
    pub fn check(&self) -> Result<(), MetadataError> {
        match self.metadata() {
            (_, Some(error)) => Err(error),
            (_, None) => Ok(()),
        }
    }

    /// What goes into READY, and the first thing that had to be left out.
    pub(crate) fn metadata(&self) -> (Metadata, Option<MetadataError>) {
        let mut metadata = Metadata::default();
        let mut first = None;
        let mut push = |name: &str, value: Bytes| {
            if let Err(error) = metadata.push(name, value) {
                first.get_or_insert(error);
            }
        };
        push("Socket-Type", self.socket_type.as_str().into());
        let identity = self.identity.clone().unwrap_or_default();
        let too_long = identity.len() > MAX_IDENTITY;
        if self.socket_type.announces_identity() {
            push("Identity", if too_long { Bytes::new() } else { identity });
        }
        for (name, value) in &self.properties {
            push(name, value.clone());
        }
        if too_long {
            first = Some(MetadataError::TooLarge {
                limit: MAX_IDENTITY,
            });
        }
        (metadata, first)
    }
}

/// What is known of the peer once the handshake is done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerHello {
    /// Major version both sides speak: 3.
    pub major: u8,
    /// Minor version both sides speak: 0 or 1.
    pub minor: u8,
    /// The peer's socket type, compatible with ours.
    pub socket_type: SocketType,
    /// The identity the peer claims: up to 255 octets, often none. Not unique, not to be trusted.
    pub identity: Bytes,
    /// All that the peer told, Socket-Type and Identity included.
    pub metadata: Metadata,
    /// The peer announced `X-Colugo` = "1": it understands STAMP and its like.
    pub colugo: bool,
}

impl PeerHello {
    /// What a peer of ZMTP 3.`minor` told, checked against our socket type.
    pub(crate) fn read(
        ours: SocketType,
        minor: u8,
        metadata: Metadata,
    ) -> Result<Self, HandshakeError> {
        let name = metadata
            .get("Socket-Type")
            .ok_or(HandshakeFault::NoSocketType)?;
        let theirs = SocketType::parse(name).ok_or_else(|| HandshakeFault::UnknownSocketType {
            name: name.escape_ascii().to_string(),
        })?;
        if !ours.compatible(theirs) {
            return Err(HandshakeError::IncompatibleSocketType { ours, theirs });
        }
        let identity = metadata.get("Identity").cloned().unwrap_or_default();
        if identity.len() > MAX_IDENTITY {
            let len = identity.len();
            return Err(HandshakeFault::IdentityTooLong { len }.into());
        }
        Ok(Self {
            major: 3,
            minor,
            socket_type: theirs,
            identity,
            colugo: metadata.get("X-Colugo").is_some_and(|value| value == "1"),
            metadata,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_req_dealer_and_router_tell_an_identity_and_do_so_even_if_empty() {
        for socket_type in SocketType::ALL {
            for identity in [None, Some(Bytes::from("me"))] {
                let config = HandshakeConfig {
                    identity: identity.clone(),
                    ..HandshakeConfig::new(socket_type)
                };
                let told = config.metadata().0.get("Identity").cloned();
                let expected = socket_type
                    .announces_identity()
                    .then(|| identity.unwrap_or_default());
                assert_eq!(told, expected, "{socket_type}");
            }
        }
    }

    #[test]
    fn a_property_that_cannot_be_sent_is_named_by_check_and_left_out() {
        let mut config = HandshakeConfig::new(SocketType::Pub);
        config.properties.push(("X Y".into(), "".into()));
        config.properties.push(("X-Z".into(), "".into()));
        config.properties.push(("socket-type".into(), "SUB".into()));
        assert_eq!(
            config.check(),
            Err(MetadataError::Name { name: "X Y".into() })
        );
        let (ours, _) = config.metadata();
        let names: Vec<_> = ours.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["Socket-Type", "X-Z"]);
    }
}
