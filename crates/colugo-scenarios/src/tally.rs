//! `Tally`: something that grows on one thread while another waits until it has grown enough.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long anything is waited for, a little less than the scenarios wait for the answer.
const PATIENCE: Duration = Duration::from_secs(25);

/// Shared by both.
#[derive(Debug, Default)]
pub(crate) struct Tally<T>(Arc<(Mutex<T>, Condvar)>);

impl<T> Clone for Tally<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Tally<T> {
    /// Changes it.
    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut value);
        drop(value);
        self.0.1.notify_all();
        result
    }

    /// Waits until it is `enough`, or for as long as one waits; gives it as it is then.
    pub(crate) fn wait(&self, enough: impl Fn(&T) -> bool) -> MutexGuard<'_, T> {
        let value = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .0
            .1
            .wait_timeout_while(value, PATIENCE, |value| !enough(value));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
