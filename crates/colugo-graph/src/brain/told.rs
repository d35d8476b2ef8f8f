//! What hubs say of others: who is there, and what they announce.
//!
//! A node that a hub tells of needs no link of ours to be known. There is one if there is a reason: a topic in common, or that it is a hub
//! itself; and while few nodes are known, with all of them. What a hub says is a hint, like a DNS record: its end harms no link that is up.
//! Knows what is believed of hubs; what a hub itself does is in `introducing`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::peer::Peer;
use super::{Brain, Source};
use crate::{Change, Introduction, Listing, Message, NodeId, NodeRecord, Version, limits};

/// Links without a reason have time: first everybody is to be known, and with many there are none of these.
const MESH_AFTER: Duration = Duration::from_millis(500);

/// They are spread over so long.
const MESH_SPREAD: Duration = Duration::from_millis(500);

/// A hub with much to tell says who is there first, and what they announce in messages behind: those are waited for, on a slow network too.
const UNLISTED_AFTER: Duration = Duration::from_secs(5);

/// A hub that ends may leave many nodes that are known by other ways only; they are dialled over so long.
const UNCOVERED_SPREAD: Duration = Duration::from_secs(5);

/// Who has the same reason for a link and has just found it dials at once: it is waited for.
const OTHER_FIRST: Duration = Duration::from_millis(250);

impl Brain {
    /// A hub tells of nodes.
    pub(super) fn on_nodes(
        &mut self,
        now: Instant,
        hub: NodeId,
        all: bool,
        known: Vec<Introduction>,
        gone: &[NodeId],
        changed: &[Change],
    ) {
        let source = Source::Hub(hub);
        if all {
            let told: BTreeSet<_> = known.iter().map(|about| about.node).collect();
            let stale = |(node, peer): (&NodeId, &Peer)| {
                (peer.records.contains_key(&source) && !told.contains(node)).then_some(*node)
            };
            let stale: Vec<_> = self.peers.iter().filter_map(stale).collect();
            for node in stale {
                self.handle_record_gone(now, source, node);
            }
        }
        for about in known {
            let record = NodeRecord {
                node: about.node,
                version: Version::OURS,
                namespace: self.config.namespace.to_string(),
                name: about.name,
                host: about.host,
                hub: about.hub,
                addresses: about.addresses,
            };
            self.learn(now, source, record, about.listing);
        }
        for node in gone {
            self.handle_record_gone(now, source, *node);
        }
        for change in changed {
            self.on_change(now, hub, change);
        }
    }

    /// A node is gone, and with it what it said of others, if it was a hub.
    pub(super) fn forget_hub(&mut self, now: Instant, hub: NodeId) {
        let source = Source::Hub(hub);
        let told =
            |(node, peer): (&NodeId, &Peer)| peer.records.contains_key(&source).then_some(*node);
        let told: Vec<_> = self.peers.iter().filter_map(told).collect();
        for node in told {
            self.handle_record_gone(now, source, node);
        }
    }

    fn on_change(&mut self, now: Instant, hub: NodeId, change: &Change) {
        let Some(peer) = self.peers.get_mut(&change.node) else {
            return;
        };
        if !peer.records.contains_key(&Source::Hub(hub)) {
            return;
        }
        let listing = match &peer.listing {
            Some(listing) if change.to <= listing.generation() => return,
            Some(listing) if change.from <= listing.generation() => {
                listing.changed(change.to, &change.added, &change.removed)
            }
            _ if peer.listing_asked == Some(hub) => return,
            _ => {
                peer.listing_asked = Some(hub);
                self.counters.resyncs += 1;
                return self.ask_hub(hub, change.node);
            }
        };
        self.set_listing(now, change.node, listing);
    }

    fn ask_hub(&mut self, hub: NodeId, node: NodeId) {
        let life = self.peers.get(&hub).and_then(|peer| peer.life.as_ref());
        if let Some(link) = life.and_then(|life| life.link) {
            self.send(link, &Message::Resync { of: Some(node) });
        }
    }

