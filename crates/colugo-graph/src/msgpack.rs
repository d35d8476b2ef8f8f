//! The part of MessagePack that control messages need: a writer, and a reader that trusts nothing.
//!
//! Knows integers, strings, binary, arrays, maps, and how to skip the rest; does not know any message. The reader
//! allocates only what it has seen the octets of, and stops at a nesting of [`limits::NESTING`](crate::limits::NESTING).
//! Used by `message`.

use crate::limits;

/// Why octets are not MessagePack that we can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MsgPackError {
    /// The octets end inside a value.
    #[error("it ends in the middle of a value")]
    Truncated,
    /// Another type stands where this one belongs.
    #[error("a value has the wrong type, {expected} was expected")]
    WrongType {
        /// What was expected.
        expected: &'static str,
    },
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// Values within values, too deep.
    #[error("values are nested too deeply")]
    TooDeep,
}

pub(crate) fn put_map(out: &mut Vec<u8>, len: usize) {
    put_len(out, len, 0x80, 16, None, 0xde, 0xdf);
}

pub(crate) fn put_array(out: &mut Vec<u8>, len: usize) {
    put_len(out, len, 0x90, 16, None, 0xdc, 0xdd);
}

pub(crate) fn put_str(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len(), 0xa0, 32, Some(0xd9), 0xda, 0xdb);
    out.extend_from_slice(text.as_bytes());
}

/// What stands before so many octets of binary data.
pub(crate) fn put_bin_head(out: &mut Vec<u8>, len: usize) {
    put_len(out, len, 0, 0, Some(0xc4), 0xc5, 0xc6);
}

pub(crate) fn put_bin(out: &mut Vec<u8>, octets: &[u8]) {
    put_bin_head(out, octets.len());
    out.extend_from_slice(octets);
}

