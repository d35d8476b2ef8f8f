//! `Sharing`: which of a node's links have connections of their own, and which share one with others to the same node. Counts, and knows nothing of
//! sockets: those ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::sync::lock;

/// The links of a node that have connections of their own, by the control ports of the nodes they go to.
#[derive(Debug)]
pub(crate) struct Sharing {
    /// So many to each node. None: all.
    after: Option<usize>,
    own: Mutex<HashMap<String, usize>>,
}

impl Sharing {
    pub(crate) fn new(after: Option<usize>) -> Self {
        Self {
            after,
            own: Mutex::default(),
        }
    }

    /// Whether one more link to there has a connection of its own.
    fn take(&self, control: &str) -> bool {
        let mut own = lock(&self.own);
        let count = own.get(control).copied().unwrap_or_default();
        if self.after.is_some_and(|after| count >= after) {
            return false;
        }
        own.insert(control.to_owned(), count + 1);
        true
    }

    fn give_back(&self, control: &str) {
        let mut own = lock(&self.own);
        if let Some(count) = own.get_mut(control) {
            *count -= 1;
            if *count == 0 {
                own.remove(control);
            }
        }
    }
}

/// What one socket has of it.
#[derive(Debug)]
pub(crate) struct Share {
    sharing: Arc<Sharing>,
    /// What its lanes are asked for by.
    pub(crate) lane: String,
    /// The endpoints that it dials by connections of their own, and the control ports there.
    own: Mutex<HashMap<String, String>>,
}

impl Share {
    pub(crate) fn new(sharing: Arc<Sharing>, lane: String) -> Self {
        Self {
            sharing,
            lane,
            own: Mutex::default(),
        }
    }

    /// Whether this endpoint, of the node with that control port, is dialled by a connection of its own.
    pub(crate) fn has_own(&self, endpoint: &str, control: &str) -> bool {
        let mut own = lock(&self.own);
        if own.contains_key(endpoint) {
            return true;
        }
        let taken = self.sharing.take(control);
        if taken {
            own.insert(endpoint.to_owned(), control.to_owned());
        }
        taken
    }

    /// It is not dialled any more.
    pub(crate) fn gives_up(&self, endpoint: &str) {
        if let Some(control) = lock(&self.own).remove(endpoint) {
            self.sharing.give_back(&control);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        for control in lock(&self.own).values() {
            self.sharing.give_back(control);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_links_to_a_node_have_their_own_and_make_room_when_they_end() {
        let sharing = Arc::new(Sharing::new(Some(2)));
        let share = || Share::new(sharing.clone(), String::new());
        let (a, b, c) = (share(), share(), share());
        assert!(a.has_own("a1", "node"));
        assert!(b.has_own("b1", "node"));
        assert!(!c.has_own("c1", "node"));
        assert!(c.has_own("c1", "other"));
        assert!(a.has_own("a1", "node"), "it has it already");
        b.gives_up("b1");
        b.gives_up("b1");
        assert!(c.has_own("c2", "node"));
        assert!(!b.has_own("b1", "node"));
        drop(a);
        assert!(b.has_own("b1", "node"));
        drop((b, c));
        assert!(lock(&sharing.own).is_empty());
    }

    #[test]
    fn where_none_share_all_have_their_own() {
        let share = Share::new(Arc::new(Sharing::new(None)), String::new());
        assert!((0..1000).all(|n| share.has_own(&n.to_string(), "node")));
    }
}
