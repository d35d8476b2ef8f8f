//! `Parcel`: what the scenarios send: who sent it, its number, when. Knows nothing of how it travels.

use std::time::{SystemTime, UNIX_EPOCH};

/// Octets it needs at least.
pub(crate) const LEAST: usize = 24;

/// One numbered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parcel {
    /// Drawn by each sender when it starts.
    pub(crate) run: u64,
    /// Counts its messages from 0.
    pub(crate) number: u64,
    /// Since the Unix epoch: what the processes of one machine can compare.
    pub(crate) sent_ns: u64,
}

impl Parcel {
    /// Writes it to the front of a payload.
    pub(crate) fn write(self, payload: &mut [u8]) {
        for (place, value) in payload
            .chunks_exact_mut(8)
            .zip([self.run, self.number, self.sent_ns])
        {
            place.copy_from_slice(&value.to_be_bytes());
        }
    }

    /// None: the payload is none of ours.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let octets = payload.get(at..at + 8)?;
            Some(u64::from_be_bytes(octets.try_into().ok()?))
        };
        Some(Self {
            run: word(0)?,
            number: word(8)?,
            sent_ns: word(16)?,
        })
    }
}

/// Now, in nanoseconds since the Unix epoch.
pub(crate) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| u64::try_from(since.as_nanos()).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_short_payload_is_none() {
        let parcel = Parcel {
            run: 1,
            number: u64::MAX,
            sent_ns: 3,
        };
        let mut payload = [0; LEAST + 5];
        parcel.write(&mut payload);
        assert_eq!(Parcel::read(&payload), Some(parcel));
        assert_eq!(Parcel::read(&payload[..LEAST - 1]), None);
    }
}
