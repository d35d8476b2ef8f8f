//! The first 64 octets of a connection. Knows versions and the mechanism's name; refuses to know
//! what the mechanism does. Used by the handshake, and by anyone who wants to recognise a ZeroMQ
//! peer from its first octets.

use std::fmt;

/// Octets of a ZMTP 3.x greeting.
pub const GREETING_LEN: usize = 64;

const MECHANISM_LEN: usize = 20;

/// The name of a security mechanism: 20 octets, padded with NUL.
///
/// ```
/// use colugo_zmtp::MechanismName;
/// assert_eq!(MechanismName::NULL.to_string(), "NULL");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MechanismName([u8; MECHANISM_LEN]);

impl MechanismName {
    /// No security.
    pub const NULL: Self = Self(*b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");

    /// A name from the 20 octets on the wire, whatever they are.
    ///
    /// ```
    /// # use colugo_zmtp::MechanismName;
    /// let name = MechanismName::from_octets(*b"CURVE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    /// assert_eq!(name.to_string(), "CURVE");
    /// ```
    pub const fn from_octets(octets: [u8; MECHANISM_LEN]) -> Self {
        Self(octets)
    }

    /// All 20 octets; two mechanisms are the same if all of them are.
    ///
    /// ```
    /// # use colugo_zmtp::MechanismName;
    /// assert_eq!(MechanismName::NULL.octets().len(), 20);
    /// ```
    pub const fn octets(&self) -> &[u8; MECHANISM_LEN] {
        &self.0
    }
}

/// Without the padding; what is not printable ASCII is escaped, as the octets may be a hostile
/// peer's.
impl fmt::Display for MechanismName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut name = self.0.as_slice();
        while let [head @ .., 0] = name {
            name = head;
        }
        write!(f, "{}", name.escape_ascii())
    }
}

/// A ZMTP 3.x greeting, ours or a peer's.
///
/// ```
/// use colugo_zmtp::Greeting;
/// let octets = Greeting::null().encode();
/// assert_eq!(Greeting::parse(&octets), Ok(Some(Greeting::null())));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greeting {
    /// Major version; 3, or more from a peer of the future.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// The security mechanism, which must be the same on both sides.
    pub mechanism: MechanismName,
    /// The as-server bit. Not to be relied on: libzmq's CURVE servers leave it unset.
    pub as_server: bool,
}

/// Why the first octets of a connection are not a greeting that can be spoken to.
///
/// ```
/// use colugo_zmtp::{Greeting, GreetingError};
/// assert_eq!(Greeting::parse(b"GET / HTTP/1.1"), Err(GreetingError::NotZmtp));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GreetingError {
    /// The peer speaks some other protocol.
    #[error("the peer does not speak ZeroMQ: check the address and the port")]
    NotZmtp,
    /// The peer speaks ZMTP 1.0 or 2.0.
    #[error(
        "the peer speaks ZMTP {major}, which is too old: it needs a ZeroMQ library of version 4 or later"
    )]
    OldVersion {
        /// 1 or 2.
        major: u8,
    },
}

impl Greeting {
    /// Our greeting for the mechanism NULL: ZMTP 3.1.
    ///
    /// ```
    /// # use colugo_zmtp::{Greeting, MechanismName};
    /// assert_eq!(Greeting::null().mechanism, MechanismName::NULL);
    /// ```
    pub const fn null() -> Self {
        Self {
            major: 3,
            minor: 1,
            mechanism: MechanismName::NULL,
            as_server: false,
        }
    }

