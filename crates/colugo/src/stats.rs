//! `Stats`: a snapshot of what one handle has counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a handle has counted since it was made. All are totals.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let net = colugo::testing::Net::new();
/// let node = net.node("a")?;
/// let slow = node.subscriber("pose").queue(2).build()?;
/// let poses = node.publisher("pose").build()?;
/// for _ in 0..5 {
///     poses.send(b"x")?;
/// }
/// assert_eq!(poses.stats().sent, 5);
/// assert_eq!(poses.stats().dropped.full, 3);
/// assert_eq!(slow.stats().received, 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages, requests or replies handed in to be sent.
    pub sent: u64,
    /// Messages, requests or replies received: put into this handle's queue or given to its callback.
    pub received: u64,
    /// Not sent to a peer, by cause. One message that three peers did not get counts three.
    pub dropped: Dropped,
    /// Missed by this receiver, as its publishers' stamps tell.
    pub lost: u64,
    /// Received, but not what the codec expects.
    pub decode_failed: u64,
    /// Calls of this handle's callback that panicked.
    pub panicked: u64,
    /// Replies that came after their request had ended, and were thrown away.
    pub late: u64,
    /// Requests that were dropped or refused by a server whose client could not be told why.
    pub unanswered: u64,
    /// Inline callbacks that took more than a millisecond.
    pub slow_inline: u64,
    /// Connected peers now.
    pub peers: usize,
}

/// Messages that were not sent to a peer, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// The peer's queue was full.
    pub full: u64,
    /// The peer's queue stayed full for the time a blocking sender waits.
    pub timeout: u64,
    /// Over the size limit.
    pub too_large: u64,
    /// The link ended with messages still in its queue.
    pub disconnected: u64,
}

impl Dropped {
    /// All causes together.
    pub fn total(&self) -> u64 {
        self.full + self.timeout + self.too_large + self.disconnected
    }
}

/// The counters behind a [`Stats`] that the socket does not keep.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) decode_failed: AtomicU64,
    pub(crate) panicked: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) unanswered: AtomicU64,
    pub(crate) slow_inline: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn fill(&self, stats: &mut Stats) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        stats.sent = stats.sent.max(read(&self.sent));
        stats.received = stats.received.max(read(&self.received));
        stats.decode_failed = read(&self.decode_failed);
        stats.panicked = read(&self.panicked);
        stats.late = read(&self.late);
        stats.unanswered = read(&self.unanswered);
        stats.slow_inline = read(&self.slow_inline);
    }
}
