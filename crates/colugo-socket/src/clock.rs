//! Time of the engine, all of it: the system's, or in the tests of the simulator the virtual one. Timers are tokio's, which in those tests
//! has the same virtual time.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since some moment before the first call.
pub(crate) fn since_start_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    #[cfg(test)]
    if let Some(now) = simulated::now_ns() {
        return now;
    }
    let start = START.get_or_init(|| {
        let now = Instant::now();
        now.checked_sub(Duration::from_secs(1)).unwrap_or(now)
    });
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds since the Unix epoch.
pub(crate) fn wall_ns() -> u64 {
    #[cfg(test)]
    if let Some(now) = simulated::now_ns() {
        return now;
    }
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod simulated {
    //! Virtual time of this thread: tokio's paused clock, and a little more at each reading, so that who looks at the clock until time has
    //! passed comes to an end.

    use std::cell::Cell;
    use tokio::time::Instant;

    thread_local! {
        static START: Cell<Option<Start>> = const { Cell::new(None) };
    }

    #[derive(Clone, Copy)]
    struct Start {
        at: Instant,
        step_ns: u64,
        steps_ns: u64,
    }

    /// From here on, until it is None, this thread's time is that of the paused runtime it is in, and so much more at each reading.
    pub(crate) fn set(step_ns: Option<u64>) {
        START.set(step_ns.map(|step_ns| Start {
            at: Instant::now(),
            step_ns,
            steps_ns: 1_000_000_000,
        }));
    }

    pub(crate) fn now_ns() -> Option<u64> {
        let mut start = START.get()?;
        start.steps_ns += start.step_ns;
        START.set(Some(start));
        let since = u64::try_from(start.at.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Some(since + start.steps_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn simulated_time_moves_with_the_paused_clock_and_when_it_is_read() {
        simulated::set(Some(1_000));
        let before = since_start_ns();
        assert_eq!(since_start_ns(), before + 1_000);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(since_start_ns(), before + 3_000_002_000);
        simulated::set(None);
    }
}
