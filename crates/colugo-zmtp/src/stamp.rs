//! STAMP, the command by which a Colugo publisher tells its Colugo subscribers the sequence number
//! and the send time of the message that follows, and what was lost before it. Knows the octets;
//! when to send one is the socket's affair. No clock: the time is an argument.

use crate::frame::{MAX_HEADER_LEN, put_header};
use crate::limits::MAX_LOSS_CAUSES;

const LOSSES: u8 = 1;
const RETAINED: u8 = 2;
const FINALE: u8 = 4;

/// Why messages were not sent to a subscriber.
///
/// ```
/// use colugo_zmtp::Cause;
/// assert_eq!(Cause::from_code(1), Cause::Full);
/// assert_eq!(Cause::Other(77).code(), 77);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The subscriber's queue was full.
    Full,
    /// A filter or rate limit held them back: no loss.
    Filtered,
    /// They were over the size limit.
    TooLarge,
    /// A blocking send ran into its timeout.
    Timeout,
    /// A code unknown to this version; 0 stands for several causes that had no room of their own.
    Other(u8),
}

impl Cause {
    /// The cause with this code on the wire.
    ///
    /// ```
    /// # use colugo_zmtp::Cause;
    /// assert!((0..=255).all(|code| Cause::from_code(code).code() == code));
    /// ```
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Full,
            2 => Self::Filtered,
            3 => Self::TooLarge,
            4 => Self::Timeout,
            other => Self::Other(other),
        }
    }

    /// The code on the wire.
    ///
    /// ```
    /// # use colugo_zmtp::Cause;
    /// assert_eq!(Cause::Timeout.code(), 4);
    /// ```
    pub const fn code(self) -> u8 {
        match self {
            Self::Full => 1,
            Self::Filtered => 2,
            Self::TooLarge => 3,
            Self::Timeout => 4,
            Self::Other(code) => code,
        }
    }
}

/// Counts of messages by the cause of their loss; small, and copied.
///
/// The total is always right: when more than [`MAX_LOSS_CAUSES`] causes meet, `Cause::Other(0)`
/// takes the rest, in the last place if it has none yet.
///
/// ```
/// use colugo_zmtp::{Cause, Losses};
/// let mut losses = Losses::default();
/// losses.add(Cause::Full, 3);
/// losses.add(Cause::Full, 2);
/// assert_eq!(losses.iter().collect::<Vec<_>>(), [(Cause::Full, 5)]);
/// assert_eq!(losses.total(), 5);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Losses {
    entries: [(Cause, u64); MAX_LOSS_CAUSES],
    len: usize,
}

impl Default for Losses {
    fn default() -> Self {
        Self {
            entries: [(Cause::Other(0), 0); MAX_LOSS_CAUSES],
            len: 0,
        }
    }
}

impl PartialEq for Losses {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Losses {}

impl Losses {
    /// Adds `count` messages lost for `cause`; nothing if `count` is zero.
    ///
    /// ```
    /// # use colugo_zmtp::{Cause, Losses};
    /// let mut losses = Losses::default();
    /// losses.add(Cause::Timeout, 0);
    /// assert!(losses.is_empty());
    /// ```
    pub fn add(&mut self, cause: Cause, count: u64) {
        if count == 0 {
            return;
        }
        if let Some(sum) = self.count_of(cause) {
            *sum = sum.saturating_add(count);
        } else if let Some(free) = self.entries.get_mut(self.len) {
            *free = (cause, count);
            self.len = self.len.saturating_add(1);
        } else if let Some(sum) = self.count_of(Cause::Other(0)) {
            *sum = sum.saturating_add(count);
        } else if let Some((last, sum)) = self.entries.last_mut() {
            *last = Cause::Other(0);
            *sum = sum.saturating_add(count);
        }
    }

    fn count_of(&mut self, cause: Cause) -> Option<&mut u64> {
        let mut entries = self.entries.iter_mut().take(self.len);
        entries.find(|e| e.0 == cause).map(|e| &mut e.1)
    }

