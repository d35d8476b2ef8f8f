//! `Pulse`: whether the peer of one connection still lives, as far as PING, PONG and silence tell (RFC 37). No I/O and no clock: the session
//! asks it when its timer is due, and tells it what it saw.
//!
//! Silence alone ends nothing that carries data: libzmq answers no PING while its receive queue is full, and later takes everything. So a
//! link that carried messages after the last PING that was answered is *stalled*, and only one that carried none is given up.

use std::time::Duration;

use tokio::time::Instant;

use crate::options::{Heartbeat, MIN_TTL};

/// What a look at the connection gave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signs {
    /// How long ago octets came, if any came since the last look.
    pub(crate) heard: Option<Duration>,
    /// We do not read at the moment, so that nothing can be heard.
    pub(crate) deaf: bool,
    /// Messages that were queued for the peer, ever.
    pub(crate) queued: u64,
    /// Octets that the system took for the peer, ever, and how long ago it took the last.
    pub(crate) written: u64,
    pub(crate) wrote: Duration,
    /// The last PING waits to be written.
    pub(crate) ping_waits: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Rest,
    /// Send a PING, then say [`Pulse::pinged`].
    Ping,
    /// Tell that the link is stalled.
    Stalled,
    /// Close: silent for so long.
    Close(Duration),
}

#[derive(Debug)]
pub(crate) struct Pulse {
    /// None: we ask nothing, being told not to or not understood.
    ours: Option<Heartbeat>,
    /// The peer goes by our PINGs, so we must not be silent for long.
    promised: bool,
    /// How long a silence the peer wants us to bear.
    peer_ttl: Option<Duration>,
    heard_at: Instant,
    written: u64,
    spoke_at: Instant,
    asked: Option<Asked>,
    /// Number of the next PING.
    number: u64,
    /// What was queued before the last PING that was answered.
    answered: u64,
    stalled_at: Option<Instant>,
}

/// The oldest PING without an answer.
#[derive(Clone, Copy, Debug)]
struct Asked {
    number: u64,
    at: Instant,
    queued: u64,
}

impl Pulse {
    /// For a connection that has just shaken hands; `queued`: what was queued on the link before it. `colugo`: the peer understands a ttl
    /// as we do.
    pub(crate) fn new(now: Instant, ours: Option<Heartbeat>, colugo: bool, queued: u64) -> Self {
        Self {
            ours,
            promised: colugo && ours.is_some_and(|ours| ours.ttl_ds() > 0),
            peer_ttl: None,
            heard_at: now,
            written: 0,
            spoke_at: now,
            asked: None,
            number: 0,
            answered: queued,
            stalled_at: None,
        }
    }

    /// The ttl that our PINGs carry.
    pub(crate) fn ttl_ds(&self) -> u16 {
        match self.ours {
            Some(ours) if self.promised => ours.ttl_ds(),
            _ => 0,
        }
    }

    /// The context of the next PING: its number.
    pub(crate) fn context(&self) -> [u8; 8] {
        self.number.to_be_bytes()
    }

    /// A PING was queued, after `queued` messages.
    pub(crate) fn pinged(&mut self, now: Instant, queued: u64) {
        let asked = Asked {
            number: self.number,
            at: now,
            queued,
        };
        self.asked.get_or_insert(asked);
        self.spoke_at = now;
        self.number = self.number.wrapping_add(1);
    }

    /// A PONG came. One that has not our context, as some peers send them, answers whatever was asked.
    pub(crate) fn ponged(&mut self, context: &[u8]) {
        let number = <[u8; 8]>::try_from(context).map_or(u64::MAX, u64::from_be_bytes);
        if let Some(asked) = self.asked
            && number >= asked.number
        {
            self.answered = asked.queued;
            self.asked = None;
        }
    }

    /// A PING came with this ttl, which counts until the next PING. True: it is not the one before.
    pub(crate) fn was_pinged(&mut self, ttl_ds: u16) -> bool {
        let ttl = (ttl_ds > 0).then(|| Duration::from_millis(u64::from(ttl_ds) * 100).max(MIN_TTL));
        std::mem::replace(&mut self.peer_ttl, ttl) != ttl
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled_at.is_some()
    }

    /// Octets came on a stalled link. Gives how long it was.
    pub(crate) fn resume(&mut self, now: Instant) -> Duration {
        let since = self.stalled_at.take().unwrap_or(now);
        self.heard_at = now;
        now.saturating_duration_since(since)
    }

