//! Figures that the scenarios measure: printed past the test harness's capture, judged by nobody.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Prints one.
pub(crate) fn figure(what: &str, value: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "figure  {what}: {value}");
}

/// Prints how long something took.
pub(crate) fn took(what: &str, time: Duration) {
    figure(what, format_args!("{:.1} ms", ms(time)));
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Now, since the Unix epoch: what the processes of one machine can compare.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}
