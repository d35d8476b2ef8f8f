//! Waiting for something that will happen, and ports nobody uses. Knows nothing of what is waited for.

use std::net::TcpListener;
use std::time::{Duration, Instant};

/// How long a test waits for what should happen at once, before it fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `ready` gives something; fails the test, naming `what`, after [`PATIENCE`]. For what has no event to wait for.
pub fn wait_until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = ready() {
            return done;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A port of 127.0.0.1 that was free a moment ago, for peers that dial before anybody listens. It lies below the range from which the
/// system takes ports by itself, so that no connection gets it meanwhile.
pub fn free_port() -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u32 = 20_000;
    let mut seed = std::process::id().wrapping_mul(2_654_435_761);
    if let Ok(now) = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        seed ^= now.subsec_nanos();
    }
    for attempt in 0..1000 {
        let port = FIRST + u16::try_from(seed.wrapping_add(attempt * 7919) % COUNT).unwrap_or(0);
        let free = |host: &str| TcpListener::bind((host, port)).is_ok();
        if free("0.0.0.0") && free("::1") {
            return port;
        }
    }
    panic!("no port from {FIRST} on is free");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_listened_on() {
        assert!(TcpListener::bind(("127.0.0.1", free_port())).is_ok());
    }
}
