//! Watches for SIGINT and SIGTERM while `run_until_signal` runs (feature `signals`). Nothing else in the library handles signals.

use std::io;
use std::sync::Arc;
#[cfg(unix)]
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::node::StopHandle;
#[cfg(unix)]
use crate::sync::lock;

/// Watches until finished.
pub(crate) struct Watch {
    seen: Arc<AtomicBool>,
    stop: Stopper,
    thread: Option<JoinHandle<()>>,
}

#[cfg(unix)]
type Stopper = signal_hook::iterator::Handle;

/// Calls `stop` when one of the signals comes.
#[cfg(unix)]
pub(crate) fn watch(stop: StopHandle) -> io::Result<Watch> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    // Before the watching: of one signal this must look at the flag before the thread below can set it.
    let impatient = impatience()?;
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let handle = signals.handle();
    impatient.store(false, Ordering::Release);
    let seen = Arc::new(AtomicBool::new(false));
    let thread = std::thread::Builder::new()
        .name("colugo-signals".into())
        .spawn({
            let seen = seen.clone();
            move || {
                for _ in signals.forever() {
                    seen.store(true, Ordering::Release);
                    impatient.store(true, Ordering::Release);
                    stop.stop();
                }
            }
        })?;
    Ok(Watch {
        seen,
        stop: handle,
        thread: Some(thread),
    })
}

/// While true, a signal ends the process as it would without us: after the first one, and when nobody watches.
#[cfg(unix)]
fn impatience() -> io::Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    static IMPATIENT: Mutex<Option<Arc<AtomicBool>>> = Mutex::new(None);
    let mut shared = lock(&IMPATIENT);
    if let Some(flag) = &*shared {
        return Ok(flag.clone());
    }
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, flag.clone())?;
    }
    *shared = Some(flag.clone());
    Ok(flag)
}

#[cfg(unix)]
impl Watch {
    /// Stops watching. True: a signal came.
    pub(crate) fn finish(mut self) -> bool {
        self.end();
        self.seen.load(Ordering::Acquire)
    }

    fn end(&mut self) {
        self.stop.close();
        if let Ok(impatient) = impatience() {
            impatient.store(true, Ordering::Release);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(unix)]
impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

/// How often a thread looks whether Ctrl-C was pressed, where signals are only flags.
#[cfg(not(unix))]
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(50);

#[cfg(not(unix))]
type Stopper = Arc<AtomicBool>;

/// Calls `stop` when one of the signals comes.
#[cfg(not(unix))]
pub(crate) fn watch(stop: StopHandle) -> io::Result<Watch> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let (seen, over) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    signal_hook::flag::register(SIGINT, seen.clone())?;
    signal_hook::flag::register(SIGTERM, seen.clone())?;
    let thread = std::thread::Builder::new()
        .name("colugo-signals".into())
        .spawn({
            let (seen, over) = (seen.clone(), over.clone());
            move || {
                while !over.load(Ordering::Acquire) {
                    if seen.load(Ordering::Acquire) {
                        return stop.stop();
                    }
                    std::thread::park_timeout(LOOK_EVERY);
                }
            }
        })?;
    Ok(Watch {
        seen,
        stop: over,
        thread: Some(thread),
    })
}

#[cfg(not(unix))]
impl Watch {
    /// Stops watching. True: a signal came.
    pub(crate) fn finish(mut self) -> bool {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
        self.seen.load(Ordering::Acquire)
    }
}
