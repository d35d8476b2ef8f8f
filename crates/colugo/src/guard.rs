//! `Guard`: keeps a callback of a subscriber, a server or a delay going. Knows nothing of what it keeps but how to count and end it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::core::{Core, Forever, Kept};
use crate::error::WaitError;
use crate::handle::Handle;
use crate::peer::Peer;
use crate::stats::Stats;

/// Keeps a callback going: dropping it ends the subscription or the service. [`detach`](Self::detach) keeps it for as long as the node lives.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let net = colugo::testing::Net::new();
/// let node = net.node("a")?;
/// let poses = node.publisher("pose").build()?;
/// let guard = node.subscriber("pose").on_message(|m| assert_eq!(m.value, "here"))?;
/// poses.send(b"here")?;
/// assert_eq!(guard.stats().received, 1);
/// drop(guard);
/// assert_eq!(poses.subscriber_count(), 0);
/// # Ok(()) }
/// ```
#[must_use = "dropping the guard ends the callback: keep it, or call .detach()"]
pub struct Guard {
    core: Arc<Core>,
    handle: Option<Arc<Handle>>,
    /// What the callback needs to live.
    kept: Box<dyn Kept>,
}

impl Guard {
    pub(crate) fn new(core: &Arc<Core>, handle: Option<Arc<Handle>>, kept: Box<dyn Kept>) -> Self {
        Self {
            core: core.clone(),
            handle,
            kept,
        }
    }

    /// Lets the callback live as long as the node.
    pub fn detach(self) {
        let Self { core, handle, kept } = self;
        match handle {
            Some(handle) => core.keep(Box::new(Forever((handle, kept)))),
            None => core.keep(kept),
        }
    }

    /// What was counted so far; all zero for a delayed callback.
    pub fn stats(&self) -> Stats {
        self.handle
            .as_ref()
            .map(|handle| handle.stats())
            .unwrap_or_default()
    }

    /// Who is connected.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        self.handle
            .as_ref()
            .map(|handle| handle.links.list())
            .unwrap_or_default()
    }

    /// Where a server listens; any ZeroMQ REQ or DEALER can connect there.
    pub fn endpoints(&self) -> Vec<String> {
        self.handle
            .as_ref()
            .map(|handle| handle.endpoints())
            .unwrap_or_default()
    }

    /// Waits until at least `n` peers are connected.
    ///
    /// # Errors
    /// Fewer were there after `timeout`.
    pub fn wait_for_peers(&self, n: usize, timeout: Duration) -> Result<(), WaitError> {
        let Some(handle) = &self.handle else {
            return Ok(());
        };
        handle.wait_for("peers", n, timeout, || handle.links.len())
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("handle", &self.handle.as_ref().map(|handle| &handle.label))
            .finish_non_exhaustive()
    }
}
