//! `Peers`: all other nodes that are known, and which of them needs attention first.
//!
//! A hub knows thousands, and hears of one at a time: whoever may have changed is remembered, and only these are looked at when it is
//! asked who is next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::peer::Peer;
use crate::NodeId;

#[derive(Debug)]
pub(super) struct Peers {
    own: NodeId,
    slots: BTreeMap<NodeId, Slot>,
    timers: BTreeSet<(Instant, NodeId)>,
    /// Whose timers may have changed.
    touched: Vec<NodeId>,
}

#[derive(Debug)]
struct Slot {
    peer: Peer,
    /// As it is in `timers`.
    timer: Option<Instant>,
}

impl Peers {
    /// Nobody; `own` is who knows them.
    pub(super) fn new(own: NodeId) -> Self {
        Self {
            own,
            slots: BTreeMap::new(),
            timers: BTreeSet::new(),
            touched: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn contains_key(&self, node: &NodeId) -> bool {
        self.slots.contains_key(node)
    }

    pub(super) fn get(&self, node: &NodeId) -> Option<&Peer> {
        self.slots.get(node).map(|slot| &slot.peer)
    }

    pub(super) fn get_mut(&mut self, node: &NodeId) -> Option<&mut Peer> {
        let slot = self.slots.get_mut(node)?;
        self.touched.push(*node);
        Some(&mut slot.peer)
    }

    pub(super) fn get_or_insert_with(
        &mut self,
        node: NodeId,
        make: impl FnOnce() -> Peer,
    ) -> &mut Peer {
        self.touched.push(node);
        let slot = self.slots.entry(node).or_insert_with(|| Slot {
            peer: make(),
            timer: None,
        });
        &mut slot.peer
    }

    pub(super) fn remove(&mut self, node: &NodeId) {
        if let Some(timer) = self.slots.remove(node).and_then(|slot| slot.timer) {
            self.timers.remove(&(timer, *node));
        }
    }

    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.timers.clear();
        self.touched.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Peer)> {
        self.slots.iter().map(|(node, slot)| (node, &slot.peer))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &NodeId> {
        self.slots.keys()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Peer> {
        self.slots.values().map(|slot| &slot.peer)
    }

    /// All of them, any of which may be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&NodeId, &mut Peer)> {
        self.touched.extend(self.slots.keys());
        self.slots
            .iter_mut()
            .map(|(node, slot)| (node, &mut slot.peer))
    }

    /// When the first of them needs attention.
    pub(super) fn next_timeout(&mut self) -> Option<Instant> {
        self.settle();
        self.timers.first().map(|(at, _)| *at)
    }

    /// Who needs it by now, in the order of their ids.
    pub(super) fn due(&mut self, now: Instant) -> Vec<NodeId> {
        self.settle();
        let due = self.timers.iter().take_while(|(at, _)| *at <= now);
        let mut due: Vec<_> = due.map(|(_, node)| *node).collect();
        due.sort_unstable();
        due
    }

    fn settle(&mut self) {
        for node in self.touched.drain(..) {
            let Some(slot) = self.slots.get_mut(&node) else {
                continue;
            };
            let timer = slot.peer.next_timeout(self.own);
            if timer == slot.timer {
                continue;
            }
            if let Some(before) = std::mem::replace(&mut slot.timer, timer) {
                self.timers.remove(&(before, node));
            }
            self.timers.extend(timer.map(|at| (at, node)));
        }
    }
}
