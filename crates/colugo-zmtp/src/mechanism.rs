//! What happens between the greetings and the traffic: the security mechanism. Knows the order of a
//! mechanism's commands; refuses to know greetings, framing and what the metadata says: those are
//! the handshake's, which drives whichever mechanism it was given. NULL is the one that is there.

use std::fmt;

use bytes::Bytes;

use crate::command::Command;
use crate::greeting::MechanismName;
use crate::handshake_error::{HandshakeError, HandshakeFault};
use crate::metadata::{Metadata, MetadataLimits};
use crate::sealing::Sealing;

/// A security mechanism in progress on one connection.
///
/// It is given the peer's commands one by one, answers by appending whole frames to `out` (see
/// [`Command::encode`]), and says after each what is next. Its role, client or server, and its keys
/// come with its construction: never from the peer, whose as-server bit means nothing. No time
/// limit is its own, and what it appends to `out` in a call that fails is not sent.
///
/// [`Null`] is none of the work; tests of this crate have a mechanism with a challenge, a question
/// and sealed traffic.
///
/// ```
/// use colugo_zmtp::{Handshake, HandshakeConfig, Mechanism, Null, SocketType};
/// let mechanism: Box<dyn Mechanism> = Box::new(Null);
/// let handshake = Handshake::with_mechanism(HandshakeConfig::new(SocketType::Pub), mechanism);
/// # let _ = handshake;
/// ```
pub trait Mechanism: fmt::Debug + Send {
    /// The name in the greeting; the peer's has to be the same in all its octets.
    fn name(&self) -> MechanismName;

    /// The as-server bit of our greeting.
    fn as_server(&self) -> bool {
        false
    }

    /// The greetings agree: appends what is to be said unprompted. `ours` is what the peer is to be
    /// told of us, now or later.
    fn start(&mut self, ours: &Metadata, out: &mut Vec<u8>);

    /// A command of the peer; appends what is to be answered. ERROR does not come here: it always
    /// ends the handshake.
    ///
    /// # Errors
    /// [`HandshakeError`], when the peer broke a rule or proved nothing.
    fn command(
        &mut self,
        command: &Command<'_>,
        ours: &Metadata,
        out: &mut Vec<u8>,
    ) -> Result<Step, HandshakeError>;

    /// The question of [`Step::Decide`] was answered with yes; appends what is to be sent now. A no
    /// ends the handshake without the mechanism.
    ///
    /// # Errors
    /// As for [`command`](Self::command).
    fn allowed(&mut self, ours: &Metadata, out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        let _ = (ours, out);
        Ok(Step::Continue)
    }

    /// How traffic is sealed after the handshake; `None` if it travels as it is. Asked once, at the
    /// end.
    fn sealing(&mut self) -> Option<Sealing> {
        None
    }
}

/// What a command of the peer led to.
///
/// ```
/// use colugo_zmtp::{Command, Mechanism, Metadata, Null, Step};
/// let step = Null.command(&Command::Ready(b""), &Metadata::default(), &mut Vec::new());
/// assert_eq!(step, Ok(Step::Done(Metadata::default())));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The peer has more to say.
    Continue,
    /// Whoever drives the handshake has to say whether this peer may go on. Nothing more is taken
    /// from the peer until then.
    Decide(Question),
    /// The peer's metadata is there, and trusted as far as the mechanism can.
    Done(Metadata),
}

/// Who wants to come in: what a server is asked, by way of
/// [`Handshake::question`](crate::Handshake::question). The fields are those of ZAP ([RFC
/// 27](https://rfc.zeromq.org/spec/27/)) that a handshake knows.
///
/// ```
/// use colugo_zmtp::{MechanismName, Metadata, Question};
/// let question = Question {
///     mechanism: MechanismName::from_octets(*b"PLAIN\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
///     credentials: vec!["admin".into(), "secret".into()],
///     metadata: Metadata::default(),
/// };
/// assert_eq!(format!("{question:?}").contains("secret"), false);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// The mechanism that asks.
    pub mechanism: MechanismName,
    /// What the peer shows: name and password for PLAIN, the long-term key for CURVE.
    pub credentials: Vec<Bytes>,
    /// What the peer has told of itself by now; empty where the mechanism asks first.
    pub metadata: Metadata,
}

/// Without the credentials: a password has no place in a log.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("mechanism", &self.mechanism)
            .field("credentials", &self.credentials.len())
            .field("metadata", &self.metadata)
            .finish()
    }
}

/// The answer to a [`Question`].
///
/// ```
/// use colugo_zmtp::Decision;
/// assert_ne!(Decision::Allow, Decision::Deny);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// The peer may come in. ZAP's 200.
    Allow,
    /// It may not, and need not try again with these credentials: it is sent an ERROR. ZAP's 400.
    Deny,
    /// It can't be said now: the connection is closed without a word, and the peer dials again.
    /// ZAP's 300.
    Later,
}

/// The mechanism NULL: both send READY and wait for the other's. No security, and no work for any
/// message.
///
/// ```
/// use colugo_zmtp::{Mechanism, MechanismName, Null};
/// assert_eq!(Null.name(), MechanismName::NULL);
/// assert!(Null.sealing().is_none());
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Null;

impl Mechanism for Null {
    fn name(&self) -> MechanismName {
        MechanismName::NULL
    }

    fn start(&mut self, ours: &Metadata, out: &mut Vec<u8>) {
        ours.encode_ready(out);
    }

    fn command(
        &mut self,
        command: &Command<'_>,
        _ours: &Metadata,
        _out: &mut Vec<u8>,
    ) -> Result<Step, HandshakeError> {
        let Command::Ready(octets) = command else {
            return Err(HandshakeFault::unexpected(command).into());
        };
        let metadata = Metadata::parse(octets, &MetadataLimits::default())
            .map_err(HandshakeFault::Metadata)?;
        Ok(Step::Done(metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MetadataError;

    fn command(body: &[u8]) -> Result<Step, HandshakeError> {
        let command = Command::parse(body).unwrap();
        Null.command(&command, &Metadata::default(), &mut Vec::new())
    }

    #[test]
    fn null_says_ready_unprompted() {
        let mut out = Vec::new();
        Null.start(&Metadata::default(), &mut out);
        assert_eq!(out, b"\x04\x06\x05READY");
    }

    #[test]
    fn null_is_done_at_the_peers_ready() {
        assert_eq!(command(b"\x05READY"), Ok(Step::Done(Metadata::default())));
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
            assert_eq!(command(body), Err(fault.into()));
        }
    }

    #[test]
    fn malformed_metadata_is_the_peers_fault() {
        let fault = HandshakeFault::Metadata(MetadataError::Cut);
        assert_eq!(command(b"\x05READY\x01"), Err(fault.into()));
    }
}
