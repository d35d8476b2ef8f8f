//! The prefixes one peer has subscribed to. Knows whether a topic begins with one of them, fast;
//! refuses to know how subscriptions arrive. Used by publishers per peer, and by subscribers to
//! filter once more what they receive.

use crate::limits::{MAX_SUBSCRIPTION_LEN, MAX_SUBSCRIPTIONS};

/// Up to so many prefixes it is faster to try each than to search.
const SCAN: usize = 8;

/// Why a subscription was refused.
///
/// ```
/// use colugo_zmtp::{SubscriptionLimit, SubscriptionSet};
/// let error = SubscriptionSet::new().insert(&[0; 513]);
/// assert_eq!(error, Err(SubscriptionLimit::TooLong { len: 513 }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionLimit {
    /// The prefix has more than 512 octets.
    #[error(
        "a subscription of {len} octets, at most {MAX_SUBSCRIPTION_LEN} are accepted: subscribe to a shorter prefix"
    )]
    TooLong {
        /// Octets of the prefix.
        len: usize,
    },
    /// The set has 4096 prefixes already.
    #[error(
        "more than {MAX_SUBSCRIPTIONS} subscriptions of one peer: subscribe to common prefixes"
    )]
    TooMany,
}

/// A set of topic prefixes: a second subscription to the same one changes nothing, and one cancel
/// ends it, as with libzmq's publishers.
///
/// Matching takes one binary search and one comparison, whatever the prefixes are; see the comment
/// on `entries` for how.
///
/// ```
/// use colugo_zmtp::SubscriptionSet;
/// let mut set = SubscriptionSet::new();
/// set.insert(b"robot.").unwrap();
/// assert!(set.matches(b"robot.pose") && !set.matches(b"robo"));
/// set.remove(b"robot.");
/// assert!(!set.matches(b"robot.pose"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct SubscriptionSet {
    /// Sorted, each once.
    ///
    /// A prefix of a topic and all that sorts between the two begin with that prefix. So of the
    /// last entry not after the topic, every entry that is a prefix of the topic is a prefix too,
    /// and it is enough to try the shortest of those: its length is kept as `root_len`.
    entries: Vec<Entry>,
    /// A bit for each octet that some entry begins with: most topics that do not match are told by
    /// it.
    first: [u64; 4],
    all: bool,
}

#[derive(Debug, Clone)]
struct Entry {
    prefix: Box<[u8]>,
    /// Octets of the shortest entry that is a prefix of this one, itself perhaps.
    root_len: u16,
    /// Octets in common with the entry before: changes need no comparison of prefixes but with the
    /// two neighbours, however many entries get another root.
    shared: u16,
}

impl Entry {
    #[inline]
    fn root(&self) -> &[u8] {
        self.prefix
            .get(..usize::from(self.root_len))
            .unwrap_or(&self.prefix)
    }
}

/// The number of leading octets that two prefixes have in common.
fn common(a: &[u8], b: &[u8]) -> u16 {
    // Neither is over `MAX_SUBSCRIPTION_LEN`.
    a.iter().zip(b).take_while(|(a, b)| a == b).count() as u16
}

