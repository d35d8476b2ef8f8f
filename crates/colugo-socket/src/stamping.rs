//! `Stamping`: when a publisher's link needs a STAMP before a message (the wire contract's rules), and what losses it tells.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use colugo_zmtp::{Cause, Losses, Stamp};

use crate::clock;

/// A stamp is due when the clock has moved so far since the last one.
const STAMP_AFTER_NS: u64 = 100_000;
/// The clock is read at every so-manieth message, if no queue was empty.
const CLOCK_EVERY: u64 = 16;
/// In a fast stream at every so-manieth: reading it is 2 of the 40 ns that a message takes there.
const CLOCK_EVERY_FAST: u64 = 64;
/// A stream is fast where so many, at the pace of the messages since the clock was read last, take no longer than this.
const FAST_NS: u64 = 50_000;

/// Reads the wall clock at most once a send.
#[derive(Debug, Default)]
pub(crate) struct SendClock(u64);

impl SendClock {
    /// A clock that has been read.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn at(now_ns: u64) -> Self {
        Self(now_ns)
    }

    /// Nanoseconds since the Unix epoch.
    pub(crate) fn now_ns(&mut self) -> u64 {
        if self.0 == 0 {
            self.0 = clock::wall_ns();
        }
        self.0
    }
}

/// One link's stamps.
#[derive(Debug, Default)]
pub(crate) struct Stamping {
    /// Number the peer counts to, if nothing is stamped before; [`NEVER`] when something must be told first.
    peer_expects: u64,
    /// From this number on the clock is read.
    clock_at: u64,
    /// At which it was read last, and when that was.
    clock_read: (u64, u64),
    /// No stamp yet since the peer subscribed.
    started: bool,
    last_ns: u64,
    full: u64,
    filtered: u64,
    /// Number after the last message that was queued or lost.
    next_seq: u64,
}

/// No message has this number.
const NEVER: u64 = u64::MAX;

impl Stamping {
    /// The stamp to put before message `seq`, if one is needed.
    #[inline]
    pub(crate) fn before(
        &mut self,
        seq: u64,
        queue_was_empty: bool,
        clock: &mut SendClock,
    ) -> Option<Stamp> {
        let plain = seq == self.peer_expects && seq < self.clock_at && !queue_was_empty;
        self.peer_expects = if plain {
            seq.saturating_add(1)
        } else {
            self.peer_expects
        };
        if plain {
            None
        } else {
            self.perhaps(seq, queue_was_empty, clock)
        }
    }

    #[cold]
    fn perhaps(&mut self, seq: u64, queue_was_empty: bool, clock: &mut SendClock) -> Option<Stamp> {
        let now = clock.now_ns();
        let told = self.started && seq == self.peer_expects && !queue_was_empty;
        self.peer_expects = seq.wrapping_add(1);
        self.next_seq = self.peer_expects;
        let every = self.note_reading(seq, now);
        let next = self.peer_expects.checked_next_multiple_of(every);
        self.clock_at = next.unwrap_or(NEVER);
        if told && now.saturating_sub(self.last_ns) <= STAMP_AFTER_NS {
            return None;
        }
        Some(self.stamp(seq, now))
    }

    /// The clock was read. Gives after how many messages it is read again.
    fn note_reading(&mut self, seq: u64, now: u64) -> u64 {
        let (from, then) = std::mem::replace(&mut self.clock_read, (seq, now));
        let messages = seq.saturating_sub(from);
        let took_ns = now.saturating_sub(then).saturating_mul(CLOCK_EVERY_FAST);
        if messages >= CLOCK_EVERY && took_ns <= FAST_NS.saturating_mul(messages) {
            CLOCK_EVERY_FAST
        } else {
            CLOCK_EVERY
        }
    }

    /// A message was not queued because the queue was full.
    pub(crate) fn lost(&mut self, seq: u64) {
        self.lost_all(seq, 1);
    }

    /// The same of `count` messages from `seq` on.
    pub(crate) fn lost_all(&mut self, seq: u64, count: u64) {
        self.pass(seq.wrapping_add(count).wrapping_sub(1));
        if self.started {
            self.full = self.full.saturating_add(count);
        }
    }

    /// A message was not for this peer: its subscriptions do not match.
    pub(crate) fn filtered(&mut self, seq: u64) {
        self.pass(seq);
        self.filtered = self.filtered.saturating_add(u64::from(self.started));
    }

    fn pass(&mut self, seq: u64) {
        self.next_seq = seq.wrapping_add(1);
        self.peer_expects = NEVER;
    }

    /// Number after the last message that was queued or lost.
    fn next(&self) -> u64 {
        if self.peer_expects == NEVER {
            self.next_seq
        } else {
            self.peer_expects.max(self.next_seq)
        }
    }

