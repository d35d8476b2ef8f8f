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
    //! Virtual time of this thread: tokio's paused clock, and a microsecond more at each reading, so that who looks at the clock until
    //! time has passed comes to an end.

    use std::cell::Cell;
    use tokio::time::Instant;

    thread_local! {
        static START: Cell<Option<(Instant, u64)>> = const { Cell::new(None) };
    }

    /// From here on, until it is false, this thread's time is that of the paused runtime it is in.
    pub(crate) fn set(on: bool) {
        START.set(on.then(|| (Instant::now(), 1_000_000_000)));
    }

    pub(crate) fn now_ns() -> Option<u64> {
        let (start, read) = START.get()?;
        START.set(Some((start, read + 1_000)));
        let since = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Some(since + read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn simulated_time_moves_with_the_paused_clock_and_when_it_is_read() {
        simulated::set(true);
        let before = since_start_ns();
        assert_eq!(since_start_ns(), before + 1_000);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(since_start_ns(), before + 3_000_002_000);
        simulated::set(false);
    }
}