    /// A hub has told what a node announces, which may be a reason for a link.
    pub(super) fn set_listing(&mut self, now: Instant, node: NodeId, mut listing: Listing) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        let before = peer.listing.as_ref();
        if before.is_some_and(|before| before.generation() >= listing.generation()) {
            return;
        }
        let others = self.told_len - before.map_or(0, Listing::size);
        if others.saturating_add(listing.size()) > limits::TOLD_LEN {
            listing = Listing::empty(listing.generation());
            self.counters.listings_refused += 1;
            self.tell_limit("octets of directories from hubs", limits::TOLD_LEN);
        }
        self.told_len = others + listing.size();
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        peer.listing_asked = None;
        peer.concerns = self.interests.meet(&listing);
        let is_first = peer.listing.replace(listing).is_none();
        if peer.life.is_none() && peer.reach.is_idle() && !peer.foreign {
            if peer.concerns {
                peer.reach.sooner(now + OTHER_FIRST);
            } else if is_first {
                peer.reach
                    .sooner(now + mesh_patience(self.config.node, node));
            }
        }
    }

    /// No hub tells of a node any more. If something else shows it, it has to be asked itself.
    pub(super) fn uncover(&mut self, now: Instant, node: NodeId) {
        let own = self.config.node;
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        let told_by_hub = |source: &Source| matches!(source, Source::Hub(_));
        if peer.records.keys().any(told_by_hub) {
            return;
        }
        peer.listing_asked = None;
        peer.concerns = false;
        let Some(listing) = peer.listing.take() else {
            return;
        };
        self.told_len -= listing.size();
        if peer.is_shown() && peer.life.is_none() && peer.reach.is_idle() && !peer.foreign {
            let patience = spread(own, node, UNCOVERED_SPREAD);
            peer.reach.sooner(now + patience);
        }
    }

    /// Looks through all that hubs have told for what has become of interest, or is no longer.
    pub(super) fn look_if_due(&mut self, now: Instant) {
        if self.interests.look_at.is_none_or(|at| at > now) {
            return;
        }
        self.interests.look_at = None;
        let mut found = Vec::new();
        for (node, peer) in self.peers.iter_mut() {
            let Some(listing) = &peer.listing else {
                continue;
            };
            let before = peer.concerns;
            peer.concerns = self.interests.meet(listing);
            let unlinked = peer.life.is_none() && peer.reach.dial.is_none() && !peer.foreign;
            if peer.concerns && !before && unlinked {
                peer.reach.sooner(now);
                found.push(*node);
            }
        }
        for node in found {
            self.dial_if_due(now, node);
        }
    }
}

/// Whether there is a reason for a link with it, where so many nodes are `known`.
pub(super) fn is_worth_a_link(peer: &Peer, known: usize) -> bool {
    peer.listing.is_none() || peer.matters() || known <= limits::MESH
}

/// How long a link may wait with a node of which a hub has told. None: no longer than with any other.
pub(super) fn told_patience(own: NodeId, peer: &Peer, source: Source) -> Option<Duration> {
    let node = peer.about.node;
    match (&peer.listing, source) {
        (Some(_), _) if !peer.matters() => Some(mesh_patience(own, node)),
        (None, Source::Hub(_)) if !peer.about.hub => {
            Some(UNLISTED_AFTER + spread(own, node, UNCOVERED_SPREAD))
        }
        _ => None,
    }
}

/// The same if there is no reason for a link but that few are known.
fn mesh_patience(own: NodeId, node: NodeId) -> Duration {
    MESH_AFTER + spread(own, node, MESH_SPREAD)
}

/// A part of `most` that differs from pair to pair, so that not all are dialled at once.
fn spread(own: NodeId, node: NodeId, most: Duration) -> Duration {
    let [.., a, b] = own.0;
    let [.., c, d] = node.0;
    let part = u16::from_be_bytes([a ^ c, b ^ d]);
    most * u32::from(part) / u32::from(u16::MAX)
}
