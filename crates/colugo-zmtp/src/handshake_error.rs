//! Why a handshake failed, who is to blame, and what to tell the peer before closing. Knows no
//! state: the handshake makes these.

use crate::command::{Command, CommandError};
use crate::frame::FrameError;
use crate::greeting::{GreetingError, MechanismName};
use crate::limits::{MAX_HANDSHAKE_COMMAND, MAX_IDENTITY};
use crate::metadata::MetadataError;
use crate::socket_type::SocketType;

/// Why a handshake failed. Each message names who is to blame.
///
/// ```
/// use colugo_zmtp::{Handshake, HandshakeConfig, HandshakeError, SocketType};
/// let mut handshake = Handshake::new(HandshakeConfig::new(SocketType::Pub));
/// assert_eq!(handshake.receive(b"SSH-2.0-"), Err(HandshakeError::NotZmtp));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The peer speaks some other protocol.
    #[error("{}", GreetingError::NotZmtp)]
    NotZmtp,
    /// The peer speaks ZMTP 1.0 or 2.0.
    #[error("{}", GreetingError::OldVersion { major: *.major })]
    OldVersion {
        /// 1 or 2.
        major: u8,
    },
    /// The two sides are set up for different security.
    #[error(
        "the peer wants the security mechanism {theirs}, this side {ours}: set up both for the same"
    )]
    MechanismMismatch {
        /// Our mechanism.
        ours: MechanismName,
        /// The peer's mechanism.
        theirs: MechanismName,
    },
    /// The two socket types do not go together.
    #[error(
        "a {ours} socket can't talk to the peer's {theirs} socket: one of the two is of the wrong type, or the address is of another service"
    )]
    IncompatibleSocketType {
        /// Our socket type.
        ours: SocketType,
        /// The peer's socket type.
        theirs: SocketType,
    },
    /// The peer refused us by an ERROR command. Trying again with the same settings will not help.
    #[error("the peer refused this side with the reason \"{reason}\"")]
    PeerError {
        /// Its reason, escaped. From libzmq three digits: 400 for refused credentials, 500 for
        /// trouble within.
        reason: String,
    },
    /// This side was asked whether the peer may come in, and said no.
    #[error(
        "this side refused the peer: {}",
        if *again { "it could not be said now who may come in" } else { "its credentials are not accepted" }
    )]
    Denied {
        /// The peer may try again: [`Decision::Later`](crate::Decision::Later).
        again: bool,
    },
    /// The peer broke a rule of the protocol.
    #[error("the peer's handshake is malformed: {0}")]
    Malformed(#[from] HandshakeFault),
}

/// Which rule of the handshake a peer broke.
///
/// ```
/// # use colugo_zmtp::HandshakeFault;
/// assert_eq!(HandshakeFault::NotACommand.to_string(), "it sent a message before the handshake was done");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeFault {
    /// A frame header that is none.
    #[error(transparent)]
    Frame(FrameError),
    /// A message frame before READY.
    #[error("it sent a message before the handshake was done")]
    NotACommand,
    /// A command over [`MAX_HANDSHAKE_COMMAND`].
    #[error(
        "it sent a command of {size} octets before the handshake was done, at most {MAX_HANDSHAKE_COMMAND} are accepted"
    )]
    TooLarge {
        /// The size announced, in octets.
        size: u64,
    },
    /// A command that is none.
    #[error(transparent)]
    Command(CommandError),
    /// A command that has no place in the handshake.
    #[error("it sent the command \"{name}\" during the handshake")]
    UnexpectedCommand {
        /// Its name, escaped.
        name: String,
    },
    /// A command of the mechanism whose fields are not what they have to be.
    #[error("its {name} is malformed")]
    MalformedCommand {
        /// The command's name.
        name: &'static str,
    },
    /// The peer does not know what both sides have to know.
    #[error(
        "it could not prove who it is: the keys or passwords of the two sides do not belong together"
    )]
    NotProven,
    /// Metadata that breaks a rule.
    #[error("{0}")]
    Metadata(MetadataError),
    /// No `Socket-Type`.
    #[error("it did not tell its socket type")]
    NoSocketType,
    /// A `Socket-Type` that is not one of ours.
    #[error("it told the unknown socket type \"{name}\"")]
    UnknownSocketType {
        /// The name, escaped.
        name: String,
    },
    /// An identity over 255 octets.
    #[error("its identity has {len} octets, at most {MAX_IDENTITY} are allowed")]
    IdentityTooLong {
        /// Octets of the identity.
        len: usize,
    },
}