    /// Causes and their counts, in the order they were added. No count is zero.
    ///
    /// ```
    /// # use colugo_zmtp::Losses;
    /// assert_eq!(Losses::default().iter().count(), 0);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        self.entries.iter().take(self.len).copied()
    }

    /// The sum over all causes, those that are no loss included: the gap in the sequence numbers.
    ///
    /// ```
    /// # use colugo_zmtp::Losses;
    /// assert_eq!(Losses::default().total(), 0);
    /// ```
    pub fn total(&self) -> u64 {
        self.iter().fold(0, |sum, (_, n)| sum.saturating_add(n))
    }

    /// Whether nothing is counted.
    ///
    /// ```
    /// # use colugo_zmtp::Losses;
    /// assert!(Losses::default().is_empty());
    /// ```
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Sequence number and send time of the message that follows, and the losses before it.
///
/// `04 len 05 "STAMP" flags(1) seq(8) time_ns(8) [n(1) n × (cause(1) count(8))]`
///
/// ```
/// use colugo_zmtp::{Command, Stamp};
/// let stamp = Stamp { seq: 7, time_ns: 1_000, ..Stamp::default() };
/// let mut out = Vec::new();
/// stamp.encode(&mut out);
/// assert_eq!(Command::parse(&out[2..]), Ok(Command::Stamp(stamp)));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Sequence number, within a run of the publisher, of the message that follows.
    pub seq: u64,
    /// When that message was sent, in nanoseconds since the Unix epoch by the publisher's clock.
    pub time_ns: u64,
    /// The messages that follow are retained ones, from history.
    pub retained: bool,
    /// The publisher closes: no message follows.
    pub finale: bool,
    /// What was not sent to this subscriber since the last stamp.
    pub losses: Losses,
}

