//! `Dice`: all that chance decides in a run, from its seed.

use std::time::Duration;

use crate::random::seeded::splitmix;

#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // Neighbouring seeds are to have nothing in common.
        Self(splitmix(seed ^ 0x5eed_c010_6005_0c4e).1)
    }

    fn roll(&mut self) -> u64 {
        let (state, number) = splitmix(self.0);
        self.0 = state;
        number
    }

    /// 0 to `below` − 1.
    pub(super) fn below(&mut self, below: usize) -> usize {
        (self.roll() % below.max(1) as u64) as usize
    }

    /// `from` to `to`, both included.
    pub(super) fn within(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from + 1)
    }

    /// So many times of a hundred.
    pub(super) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(super) fn ms(&mut self, from: usize, to: usize) -> Duration {
        Duration::from_millis(self.within(from, to) as u64)
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(super) fn seed(&mut self) -> u64 {
        self.roll()
    }
}
