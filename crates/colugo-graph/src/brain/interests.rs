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
    /// How many names there are for which kind: most listings are done with by this alone.
    kinds: BTreeMap<Kind, u32>,
    /// They have changed, and when it is to be looked who that concerns.
    pub(super) look_at: Option<Instant>,
}

impl Interests {
    pub(super) fn add(&mut self, now: Instant, kind: Kind, topic: &Topic) {
        let reasons = self.reasons.entry(topic.clone()).or_default();
        let count = reasons.entry(kind).or_default();
        *count += 1;
        if *count == 1 {
            *self.kinds.entry(kind).or_default() += 1;
            self.look_at.get_or_insert(now + BATCH);
        }
    }

    pub(super) fn remove(&mut self, now: Instant, kind: Kind, topic: &Topic) {
        let Some(reasons) = self.reasons.get_mut(topic) else {
            return;
        };
        if count_down(reasons, kind) {
            count_down(&mut self.kinds, kind);
            self.look_at.get_or_insert(now + BATCH);
        }
        if reasons.is_empty() {
            self.reasons.remove(topic);
        }
    }

    /// Whether anything in there concerns us.
    pub(super) fn meet(&self, listing: &Listing) -> bool {
        let concerns = |(kind, topic): (Kind, &[u8])| {
            self.kinds.contains_key(&kind)
                && std::str::from_utf8(topic)
                    .ok()
                    .and_then(|topic| self.reasons.get(topic))
                    .is_some_and(|reasons| reasons.contains_key(&kind))
        };
        !self.reasons.is_empty() && listing.names().any(concerns)
    }
}

/// Whether that was the last one.
fn count_down(counts: &mut BTreeMap<Kind, u32>, kind: Kind) -> bool {
    match counts.get_mut(&kind) {
        Some(count) if *count > 1 => {
            *count -= 1;
            false
        }
        Some(_) => counts.remove(&kind).is_some(),
        None => false,
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
