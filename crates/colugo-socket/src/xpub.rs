//! What an XPUB has beyond a PUB: its subscribers' subscriptions as messages, `01 topic` and `00 topic` (RFC 29). The parser calls in for each
//! one that arrives, the core for a subscriber that leaves.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{BufMut, BytesMut};
use colugo_zmtp::SubscriptionLimit;

use crate::batch::{Batch, Span};
use crate::core::Core;
use crate::delivery::deliver;
use crate::flow::Flow;
use crate::gate::lock;
use crate::link::Link;
use crate::message::Meta;
use crate::peer::Peer;

/// What a message that subscribes begins with; 0 ends it.
pub(crate) const SUBSCRIBES: u8 = 1;
pub(crate) const CANCELS: u8 = 0;

impl Core {
    /// A subscriber wants, or no longer wants, what begins with `topic`. Whether the application is to be told.
    pub(crate) fn on_subscription(
        &self,
        link: &Link,
        topic: &[u8],
        wanted: bool,
    ) -> Result<bool, SubscriptionLimit> {
        if !link.subscribe(topic, wanted)? {
            return Ok(false);
        }
        let mut held = lock(&self.held_topics);
        let edge = if wanted {
            held.add(topic)
        } else {
            held.remove(topic)
        };
        Ok(edge || self.options.verbose)
    }

    /// A subscriber has left: tells of the topics that nobody holds any more.
    pub(crate) fn end_subscriptions(&self, link: &Link, peer: &Arc<Peer>) {
        let left = link.take_subscriptions();
        let mut held = lock(&self.held_topics);
        let mut buf = BytesMut::new();
        let mut spans = Vec::new();
        for topic in left.iter() {
            if held.remove(topic) || self.options.verbose {
                spans.push(Span::new(buf.len(), topic.len() + 1, false));
                buf.put_u8(CANCELS);
                buf.put_slice(topic);
            }
        }
        drop(held);
        if spans.is_empty() || self.is_closing() {
            return;
        }
        let batch = Batch {
            peer: peer.clone(),
            flow: Arc::new(Flow::default()),
            messages: spans.len(),
            spans,
            buf: buf.freeze(),
            marks: Vec::new(),
            meta: Meta::default(),
        };
        let counters = &self.counters;
        counters
            .received
            .fetch_add(batch.messages as u64, Ordering::Relaxed);
        // Nothing reads this link any more, so nothing is to be paused.
        let flow = batch.flow.clone();
        let _ = deliver(self, &flow, batch);
    }
}