    /// The queue is empty: a stamp without a message, if losses are not told yet.
    pub(crate) fn on_drained(&mut self) -> Option<Stamp> {
        if self.full == 0 {
            return None;
        }
        let next = self.next();
        self.peer_expects = next;
        Some(self.stamp(next, SendClock::default().now_ns()))
    }

    /// The publisher closes: the last stamp.
    pub(crate) fn on_close(&mut self) -> Option<Stamp> {
        if !self.started {
            return None;
        }
        let mut stamp = self.stamp(self.next(), SendClock::default().now_ns());
        stamp.finale = true;
        Some(stamp)
    }

    fn stamp(&mut self, seq: u64, now: u64) -> Stamp {
        self.started = true;
        self.last_ns = now;
        let mut stamp = Stamp {
            seq,
            time_ns: now,
            ..Stamp::default()
        };
        for (cause, count) in [
            (Cause::Full, &mut self.full),
            (Cause::Filtered, &mut self.filtered),
        ] {
            if *count != 0 {
                stamp.losses.add(cause, std::mem::take(count));
            }
        }
        stamp
    }
}

/// What a subscriber learns from a stamp: how many messages the publisher says it did not queue, and how many nobody explains.
pub(crate) fn missing(expected: Option<u64>, stamp: &Stamp) -> (u64, u64, u64) {
    let Some(expected) = expected else {
        return (0, 0, 0);
    };
    let (explained, filtered) = told(&stamp.losses);
    let gap = stamp.seq.saturating_sub(expected);
    (
        explained,
        filtered,
        gap.saturating_sub(explained.saturating_add(filtered)),
    )
}

fn told(losses: &Losses) -> (u64, u64) {
    losses.iter().fold(
        (0u64, 0u64),
        |(lost, filtered), (cause, count)| match cause {
            Cause::Filtered => (lost, filtered.saturating_add(count)),
            _ => (lost.saturating_add(count), filtered),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(ns: u64) -> SendClock {
        SendClock::at(ns)
    }

    #[test]
    fn the_first_message_and_the_first_after_a_loss_are_stamped() {
        let mut stamping = Stamping::default();
        assert!(
            stamping
                .before(5, false, &mut clock(1))
                .is_some_and(|s| s.seq == 5 && s.losses.is_empty())
        );
        assert_eq!(stamping.before(6, false, &mut clock(2)), None);
        stamping.lost(7);
        stamping.lost(8);
        let stamp = stamping.before(9, false, &mut clock(3));
        assert!(stamp.is_some_and(|s| missing(Some(7), &s) == (2, 0, 0)));
    }

    #[test]
    fn the_clock_moves_a_stamp_every_hundred_microseconds() {
        let mut stamping = Stamping::default();
        assert!(stamping.before(0, true, &mut clock(1)).is_some());
        assert_eq!(
            stamping.before(1, false, &mut clock(500_000)),
            None,
            "the clock is not read"
        );
        assert!((2..16).all(|seq| stamping.before(seq, false, &mut clock(500_000)).is_none()));
        assert!(stamping.before(16, false, &mut clock(500_000)).is_some());
        assert!(
            stamping.before(17, true, &mut clock(500_001)).is_some(),
            "empty queue"
        );
    }

    #[test]
    fn the_clock_is_read_less_often_while_messages_follow_each_other_fast() {
        let read = |messages: std::ops::Range<u64>, pace_ns: u64| {
            let mut stamping = Stamping::default();
            let mut before = |seq, was_empty| {
                stamping.before(seq, was_empty, &mut clock(1 + seq * pace_ns));
                stamping.clock_read.0
            };
            before(messages.start, true);
            let mut read: Vec<u64> = messages.skip(1).map(|seq| before(seq, false)).collect();
            read.dedup();
            read
        };
        assert_eq!(read(0..200, 40), [0, 16, 64, 128, 192]);
        assert_eq!(
            read(0..50, 1_000),
            [0, 16, 32, 48],
            "64 would take too long"
        );
        assert_eq!(read(15..100, 40), [16, 32, 64], "one message tells no pace");
    }

    #[test]
    fn losses_at_the_end_are_told_once() {
        let mut stamping = Stamping::default();
        stamping.before(0, true, &mut clock(1));
        stamping.lost(1);
        assert!(
            stamping
                .on_drained()
                .is_some_and(|s| s.seq == 2 && missing(Some(1), &s) == (1, 0, 0))
        );
        assert_eq!(stamping.on_drained(), None);
        assert!(stamping.on_close().is_some_and(|s| s.finale && s.seq == 2));
    }

    #[test]
    fn a_gap_that_nobody_explains_is_seen() {
        let stamp = Stamp {
            seq: 12,
            ..Stamp::default()
        };
        assert_eq!(missing(Some(10), &stamp), (0, 0, 2));
        assert_eq!(missing(None, &stamp), (0, 0, 0));
    }
}
