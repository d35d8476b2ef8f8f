//! What is in the messages: a counter that the receiver checks, and a last message that says how many there were.

use std::time::{Duration, Instant};

use crate::report::Report;

/// Smallest message that holds a counter and, behind it, a time or (in the last one) the total.
pub const SMALLEST: usize = 16;
/// The counter of the message that ends a run. The eight octets after it are the number of messages before it.
const LAST: u64 = u64::MAX;

/// Writes the counter of message number `number` into its payload.
#[inline]
pub fn stamp(payload: &mut [u8], number: u64) {
    payload[..8].copy_from_slice(&number.to_le_bytes());
}

/// Makes `payload` the one that ends a run of `total` messages.
pub fn stamp_last(payload: &mut [u8], total: u64) {
    stamp(payload, LAST);
    payload[8..SMALLEST].copy_from_slice(&total.to_le_bytes());
}

/// Writes when it is sent into a message's payload, behind the counter.
#[inline]
pub fn stamp_time(payload: &mut [u8], nanos: u64) {
    payload[8..SMALLEST].copy_from_slice(&nanos.to_le_bytes());
}

/// When a message was sent, as [`stamp_time`] has written it.
#[inline]
pub fn time(payload: &[u8]) -> u64 {
    payload.get(8..).map_or(0, number)
}

/// The counter in a payload.
#[inline]
pub fn number(payload: &[u8]) -> u64 {
    payload
        .first_chunk()
        .map_or(0, |octets| u64::from_le_bytes(*octets))
}

/// Whether this is the message that ends a run.
#[inline]
pub fn is_last(payload: &[u8]) -> bool {
    number(payload) == LAST
}

/// Watches a stream of messages: order, gaps, first and last instant.
#[derive(Debug, Default)]
pub struct Checker {
    next: u64,
    msgs: u64,
    lost: u64,
    disorder: u64,
    octets: u64,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Checker {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one message in; true when it was the last.
    #[inline]
    pub fn see(&mut self, payload: &[u8]) -> bool {
        let number = number(payload);
        if number == self.next && self.next != 0 {
            self.next += 1;
            self.msgs += 1;
            self.octets += payload.len() as u64;
            return false;
        }
        self.see_rare(payload, number)
    }

    #[cold]
    fn see_rare(&mut self, payload: &[u8], number: u64) -> bool {
        if self.last.is_some() {
            return true; // the last message again, sent until somebody listens
        }
        if number == LAST {
            let total = payload.get(8..).map_or(0, self::number);
            self.lost += total.saturating_sub(self.next);
            self.last = Some(Instant::now());
            return true;
        }
        self.first.get_or_insert_with(Instant::now);
        if number < self.next {
            self.disorder += 1;
        } else {
            self.lost += number - self.next;
            self.next = number + 1;
        }
        self.msgs += 1;
        self.octets += payload.len() as u64;
        false
    }

    /// When the first and the last message came.
    pub fn span(&self) -> Option<(Instant, Instant)> {
        Some((self.first?, self.last?))
    }

    /// Several receivers' figures as one: all deliveries, from the first message anywhere to the last anywhere.
    pub fn report(all: &[Self]) -> Report {
        let spans: Vec<_> = all.iter().filter_map(Self::span).collect();
        let first = spans.iter().map(|span| span.0).min();
        let last = spans.iter().map(|span| span.1).max();
        let span = first
            .zip(last)
            .map_or(Duration::ZERO, |(first, last)| last - first)
            .as_secs_f64();
        let sum = |of: fn(&Self) -> u64| all.iter().map(of).sum::<u64>() as f64;
        Report::new()
            .with("msgs", sum(|checker| checker.msgs))
            .with("lost", sum(|checker| checker.lost))
            .with("disorder", sum(|checker| checker.disorder))
            .with("rate", sum(|checker| checker.msgs) / span)
            .with("mbs", sum(|checker| checker.octets) / span / 1e6)
            .with("secs", span)
    }
}

/// How long to send, asked often and answered cheaply: the clock is read once in a few dozen kilobytes.
#[derive(Debug)]
pub struct Pace {
    until: Instant,
    every: u64,
}

impl Pace {
    /// From now for `duration`, with messages of `size` octets.
    pub fn start(duration: Duration, size: usize) -> Self {
        let every = (65_536 / size.max(1)).clamp(1, 512).next_power_of_two();
        Self {
            until: Instant::now() + duration,
            every: every as u64,
        }
    }

    /// Whether message number `number` is still to be sent.
    #[inline]
    pub fn goes_on(&self, number: u64) -> bool {
        number & (self.every - 1) != 0 || Instant::now() < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::{Checker, SMALLEST, stamp, stamp_last};

    fn run(numbers: &[u64], total: u64) -> Checker {
        let mut checker = Checker::new();
        let mut payload = [0; SMALLEST];
        for &number in numbers {
            stamp(&mut payload, number);
            assert!(!checker.see(&payload));
        }
        stamp_last(&mut payload, total);
        assert!(checker.see(&payload));
        checker
    }

    #[test]
    fn every_message_in_order_is_no_loss() {
        let checker = run(&[0, 1, 2], 3);
        assert_eq!((checker.msgs, checker.lost, checker.disorder), (3, 0, 0));
    }

    #[test]
    fn gaps_are_counted_at_the_start_inside_and_at_the_end() {
        let checker = run(&[2, 3, 5], 7);
        assert_eq!((checker.msgs, checker.lost, checker.disorder), (3, 4, 0));
    }

    #[test]
    fn a_message_seen_twice_is_disorder() {
        let checker = run(&[0, 1, 1], 2);
        assert_eq!((checker.msgs, checker.lost, checker.disorder), (3, 0, 1));
    }
}