impl SubscriptionSet {
    /// A set that matches nothing.
    ///
    /// ```
    /// assert!(!colugo_zmtp::SubscriptionSet::new().matches(b""));
    /// ```
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
            first: [0; 4],
            all: false,
        }
    }

    /// Adds a prefix; whether it is new.
    ///
    /// # Errors
    /// [`SubscriptionLimit`]: over 512 octets, or a 4097th prefix. The set is unchanged.
    ///
    /// ```
    /// # use colugo_zmtp::SubscriptionSet;
    /// let mut set = SubscriptionSet::new();
    /// assert_eq!(set.insert(b"a"), Ok(true));
    /// assert_eq!(set.insert(b"a"), Ok(false));
    /// ```
    pub fn insert(&mut self, prefix: &[u8]) -> Result<bool, SubscriptionLimit> {
        let len = prefix.len();
        if len > MAX_SUBSCRIPTION_LEN {
            return Err(SubscriptionLimit::TooLong { len });
        }
        let Err(at) = self.find(prefix) else {
            return Ok(false);
        };
        if self.entries.len() >= MAX_SUBSCRIPTIONS {
            return Err(SubscriptionLimit::TooMany);
        }
        let own = len as u16;
        let before = at.checked_sub(1).and_then(|i| self.entries.get(i));
        let shared = before.map_or(0, |before| common(&before.prefix, prefix));
        let root_len = before
            .map(|before| before.root_len)
            .filter(|root_len| *root_len <= shared)
            .unwrap_or(own);
        if let Some(next) = self.entries.get_mut(at) {
            next.shared = common(prefix, &next.prefix);
        }
        if root_len == own {
            let longer = self.entries.iter_mut().skip(at);
            for entry in longer.take_while(|entry| entry.shared >= own) {
                entry.root_len = own;
            }
        }
        self.mark(prefix, true);
        let prefix = prefix.into();
        self.entries.insert(
            at,
            Entry {
                prefix,
                root_len,
                shared,
            },
        );
        Ok(true)
    }

    /// Removes a prefix; whether it was there.
    ///
    /// ```
    /// # use colugo_zmtp::SubscriptionSet;
    /// assert!(!SubscriptionSet::new().remove(b"a"));
    /// ```
    pub fn remove(&mut self, prefix: &[u8]) -> bool {
        let Ok(at) = self.find(prefix) else {
            return false;
        };
        let removed = self.entries.remove(at);
        let own = prefix.len() as u16;
        if removed.root_len == own {
            // Those that had it as their root get the next longer one.
            let mut root = None;
            let longer = self.entries.iter_mut().skip(at);
            for entry in longer.take_while(|entry| entry.shared >= own) {
                let kept = root.filter(|root_len| *root_len <= entry.shared);
                entry.root_len = kept.unwrap_or(entry.prefix.len() as u16);
                root = Some(entry.root_len);
            }
        }
        if let Some(next) = self.entries.get_mut(at) {
            next.shared = next.shared.min(removed.shared);
        }
        // What begins with the same octet stands beside the gap.
        let near = [at.checked_sub(1), Some(at)];
        let same_first = |i: usize| {
            let entry = self.entries.get(i);
            entry.is_some_and(|entry| entry.prefix.first() == prefix.first())
        };
        if !near.into_iter().flatten().any(same_first) {
            self.mark(prefix, false);
        }
        true
    }

    fn find(&self, prefix: &[u8]) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|entry| (*entry.prefix).cmp(prefix))
    }

    /// Notes that some entry begins, or none begins any more, as this prefix does.
    fn mark(&mut self, prefix: &[u8], set: bool) {
        let Some(&octet) = prefix.first() else {
            self.all = set;
            return;
        };
        let bit = 1_u64 << (octet & 63);
        if let Some(word) = self.first.get_mut(usize::from(octet >> 6)) {
            *word = if set { *word | bit } else { *word & !bit };
        }
    }

    /// Whether the topic begins with a prefix of the set.
    ///
    /// ```
    /// # use colugo_zmtp::SubscriptionSet;
    /// let mut set = SubscriptionSet::new();
    /// set.insert(b"").unwrap();
    /// assert!(set.matches(b"anything"));
    /// ```
    #[inline]
    pub fn matches(&self, topic: &[u8]) -> bool {
        if self.all {
            return true;
        }
        let Some(&octet) = topic.first() else {
            return false;
        };
        let word = self.first.get(usize::from(octet >> 6));
        word.is_some_and(|word| word >> (octet & 63) & 1 == 1) && self.search(topic)
    }

    fn search(&self, topic: &[u8]) -> bool {
        if self.entries.len() <= SCAN {
            let mut prefixes = self.iter();
            return prefixes.any(|prefix| topic.starts_with(prefix));
        }
        let after = self
            .entries
            .partition_point(|entry| *entry.prefix <= *topic);
        let last = after.checked_sub(1).and_then(|i| self.entries.get(i));
        last.is_some_and(|entry| topic.starts_with(entry.root()))
    }

    /// Whether every topic matches: the empty prefix is in the set.
    ///
    /// ```
    /// assert!(!colugo_zmtp::SubscriptionSet::new().matches_all());
    /// ```
    #[inline]
    pub const fn matches_all(&self) -> bool {
        self.all
    }

    /// Whether nothing matches.
    ///
    /// ```
    /// assert!(colugo_zmtp::SubscriptionSet::new().is_empty());
    /// ```
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of prefixes.
    ///
    /// ```
    /// assert_eq!(colugo_zmtp::SubscriptionSet::new().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The prefixes, sorted: what to send again on a new connection.
    ///
    /// ```
    /// # use colugo_zmtp::SubscriptionSet;
    /// let mut set = SubscriptionSet::new();
    /// set.insert(b"b").unwrap();
    /// set.insert(b"a").unwrap();
    /// assert!(set.iter().eq([b"a", b"b"]));
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().map(|entry| &*entry.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(prefixes: &[&str]) -> SubscriptionSet {
        let mut set = SubscriptionSet::new();
        for prefix in prefixes {
            set.insert(prefix.as_bytes()).unwrap();
        }
        set
    }

    #[test]
    fn a_topic_matches_by_any_of_its_prefixes() {
        let set = set(&["ab", "abcd", "abx", "b"]);
        for topic in ["ab", "abc", "abcd", "abcde", "abz", "b", "bb"] {
            assert!(set.matches(topic.as_bytes()), "{topic}");
        }
        for topic in ["", "a", "aa", "ac", "c"] {
            assert!(!set.matches(topic.as_bytes()), "{topic}");
        }
    }

    #[test]
    fn the_empty_prefix_matches_all_until_it_is_removed() {
        let mut set = set(&["", "ab"]);
        assert!(set.matches_all() && set.matches(b"") && set.matches(b"zz"));
        assert!(set.remove(b""));
        assert!(!set.matches_all() && !set.matches(b"") && !set.matches(b"zz"));
        assert!(set.matches(b"abc"));
    }

    #[test]
    fn two_subscriptions_to_the_same_end_with_one_cancel() {
        let mut set = set(&["a", "a"]);
        assert_eq!(set.len(), 1);
        assert!(set.remove(b"a") && !set.remove(b"a"));
        assert!(set.is_empty() && !set.matches(b"a"));
    }

    #[test]
    fn a_shorter_prefix_hands_back_to_the_longer_ones() {
        let mut set = set(&["a", "aba", "ab", "abb", "b"]);
        set.remove(b"a");
        assert!(set.matches(b"abz") && !set.matches(b"a") && !set.matches(b"az"));
        set.remove(b"ab");
        assert!(set.matches(b"abaz") && set.matches(b"abb") && !set.matches(b"abz"));
        assert!(set.matches(b"b"));
    }

    #[test]
    fn number_and_length_are_limited() {
        let mut set = SubscriptionSet::new();
        let mut insert = |n: usize| set.insert(&n.to_be_bytes());
        for n in 0..MAX_SUBSCRIPTIONS {
            assert_eq!(insert(n), Ok(true));
        }
        assert_eq!(insert(0), Ok(false), "it is there already");
        assert_eq!(insert(MAX_SUBSCRIPTIONS), Err(SubscriptionLimit::TooMany));
        assert!(set.remove(&0_usize.to_be_bytes()));
        let longest = [1; MAX_SUBSCRIPTION_LEN];
        assert_eq!(set.insert(&longest), Ok(true));
        let too_long = [1; MAX_SUBSCRIPTION_LEN + 1];
        assert!(set.insert(&too_long).is_err());
        assert!(set.matches(&too_long));
    }

    fn prefix() -> impl Strategy<Value = Vec<u8>> {
        // Few octets, so that prefixes of prefixes are common; 0 and 255 for the ends of the order.
        let octet = prop_oneof![Just(0_u8), Just(1), Just(63), Just(64), Just(255)];
        prop::collection::vec(octet, 0..5)
    }

    proptest! {
        #[test]
        fn behaves_as_a_plain_set_of_prefixes(
            steps in prop::collection::vec((prop::bool::weighted(0.7), prefix()), 0..80),
            topics in prop::collection::vec(prefix(), 20),
        ) {
            let mut model = BTreeSet::new();
            let mut set = SubscriptionSet::new();
            for (insert, prefix) in steps {
                if insert {
                    prop_assert_eq!(set.insert(&prefix), Ok(model.insert(prefix)));
                } else {
                    prop_assert_eq!(set.remove(&prefix), model.remove(&prefix));
                }
                prop_assert!(set.iter().eq(model.iter().map(Vec::as_slice)));
                for topic in &topics {
                    let expected = model.iter().any(|p| topic.starts_with(p));
                    prop_assert_eq!(set.matches(topic), expected, "{:?} in {:?}", topic, model);
                }
            }
        }
    }
}