impl From<GreetingError> for HandshakeError {
    fn from(error: GreetingError) -> Self {
        match error {
            GreetingError::NotZmtp => Self::NotZmtp,
            GreetingError::OldVersion { major } => Self::OldVersion { major },
        }
    }
}

impl HandshakeFault {
    /// The fault of a command that is well formed but has no place here: what a
    /// [`Mechanism`](crate::Mechanism) says to all it does not know.
    ///
    /// ```
    /// # use colugo_zmtp::{Command, HandshakeFault};
    /// let fault = HandshakeFault::unexpected(&Command::Pong { context: b"" });
    /// assert_eq!(fault.to_string(), "it sent the command \"PONG\" during the handshake");
    /// ```
    pub fn unexpected(command: &Command<'_>) -> Self {
        Self::UnexpectedCommand {
            name: command.name().escape_ascii().to_string(),
        }
    }
}

impl HandshakeError {
    /// An ERROR command to send before closing, if the peer can make use of it.
    ///
    /// ```
    /// use colugo_zmtp::{HandshakeError, SocketType};
    /// let error = HandshakeError::IncompatibleSocketType { ours: SocketType::Pub, theirs: SocketType::Req };
    /// assert_eq!(error.farewell().unwrap(), b"\x04\x1a\x05ERROR\x13Invalid socket type");
    /// assert_eq!(HandshakeError::NotZmtp.farewell(), None);
    /// ```
    pub fn farewell(&self) -> Option<Vec<u8>> {
        let reason: &[u8] = match self {
            Self::IncompatibleSocketType { .. }
            | Self::Malformed(
                HandshakeFault::NoSocketType | HandshakeFault::UnknownSocketType { .. },
            ) => b"Invalid socket type",
            Self::Malformed(HandshakeFault::IdentityTooLong { .. }) => b"Invalid identity",
            Self::Malformed(HandshakeFault::Metadata(_)) => b"Invalid metadata",
            // The status code of ZAP is what libzmq says.
            Self::Denied { again: false } => b"400",
            _ => return None,
        };
        let mut out = Vec::new();
        Command::Error { reason }.encode(&mut out);
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_who_is_to_blame() {
        let (ours, theirs) = (SocketType::Pub, SocketType::Req);
        let curve = MechanismName::from_octets(*b"CURVE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        let cases = [
            (HandshakeError::NotZmtp, "the peer does not speak ZeroMQ"),
            (
                HandshakeError::OldVersion { major: 2 },
                "the peer speaks ZMTP 2",
            ),
            (
                HandshakeError::MechanismMismatch {
                    ours: MechanismName::NULL,
                    theirs: curve,
                },
                "the peer wants the security mechanism CURVE, this side NULL",
            ),
            (
                HandshakeError::IncompatibleSocketType { ours, theirs },
                "a PUB socket can't talk to the peer's REQ socket",
            ),
            (
                HandshakeError::PeerError {
                    reason: "400".into(),
                },
                "the peer refused this side with the reason \"400\"",
            ),
            (
                HandshakeFault::NoSocketType.into(),
                "the peer's handshake is malformed: it did not tell its socket type",
            ),
            (
                HandshakeFault::Frame(FrameError::MoreOnCommand).into(),
                "the peer's handshake is malformed: the peer sent a command with the MORE flag",
            ),
        ];
        for (error, start) in cases {
            assert!(error.to_string().starts_with(start), "{error}");
        }
    }

    #[test]
    fn only_a_peer_that_can_act_on_it_is_told() {
        let farewell = |error: HandshakeError| error.farewell().is_some();
        let long = HandshakeFault::IdentityTooLong { len: 256 };
        assert!(farewell(long.into()));
        assert!(farewell(HandshakeFault::NoSocketType.into()));
        assert!(farewell(
            HandshakeFault::Metadata(MetadataError::Cut).into()
        ));
        assert!(farewell(HandshakeError::Denied { again: false }));
        assert!(!farewell(HandshakeError::Denied { again: true }));
        assert!(!farewell(HandshakeError::NotZmtp));
        assert!(!farewell(HandshakeError::OldVersion { major: 1 }));
        assert!(!farewell(HandshakeError::PeerError {
            reason: String::new()
        }));
        assert!(!farewell(HandshakeFault::NotACommand.into()));
    }
}
