//! `OwnTopics`: what a SUB asked for, counted, so that each prefix is subscribed once and cancelled once on the wire.

use std::collections::BTreeMap;

use colugo_zmtp::{MAX_SUBSCRIPTION_LEN, MAX_SUBSCRIPTIONS, SubscriptionSet};

use crate::error::SubscribeError;

#[derive(Debug, Default)]
pub(crate) struct OwnTopics {
    counts: BTreeMap<Vec<u8>, usize>,
    set: SubscriptionSet,
}

impl OwnTopics {
    /// True: the first subscription of this prefix.
    pub(crate) fn add(&mut self, prefix: &[u8]) -> Result<bool, SubscribeError> {
        if let Some(count) = self.counts.get_mut(prefix) {
            *count += 1;
            return Ok(false);
        }
        if prefix.len() > MAX_SUBSCRIPTION_LEN || self.counts.len() >= MAX_SUBSCRIPTIONS {
            return Err(SubscribeError::Limit);
        }
        self.set.insert(prefix).map_err(|_| SubscribeError::Limit)?;
        self.counts.insert(prefix.to_vec(), 1);
        Ok(true)
    }

    /// True: that was the last one. None: there was none.
    pub(crate) fn remove(&mut self, prefix: &[u8]) -> Option<bool> {
        let count = self.counts.get_mut(prefix)?;
        *count -= 1;
        if *count > 0 {
            return Some(false);
        }
        self.counts.remove(prefix);
        self.set.remove(prefix);
        Some(true)
    }

    pub(crate) fn matches(&self, topic: &[u8]) -> bool {
        self.set.matches(topic)
    }

    pub(crate) fn has_all(&self) -> bool {
        self.set.matches_all()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.counts.keys().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_subscriptions_need_two_cancels() {
        let mut topics = OwnTopics::default();
        assert_eq!(topics.add(b"a"), Ok(true));
        assert_eq!(topics.add(b"a"), Ok(false));
        assert_eq!(topics.remove(b"a"), Some(false));
        assert!(topics.matches(b"abc"));
        assert_eq!(topics.remove(b"a"), Some(true));
        assert_eq!(topics.remove(b"a"), None);
        assert!(!topics.matches(b"abc"));
    }
}
