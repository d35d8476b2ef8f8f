//! `Tally`: something that grows on one thread while another waits until it has grown enough.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Shared by both, by reference.
#[derive(Debug, Default)]
pub(crate) struct Tally<T>(Mutex<T>, Condvar);

impl<T> Tally<T> {
    /// Changes it, and wakes who waits.
    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = self.look(change);
        self.1.notify_all();
        result
    }

    /// Looks at it, or changes it without telling.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until it is `enough`, or for so long; gives it as it is then.
    pub(crate) fn wait(
        &self,
        patience: Duration,
        enough: impl Fn(&T) -> bool,
    ) -> MutexGuard<'_, T> {
        let value = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .1
            .wait_timeout_while(value, patience, |value| !enough(value));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
