//! `Interests`: which announcements of others concern the own node.
//!
//! Knows kinds and names that would be a reason for a link; does not know who announces them. Used by `told`.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::{Kind, Listing, Topic};

/// New interests are gathered for so long before all that is known is looked through for them.
const BATCH: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
pub(super) struct Interests {
    /// For each name, how many reasons there are to care for which kinds.
    reasons: HashMap<Topic, BTreeMap<Kind, u32>>,
    /// There are new ones, and until then it was not looked who they lead to.
    pub(super) look_at: Option<Instant>,
}

impl Interests {
    pub(super) fn add(&mut self, now: Instant, kind: Kind, topic: &Topic) {
        let reasons = self.reasons.entry(topic.clone()).or_default();
        let count = reasons.entry(kind).or_default();
        *count += 1;
        if *count == 1 {
            self.look_at.get_or_insert(now + BATCH);
        }
    }

    pub(super) fn remove(&mut self, kind: Kind, topic: &Topic) {
        if let Some(reasons) = self.reasons.get_mut(topic) {
            let left = reasons.get(&kind).map_or(0, |count| count - 1);
            if left == 0 {
                reasons.remove(&kind);
            } else {
                reasons.insert(kind, left);
            }
            if reasons.is_empty() {
                self.reasons.remove(topic);
            }
        }
    }

    /// Whether anything in there concerns us.
    pub(super) fn meet(&self, listing: &Listing) -> bool {
        !self.reasons.is_empty()
            && listing.names().any(|(kind, topic)| {
                self.reasons
                    .get(topic)
                    .is_some_and(|reasons| reasons.contains_key(&kind))
            })
    }
}

/// Who announces this is of interest to who announces that.
pub(super) fn counterpart(kind: Kind) -> Kind {
    match kind {
        Kind::Publisher => Kind::Subscriber,
        Kind::Subscriber => Kind::Publisher,
        Kind::Server => Kind::Client,
        Kind::Client => Kind::Server,
    }
}
