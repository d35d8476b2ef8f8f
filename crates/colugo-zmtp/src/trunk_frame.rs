//! What is said on a trunk, a connection that carries the links of many topics between two Colugo
//! nodes: one octet that says what it is, four with the lane's number, and what belongs to it. Knows
//! octets; refuses to know which lanes there are.

use crate::frame::put_header;
use crate::limits::{MAX_LANE_ADDRESS, MAX_LANE_CHUNK};

const OPEN: u8 = 1;
const ACCEPT: u8 = 2;
const DATA: u8 = 3;
const CREDIT: u8 = 4;
const END: u8 = 5;

/// What is in front of the data.
const HEAD: usize = 5;

/// One frame of a trunk. In ZMTP it is a message of a single frame, whose body this is.
///
/// The states, and who may say what when, are in `docs/wire.md` of the repository.
///
/// ```
/// use colugo_zmtp::{TrunkFrame, parse_header};
/// let mut out = Vec::new();
/// TrunkFrame::Credit { lane: 7, octets: 1000 }.encode(&mut out);
/// let header = parse_header(&out)?.expect("a whole header");
/// let read = TrunkFrame::parse(&out[header.header_len..]);
/// assert_eq!(read, Some(TrunkFrame::Credit { lane: 7, octets: 1000 }));
/// # Ok::<(), colugo_zmtp::FrameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrunkFrame<'a> {
    /// Who dialled wants a lane to what has this address, of at most [`MAX_LANE_ADDRESS`] octets.
    Open {
        /// The number that it is to have.
        lane: u32,
        /// What it is to.
        address: &'a [u8],
    },
    /// The lane is there.
    Accept {
        /// Its number.
        lane: u32,
    },
    /// At most [`MAX_LANE_CHUNK`] octets of a lane.
    Data {
        /// Its number.
        lane: u32,
        /// What travels on it.
        octets: &'a [u8],
    },
    /// So many octets more may come than were allowed before.
    Credit {
        /// Of this lane.
        lane: u32,
        /// How many.
        octets: u32,
    },
    /// Nothing more comes from this side. Where ACCEPT was due: there is no such lane.
    End {
        /// On this lane.
        lane: u32,
    },
    /// What a later version may say: to be ignored.
    Unknown,
}

impl<'a> TrunkFrame<'a> {
    /// Reads the body of a frame. None: no version says that.
    #[must_use]
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let (kind, rest) = body.split_first()?;
        let (lane, data) = rest.split_first_chunk()?;
        let lane = u32::from_be_bytes(*lane);
        Some(match *kind {
            OPEN if data.len() <= MAX_LANE_ADDRESS => Self::Open {
                lane,
                address: data,
            },
            ACCEPT if data.is_empty() => Self::Accept { lane },
            DATA if data.len() <= MAX_LANE_CHUNK => Self::Data { lane, octets: data },
            CREDIT => Self::Credit {
                lane,
                octets: u32::from_be_bytes(data.try_into().ok()?),
            },
            END if data.is_empty() => Self::End { lane },
            OPEN..=END => return None,
            _ => Self::Unknown,
        })
    }

    /// Appends it as a ZMTP frame. [`Unknown`](Self::Unknown) is not written.
    pub fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Open { lane, address } => put(out, OPEN, lane, [address, &[]]),
            Self::Accept { lane } => put(out, ACCEPT, lane, [&[], &[]]),
            Self::Data { lane, octets } => put(out, DATA, lane, [octets, &[]]),
            Self::Credit { lane, octets } => put(out, CREDIT, lane, [&octets.to_be_bytes(), &[]]),
            Self::End { lane } => put(out, END, lane, [&[], &[]]),
            Self::Unknown => {}
        }
    }
}

/// Appends [`TrunkFrame::Data`] of octets that lie in two pieces, as in a ring.
///
/// ```
/// let mut out = Vec::new();
/// colugo_zmtp::put_lane_data(&mut out, 7, [b"ab", b"c"]);
/// assert_eq!(out, b"\0\x08\x03\0\0\0\x07abc");
/// ```
pub fn put_lane_data(out: &mut Vec<u8>, lane: u32, octets: [&[u8]; 2]) {
    put(out, DATA, lane, octets);
}

fn put(out: &mut Vec<u8>, kind: u8, lane: u32, [front, back]: [&[u8]; 2]) {
    let len = HEAD.saturating_add(front.len()).saturating_add(back.len());
    put_header(out, len, false, false);
    out.push(kind);
    out.extend_from_slice(&lane.to_be_bytes());
    out.extend_from_slice(front);
    out.extend_from_slice(back);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_header;

    fn body(said: TrunkFrame<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        said.encode(&mut out);
        let header = parse_header(&out).unwrap().unwrap();
        assert!(!header.command && !header.more);
        out.split_off(header.header_len)
    }

    #[test]
    fn what_is_said_is_heard() {
        for said in [
            TrunkFrame::Open {
                lane: 1,
                address: b"publisher pose",
            },
            TrunkFrame::Accept { lane: u32::MAX },
            TrunkFrame::Data {
                lane: 7,
                octets: &[9; MAX_LANE_CHUNK],
            },
            TrunkFrame::Credit {
                lane: 7,
                octets: 1 << 18,
            },
            TrunkFrame::End { lane: 0 },
        ] {
            assert_eq!(TrunkFrame::parse(&body(said)), Some(said));
        }
    }

    #[test]
    fn what_nobody_says_is_a_fault_and_what_a_later_version_says_is_not() {
        for wrong in [
            &b""[..],
            b"\x03",
            b"\x03\0\0\0",
            b"\x02\0\0\0\x01x",
            b"\x04\0\0\0\x01\0\0\x01",
            b"\x05\0\0\0\x01x",
            &[&b"\x01\0\0\0\x01"[..], &[b'a'; MAX_LANE_ADDRESS + 1]].concat(),
        ] {
            assert_eq!(TrunkFrame::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(
            TrunkFrame::parse(b"\x09\0\0\0\x01news"),
            Some(TrunkFrame::Unknown)
        );
    }
}
