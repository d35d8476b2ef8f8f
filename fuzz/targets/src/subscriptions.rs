//! What a peer has subscribed to.

use std::collections::BTreeSet;

use colugo_zmtp::{MAX_SUBSCRIPTION_LEN, MAX_SUBSCRIPTIONS, SubscriptionLimit, SubscriptionSet};

use crate::input::Input;

/// Prefixes come, go and are looked for; a plain set, searched from end to end, says the same.
pub fn subscriptions(data: &[u8]) {
    let mut input = Input::new(data);
    let mut set = SubscriptionSet::new();
    let mut model: BTreeSet<Vec<u8>> = BTreeSet::new();
    // Topics that were looked for, again after each change.
    let mut topics: Vec<Vec<u8>> = vec![Vec::new()];
    while !input.is_empty() {
        let what = input.octet();
        let topic = match what >> 4 {
            // Long ones, one octet over and over: the limit is near.
            15 => vec![input.octet(); MAX_SUBSCRIPTION_LEN - 8 + usize::from(what & 15)],
            // Longer or shorter than one that is there.
            8..15 => {
                let at = usize::from(input.octet()) % topics.len();
                let mut near = topics[at].clone();
                near.truncate(usize::from(what >> 4));
                near.extend_from_slice(input.take(usize::from(what >> 2 & 3)));
                near
            }
            len => input.take(len.into()).to_vec(),
        };
        match what & 3 {
            0 | 1 => {
                let expected = if topic.len() > MAX_SUBSCRIPTION_LEN {
                    Err(SubscriptionLimit::TooLong { len: topic.len() })
                } else if model.len() >= MAX_SUBSCRIPTIONS && !model.contains(&topic) {
                    Err(SubscriptionLimit::TooMany)
                } else {
                    Ok(model.insert(topic.clone()))
                };
                assert_eq!(set.insert(&topic), expected);
            }
            2 => assert_eq!(set.remove(&topic), model.remove(&topic)),
            _ => {}
        }
        topics.push(topic);
        if topics.len() > 24 {
            topics.remove(1);
        }
        // The new one and a few of the others, in turn.
        let others = topics.iter().cycle().skip(model.len() % topics.len());
        for topic in topics.last().into_iter().chain(others.take(3)) {
            let expected = model.iter().any(|prefix| topic.starts_with(prefix));
            assert_eq!(set.matches(topic), expected, "{topic:?} in {model:?}");
        }
        assert_eq!(set.matches_all(), model.contains(&vec![]));
        assert_eq!(set.is_empty(), model.is_empty());
    }
    assert!(set.iter().eq(model.iter().map(Vec::as_slice)));
    for topic in &topics {
        let expected = model.iter().any(|prefix| topic.starts_with(prefix));
        assert_eq!(set.matches(topic), expected, "{topic:?} in {model:?}");
    }
    for prefix in &model {
        assert!(set.remove(prefix));
    }
    assert!(set.is_empty() && !topics.iter().any(|topic| set.matches(topic)));
}
