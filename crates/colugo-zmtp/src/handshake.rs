//! From the first octet of a connection to the peer's READY, without I/O. Knows greetings, frames
//! and their order; the mechanism and what READY says are parts of their own. Used once per
//! connection by the socket, which brings octets, time limits and the other side's address.

use crate::command::Command;
use crate::frame::parse_header;
use crate::greeting::{GREETING_LEN, Greeting};
use crate::handshake_error::{HandshakeError, HandshakeFault};
use crate::hello::{HandshakeConfig, PeerHello};
use crate::limits::MAX_HANDSHAKE_COMMAND;
use crate::mechanism::{Decision, Mechanism, Null, Question, Step};
use crate::metadata::Metadata;
use crate::sealing::Sealing;
use crate::socket_type::SocketType;

/// A handshake in progress on one connection.
///
/// The contract: call [`transmit`](Self::transmit) after [`new`](Self::new) and after each
/// [`receive`](Self::receive), the last one included, and send what it gives; give `receive` the
/// octets that arrive until it returns a [`PeerHello`] or an error. Nothing else is needed, but a
/// deadline is the caller's: an absolute one, as octets may drip in. The result is the same however
/// the input is cut.
///
/// That is all for NULL. A mechanism that asks who may come in does so by
/// [`question`](Self::question), to be looked at after each `receive` and to be answered in any
/// time; one that seals traffic says how by [`into_sealing`](Self::into_sealing).
///
/// ```
/// use colugo_zmtp::{Handshake, HandshakeConfig, SocketType};
/// let mut handshake = Handshake::new(HandshakeConfig::new(SocketType::Sub));
/// let mut out = Vec::new();
/// handshake.transmit(&mut out);
/// assert_eq!(out.len(), 64); // the greeting; READY waits for the peer's
/// ```
#[derive(Debug)]
pub struct Handshake {
    socket_type: SocketType,
    ours: Metadata,
    mechanism: Box<dyn Mechanism>,
    stage: Stage,
    /// The greeting, until it is fetched.
    greeting: Vec<u8>,
    /// Commands, until they are fetched. Taken back on failure: an ERROR says more than a READY
    /// before it.
    commands: Vec<u8>,
    /// The part of the peer's greeting or command that is there: at most a greeting, or a header
    /// and `MAX_HANDSHAKE_COMMAND`.
    input: Vec<u8>,
}

#[derive(Debug)]
enum Stage {
    Greeting,
    Commands {
        minor: u8,
    },
    /// The mechanism has asked, and nobody has answered yet.
    Asked {
        minor: u8,
        question: Question,
    },
    Done,
    Dead(HandshakeError),
}

impl Handshake {
    /// A handshake with the mechanism NULL, for either side of a connection: both do the same.
    ///
    /// What [`HandshakeConfig::check`] would refuse is left out.
    ///
    /// ```
    /// # use colugo_zmtp::{Handshake, HandshakeConfig, SocketType};
    /// let handshake = Handshake::new(HandshakeConfig::new(SocketType::Push));
    /// ```
    pub fn new(config: HandshakeConfig) -> Self {
        Self::with_mechanism(config, Box::new(Null))
    }

    /// A handshake with this mechanism, which knows its side of the connection; otherwise as
    /// [`new`](Self::new).
    ///
    /// ```
    /// # use colugo_zmtp::{Handshake, HandshakeConfig, Null, SocketType};
    /// let config = HandshakeConfig::new(SocketType::Push);
    /// let handshake = Handshake::with_mechanism(config, Box::new(Null));
    /// ```
    pub fn with_mechanism(config: HandshakeConfig, mechanism: Box<dyn Mechanism>) -> Self {
        let greeting = Greeting {
            mechanism: mechanism.name(),
            as_server: mechanism.as_server(),
            ..Greeting::null()
        };
        Self {
            socket_type: config.socket_type,
            ours: config.metadata().0,
            greeting: greeting.encode().to_vec(),
            mechanism,
            stage: Stage::Greeting,
            commands: Vec::new(),
            input: Vec::new(),
        }
    }

