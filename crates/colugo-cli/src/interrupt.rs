//! `Interrupt`: whether Ctrl-C was pressed or the process was asked to end. A second signal ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::exit::Failure;

/// How often a thread that waits for something else looks here.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A shell reports a process that a signal ended as this and the signal's number.
const EXIT_SIGNAL: i32 = 128;

/// Set by the first signal, for ever.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches for signals from now on.
    pub(crate) fn watch() -> Result<Self, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        let register = |signal| -> io::Result<()> {
            // In this order: the first signal finds the flag unset, and sets it.
            signal_hook::flag::register_conditional_shutdown(
                signal,
                EXIT_SIGNAL + signal,
                flag.clone(),
            )?;
            signal_hook::flag::register(signal, flag.clone())?;
            Ok(())
        };
        for signal in [SIGINT, SIGTERM] {
            register(signal)
                .map_err(|error| Failure::new(format!("can't watch for signals: {error}")))?;
        }
        Ok(Self(flag))
    }

    /// Lets Ctrl-C pass, for a process whose parent decides when it ends.
    pub(crate) fn ignore() -> Result<(), Failure> {
        let ignored = signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false)));
        ignored
            .map(drop)
            .map_err(|error| Failure::new(format!("can't ignore signals: {error}")))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Sleeps until `due` or until interrupted. False: interrupted.
    pub(crate) fn sleep_until(&self, due: Instant) -> bool {
        loop {
            if self.is_set() {
                return false;
            }
            match due.checked_duration_since(Instant::now()) {
                None | Some(Duration::ZERO) => return true,
                Some(left) => std::thread::sleep(left.min(LOOK_EVERY)),
            }
        }
    }
}
