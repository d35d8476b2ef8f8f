//! `Schedule`: when a repeater is due. Pure arithmetic on a start and a period; it drifts by nothing, since each due time is computed from the start.

use std::time::{Duration, Instant};

/// What happens to ticks whose time passed while something else ran. A tick that is late by less than a period is not missed: it comes as soon
/// as it can, and the next one at its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissedTicks {
    /// They are left out; the next tick is the one whose period it is by then. For control loops: no bursts, and in phase again at once.
    #[default]
    Skip,
    /// They come one after another until caught up: the number of ticks is right in the long run.
    Burst,
    /// A tick that is late by a period or more comes as soon as it can, and the next one a whole period after that; the grid moves.
    Delay,
}

/// The due times `start + n · period`.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    start: Instant,
    period: Duration,
    tick: u64,
    missed: MissedTicks,
}

impl Schedule {
    /// The first tick is due one period after `start`. A period of nothing is taken as a nanosecond.
    pub(crate) fn new(start: Instant, period: Duration, missed: MissedTicks) -> Self {
        Self {
            start,
            period: period.max(Duration::from_nanos(1)),
            tick: 1,
            missed,
        }
    }

    /// When the next tick is due; `None` if that is beyond what clocks can tell.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.at(self.tick)
    }

    /// The tick that was due began at `began` and is done at `now`. Returns how many were left out.
    pub(crate) fn done(&mut self, began: Instant, now: Instant) -> u64 {
        match self.missed {
            MissedTicks::Burst => {
                self.tick += 1;
                0
            }
            MissedTicks::Delay => {
                if self
                    .at(self.tick.saturating_add(1))
                    .is_some_and(|next| began >= next)
                {
                    self.start = began;
                    self.tick = 1;
                } else {
                    self.tick += 1;
                }
                0
            }
            MissedTicks::Skip => {
                let passed =
                    now.saturating_duration_since(self.start).as_nanos() / self.period.as_nanos();
                let latest = u64::try_from(passed).unwrap_or(u64::MAX - 1);
                // The tick whose period it is now is late by less than one.
                let next = latest.max(self.tick + 1);
                let skipped = next - (self.tick + 1);
                self.tick = next;
                skipped
            }
        }
    }

    fn at(&self, tick: u64) -> Option<Instant> {
        let nanos = self.period.as_nanos().checked_mul(u128::from(tick))?;
        let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
        self.start
            .checked_add(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(10);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Ticks are taken at `late` after they are due; returns the times relative to the start.
    fn times(missed: MissedTicks, late: &[u64]) -> Vec<u128> {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, PERIOD, missed);
        let mut now = start;
        let mut times = Vec::new();
        for late in late {
            now = now.max(schedule.due().unwrap_or(start)) + ms(*late);
            times.push((now - start).as_millis());
            schedule.done(now, now);
        }
        times
    }

    #[test]
    fn a_million_ticks_of_a_third_of_a_millisecond_do_not_drift() {
        let start = Instant::now();
        let period = Duration::from_nanos(333_333);
        let mut schedule = Schedule::new(start, period, MissedTicks::Skip);
        for n in 1..=1_000_000_u64 {
            let due = schedule.due().unwrap_or(start);
            assert_eq!((due - start).as_nanos(), u128::from(n) * 333_333);
            assert_eq!(schedule.done(due, due + Duration::from_micros(50)), 0);
        }
    }

    #[test]
    fn skip_leaves_out_what_was_missed_and_keeps_the_grid() {
        assert_eq!(times(MissedTicks::Skip, &[0, 25, 0, 0]), [10, 45, 45, 50]);
        let start = Instant::now();
        let mut schedule = Schedule::new(start, PERIOD, MissedTicks::Skip);
        assert_eq!(schedule.done(start + ms(10), start + ms(10)), 0);
        assert_eq!(schedule.done(start + ms(20), start + ms(45)), 1);
        assert_eq!(schedule.due(), Some(start + ms(40)));
    }

    #[test]
    fn skip_loses_no_tick_that_is_late_by_less_than_a_period() {
        // By itself, or because of the one before.
        assert_eq!(times(MissedTicks::Skip, &[0, 9, 0, 0]), [10, 29, 30, 40]);
        assert_eq!(times(MissedTicks::Skip, &[0, 19, 0, 0]), [10, 39, 39, 40]);
        assert_eq!(times(MissedTicks::Skip, &[0, 20, 0, 0]), [10, 40, 40, 50]);
        let start = Instant::now();
        let mut schedule = Schedule::new(start, PERIOD, MissedTicks::Skip);
        assert_eq!(schedule.done(start + ms(15), start + ms(29)), 0);
        assert_eq!(schedule.due(), Some(start + ms(20)));
    }

    #[test]
    fn burst_catches_up() {
        assert_eq!(
            times(MissedTicks::Burst, &[0, 25, 0, 0, 0]),
            [10, 45, 45, 45, 50]
        );
    }

    #[test]
    fn delay_moves_the_grid_by_what_was_late_but_not_for_a_fraction_of_a_period() {
        assert_eq!(times(MissedTicks::Delay, &[0, 25, 0, 0]), [10, 45, 55, 65]);
        assert_eq!(times(MissedTicks::Delay, &[3, 9, 1, 0]), [13, 29, 31, 40]);
        assert_eq!(times(MissedTicks::Delay, &[0, 10, 0]), [10, 30, 40]);
    }

    #[test]
    fn a_period_of_nothing_and_one_of_ages_are_no_overflow() {
        let start = Instant::now();
        assert!(
            Schedule::new(start, Duration::ZERO, MissedTicks::Skip)
                .due()
                .is_some()
        );
        let mut far = Schedule::new(start, Duration::MAX, MissedTicks::Burst);
        far.done(start, start);
        assert_eq!(far.due(), None);
    }
}
