//! Hubs: a hub tells everybody it is linked with who else it is linked with, where, and what these announce. One address that all know
//! takes the place of multicast, and one link that of links with everybody.
//!
//! Nobody is told of what a hub has only heard of: what it says is as old as its own links, ends with them, and can't go round in
//! circles. Nodes link with every hub that they are told of, so hubs that are linked with each other share all their nodes, and each
//! directory reaches everybody from each hub by one step. What is believed of it is in `told`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::peer::Peer;
use super::{Brain, LinkId};
use crate::{AnnouncementId, Change, Entry, Introduction, Listing, Message, NodeId, limits};

/// Changes are gathered for so long: a hundred nodes that start together are told of each other in few messages.
const BATCH: Duration = Duration::from_millis(10);

/// What a hub has still to tell.
#[derive(Debug, Default)]
pub(super) struct Introducing {
    fresh: BTreeSet<NodeId>,
    gone: BTreeSet<NodeId>,
    changed: BTreeMap<NodeId, Change>,
    flush_at: Option<Instant>,
}

impl Introducing {
    pub(super) fn flush_at(&self) -> Option<Instant> {
        self.flush_at
    }
}

impl Brain {
    /// A node's link is in use: it is told of all others.
    pub(super) fn introduce(&mut self, node: NodeId, link: LinkId) {
        if self.config.hub {
            let all: Vec<_> = self.peers.keys().copied().collect();
            self.introduce_some(true, &all, node, link);
        }
    }

    /// A node has missed something of what we told it of another.
    pub(super) fn introduce_again(&mut self, asked: NodeId, node: NodeId, link: LinkId) {
        self.introduce_some(false, &[asked], node, link);
    }

    fn introduce_some(&mut self, all: bool, some: &[NodeId], node: NodeId, link: LinkId) {
        let near = self.peers.get(&node).is_some_and(is_near);
        let known = self.introductions(some, node, near);
        for message in messages(all, known, Vec::new(), Vec::new()) {
            self.send(link, &message);
        }
    }

    /// A node has said what it announces: soon all others are told.
    pub(super) fn tell_of(&mut self, now: Instant, node: NodeId) {
        if self.config.hub {
            self.introducing.gone.remove(&node);
            self.introducing.changed.remove(&node);
            self.introducing.fresh.insert(node);
            self.introducing.flush_at.get_or_insert(now + BATCH);
        }
    }

    /// A node announces more, or less.
    pub(super) fn tell_of_change(
        &mut self,
        now: Instant,
        node: NodeId,
        (from, to): (u64, u64),
        added: &[Entry],
        removed: &[AnnouncementId],
    ) {
        if !self.config.hub || self.introducing.fresh.contains(&node) {
            return;
        }
        let change = self.introducing.changed.entry(node);
        let change = change.or_insert_with(|| Change {
            node,
            from,
            to,
            added: Vec::new(),
            removed: Vec::new(),
        });
        change.to = to;
        let gone: BTreeSet<_> = removed.iter().collect();
        change.added.retain(|entry| !gone.contains(&entry.id));
        change.added.extend_from_slice(added);
        change.removed.extend_from_slice(removed);
        if change.added.len() + change.removed.len() > limits::ENTRIES {
            // As long as the whole, and the whole can be cut.
            return self.tell_of(now, node);
        }
        self.introducing.flush_at.get_or_insert(now + BATCH);
    }

    /// A node is gone: whoever was told of it by us need not look for it on our account.
    pub(super) fn take_back(&mut self, now: Instant, node: NodeId) {
        if self.config.hub {
            self.introducing.fresh.remove(&node);
            self.introducing.changed.remove(&node);
            self.introducing.gone.insert(node);
            self.introducing.flush_at.get_or_insert(now + BATCH);
        }
    }