    /// Appends what is to be sent now; nothing if there is nothing new.
    ///
    /// ```
    /// # use colugo_zmtp::{Handshake, HandshakeConfig, SocketType};
    /// # let mut handshake = Handshake::new(HandshakeConfig::new(SocketType::Push));
    /// let mut out = Vec::new();
    /// handshake.transmit(&mut out);
    /// handshake.transmit(&mut out);
    /// assert_eq!(out.len(), 64);
    /// ```
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.greeting);
        out.append(&mut self.commands);
    }

    /// Takes octets from the peer: how many were taken, and the peer's hello when it is complete.
    ///
    /// Octets after the peer's READY are traffic: they are not taken. Once a hello has been
    /// returned nothing more is taken, nor while a [`question`](Self::question) is open: keep the
    /// rest, and read no more meanwhile. At most 8 KiB and a header are kept between calls.
    ///
    /// # Errors
    /// [`HandshakeError`]; every later call returns the same. Send what
    /// [`transmit`](Self::transmit) still has and the error's
    /// [`farewell`](HandshakeError::farewell), then close.
    ///
    /// ```
    /// # use colugo_zmtp::{Greeting, Handshake, HandshakeConfig, SocketType};
    /// # let mut handshake = Handshake::new(HandshakeConfig::new(SocketType::Sub));
    /// let mut input = Greeting::null().encode().to_vec();
    /// input.extend_from_slice(b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB");
    /// input.extend_from_slice(b"\0\x05hello");
    /// let (taken, hello) = handshake.receive(&input).unwrap();
    /// assert_eq!(&input[taken..], b"\0\x05hello");
    /// assert_eq!(hello.unwrap().socket_type, SocketType::Pub);
    /// ```
    pub fn receive(&mut self, input: &[u8]) -> Result<(usize, Option<PeerHello>), HandshakeError> {
        let mut rest = input;
        match self.advance(&mut rest) {
            Ok(hello) => Ok((input.len().saturating_sub(rest.len()), hello)),
            Err(error) => Err(self.die(error)),
        }
    }

    /// What the mechanism wants to know of the caller before the peer may go on; never anything with
    /// NULL.
    ///
    /// ```
    /// # use colugo_zmtp::{Handshake, HandshakeConfig, SocketType};
    /// # let handshake = Handshake::new(HandshakeConfig::new(SocketType::Push));
    /// assert!(handshake.question().is_none());
    /// ```
    pub fn question(&self) -> Option<&Question> {
        match &self.stage {
            Stage::Asked { question, .. } => Some(question),
            _ => None,
        }
    }

    /// Answers the question that is open, and gives the peer's hello if that was the last thing
    /// missing. Then go on as after [`receive`](Self::receive), with what was not taken. Without an
    /// open question this does nothing.
    ///
    /// # Errors
    /// [`HandshakeError`]: `Denied` after [`Decision::Deny`] and [`Decision::Later`], or what the
    /// peer has done wrong; every later call returns the same.
    ///
    /// ```
    /// # use colugo_zmtp::{Decision, Handshake, HandshakeConfig, SocketType};
    /// # let mut handshake = Handshake::new(HandshakeConfig::new(SocketType::Push));
    /// assert_eq!(handshake.answer(Decision::Allow), Ok(None), "NULL asks nothing");
    /// ```
    pub fn answer(&mut self, decision: Decision) -> Result<Option<PeerHello>, HandshakeError> {
        let minor = match &self.stage {
            Stage::Asked { minor, .. } => *minor,
            Stage::Dead(error) => return Err(error.clone()),
            _ => return Ok(None),
        };
        let denied = |again| Err(HandshakeError::Denied { again });
        let step = match decision {
            Decision::Allow => self.mechanism.allowed(&self.ours, &mut self.commands),
            Decision::Deny => denied(false),
            Decision::Later => denied(true),
        };
        step.and_then(|step| self.stepped(step, minor))
            .map_err(|error| self.die(error))
    }

    /// How traffic is sealed from here on. `None`, as with NULL: frames travel as they are, and
    /// nothing need be asked for any of them. For after the hello.
    ///
    /// ```
    /// # use colugo_zmtp::{Handshake, HandshakeConfig, SocketType};
    /// # let handshake = Handshake::new(HandshakeConfig::new(SocketType::Push));
    /// assert!(handshake.into_sealing().is_none());
    /// ```
    pub fn into_sealing(mut self) -> Option<Sealing> {
        match self.stage {
            Stage::Done => self.mechanism.sealing(),
            _ => None,
        }
    }

    fn die(&mut self, error: HandshakeError) -> HandshakeError {
        self.commands = Vec::new();
        self.input = Vec::new();
        self.stage = Stage::Dead(error.clone());
        error
    }

    fn advance(&mut self, rest: &mut &[u8]) -> Result<Option<PeerHello>, HandshakeError> {
        loop {
            match &self.stage {
                Stage::Greeting => {
                    self.take(rest, GREETING_LEN);
                    let Some(greeting) = Greeting::parse(&self.input)? else {
                        return Ok(None);
                    };
                    self.greeted(&greeting)?;
                }
                Stage::Commands { minor } => {
                    let minor = *minor;
                    if !self.take_command(rest)? {
                        return Ok(None);
                    }
                    let step = self.commanded()?;
                    if let Some(hello) = self.stepped(step, minor)? {
                        return Ok(Some(hello));
                    }
                }
                Stage::Asked { .. } | Stage::Done => return Ok(None),
                Stage::Dead(error) => return Err(error.clone()),
            }
        }
    }

    /// Moves octets until `input` has `want` of them; whether it has.
    fn take(&mut self, rest: &mut &[u8], want: usize) -> bool {
        let missing = want.saturating_sub(self.input.len());
        let (taken, after) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
        self.input.extend_from_slice(taken);
        *rest = after;
        self.input.len() >= want
    }

    fn greeted(&mut self, theirs: &Greeting) -> Result<(), HandshakeError> {
        let ours = self.mechanism.name();
        if theirs.mechanism != ours {
            return Err(HandshakeError::MechanismMismatch {
                ours,
                theirs: theirs.mechanism,
            });
        }
        self.input.clear();
        self.stage = Stage::Commands {
            minor: theirs.common_minor(),
        };
        self.mechanism.start(&self.ours, &mut self.commands);
        Ok(())
    }

    /// Moves octets until `input` is one whole command frame; whether it is.
    fn take_command(&mut self, rest: &mut &[u8]) -> Result<bool, HandshakeFault> {
        loop {
            if let Some(header) = parse_header(&self.input).map_err(HandshakeFault::Frame)? {
                if !header.command {
                    return Err(HandshakeFault::NotACommand);
                }
                let size = header.body_len;
                let body_len = usize::try_from(size)
                    .ok()
                    .filter(|len| *len <= MAX_HANDSHAKE_COMMAND)
                    .ok_or(HandshakeFault::TooLarge { size })?;
                return Ok(self.take(rest, header.header_len.saturating_add(body_len)));
            }
            // Octet by octet, so as to take none that may be traffic.
            let want = self.input.len().saturating_add(1);
            if !self.take(rest, want) {
                return Ok(false);
            }
        }
    }

    /// Hands the frame in `input` to the mechanism.
    fn commanded(&mut self) -> Result<Step, HandshakeError> {
        let header = parse_header(&self.input).map_err(HandshakeFault::Frame)?;
        let header_len = header.map_or(0, |header| header.header_len);
        let body = self.input.get(header_len..).unwrap_or_default();
        let command = Command::parse(body).map_err(HandshakeFault::Command)?;
        if let Command::Error { reason } = command {
            return Err(HandshakeError::PeerError {
                reason: reason.escape_ascii().to_string(),
            });
        }
        let step = self
            .mechanism
            .command(&command, &self.ours, &mut self.commands)?;
        self.input.clear();
        Ok(step)
    }

    /// What the mechanism's step leads to: the peer's hello when it is through.
    fn stepped(&mut self, step: Step, minor: u8) -> Result<Option<PeerHello>, HandshakeError> {
        match step {
            Step::Continue => self.stage = Stage::Commands { minor },
            Step::Decide(question) => self.stage = Stage::Asked { minor, question },
            Step::Done(metadata) => {
                let hello = PeerHello::read(self.socket_type, minor, metadata)?;
                self.stage = Stage::Done;
                self.input = Vec::new();
                return Ok(Some(hello));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MechanismName;
    use crate::command::CommandError;
    use crate::frame::{FrameError, put_frame, put_header};

    fn handshake(socket_type: SocketType) -> Handshake {
        Handshake::new(HandshakeConfig::new(socket_type))
    }

    fn sent(handshake: &mut Handshake) -> Vec<u8> {
        let mut out = Vec::new();
        handshake.transmit(&mut out);
        out
    }

    /// A greeting and a READY with these properties.
    fn peer(properties: &[(&str, &[u8])]) -> Vec<u8> {
        let mut metadata = Metadata::default();
        for (name, value) in properties {
            metadata.push(name, value.to_vec()).unwrap();
        }
        let mut octets = Greeting::null().encode().to_vec();
        metadata.encode_ready(&mut octets);
        octets
    }

    fn failure(socket_type: SocketType, input: &[u8]) -> HandshakeError {
        handshake(socket_type).receive(input).unwrap_err()
    }

    fn fault(input: &[u8]) -> HandshakeFault {
        match failure(SocketType::Sub, input) {
            HandshakeError::Malformed(fault) => fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ready_is_sent_once_the_greeting_is_there() {
        let mut ours = handshake(SocketType::Pub);
        assert_eq!(sent(&mut ours), Greeting::null().encode());
        let greeting = Greeting::null().encode();
        assert_eq!(ours.receive(&greeting[..63]), Ok((63, None)));
        assert_eq!(sent(&mut ours), b"");
        assert_eq!(ours.receive(&greeting[63..]), Ok((1, None)));
        assert_eq!(
            sent(&mut ours),
            b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB"
        );
        assert_eq!(sent(&mut ours), b"");
    }

    #[test]
    fn the_hello_says_what_the_peer_told() {
        let mut config = HandshakeConfig::new(SocketType::Router);
        config.properties.push(("X-Colugo".into(), "1".into()));
        config
            .properties
            .push(("X-Colugo-Topic".into(), "add".into()));
        config.identity = Some("me".into());
        let mut theirs = Handshake::new(config);
        let mut ours = handshake(SocketType::Dealer);
        assert_eq!(ours.receive(&sent(&mut theirs)), Ok((64, None)));
        theirs.receive(&sent(&mut ours)).unwrap();
        let ready = sent(&mut theirs);
        let (taken, hello) = ours.receive(&ready).unwrap();
        let hello = hello.unwrap();
        assert_eq!(taken, ready.len());
        assert_eq!((hello.major, hello.minor), (3, 1));
        assert_eq!(hello.socket_type, SocketType::Router);
        assert_eq!(hello.identity, "me");
        assert!(hello.colugo);
        assert_eq!(hello.metadata.get("x-colugo-topic").unwrap(), "add");
    }

    #[test]
    fn a_3_0_peer_is_accepted_and_spoken_to_as_such() {
        let mut octets = peer(&[("Socket-Type", b"SUB")]);
        octets[11] = 0;
        let hello = handshake(SocketType::Pub).receive(&octets).unwrap().1;
        assert_eq!(hello.unwrap().minor, 0);
    }

    #[test]
    fn traffic_after_ready_is_not_taken() {
        let mut octets = peer(&[("Socket-Type", b"PUB")]);
        let handshake_len = octets.len();
        put_frame(&mut octets, b"first message", false);
        let mut ours = handshake(SocketType::Sub);
        let (taken, hello) = ours.receive(&octets).unwrap();
        assert_eq!(taken, handshake_len);
        assert!(hello.is_some());
        assert_eq!(
            ours.receive(&octets[taken..]),
            Ok((0, None)),
            "done stays done"
        );
    }

    #[test]
    fn a_ready_in_a_long_frame_is_accepted() {
        let mut octets = Greeting::null().encode().to_vec();
        octets.extend_from_slice(&[6, 0, 0, 0, 0, 0, 0, 0, 25]);
        octets.extend_from_slice(b"\x05READY\x0bSocket-Type\0\0\0\x03PUB");
        assert!(
            handshake(SocketType::Sub)
                .receive(&octets)
                .unwrap()
                .1
                .is_some()
        );
    }

    #[test]
    fn incompatible_socket_types_are_refused_with_an_error_in_place_of_ready() {
        let mut ours = handshake(SocketType::Pub);
        assert_eq!(sent(&mut ours).len(), 64);
        let (error, expected) = (
            ours.receive(&peer(&[("Socket-Type", b"REQ")])).unwrap_err(),
            HandshakeError::IncompatibleSocketType {
                ours: SocketType::Pub,
                theirs: SocketType::Req,
            },
        );
        assert_eq!(error, expected);
        assert_eq!(sent(&mut ours), b"");
        let farewell = error.farewell().unwrap();
        let mut other = handshake(SocketType::Req);
        other.receive(&Greeting::null().encode()).unwrap();
        let reason = "Invalid socket type".to_owned();
        assert_eq!(
            other.receive(&farewell),
            Err(HandshakeError::PeerError { reason })
        );
    }

    #[test]
    fn the_mechanism_is_compared_in_all_its_octets() {
        for at in 12..32 {
            let mut octets = Greeting::null().encode();
            octets[at] ^= 1;
            let error = failure(SocketType::Pub, &octets);
            let HandshakeError::MechanismMismatch { ours, .. } = error else {
                panic!("{error:?}")
            };
            assert_eq!(ours, MechanismName::NULL);
        }
    }

    #[test]
    fn as_server_is_not_looked_at() {
        let mut octets = peer(&[("Socket-Type", b"PUB")]);
        octets[32] = 1;
        assert!(
            handshake(SocketType::Sub)
                .receive(&octets)
                .unwrap()
                .1
                .is_some()
        );
    }

    #[test]
    fn old_versions_and_other_protocols_are_refused() {
        let old = |major| HandshakeError::OldVersion { major };
        assert_eq!(failure(SocketType::Pub, b"\x01\x00"), old(1));
        assert_eq!(
            failure(SocketType::Pub, b"\xff\0\0\0\0\0\0\0\x01\x7f\x01"),
            old(2)
        );
        assert_eq!(failure(SocketType::Pub, b"GET /"), HandshakeError::NotZmtp);
    }

    #[test]
    fn socket_type_is_required_and_must_be_known() {
        assert_eq!(fault(&peer(&[])), HandshakeFault::NoSocketType);
        assert_eq!(
            fault(&peer(&[("Identity", b"x")])),
            HandshakeFault::NoSocketType
        );
        let name = "pub\\x1b".to_owned();
        let unknown = HandshakeFault::UnknownSocketType { name };
        assert_eq!(fault(&peer(&[("Socket-Type", b"pub\x1b")])), unknown);
    }

    #[test]
    fn identities_may_begin_with_zero_and_have_up_to_255_octets() {
        let accepted = |identity: &[u8]| {
            let octets = peer(&[("Socket-Type", b"DEALER"), ("Identity", identity)]);
            let hello = handshake(SocketType::Router).receive(&octets)?.1.unwrap();
            assert_eq!(hello.identity, identity);
            Ok::<_, HandshakeError>(())
        };
        assert_eq!(accepted(b""), Ok(()));
        assert_eq!(accepted(&[0, 0, 0, 7]), Ok(()));
        assert_eq!(accepted(&[1; 255]), Ok(()));
        assert_eq!(
            accepted(&[1; 256]),
            Err(HandshakeFault::IdentityTooLong { len: 256 }.into())
        );
    }

    #[test]
    fn an_error_before_ready_ends_the_handshake() {
        let mut octets = Greeting::null().encode().to_vec();
        octets.extend_from_slice(b"\x04\x0a\x05ERROR\x03400");
        let reason = "400".to_owned();
        assert_eq!(
            failure(SocketType::Sub, &octets),
            HandshakeError::PeerError { reason }
        );
    }

    #[test]
    fn an_error_is_passed_on_escaped() {
        let mut octets = Greeting::null().encode().to_vec();
        octets.extend_from_slice(b"\x04\x0b\x05ERROR\x04\x1b[2J");
        let reason = "\\x1b[2J".to_owned();
        assert_eq!(
            failure(SocketType::Sub, &octets),
            HandshakeError::PeerError { reason }
        );
    }

    #[test]
    fn a_malformed_command_before_ready_is_the_peers_fault() {
        let mut octets = Greeting::null().encode().to_vec();
        octets.extend_from_slice(b"\x04\x00");
        let no_name = HandshakeFault::Command(CommandError::NoName);
        assert_eq!(fault(&octets), no_name);
    }

    #[test]
    fn a_message_before_ready_is_refused() {
        let mut octets = Greeting::null().encode().to_vec();
        let ready = octets.len();
        octets.extend_from_slice(&peer(&[("Socket-Type", b"PUB")])[64..]);
        octets[ready] = 0;
        assert_eq!(fault(&octets), HandshakeFault::NotACommand);
    }

    #[test]
    fn frame_rules_hold_before_ready() {
        let mut octets = Greeting::null().encode().to_vec();
        octets.push(0x0c);
        let flags = 0x0c;
        assert_eq!(
            fault(&octets),
            HandshakeFault::Frame(FrameError::ReservedBits { flags })
        );
    }

    #[test]
    fn a_command_over_the_limit_is_refused_at_its_header() {
        let claimed = |size: usize| {
            let mut octets = Greeting::null().encode().to_vec();
            put_header(&mut octets, size, false, true);
            octets
        };
        let over = MAX_HANDSHAKE_COMMAND + 1;
        assert_eq!(
            fault(&claimed(over)),
            HandshakeFault::TooLarge { size: over as u64 }
        );
        let mut ours = handshake(SocketType::Sub);
        assert_eq!(
            ours.receive(&claimed(MAX_HANDSHAKE_COMMAND)),
            Ok((73, None))
        );
        assert!(
            ours.input.capacity() < 1024,
            "room grows with what is received"
        );
    }

    #[test]
    fn after_an_error_the_handshake_stays_dead() {
        let mut ours = handshake(SocketType::Sub);
        let error = ours.receive(b"\0").unwrap_err();
        assert_eq!(
            ours.receive(&peer(&[("Socket-Type", b"PUB")])),
            Err(error.clone())
        );
        assert_eq!(ours.receive(b""), Err(error));
    }
}