    /// The 64 octets. The padding is zero but for its last octet, a one, by which a ZMTP 1.0 peer
    /// reads a plausible length.
    ///
    /// ```
    /// # use colugo_zmtp::Greeting;
    /// assert_eq!(Greeting::null().encode()[..12], *b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01");
    /// ```
    pub fn encode(&self) -> [u8; GREETING_LEN] {
        let head = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, self.major, self.minor];
        let rest = [u8::from(self.as_server)];
        let octets = head.iter().chain(self.mechanism.octets()).chain(&rest);
        let mut greeting = [0; GREETING_LEN];
        for (to, from) in greeting.iter_mut().zip(octets) {
            *to = *from;
        }
        greeting
    }

    /// The greeting at the start of `octets`, `None` while more octets are needed.
    ///
    /// A peer that can't be spoken to is recognised as soon as the octet that tells is there.
    /// Padding and the filler at the end are not looked at.
    ///
    /// # Errors
    /// [`GreetingError`]: not ZMTP at all, or an old version of it.
    ///
    /// ```
    /// # use colugo_zmtp::{Greeting, GreetingError};
    /// assert_eq!(Greeting::parse(&[0xff, 0]), Ok(None));
    /// assert_eq!(Greeting::parse(&[0x01, 0x00]), Err(GreetingError::OldVersion { major: 1 }));
    /// ```
    pub fn parse(octets: &[u8]) -> Result<Option<Self>, GreetingError> {
        match octets.first() {
            None => return Ok(None),
            Some(0xff) => {}
            // A ZMTP 1.0 peer opens with its identity as a frame: a length that counts the flags,
            // then flags of zero.
            Some(0) => return Err(GreetingError::NotZmtp),
            Some(_) => {
                return match octets.get(1) {
                    None => Ok(None),
                    Some(0) => Err(GreetingError::OldVersion { major: 1 }),
                    Some(_) => Err(GreetingError::NotZmtp),
                };
            }
        }
        match octets.get(9) {
            None => return Ok(None),
            Some(0x7f) => {}
            Some(end) if end & 1 == 0 => return Err(GreetingError::OldVersion { major: 1 }),
            Some(_) => return Err(GreetingError::NotZmtp),
        }
        // Octet 10 of a 2.0 peer is its revision, 0 or 1.
        match octets.get(10) {
            None => return Ok(None),
            Some(0..=2) => return Err(GreetingError::OldVersion { major: 2 }),
            Some(_) => {}
        }
        Ok(octets.first_chunk::<GREETING_LEN>().and_then(Self::read))
    }

    fn read(octets: &[u8; GREETING_LEN]) -> Option<Self> {
        let (&[major, minor], rest) = octets.get(10..)?.split_first_chunk()?;
        let (mechanism, rest) = rest.split_first_chunk()?;
        Some(Self {
            major,
            minor,
            mechanism: MechanismName(*mechanism),
            as_server: rest.first().is_some_and(|octet| octet & 1 == 1),
        })
    }

    /// The minor version of ZMTP 3 to speak with the peer that sent this greeting: 0 or 1.
    ///
    /// ```
    /// # use colugo_zmtp::Greeting;
    /// assert_eq!(Greeting::null().common_minor(), 1);
    /// assert_eq!(Greeting { minor: 0, ..Greeting::null() }.common_minor(), 0);
    /// ```
    pub const fn common_minor(&self) -> u8 {
        (self.major > 3 || self.minor >= 1) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(octets: &[(usize, u8)]) -> [u8; GREETING_LEN] {
        let mut greeting = Greeting::null().encode();
        for (at, octet) in octets {
            greeting[*at] = *octet;
        }
        greeting
    }

    #[test]
    fn a_greeting_is_complete_at_64_octets_and_not_before() {
        let octets = Greeting::null().encode();
        for len in 0..GREETING_LEN {
            assert_eq!(Greeting::parse(&octets[..len]), Ok(None), "{len} octets");
        }
        assert_eq!(Greeting::parse(&octets), Ok(Some(Greeting::null())));
        let mut longer = octets.to_vec();
        longer.extend_from_slice(b"\x04\x06\x05READY");
        assert_eq!(Greeting::parse(&longer), Ok(Some(Greeting::null())));
    }

    #[test]
    fn padding_and_filler_are_not_looked_at() {
        let mut octets = Greeting::null().encode();
        octets[1..9].fill(0xaa);
        octets[33..].fill(0xbb);
        assert_eq!(Greeting::parse(&octets), Ok(Some(Greeting::null())));
    }

    #[test]
    fn later_versions_are_spoken_to_as_3_1() {
        for (major, minor, spoken) in [(3, 0, 0), (3, 1, 1), (3, 2, 1), (4, 0, 1), (255, 255, 1)] {
            let greeting = Greeting::parse(&with(&[(10, major), (11, minor)]));
            let greeting = greeting.unwrap().unwrap();
            assert_eq!((greeting.major, greeting.minor), (major, minor));
            assert_eq!(greeting.common_minor(), spoken, "{major}.{minor}");
        }
    }

    #[test]
    fn old_versions_are_told_from_other_protocols() {
        use GreetingError::*;
        let v1 = Err(OldVersion { major: 1 });
        let v2 = Err(OldVersion { major: 2 });
        let cases: [(&[u8], _); 12] = [
            (b"\x01\x00", v1),                           // anonymous
            (b"\x04\x00abc", v1),                        // with an identity
            (b"\xff\0\0\0\0\0\0\x01\x04\x00", v1),       // with a long identity
            (b"\xff\0\0\0\0\0\0\0\x01\x7f\x00", v2),     // 2.0 greeting, 1.0 frames
            (b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x02", v2), // JeroMQ 0.3
            (b"\xff\0\0\0\0\0\0\0\x01\x7f\x02", v2),
            (b"\xff\0\0\0\0\0\0\0\x01\x7d", Err(NotZmtp)),
            (b"\0", Err(NotZmtp)),
            (b"GET / HTTP/1.1\r\n", Err(NotZmtp)),
            (b"\x16\x03\x01", Err(NotZmtp)), // TLS
            (b"SSH-2.0-OpenSSH", Err(NotZmtp)),
            (b"G", Ok(None)),
        ];
        for (octets, expected) in cases {
            assert_eq!(
                Greeting::parse(octets),
                expected,
                "{}",
                octets.escape_ascii()
            );
        }
    }

    #[test]
    fn mechanism_and_role_are_read() {
        let curve = MechanismName::from_octets(*b"CURVE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        let ours = Greeting {
            mechanism: curve,
            as_server: true,
            ..Greeting::null()
        };
        let read = Greeting::parse(&ours.encode()).unwrap().unwrap();
        assert_eq!(read, ours);
        assert_eq!(read.mechanism.to_string(), "CURVE");
    }

    #[test]
    fn a_hostile_mechanism_name_is_escaped() {
        let name = MechanismName::from_octets(*b"\x1b[2J\0X\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(name.to_string(), "\\x1b[2J\\x00X");
    }
}
