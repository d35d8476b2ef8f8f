//! Randomness of the engine, all of it: the system's, or in the tests of the simulator that of a seed. Spreads pauses and makes names; no
//! secret depends on it.

/// A number that is uniform over all values; where the system has no randomness, one in the middle.
pub(crate) fn u32() -> u32 {
    #[cfg(test)]
    if let Some(number) = seeded::next() {
        return number;
    }
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
pub(crate) mod seeded {
    //! Randomness of this thread from a seed.

    use std::cell::Cell;

    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// From here on, until `None`, this thread's randomness follows from the seed.
    pub(crate) fn set(seed: Option<u64>) {
        STATE.set(seed);
    }

    pub(crate) fn next() -> Option<u32> {
        let state = STATE.get()?;
        let (state, number) = splitmix(state);
        STATE.set(Some(state));
        Some((number >> 32) as u32)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): the next state, and the number it gives.
    pub(crate) fn splitmix(state: u64) -> (u64, u64) {
        let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (state, z ^ (z >> 31))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again() {
        let numbers = || {
            seeded::set(Some(7));
            let numbers = [u32(), u32(), u32()];
            seeded::set(None);
            numbers
        };
        let first = numbers();
        assert_eq!(numbers(), first);
        assert!(first[0] != first[1] && first[1] != first[2]);
    }
}
