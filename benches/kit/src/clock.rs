//! The clock that all processes of a machine share, in nanoseconds, and keeping a pace by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Beats nearer to each other than this come together: a sleeper could not tell them apart, and who waits awake takes a processor.
const TICK_NS: f64 = 100_000.0;

/// Nanoseconds since the machine started: the same in every process, and never set back.
#[inline]
pub fn nanos() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes to the structure it is given, and this clock is there on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    (time.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec as u64)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Year, month and day of a second since 1970 (Howard Hinnant's `civil_from_days`).
pub fn date(time: u64) -> String {
    let days = time / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

/// A steady rate: waits until each message is due.
#[derive(Debug)]
pub struct Metronome {
    start: u64,
    until: u64,
    period: f64,
    tick: f64,
    count: u64,
    /// When it last woke up from waiting.
    woke: u64,
}

impl Metronome {
    /// `rate` beats a second for `duration`, from now. Call it on the thread that waits.
    pub fn start(rate: f64, duration: Duration) -> Self {
        // SAFETY: an option of this thread, and a number. Without it a sleep is 50 µs longer than it should be.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_000) };
        let start = nanos();
        let period = 1e9 / rate;
        Self {
            start,
            until: start + duration.as_nanos() as u64,
            period,
            tick: period.max(TICK_NS),
            count: 0,
            woke: start,
        }
    }

    /// Waits for the next beat: its number, and its time. None: the time is over.
    ///
    /// That is when it was due, so that a call that takes long makes those after it late; but not earlier than the last time this
    /// slept, because to oversleep is nobody's fault.
    pub fn beat(&mut self) -> Option<(u64, u64)> {
        let count = self.count;
        let ticks = (count as f64 * self.period / self.tick).floor();
        let due = self.start + (ticks * self.tick) as u64;
        if due >= self.until {
            return None;
        }
        if due > self.woke {
            let now = nanos();
            if due > now {
                std::thread::sleep(Duration::from_nanos(due - now));
                self.woke = nanos();
            }
        }
        self.count += 1;
        Some((count, due.max(self.woke)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Metronome, date, nanos};
    use std::time::Duration;

    #[test]
    fn no_beat_comes_before_it_is_due_and_none_is_left_out() {
        for rate in [1_000.0, 100_000.0] {
            let mut metronome = Metronome::start(rate, Duration::from_millis(20));
            let start = nanos();
            let mut beats = 0;
            while let Some((count, time)) = metronome.beat() {
                assert!(nanos() >= time);
                assert_eq!(count, beats);
                beats += 1;
                let due = count as f64 * 1e9 / rate - 1e9 / rate.min(10_000.0);
                assert!(nanos() as f64 >= start as f64 + due);
            }
            assert_eq!(beats as f64, rate / 50.0);
        }
    }

    #[test]
    fn what_a_slow_call_delays_was_due_before() {
        let mut metronome = Metronome::start(1_000.0, Duration::from_secs(1));
        metronome.beat();
        std::thread::sleep(Duration::from_millis(5));
        let (_, time) = metronome.beat().unwrap();
        assert!(nanos() - time >= 3_000_000);
    }

    #[test]
    fn days_have_their_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_767_225_599), "2025-12-31");
    }
}
