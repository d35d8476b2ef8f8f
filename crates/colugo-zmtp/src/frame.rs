//! Frame headers: `flags(1) size(1 or 8)`. Knows where a frame ends and what kind it is, not what
//! is in it. Every message passes here once each way, hence stateless, inline, and free of
//! allocation but for the buffer that is written to.

use crate::limits::MAX_FRAME_BODY;

/// Octets of the longest frame header.
pub const MAX_HEADER_LEN: usize = 9;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;
const RESERVED: u8 = !(MORE | LONG | COMMAND);

/// What a frame header says.
///
/// ```
/// use colugo_zmtp::parse_header;
/// let header = parse_header(b"\x01\x05hello").unwrap().unwrap();
/// assert!(header.more && !header.command);
/// assert_eq!((header.header_len, header.body_len), (2, 5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// More frames of the same message follow.
    pub more: bool,
    /// The body is a command, not part of a message.
    pub command: bool,
    /// Octets of the header itself: 2 or 9.
    pub header_len: usize,
    /// Octets of the body, as the peer claims: compare with a limit before allocating.
    pub body_len: u64,
}

/// Which rule of framing a peer broke. The connection can't be read any further.
///
/// ```
/// use colugo_zmtp::{parse_header, FrameError};
/// assert_eq!(parse_header(&[0x05]), Err(FrameError::MoreOnCommand));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A flag that no ZMTP version defines.
    #[error(
        "the peer sent frame flags {flags:#04x} with reserved bits set: it is broken, or the connection is not ZeroMQ"
    )]
    ReservedBits {
        /// The flags octet.
        flags: u8,
    },
    /// A command in several frames.
    #[error("the peer sent a command with the MORE flag, which ZMTP forbids")]
    MoreOnCommand,
    /// A size of 2^63 or more.
    #[error("the peer announced a frame of {size} octets, which is more than ZMTP allows")]
    TooLarge {
        /// The size announced, in octets.
        size: u64,
    },
}

#[inline]
const fn check_flags(flags: u8) -> Result<(), FrameError> {
    if flags & RESERVED != 0 {
        return Err(FrameError::ReservedBits { flags });
    }
    if flags & (MORE | COMMAND) == MORE | COMMAND {
        return Err(FrameError::MoreOnCommand);
    }
    Ok(())
}

/// The frame header at the start of `buf`, `None` while more octets are needed.
///
/// Sizes below 256 in the long form are accepted: libzmq accepts them too.
///
/// # Errors
/// [`FrameError`], as soon as the octet that breaks the rule is there, and the same whatever
/// follows it.
///
/// ```
/// # use colugo_zmtp::parse_header;
/// assert_eq!(parse_header(&[0x02, 0, 0, 0]), Ok(None));
/// ```
#[inline]
pub fn parse_header(buf: &[u8]) -> Result<Option<FrameHeader>, FrameError> {
    let Some(&[flags, size]) = buf.first_chunk() else {
        return match buf.first() {
            Some(flags) => check_flags(*flags).map(|()| None),
            None => Ok(None),
        };
    };
    check_flags(flags)?;
    let (header_len, body_len) = if flags & LONG == 0 {
        (2, u64::from(size))
    } else {
        let Some(&[_, size @ ..]) = buf.first_chunk::<MAX_HEADER_LEN>() else {
            return Ok(None);
        };
        let size = u64::from_be_bytes(size);
        if size > MAX_FRAME_BODY {
            return Err(FrameError::TooLarge { size });
        }
        (MAX_HEADER_LEN, size)
    };
    Ok(Some(FrameHeader {
        more: flags & MORE != 0,
        command: flags & COMMAND != 0,
        header_len,
        body_len,
    }))
}

