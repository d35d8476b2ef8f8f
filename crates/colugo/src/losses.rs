//! `Losses`: when a subscriber says that it has missed messages: at the first loss, then at most once a second with what came together.
//! Pure arithmetic; who tells it of losses and of time is the handle.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::sync::lock;

/// How long further losses are gathered.
const GATHER: Duration = Duration::from_secs(1);

/// When a loss is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Now: so many.
    Now(u64),
    /// By [`Losses::take_due`] at this time.
    At(Instant),
    /// By a `take_due` that was asked for already.
    Later,
}

#[derive(Debug, Default)]
pub(crate) struct Losses(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    told: Option<Instant>,
    untold: u64,
}

impl Losses {
    pub(crate) fn add(&self, count: u64, now: Instant) -> Due {
        let mut state = lock(&self.0);
        let again = state.told.and_then(|told| told.checked_add(GATHER));
        match again.filter(|again| now < *again) {
            None if state.untold == 0 => {
                state.told = Some(now);
                Due::Now(count)
            }
            again => {
                let first = state.untold == 0;
                state.untold = state.untold.saturating_add(count);
                match again {
                    Some(at) if first => Due::At(at),
                    _ => Due::Later,
                }
            }
        }
    }

    /// What is to be told now.
    pub(crate) fn take_due(&self, now: Instant) -> Option<u64> {
        let mut state = lock(&self.0);
        let due = state.told.is_some_and(|told| now >= told + GATHER);
        if !due || state.untold == 0 {
            return None;
        }
        state.told = Some(now);
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_loss_is_told_at_once_and_later_ones_once_a_second() {
        let (losses, start) = (Losses::default(), Instant::now());
        let ms = |n| start + Duration::from_millis(n);
        assert_eq!(losses.add(3, start), Due::Now(3));
        assert_eq!(losses.add(1, ms(10)), Due::At(ms(1000)));
        assert_eq!(losses.add(2, ms(20)), Due::Later);
        assert_eq!(losses.take_due(ms(999)), None);
        assert_eq!(losses.take_due(ms(1000)), Some(3));
        assert_eq!(losses.take_due(ms(2000)), None);
        assert_eq!(losses.add(5, ms(2500)), Due::Now(5));
    }
}
