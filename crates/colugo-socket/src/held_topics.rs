//! `HeldTopics`: how many subscribers of an XPUB hold each topic, so that it is told of the first and of the last. Bounded by what its
//! connections may hold; knows nothing of who they are.

use std::collections::HashMap;

#[derive(Debug, Default)]
pub(crate) struct HeldTopics(HashMap<Box<[u8]>, usize>);

impl HeldTopics {
    /// One subscriber more. True: it is the first.
    pub(crate) fn add(&mut self, topic: &[u8]) -> bool {
        if let Some(count) = self.0.get_mut(topic) {
            *count += 1;
            return false;
        }
        self.0.insert(topic.into(), 1);
        true
    }

    /// One subscriber less. True: it was the last.
    pub(crate) fn remove(&mut self, topic: &[u8]) -> bool {
        let Some(count) = self.0.get_mut(topic) else {
            return false;
        };
        *count = count.saturating_sub(1);
        if *count > 0 {
            return false;
        }
        self.0.remove(topic);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_and_the_last_are_told() {
        let mut held = HeldTopics::default();
        assert!(held.add(b"a"));
        assert!(!held.add(b"a"));
        assert!(!held.remove(b"b"));
        assert!(!held.remove(b"a"));
        assert!(held.remove(b"a"));
        assert!(!held.remove(b"a"));
        assert!(held.add(b"a"), "it can begin again");
    }
}
