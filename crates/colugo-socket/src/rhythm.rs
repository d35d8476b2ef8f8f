//! `Rhythm`: whether an inbox's messages come one by one, with long waits between them, to a consumer that comes back for the next at once.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::options::AWAY;

/// A wait is long from here on: as long as some wake-ups take.
const LONG_NS: u64 = 200_000;
/// Batches of messages that may come to the whole process in a long wait that was for one of them.
const ALONE: u64 = 2;
/// So many waits in a row make a habit; it is not kept if a fifth of the later ones are different.
const HABIT: u32 = 8;
const KEPT: u32 = 16;
const BREAK: u32 = 4;

/// What was seen of the waits. Two consumers of one inbox see each other's, which is no matter.
#[derive(Debug, Default)]
pub(crate) struct Rhythm {
    habit: AtomicU32,
    /// When the consumer last woke.
    woke_ns: AtomicU64,
}

impl Rhythm {
    /// The consumer begins to wait. False: it comes back late.
    pub(crate) fn waits(&self, now_ns: u64) -> bool {
        let away = now_ns.saturating_sub(self.woke_ns.load(Ordering::Relaxed));
        let in_time = u128::from(away) <= AWAY.as_nanos();
        if !in_time {
            self.breaks();
        }
        in_time
    }

    /// The consumer has waited since then, while so many batches of messages came to the process, if that is known.
    pub(crate) fn woke(&self, since_ns: u64, now_ns: u64, batches: Option<u64>) {
        self.woke_ns.store(now_ns, Ordering::Relaxed);
        let alone = batches.is_none_or(|batches| batches <= ALONE);
        if alone && now_ns.saturating_sub(since_ns) >= LONG_NS {
            let habit = self.habit.load(Ordering::Relaxed);
            self.habit.store((habit + 1).min(KEPT), Ordering::Relaxed);
        } else {
            self.breaks();
        }
    }

    fn breaks(&self) {
        let habit = self.habit.load(Ordering::Relaxed);
        self.habit
            .store(habit.saturating_sub(BREAK), Ordering::Relaxed);
    }

    /// It is not to be a habit for a while.
    pub(crate) fn forget(&self) {
        self.habit.store(0, Ordering::Relaxed);
    }

    /// Whether all that is a habit.
    pub(crate) fn is_lone(&self) -> bool {
        self.habit.load(Ordering::Relaxed) >= HABIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// `count` messages every millisecond, each worked on for so long. Gives the time after them.
    fn messages(rhythm: &Rhythm, mut now: u64, count: u32, work_ns: u64, batches: u64) -> u64 {
        for _ in 0..count {
            rhythm.waits(now);
            let since = now;
            now += MS - work_ns;
            rhythm.woke(since, now, Some(batches));
            now += work_ns;
        }
        now
    }

    #[test]
    fn eight_long_waits_make_a_habit() {
        let rhythm = Rhythm::default();
        let now = messages(&rhythm, MS, 7, 10_000, 1);
        assert!(!rhythm.is_lone());
        messages(&rhythm, now, 2, 10_000, 1);
        assert!(rhythm.is_lone());
    }

    #[test]
    fn who_works_for_long_or_is_not_alone_has_none() {
        let rhythm = Rhythm::default();
        messages(&rhythm, MS, 100, 60_000, 1);
        assert!(!rhythm.is_lone(), "long work");
        let rhythm = Rhythm::default();
        messages(&rhythm, MS, 100, 10_000, 3);
        assert!(!rhythm.is_lone(), "others' messages");
        let rhythm = Rhythm::default();
        messages(&rhythm, MS, 100, MS - LONG_NS + 1, 1);
        assert!(!rhythm.is_lone(), "a stream");
    }

    #[test]
    fn one_exception_is_forgiven_and_a_third_of_them_is_not() {
        let rhythm = Rhythm::default();
        let now = messages(&rhythm, MS, 30, 10_000, 1);
        let mut now = messages(&rhythm, now, 1, 60_000, 1);
        now = messages(&rhythm, now, 1, 10_000, 1);
        assert!(rhythm.is_lone());
        for _ in 0..10 {
            now = messages(&rhythm, now, 1, 60_000, 1);
            now = messages(&rhythm, now, 2, 10_000, 1);
        }
        assert!(!rhythm.is_lone());
    }
}