/// Appends the header of a frame of `body_len` octets, in the short form when it fits.
///
/// A command has no MORE: `more` is ignored when `command` is set.
///
/// ```
/// let mut out = Vec::new();
/// colugo_zmtp::put_header(&mut out, 300, false, false);
/// assert_eq!(out, [2, 0, 0, 0, 0, 0, 0, 1, 44]);
/// ```
#[inline]
pub fn put_header(out: &mut Vec<u8>, body_len: usize, more: bool, command: bool) {
    let flags = if command { COMMAND } else { u8::from(more) };
    if let Ok(size) = u8::try_from(body_len) {
        out.extend_from_slice(&[flags, size]);
    } else {
        let [a, b, c, d, e, f, g, h] = (body_len as u64).to_be_bytes();
        out.extend_from_slice(&[flags | LONG, a, b, c, d, e, f, g, h]);
    }
}

/// Appends a frame of a message: header and body.
///
/// ```
/// let mut out = Vec::new();
/// colugo_zmtp::put_frame(&mut out, b"", true);
/// colugo_zmtp::put_frame(&mut out, b"q", false);
/// assert_eq!(out, b"\x01\x00\x00\x01q"); // a request of a REQ socket
/// ```
#[inline]
pub fn put_frame(out: &mut Vec<u8>, body: &[u8], more: bool) {
    put_header(out, body.len(), more, false);
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(more: bool, command: bool, header_len: usize, body_len: u64) -> FrameHeader {
        FrameHeader {
            more,
            command,
            header_len,
            body_len,
        }
    }

    fn long(flags: u8, size: u64) -> Vec<u8> {
        let mut octets = vec![flags];
        octets.extend_from_slice(&size.to_be_bytes());
        octets
    }

    #[test]
    fn the_six_legal_flags_are_read() {
        for (flags, more, command) in [(0, false, false), (1, true, false), (4, false, true)] {
            let short = parse_header(&[flags, 7]);
            assert_eq!(short, Ok(Some(header(more, command, 2, 7))));
            let long = parse_header(&long(flags | LONG, 300));
            assert_eq!(long, Ok(Some(header(more, command, 9, 300))));
        }
    }

    #[test]
    fn all_other_flags_are_refused_at_the_first_octet() {
        for flags in 0..=255_u8 {
            let expected = match flags {
                0..=4 | 6 => Ok(None),
                5 | 7 => Err(FrameError::MoreOnCommand),
                _ => Err(FrameError::ReservedBits { flags }),
            };
            assert_eq!(parse_header(&[flags]), expected);
            if expected.is_err() {
                assert_eq!(parse_header(&[flags; 20]), expected, "whatever follows");
            }
        }
    }

    #[test]
    fn a_small_body_in_the_long_form_is_accepted() {
        assert_eq!(
            parse_header(&long(2, 0)),
            Ok(Some(header(false, false, 9, 0)))
        );
    }

    #[test]
    fn sizes_end_at_2_to_the_63() {
        let last = MAX_FRAME_BODY;
        assert_eq!(
            parse_header(&long(2, last)),
            Ok(Some(header(false, false, 9, last)))
        );
        for size in [last + 1, u64::MAX] {
            assert_eq!(
                parse_header(&long(2, size)),
                Err(FrameError::TooLarge { size })
            );
        }
    }

    #[test]
    fn a_header_cut_anywhere_waits_for_more() {
        assert_eq!(parse_header(&[]), Ok(None));
        for flags in [0, 2, 3, 6] {
            let octets = long(flags, u64::MAX >> 1);
            let whole = if flags & LONG == 0 { 2 } else { 9 };
            for len in 0..whole {
                assert_eq!(
                    parse_header(&octets[..len]),
                    Ok(None),
                    "{flags} cut at {len}"
                );
            }
        }
    }

    #[test]
    fn written_headers_are_read_back_and_short_up_to_255() {
        for len in [0, 1, 255, 256, 65_535, 65_536, 1 << 40] {
            for (more, command) in [(false, false), (true, false), (false, true)] {
                let mut out = Vec::new();
                put_header(&mut out, len, more, command);
                let header_len = if len <= 255 { 2 } else { 9 };
                let expected = header(more, command, header_len, len as u64);
                assert_eq!(parse_header(&out), Ok(Some(expected)));
                assert_eq!(out.len(), header_len);
            }
        }
    }

    #[test]
    fn a_command_never_has_more() {
        let mut out = Vec::new();
        put_header(&mut out, 3, true, true);
        assert_eq!(out, [4, 3]);
    }
}
