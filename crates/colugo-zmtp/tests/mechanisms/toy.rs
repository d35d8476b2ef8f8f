//! A mechanism with all that PLAIN and CURVE need of their place, and no security at all: HELLO with
//! a name, a question to the server, WELCOME with a challenge, INITIATE with the answer and metadata,
//! READY with metadata, then MESSAGE frames that are scrambled, numbered and summed.

use bytes::Bytes;
use colugo_zmtp::{
    Command, FrameHeader, HandshakeError, HandshakeFault, Mechanism, MechanismName, Metadata,
    MetadataLimits, Open, OpenError, Opened, Question, Seal, SealError, Sealing, Step, put_header,
};

pub(crate) const NAME: MechanismName =
    MechanismName::from_octets(*b"TOY\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");

/// name-length, "MESSAGE", number, flags, sum.
const OVERHEAD: usize = 1 + 7 + 8 + 1 + 8;

fn mix(a: u64, b: u64) -> u64 {
    (a ^ b.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (a >> 7)
}

fn put(out: &mut Vec<u8>, name: &[u8], data: &[u8]) {
    Command::Unknown { name, data }.encode(out);
}

fn metadata(octets: &[u8]) -> Result<Metadata, HandshakeError> {
    let metadata = Metadata::parse(octets, &MetadataLimits::default());
    metadata.map_err(|error| HandshakeFault::Metadata(error).into())
}

fn number(data: &[u8], name: &'static str) -> Result<(u64, Vec<u8>), HandshakeError> {
    let (number, rest) = data
        .split_first_chunk()
        .ok_or(HandshakeFault::MalformedCommand { name })?;
    Ok((u64::from_be_bytes(*number), rest.to_vec()))
}

#[derive(Debug)]
pub(crate) struct Client {
    user: String,
    secret: u64,
    session: u64,
}

impl Client {
    pub(crate) fn new(user: &str, secret: u64) -> Self {
        Self {
            user: user.into(),
            secret,
            session: 0,
        }
    }
}

impl Mechanism for Client {
    fn name(&self) -> MechanismName {
        NAME
    }

    fn start(&mut self, _ours: &Metadata, out: &mut Vec<u8>) {
        put(out, b"HELLO", self.user.as_bytes());
    }

    fn command(
        &mut self,
        command: &Command<'_>,
        ours: &Metadata,
        out: &mut Vec<u8>,
    ) -> Result<Step, HandshakeError> {
        match command {
            Command::Unknown {
                name: b"WELCOME",
                data,
            } => {
                let (challenge, _) = number(data, "WELCOME")?;
                self.session = mix(challenge, self.secret);
                let mut data = self.session.to_be_bytes().to_vec();
                data.extend(ours.encode());
                put(out, b"INITIATE", &data);
                Ok(Step::Continue)
            }
            Command::Ready(octets) if self.session != 0 => Ok(Step::Done(metadata(octets)?)),
            other => Err(HandshakeFault::unexpected(other).into()),
        }
    }

    fn sealing(&mut self) -> Option<Sealing> {
        Some(sealing(self.session, [b'C', b'S']))
    }
}

#[derive(Debug)]
pub(crate) struct Server {
    secret: u64,
    challenge: u64,
    asked: bool,
}

impl Server {
    /// Randomness is an argument, as everywhere in this crate.
    pub(crate) fn new(secret: u64, challenge: u64) -> Self {
        Self {
            secret,
            challenge,
            asked: false,
        }
    }
}

impl Mechanism for Server {
    fn name(&self) -> MechanismName {
        NAME
    }

    fn as_server(&self) -> bool {
        true
    }

    fn start(&mut self, _ours: &Metadata, _out: &mut Vec<u8>) {}

    fn command(
        &mut self,
        command: &Command<'_>,
        ours: &Metadata,
        out: &mut Vec<u8>,
    ) -> Result<Step, HandshakeError> {
        match command {
            Command::Unknown {
                name: b"HELLO",
                data,
            } if !self.asked => {
                self.asked = true;
                Ok(Step::Decide(Question {
                    mechanism: NAME,
                    credentials: vec![Bytes::copy_from_slice(data)],
                    metadata: Metadata::default(),
                }))
            }
            Command::Unknown {
                name: b"INITIATE",
                data,
            } if self.asked => {
                let (answer, rest) = number(data, "INITIATE")?;
                if answer != mix(self.challenge, self.secret) {
                    return Err(HandshakeFault::NotProven.into());
                }
                ours.encode_ready(out);
                Ok(Step::Done(metadata(&rest)?))
            }
            other => Err(HandshakeFault::unexpected(other).into()),
        }
    }

    fn allowed(&mut self, _ours: &Metadata, out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        put(out, b"WELCOME", &self.challenge.to_be_bytes());
        Ok(Step::Continue)
    }

    fn sealing(&mut self) -> Option<Sealing> {
        Some(sealing(mix(self.challenge, self.secret), [b'S', b'C']))
    }
}

fn sealing(session: u64, [ours, theirs]: [u8; 2]) -> Sealing {
    let half = |side| Half {
        key: mix(session, u64::from(side)),
        number: 0,
    };
    Sealing {
        seal: Box::new(half(ours)),
        open: Box::new(half(theirs)),
        overhead: OVERHEAD,
    }
}

#[derive(Debug)]
struct Half {
    key: u64,
    number: u64,
}

impl Half {
    fn scramble(&self, number: u64, octets: &mut [u8]) {
        for (i, octet) in octets.iter_mut().enumerate() {
            *octet ^= mix(mix(self.key, number), i as u64) as u8;
        }
    }

    fn sum(&self, number: u64, octets: &[u8]) -> u64 {
        let start = mix(self.key, number);
        octets
            .iter()
            .fold(start, |sum, octet| mix(sum, u64::from(*octet)))
    }
}

impl Seal for Half {
    fn seal(
        &mut self,
        out: &mut Vec<u8>,
        body: &[u8],
        more: bool,
        command: bool,
    ) -> Result<(), SealError> {
        self.number = self.number.checked_add(1).ok_or(SealError::Exhausted)?;
        let mut inner = vec![u8::from(more) | u8::from(command) << 1];
        inner.extend_from_slice(body);
        let sum = self.sum(self.number, &inner);
        self.scramble(self.number, &mut inner);
        put_header(out, body.len() + OVERHEAD, false, false);
        out.extend_from_slice(b"\x07MESSAGE");
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&sum.to_be_bytes());
        out.extend_from_slice(&inner);
        Ok(())
    }
}

impl Open for Half {
    fn open(&mut self, outer: FrameHeader, body: &mut [u8]) -> Result<Opened, OpenError> {
        let sealed = body.strip_prefix(b"\x07MESSAGE").ok_or(OpenError::Clear)?;
        let (number, rest) = sealed.split_first_chunk().ok_or(OpenError::Forged)?;
        let number = u64::from_be_bytes(*number);
        let (sum, _) = rest.split_first_chunk().ok_or(OpenError::Forged)?;
        let sum = u64::from_be_bytes(*sum);
        if outer.more || outer.command {
            return Err(OpenError::Clear);
        }
        if number <= self.number {
            return Err(OpenError::Replayed);
        }
        let inner = body.get_mut(24..).ok_or(OpenError::Forged)?;
        self.scramble(number, inner);
        if self.sum(number, inner) != sum || inner.first().is_none_or(|flags| *flags > 3) {
            return Err(OpenError::Forged);
        }
        self.number = number;
        Ok(Opened {
            more: inner[0] & 1 != 0,
            command: inner[0] & 2 != 0,
            start: OVERHEAD,
            len: inner.len() - 1,
        })
    }
}
