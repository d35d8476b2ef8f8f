//! What is said on a trunk: each a ZMTP frame of one octet that says what it is, four with the lane's number, and what belongs to it.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use colugo_zmtp::put_header;

use crate::options::{LANE_ADDRESS, LANE_CHUNK};

const OPEN: u8 = 1;
const ACCEPT: u8 = 2;
const DATA: u8 = 3;
const CREDIT: u8 = 4;
const END: u8 = 5;

/// What is in front of the octets of a frame's body.
pub(super) const HEAD: usize = 5;
/// Octets of a frame's body at most.
pub(super) const MAX_BODY: usize = HEAD
    + if LANE_CHUNK > LANE_ADDRESS {
        LANE_CHUNK
    } else {
        LANE_ADDRESS
    };

/// One frame, and the lane it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// Who dialled wants a lane to what has this address.
    Open(u32, &'a [u8]),
    /// It is taken.
    Accept(u32),
    /// Octets of the lane.
    Data(u32, &'a [u8]),
    /// So many octets more may come than were allowed before.
    Credit(u32, u32),
    /// Nothing more comes from this side. Without [`Accept`](Self::Accept) before it: the lane is refused.
    End(u32),
    /// What a later version may say.
    Unknown,
}

impl<'a> Said<'a> {
    /// None: no version says that.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (kind, rest) = body.split_first()?;
        let (lane, data) = rest.split_first_chunk()?;
        let lane = u32::from_be_bytes(*lane);
        Some(match *kind {
            OPEN if data.len() <= LANE_ADDRESS => Self::Open(lane, data),
            ACCEPT if data.is_empty() => Self::Accept(lane),
            DATA if data.len() <= LANE_CHUNK => Self::Data(lane, data),
            CREDIT => Self::Credit(lane, u32::from_be_bytes(data.try_into().ok()?)),
            END if data.is_empty() => Self::End(lane),
            OPEN..=END => return None,
            _ => Self::Unknown,
        })
    }

    pub(super) fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Open(lane, address) => put(out, OPEN, lane, [address, &[]]),
            Self::Accept(lane) => put(out, ACCEPT, lane, [&[], &[]]),
            Self::Data(lane, octets) => put(out, DATA, lane, [octets, &[]]),
            Self::Credit(lane, octets) => put(out, CREDIT, lane, [&octets.to_be_bytes(), &[]]),
            Self::End(lane) => put(out, END, lane, [&[], &[]]),
            Self::Unknown => {}
        }
    }
}

/// [`Said::Data`] of octets that lie in two pieces.
pub(super) fn put_data(out: &mut Vec<u8>, lane: u32, octets: [&[u8]; 2]) {
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
    use colugo_zmtp::parse_header;

    fn body(said: Said<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        said.put(&mut out);
        let header = parse_header(&out).unwrap().unwrap();
        assert!(!header.command && !header.more);
        out.split_off(header.header_len)
    }

    #[test]
    fn what_is_said_is_heard() {
        for said in [
            Said::Open(1, b"publisher pose"),
            Said::Accept(u32::MAX),
            Said::Data(7, &[9; LANE_CHUNK]),
            Said::Credit(7, 1 << 18),
            Said::End(0),
        ] {
            assert_eq!(Said::parse(&body(said)), Some(said));
        }
        let mut out = Vec::new();
        put_data(&mut out, 7, [b"ab", b"c"]);
        assert_eq!(out, b"\0\x08\x03\0\0\0\x07abc");
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
            &[&b"\x01\0\0\0\x01"[..], &[b'a'; LANE_ADDRESS + 1]].concat(),
        ] {
            assert_eq!(Said::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(Said::parse(b"\x09\0\0\0\x01news"), Some(Said::Unknown));
    }
}