    /// What is to be done now.
    pub(crate) fn look(&mut self, now: Instant, signs: &Signs) -> Act {
        if signs.deaf {
            self.heard_at = now;
        } else if let Some(at) = signs.heard.and_then(|age| now.checked_sub(age)) {
            self.heard_at = self.heard_at.max(at);
        }
        if signs.written != self.written {
            self.written = signs.written;
            if let Some(at) = now.checked_sub(signs.wrote) {
                self.spoke_at = self.spoke_at.max(at);
            }
            if let Some(asked) = self.asked.as_mut().filter(|_| signs.ping_waits) {
                // It stands behind much that moves: its time begins when it is on its way.
                asked.at = now;
            }
        }
        let silent = now.saturating_duration_since(self.heard_at);
        if self.peer_ttl.is_some_and(|ttl| silent >= ttl) {
            return Act::Close(silent);
        }
        let Some(ours) = self.ours else {
            return Act::Rest;
        };
        match self.asked {
            Some(asked) if self.stalled_at.is_none() && now >= self.judged_at(ours, asked) => {
                if signs.queued == self.answered {
                    return Act::Close(silent);
                }
                self.stalled_at = Some(now);
                Act::Stalled
            }
            None if silent >= ours.interval => Act::Ping,
            _ if self.owes(ours, now) => {
                self.spoke_at = now;
                if signs.ping_waits {
                    Act::Rest
                } else {
                    Act::Ping
                }
            }
            _ => Act::Rest,
        }
    }

    /// A sign of life is due.
    fn owes(&self, ours: Heartbeat, now: Instant) -> bool {
        self.promised && now.saturating_duration_since(self.spoke_at) >= ours.interval
    }

    fn judged_at(&self, ours: Heartbeat, asked: Asked) -> Instant {
        let answer = ours.timeout.saturating_sub(ours.interval);
        (self.heard_at + ours.timeout).max(asked.at + answer)
    }

