//! What happens between the greetings and the traffic. Knows the order of a mechanism's commands;
//! refuses to know greetings, framing and what the metadata says: those are the handshake's. NULL
//! is the one mechanism so far; PLAIN and CURVE become further variants with further states.

use crate::command::Command;
use crate::greeting::Greeting;
use crate::handshake_error::{HandshakeError, HandshakeFault};
use crate::metadata::{Metadata, MetadataLimits};

/// A mechanism in progress on one connection.
#[derive(Debug)]
pub(crate) enum Mechanism {
    /// Both send READY and wait for the other's.
    Null,
}

/// What a command of the peer led to.
#[derive(Debug)]
#[expect(
    dead_code,
    reason = "NULL has no intermediate step; PLAIN and CURVE do"
)]
pub(crate) enum Step {
    /// The peer has more to say.
    Continue,
    /// The peer's metadata is there and trusted as far as the mechanism can.
    Done(Metadata),
}

impl Mechanism {
    /// The greeting that offers this mechanism.
    pub(crate) const fn greeting(&self) -> Greeting {
        match self {
            Self::Null => Greeting::null(),
        }
    }

    /// The greetings agree: appends what is to be said unprompted.
    pub(crate) fn start(&mut self, ours: &Metadata, out: &mut Vec<u8>) {
        match self {
            Self::Null => ours.encode_ready(out),
        }
    }

    /// The body of a command from the peer; appends what is to be answered.
    pub(crate) fn command(
        &mut self,
        body: &[u8],
        _ours: &Metadata,
        _out: &mut Vec<u8>,
    ) -> Result<Step, HandshakeError> {
        let command = Command::parse(body).map_err(HandshakeFault::Command)?;
        match (self, command) {
            (_, Command::Error { reason }) => Err(HandshakeError::PeerError {
                reason: reason.escape_ascii().to_string(),
            }),
            (Self::Null, Command::Ready(octets)) => {
                let metadata = Metadata::parse(octets, &MetadataLimits::default())
                    .map_err(HandshakeFault::Metadata)?;
                Ok(Step::Done(metadata))
            }
            (Self::Null, _) => Err(HandshakeFault::unexpected(body).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::CommandError;

    fn command(body: &[u8]) -> Result<Step, HandshakeError> {
        Mechanism::Null.command(body, &Metadata::default(), &mut Vec::new())
    }

    #[test]
    fn null_says_ready_unprompted() {
        let mut out = Vec::new();
        Mechanism::Null.start(&Metadata::default(), &mut out);
        assert_eq!(out, b"\x04\x06\x05READY");
    }

    #[test]
    fn null_is_done_at_the_peers_ready() {
        assert!(matches!(command(b"\x05READY"), Ok(Step::Done(metadata)) if metadata.is_empty()));
    }

    #[test]
    fn an_error_is_passed_on_escaped() {
        let error = command(b"\x05ERROR\x04\x1b[2J").unwrap_err();
        let reason = "\\x1b[2J".to_owned();
        assert_eq!(error, HandshakeError::PeerError { reason });
    }

    #[test]
    fn other_commands_have_no_place_in_null() {
        for (body, name) in [
            (&b"\x04PING\0\0"[..], "PING"),
            (b"\x09SUBSCRIBE", "SUBSCRIBE"),
            (b"\x05HELLO\x01a\x01b", "HELLO"),
            (b"\x01\n", "\\n"),
        ] {
            let name = name.to_owned();
            let fault = HandshakeFault::UnexpectedCommand { name };
            assert_eq!(command(body).unwrap_err(), fault.into());
        }
    }

    #[test]
    fn a_malformed_command_is_the_peers_fault() {
        let fault = HandshakeFault::Command(CommandError::NoName);
        assert_eq!(command(b"").unwrap_err(), fault.into());
        let fault = HandshakeFault::Metadata(crate::MetadataError::Cut);
        assert_eq!(command(b"\x05READY\x01").unwrap_err(), fault.into());
    }
}
