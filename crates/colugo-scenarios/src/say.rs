//! One JSON object a line on the standard output. Knows nothing of what is said.

use std::io::Write;

use serde_json::Value;

/// Says it. Nobody listening is no error: the end of the input will follow.
pub(crate) fn say(value: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{value}").and_then(|()| out.flush());
}

/// Now, in nanoseconds since the Unix epoch: what processes of one machine can compare.
pub(crate) fn now_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| u64::try_from(since.as_nanos()).ok())
        .unwrap_or_default()
}