    /// When to look again. None: never, for all that is known now.
    pub(crate) fn next(&self) -> Option<Instant> {
        let told = self.peer_ttl.map(|ttl| self.heard_at + ttl);
        let judged = self.ours.and_then(|ours| match self.asked {
            None => Some(self.heard_at + ours.interval),
            // What ends it is an octet.
            Some(_) if self.stalled_at.is_some() => None,
            Some(asked) => Some(self.judged_at(ours, asked)),
        });
        let owed = self
            .ours
            .filter(|_| self.promised)
            .map(|ours| self.spoke_at + ours.interval);
        told.into_iter().chain(judged).chain(owed).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(2);
    const TIMEOUT: Duration = Duration::from_secs(6);
    const OURS: Heartbeat = Heartbeat {
        interval: INTERVAL,
        timeout: TIMEOUT,
    };

    /// A pulse on a clock of its own.
    struct Bed {
        pulse: Pulse,
        start: Instant,
        now: Instant,
        wrote_at: Instant,
        signs: Signs,
    }

    impl Bed {
        fn new(ours: Option<Heartbeat>, colugo: bool) -> Self {
            let now = Instant::now();
            Self {
                pulse: Pulse::new(now, ours, colugo, 0),
                start: now,
                now,
                wrote_at: now,
                signs: Signs::default(),
            }
        }

        /// Looks whenever it is due, for so long; PINGs are written at once. What was done, with the time in milliseconds.
        fn run(&mut self, span: Duration) -> Vec<(u128, Act)> {
            let end = self.now + span;
            let mut acts = Vec::new();
            while let Some(due) = self.pulse.next().filter(|due| *due <= end) {
                self.now = due.max(self.now + Duration::from_millis(1));
                self.signs.wrote = self.now - self.wrote_at;
                let act = self.pulse.look(self.now, &self.signs);
                if act == Act::Ping {
                    self.pulse.pinged(self.now, self.signs.queued);
                    self.signs.written += 1;
                    self.wrote_at = self.now;
                }
                if act != Act::Rest {
                    acts.push(((self.now - self.start).as_millis(), act));
                }
                if matches!(act, Act::Close(_)) {
                    return acts;
                }
            }
            self.now = end;
            acts
        }

        fn hear(&mut self) {
            self.signs.heard = Some(Duration::ZERO);
            self.pulse.look(self.now, &self.signs);
            self.signs.heard = None;
        }
    }

    #[test]
    fn a_silent_peer_is_asked_and_then_given_up() {
        let mut bed = Bed::new(Some(OURS), false);
        let acts = bed.run(Duration::from_secs(60));
        assert_eq!(acts, [(2000, Act::Ping), (6000, Act::Close(TIMEOUT))]);
    }

    #[test]
    fn a_peer_that_answers_is_asked_for_ever() {
        let mut bed = Bed::new(Some(OURS), false);
        for round in 1..100 {
            assert_eq!(bed.run(INTERVAL), [(round * 2000, Act::Ping)]);
            let context = (round as u64 - 1).to_be_bytes();
            bed.hear();
            bed.pulse.ponged(&context);
        }
    }

    #[test]
    fn a_peer_that_talks_is_not_asked() {
        let mut bed = Bed::new(Some(OURS), false);
        for _ in 0..100 {
            bed.hear();
            assert_eq!(bed.run(INTERVAL / 2), []);
        }
    }

    /// libzmq with a full queue: it says nothing, and will take everything.
    #[test]
    fn a_link_that_carried_data_is_stalled_and_never_closed() {
        let mut bed = Bed::new(Some(OURS), false);
        bed.signs.queued = 1;
        let acts = bed.run(Duration::from_secs(3600));
        assert_eq!(acts, [(2000, Act::Ping), (6000, Act::Stalled)]);
        assert_eq!(bed.pulse.resume(bed.now), Duration::from_secs(3594));
        bed.pulse.ponged(&0u64.to_be_bytes());
        bed.signs.queued = 2;
        let later = bed.run(Duration::from_secs(60));
        assert_eq!(later.last().map(|(_, act)| *act), Some(Act::Stalled));
    }

    /// The PONG may have been on its way when the message was queued.
    #[test]
    fn a_pong_speaks_for_what_was_queued_before_its_ping() {
        let mut bed = Bed::new(Some(OURS), false);
        assert_eq!(bed.run(INTERVAL).len(), 1);
        bed.signs.queued = 1;
        bed.hear();
        bed.pulse.ponged(&0u64.to_be_bytes());
        let acts = bed.run(Duration::from_secs(60));
        assert_eq!(acts, [(4000, Act::Ping), (8000, Act::Stalled)]);
    }

    #[test]
    fn an_answered_link_that_carried_data_once_is_closed_when_it_falls_silent() {
        let mut bed = Bed::new(Some(OURS), false);
        bed.signs.queued = 1000;
        bed.run(INTERVAL);
        bed.hear();
        bed.pulse.ponged(b"context of its own");
        let acts = bed.run(Duration::from_secs(60));
        assert_eq!(acts, [(4000, Act::Ping), (8000, Act::Close(TIMEOUT))]);
    }

    #[test]
    fn a_late_pong_of_an_earlier_ping_answers_no_later_one() {
        let mut bed = Bed::new(Some(OURS), true);
        bed.run(INTERVAL * 2);
        bed.hear();
        bed.pulse.ponged(&1u64.to_be_bytes());
        bed.signs.queued = 5;
        bed.run(INTERVAL);
        bed.pulse.ponged(&1u64.to_be_bytes());
        assert_eq!(bed.pulse.answered, 0);
        bed.pulse.ponged(&2u64.to_be_bytes());
        assert_eq!(bed.pulse.answered, 5);
    }

    /// A Colugo peer that trusts our ttl hears from us often enough, although it talks all the time and so need not be asked.
    #[test]
    fn who_was_promised_a_sign_of_life_gets_it() {
        let mut bed = Bed::new(Some(OURS), true);
        assert_eq!(bed.pulse.ttl_ds(), 60);
        let mut last = 0;
        for _ in 0..200 {
            bed.hear();
            for (at, act) in bed.run(INTERVAL / 4) {
                assert_eq!(act, Act::Ping);
                assert!(at - last <= 2 * INTERVAL.as_millis(), "{last} to {at}");
                last = at;
            }
        }
        assert!(last >= 96_000, "{last}");
    }

    #[test]
    fn a_ttl_goes_to_colugo_peers_only_and_never_reaches_656() {
        let ttl = |timeout, colugo| {
            let ours = Heartbeat {
                interval: INTERVAL,
                timeout: Duration::from_millis(timeout),
            };
            Pulse::new(Instant::now(), Some(ours), colugo, 0).ttl_ds()
        };
        assert_eq!(ttl(6000, false), 0);
        assert_eq!(ttl(6000, true), 60);
        assert_eq!(ttl(65_500, true), 655);
        assert_eq!(ttl(65_600, true), 0);
        assert_eq!(ttl(u64::MAX / 2, true), 0);
    }

    #[test]
    fn a_ping_behind_much_that_moves_is_not_taken_for_unanswered() {
        let mut bed = Bed::new(Some(OURS), false);
        bed.signs.queued = 1;
        bed.run(INTERVAL);
        bed.signs.ping_waits = true;
        for _ in 0..30 {
            bed.signs.written += 1_000_000;
            bed.wrote_at = bed.now;
            bed.pulse.look(bed.now, &bed.signs);
            assert_eq!(bed.run(Duration::from_secs(1)), []);
        }
        // Now nothing moves.
        assert_eq!(bed.run(TIMEOUT).len(), 1);
        assert!(bed.pulse.is_stalled());
    }

    #[test]
    fn the_peers_own_ttl_is_kept_within_reason() {
        let mut bed = Bed::new(None, false);
        assert_eq!(bed.pulse.next(), None, "no timer without a reason");
        bed.pulse.was_pinged(30);
        assert_eq!(bed.run(INTERVAL), []);
        bed.hear();
        let silence = Duration::from_secs(3);
        assert_eq!(bed.run(TIMEOUT), [(5000, Act::Close(silence))]);
        bed.pulse.was_pinged(0);
        assert_eq!(bed.pulse.next(), None, "taken back");
        bed.pulse.was_pinged(1);
        assert_eq!(bed.pulse.next(), Some(bed.pulse.heard_at + MIN_TTL));
    }

    #[test]
    fn who_does_not_read_blames_nobody_for_silence() {
        let mut bed = Bed::new(Some(OURS), true);
        bed.pulse.was_pinged(20);
        bed.signs.deaf = true;
        let acts = bed.run(Duration::from_secs(600));
        assert!(acts.len() > 250 && acts.iter().all(|(_, act)| *act == Act::Ping));
        bed.signs.deaf = false;
        bed.pulse.was_pinged(0);
        assert_eq!(
            bed.run(TIMEOUT).last().map(|(_, act)| *act),
            Some(Act::Close(TIMEOUT))
        );
    }
}