    pub(super) fn introduce_if_due(&mut self, now: Instant) {
        if self.introducing.flush_at.is_none_or(|at| at > now) {
            return;
        }
        let Introducing {
            fresh,
            mut gone,
            changed,
            ..
        } = std::mem::take(&mut self.introducing);
        let fresh: Vec<_> = fresh.into_iter().collect();
        // More than one message may have are told a little later.
        if let Some(first) = gone.iter().nth(limits::PEERS).copied() {
            self.introducing.gone = gone.split_off(&first);
            self.introducing.flush_at = Some(now + BATCH);
        }
        let gone: Vec<_> = gone.into_iter().collect();
        let changed: Vec<_> = changed.into_values().collect();
        // Two sets of frames serve all: who is reached by a loopback address is told of such addresses too.
        for near in [false, true] {
            let links = self.peers.values().filter(|peer| is_near(peer) == near);
            let links: Vec<_> = links.filter_map(|peer| peer.life.as_ref()?.link).collect();
            if links.is_empty() {
                continue;
            }
            let known = self.introductions(&fresh, self.config.node, near);
            for message in messages(false, known, gone.clone(), changed.clone()) {
                self.send_to_all(&links, &message);
            }
        }
    }

    /// Those of `nodes` that are linked with us and have said what they announce, but for `except`.
    fn introductions(&mut self, nodes: &[NodeId], except: NodeId, near: bool) -> Vec<Introduction> {
        let mut known = Vec::new();
        for node in nodes.iter().filter(|node| **node != except) {
            if let Some(peer) = self.peers.get_mut(node)
                && let Some(listing) = peer.directory.listing().cloned()
            {
                known.extend(introduction(peer, near, listing));
            }
        }
        known
    }

    /// Whether a node has said that it is one.
    pub(super) fn is_hub(&self, node: NodeId) -> bool {
        self.peers.get(&node).is_some_and(|peer| peer.about.hub)
    }
}

/// Whether it is reached by a loopback address: only there do such addresses mean the same machine.
fn is_near(peer: &Peer) -> bool {
    peer.life
        .as_ref()
        .is_some_and(|life| life.address.ip().to_canonical().is_loopback())
}

/// Where a node that is alive accepts control links. None: nowhere that could be said.
fn introduction(peer: &Peer, near: bool, listing: Listing) -> Option<Introduction> {
    let life = peer.life.as_ref()?;
    let says = |address: &SocketAddr| {
        let ip = address.ip().to_canonical();
        let on_one_cable = match ip {
            std::net::IpAddr::V4(ip) => ip.is_link_local(),
            std::net::IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        address.port() != 0 && !on_one_cable && (near || !ip.is_loopback())
    };
    let mut addresses = Vec::new();
    for address in [life.address].iter().chain(&peer.about.addresses) {
        if says(address) && !addresses.contains(address) && addresses.len() < limits::ADDRESSES {
            addresses.push(*address);
        }
    }
    (!addresses.is_empty()).then(|| Introduction {
        node: peer.about.node,
        name: peer.about.name.clone(),
        host: peer.about.host.clone(),
        hub: peer.about.hub,
        addresses,
        listing: Some(listing),
    })
}

/// What is to be told, in as many messages as it takes. The first names all nodes, and has directories while there is room.
fn messages(
    all: bool,
    mut known: Vec<Introduction>,
    gone: Vec<NodeId>,
    changed: Vec<Change>,
) -> Vec<Message> {
    let mut later = Vec::new();
    let mut octets = 0;
    for about in &mut known {
        octets += listing_size(about);
        if octets > limits::TELLING_LEN {
            later.push(about.clone());
            about.listing = None;
        }
    }
    let mut messages = Vec::new();
    let mut tell = |all, known, gone, changed| {
        messages.push(Message::Nodes {
            all,
            known,
            gone,
            changed,
        });
    };
    if all || !known.is_empty() || !gone.is_empty() {
        tell(all, known, gone, Vec::new());
    }
    for part in in_parts(later, listing_size) {
        tell(false, part, Vec::new(), Vec::new());
    }
    for part in in_parts(changed, Change::size) {
        tell(false, Vec::new(), Vec::new(), part);
    }
    messages
}

fn listing_size(about: &Introduction) -> usize {
    about.listing.as_ref().map_or(0, Listing::size)
}

/// Cuts a list where the next item would make a part too large.
fn in_parts<T>(items: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut octets = 0;
    for item in items {
        let more = size(&item);
        if octets + more > limits::TELLING_LEN && !part.is_empty() {
            parts.push(std::mem::take(&mut part));
            octets = 0;
        }
        octets += more;
        part.push(item);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}