impl Stamp {
    /// Appends the whole command frame.
    ///
    /// ```
    /// # use colugo_zmtp::Stamp;
    /// let mut out = Vec::new();
    /// Stamp::default().encode(&mut out);
    /// assert_eq!(out.len(), 25);
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut flags = 0;
        if !self.losses.is_empty() {
            flags |= LOSSES;
        }
        if self.retained {
            flags |= RETAINED;
        }
        if self.finale {
            flags |= FINALE;
        }
        // Not by `put_command_parts`: this is written every few messages.
        let losses_len = match self.losses.len {
            0 => 0,
            n => n.saturating_mul(9).saturating_add(1),
        };
        let body_len = losses_len.saturating_add(6 + 17);
        out.reserve(body_len.saturating_add(MAX_HEADER_LEN));
        put_header(out, body_len, false, true);
        out.extend_from_slice(b"\x05STAMP");
        out.push(flags);
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(&self.time_ns.to_be_bytes());
        if !self.losses.is_empty() {
            out.push(self.losses.len as u8);
            for (cause, count) in self.losses.iter() {
                out.push(cause.code());
                out.extend_from_slice(&count.to_be_bytes());
            }
        }
    }

    /// The stamp in a command's data. Unknown flags, and octets after what is known, are left for
    /// later versions to use.
    pub(crate) fn parse(data: &[u8]) -> Option<Self> {
        let (&[flags], data) = data.split_first_chunk()?;
        let (seq, data) = data.split_first_chunk()?;
        let (time_ns, data) = data.split_first_chunk()?;
        let mut losses = Losses::default();
        if flags & LOSSES != 0 {
            let (&[n], mut data) = data.split_first_chunk()?;
            for _ in 0..n {
                let (&[cause], rest) = data.split_first_chunk()?;
                let (count, rest) = rest.split_first_chunk()?;
                losses.add(Cause::from_code(cause), u64::from_be_bytes(*count));
                data = rest;
            }
        }
        Some(Self {
            seq: u64::from_be_bytes(*seq),
            time_ns: u64::from_be_bytes(*time_ns),
            retained: flags & RETAINED != 0,
            finale: flags & FINALE != 0,
            losses,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Command;

    fn octets(stamp: &Stamp) -> Vec<u8> {
        let mut out = Vec::new();
        stamp.encode(&mut out);
        out
    }

    #[test]
    fn a_stamp_has_the_octets_of_the_wire_contract() {
        let mut stamp = Stamp {
            seq: 0x0102,
            time_ns: 0x0304,
            ..Stamp::default()
        };
        let plain = b"\x04\x17\x05STAMP\x00\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\x03\x04";
        assert_eq!(octets(&stamp), plain);

        stamp.losses.add(Cause::Full, 3);
        stamp.losses.add(Cause::Filtered, 256);
        stamp.retained = true;
        stamp.finale = true;
        let mut full = b"\x04\x2a\x05STAMP\x07\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\x03\x04".to_vec();
        full.extend_from_slice(b"\x02\x01\0\0\0\0\0\0\0\x03\x02\0\0\0\0\0\0\x01\x00");
        assert_eq!(octets(&stamp), full);
    }

    #[test]
    fn every_stamp_is_read_back() {
        for bits in 0..8 {
            let mut stamp = Stamp {
                seq: u64::MAX,
                time_ns: u64::MAX,
                ..Stamp::default()
            };
            stamp.retained = bits & 1 != 0;
            stamp.finale = bits & 2 != 0;
            for cause in 0..(bits & 4) * 2 {
                stamp
                    .losses
                    .add(Cause::from_code(cause), u64::from(cause) + 1);
            }
            let parsed = Command::parse(&octets(&stamp)[2..]).map(|c| c == Command::Stamp(stamp));
            assert_eq!(parsed, Ok(true));
        }
    }

    #[test]
    fn the_longest_stamp_has_a_short_header() {
        let mut stamp = Stamp::default();
        for cause in 0..=255 {
            stamp.losses.add(Cause::from_code(cause), u64::MAX);
        }
        let octets = octets(&stamp);
        assert_eq!(octets[0], 4);
        assert_eq!(octets.len(), 2 + 6 + 17 + 1 + MAX_LOSS_CAUSES * 9);
    }

    #[test]
    fn the_place_for_several_causes_is_one_wherever_it_stands() {
        let mut losses = Losses::default();
        losses.add(Cause::Other(0), 1);
        for code in 1..=20 {
            losses.add(Cause::from_code(code), 1);
        }
        let several = losses.iter().filter(|e| e.0 == Cause::Other(0));
        assert_eq!(several.collect::<Vec<_>>(), [(Cause::Other(0), 14)]);
        assert_eq!(losses.total(), 21);
    }

    #[test]
    fn unknown_flags_and_trailing_octets_are_left_to_later_versions() {
        let mut data = vec![0xf8];
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(b"later");
        assert_eq!(Stamp::parse(&data), Some(Stamp::default()));
    }

    #[test]
    fn the_total_is_right_with_any_number_of_causes() {
        let mut data = vec![LOSSES];
        data.extend_from_slice(&[0; 16]);
        data.push(255);
        for cause in 0..255 {
            data.push(cause);
            data.extend_from_slice(&1_u64.to_be_bytes());
        }
        let losses = Stamp::parse(&data).unwrap().losses;
        assert_eq!(losses.total(), 255);
        assert_eq!(losses.iter().count(), MAX_LOSS_CAUSES);
        let seven = MAX_LOSS_CAUSES as u64 - 1;
        let mut several = losses.iter().filter(|e| e.0 == Cause::Other(0));
        assert_eq!(several.next(), Some((Cause::Other(0), 255 - seven)));
        assert_eq!(several.next(), None);
    }

    #[test]
    fn counts_saturate() {
        let mut losses = Losses::default();
        losses.add(Cause::Full, u64::MAX);
        losses.add(Cause::Full, 1);
        losses.add(Cause::Timeout, 1);
        assert_eq!(losses.total(), u64::MAX);
    }
}