pub(crate) fn put_uint(out: &mut Vec<u8>, value: u64) {
    if let Ok(small) = u8::try_from(value) {
        if small >= 0x80 {
            out.push(0xcc);
        }
        out.push(small);
    } else if let Ok(value) = u16::try_from(value) {
        out.push(0xcd);
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = u32::try_from(value) {
        out.push(0xce);
        out.extend_from_slice(&value.to_be_bytes());
    } else {
        out.push(0xcf);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

fn put_len(
    out: &mut Vec<u8>,
    len: usize,
    fix: u8,
    fix_below: usize,
    m8: Option<u8>,
    m16: u8,
    m32: u8,
) {
    match (u8::try_from(len), m8) {
        (Ok(small), _) if len < fix_below => out.push(fix | small),
        (Ok(small), Some(marker)) => out.extend_from_slice(&[marker, small]),
        _ => {
            if let Ok(len) = u16::try_from(len) {
                out.push(m16);
                out.extend_from_slice(&len.to_be_bytes());
            } else {
                // Our own messages are far below 4 GiB; a longer one would be refused by every reader.
                out.push(m32);
                out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
            }
        }
    }
}

/// Reads values one after another from the front of a slice.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// All that is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The octets from here to where `later`, a clone of this that went on, has come.
    pub(crate) fn until(&self, later: &Self) -> &'a [u8] {
        let passed = self.rest.len().saturating_sub(later.rest.len());
        self.rest.get(..passed).unwrap_or_default()
    }

    /// The number of pairs of a map.
    pub(crate) fn map(&mut self) -> Result<usize, MsgPackError> {
        self.header(
            |marker| (marker & 0xf0 == 0x80).then_some(marker & 0x0f),
            None,
            0xde,
            0xdf,
            "a map",
        )
    }

    /// The number of elements of an array.
    pub(crate) fn array(&mut self) -> Result<usize, MsgPackError> {
        self.header(
            |marker| (marker & 0xf0 == 0x90).then_some(marker & 0x0f),
            None,
            0xdc,
            0xdd,
            "an array",
        )
    }

    pub(crate) fn str(&mut self) -> Result<&'a str, MsgPackError> {
        std::str::from_utf8(self.text()?).map_err(|_| MsgPackError::NotUtf8)
    }

    /// The octets of a string, which need not be UTF-8.
    pub(crate) fn text(&mut self) -> Result<&'a [u8], MsgPackError> {
        let fix = |marker: u8| (marker & 0xe0 == 0xa0).then_some(marker & 0x1f);
        let len = self.header(fix, Some(0xd9), 0xda, 0xdb, "a string")?;
        self.take(len)
    }

    pub(crate) fn bin(&mut self) -> Result<&'a [u8], MsgPackError> {
        let len = self.header(|_| None, Some(0xc4), 0xc5, 0xc6, "binary data")?;
        self.take(len)
    }

    pub(crate) fn uint(&mut self) -> Result<u64, MsgPackError> {
        const WRONG: MsgPackError = MsgPackError::WrongType {
            expected: "a number that is not negative",
        };
        let marker = self.octet()?;
        // Encoders may choose a signed type for a value that is not negative.
        let (len, signed) = match marker {
            0x00..=0x7f => return Ok(marker.into()),
            0xcc..=0xcf => (1 << (marker - 0xcc), false),
            0xd0..=0xd3 => (1 << (marker - 0xd0), true),
            _ => return Err(WRONG),
        };
        let octets = self.take(len)?;
        if signed && octets.first().is_some_and(|octet| octet & 0x80 != 0) {
            return Err(WRONG);
        }
        Ok(octets
            .iter()
            .fold(0, |value, octet| value << 8 | u64::from(*octet)))
    }

    /// Steps over one value of any type.
    pub(crate) fn skip(&mut self) -> Result<(), MsgPackError> {
        self.skip_nested(limits::NESTING)
    }

    fn skip_nested(&mut self, depth: usize) -> Result<(), MsgPackError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(MsgPackError::TooDeep);
        };
        let marker = self.octet()?;
        let (octets, values) = match marker {
            0x00..=0x7f | 0xe0..=0xff | 0xc0..=0xc3 => (0, 0),
            0x80..=0x8f => (0, 2 * usize::from(marker & 0x0f)),
            0x90..=0x9f => (0, usize::from(marker & 0x0f)),
            0xa0..=0xbf => (usize::from(marker & 0x1f), 0),
            0xc4..=0xc6 => (self.length(1 << (marker - 0xc4))?, 0),
            0xc7..=0xc9 => (self.length(1 << (marker - 0xc7))?.saturating_add(1), 0),
            0xca => (4, 0),
            0xcb => (8, 0),
            0xcc..=0xcf => (1 << (marker - 0xcc), 0),
            0xd0..=0xd3 => (1 << (marker - 0xd0), 0),
            0xd4..=0xd8 => ((1 << (marker - 0xd4)) + 1, 0),
            0xd9..=0xdb => (self.length(1 << (marker - 0xd9))?, 0),
            0xdc | 0xdd => (0, self.length(2 << (marker - 0xdc))?),
            0xde | 0xdf => (0, self.length(2 << (marker - 0xde))?.saturating_mul(2)),
        };
        self.take(octets)?;
        // Each value takes an octet at least, so the loop ends with the input whatever the count says.
        for _ in 0..values {
            self.skip_nested(depth)?;
        }
        Ok(())
    }

    fn header(
        &mut self,
        fix: impl Fn(u8) -> Option<u8>,
        m8: Option<u8>,
        m16: u8,
        m32: u8,
        expected: &'static str,
    ) -> Result<usize, MsgPackError> {
        let marker = self.octet()?;
        if let Some(len) = fix(marker) {
            return Ok(len.into());
        }
        match marker {
            _ if Some(marker) == m8 => self.length(1),
            _ if marker == m16 => self.length(2),
            _ if marker == m32 => self.length(4),
            _ => Err(MsgPackError::WrongType { expected }),
        }
    }

    fn length(&mut self, octets: usize) -> Result<usize, MsgPackError> {
        let octets = self.take(octets)?;
        Ok(octets
            .iter()
            .fold(0, |value, octet| value << 8 | usize::from(*octet)))
    }

    fn octet(&mut self) -> Result<u8, MsgPackError> {
        let (first, rest) = self.rest.split_first().ok_or(MsgPackError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], MsgPackError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(MsgPackError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_around_each_form_survive() {
        for len in [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536] {
            let text = "x".repeat(len);
            let mut out = Vec::new();
            put_str(&mut out, &text);
            put_bin(&mut out, text.as_bytes());
            put_map(&mut out, len);
            put_array(&mut out, len);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.str(), Ok(text.as_str()));
            assert_eq!(reader.bin(), Ok(text.as_bytes()));
            assert_eq!(reader.map(), Ok(len));
            assert_eq!(reader.array(), Ok(len));
            assert_eq!(reader.octet(), Err(MsgPackError::Truncated));
        }
    }

    #[test]
    fn numbers_survive() {
        for value in [
            0,
            1,
            127,
            128,
            255,
            256,
            65_535,
            65_536,
            u64::from(u32::MAX),
            1 << 32,
            u64::MAX,
        ] {
            let mut out = Vec::new();
            put_uint(&mut out, value);
            assert_eq!(Reader::new(&out).uint(), Ok(value));
            let mut skipping = Reader::new(&out);
            assert_eq!(skipping.skip(), Ok(()));
            assert!(skipping.rest.is_empty());
        }
        assert_eq!(Reader::new(&[0xd0, 5]).uint(), Ok(5));
        assert!(Reader::new(&[0xd0, 0xff]).uint().is_err());
        assert!(Reader::new(&[0xff]).uint().is_err());
    }

    #[test]
    fn deep_and_huge_values_end() {
        assert_eq!(
            Reader::new(&[0x91; 10_000]).skip(),
            Err(MsgPackError::TooDeep)
        );
        assert_eq!(
            Reader::new(&[0xdd, 0xff, 0xff, 0xff, 0xff]).skip(),
            Err(MsgPackError::Truncated)
        );
        assert_eq!(
            Reader::new(&[0xc6, 0xff, 0xff, 0xff, 0xff, 1]).bin(),
            Err(MsgPackError::Truncated)
        );
    }
}
