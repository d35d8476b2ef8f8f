//! Hubs: a hub tells everybody it is linked with who else it is linked with, and where. They then dial each other as if discovery had shown
//! them, so that one address that all know takes the place of multicast.
//!
//! Nobody is told of what a hub has only heard of: what it says is as old as its own links, ends with them, and can't go round in
//! circles. Hubs that are linked with each other know each other's nodes because those are told of both. What a hub says is a hint, like
//! a DNS record: it makes nodes look for each other, and its end harms no link that is up.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::peer::Peer;
use super::{Brain, Effect, LinkId, Source};
use crate::{Introduction, Message, NodeId, NodeRecord, Version, limits};

/// Changes are gathered for so long: a hundred nodes that start together are told of each other in few messages.
const BATCH: Duration = Duration::from_millis(10);

/// What a hub has still to tell.
#[derive(Debug, Default)]
pub(super) struct Introducing {
    fresh: BTreeSet<NodeId>,
    gone: BTreeSet<NodeId>,
    flush_at: Option<Instant>,
}

impl Introducing {
    pub(super) fn flush_at(&self) -> Option<Instant> {
        self.flush_at
    }
}

impl Brain {
    /// A node's link is in use: it is told of all others, and soon they of it.
    pub(super) fn introduce(&mut self, now: Instant, node: NodeId, link: LinkId) {
        if !self.config.hub {
            return;
        }
        let all: Vec<_> = self.peers.keys().copied().collect();
        let near = self.is_near(node);
        let known = self.introductions(&all, node, near);
        let message = Message::Nodes {
            all: true,
            known,
            gone: Vec::new(),
        };
        self.send(link, &message);
        self.introducing.gone.remove(&node);
        self.introducing.fresh.insert(node);
        self.introducing.flush_at.get_or_insert(now + BATCH);
    }

    /// A node is gone: whoever was told of it by us need not look for it on our account.
    pub(super) fn take_back(&mut self, now: Instant, node: NodeId) {
        if self.config.hub {
            self.introducing.fresh.remove(&node);
            self.introducing.gone.insert(node);
            self.introducing.flush_at.get_or_insert(now + BATCH);
        }
    }

    pub(super) fn introduce_if_due(&mut self, now: Instant) {
        if self.introducing.flush_at.is_none_or(|at| at > now) {
            return;
        }
        let Introducing {
            fresh, mut gone, ..
        } = std::mem::take(&mut self.introducing);
        let fresh: Vec<_> = fresh.into_iter().collect();
        // More than one message may have are told a little later.
        if let Some(first) = gone.iter().nth(limits::PEERS).copied() {
            self.introducing.gone = gone.split_off(&first);
            self.introducing.flush_at = Some(now + BATCH);
        }
        let gone: Vec<_> = gone.into_iter().collect();
        // Two frames serve all: who is reached by a loopback address is told of such addresses too.
        let frames = [false, true].map(|near| {
            let message = Message::Nodes {
                all: false,
                known: self.introductions(&fresh, self.config.node, near),
                gone: gone.clone(),
            };
            Arc::<[u8]>::from(message.encode())
        });
        let [far, near] = frames;
        for peer in self.peers.values() {
            if let Some(link) = peer.life.as_ref().and_then(|life| life.link) {
                let frame = if is_near(peer) { &near } else { &far };
                let frame = frame.clone();
                self.effects.push_back(Effect::Send { link, frame });
            }
        }
    }

    /// A hub tells of nodes.
    pub(super) fn on_nodes(
        &mut self,
        now: Instant,
        hub: NodeId,
        all: bool,
        known: Vec<Introduction>,
        gone: &[NodeId],
    ) {
        let source = Source::Hub(hub);
        if all {
            let told: BTreeSet<_> = known.iter().map(|about| about.node).collect();
            let stale = |(node, peer): (&NodeId, &Peer)| {
                (peer.records.contains_key(&source) && !told.contains(node)).then_some(*node)
            };
            let stale: Vec<_> = self.peers.iter().filter_map(stale).collect();
            for node in stale {
                self.handle_record_gone(source, node);
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
            self.handle_record(now, source, record);
        }
        for node in gone {
            self.handle_record_gone(source, *node);
        }
    }

    /// A node is gone, and with it what it said of others, if it was a hub.
    pub(super) fn forget_hub(&mut self, hub: NodeId) {
        let source = Source::Hub(hub);
        let told =
            |(node, peer): (&NodeId, &Peer)| peer.records.contains_key(&source).then_some(*node);
        let told: Vec<_> = self.peers.iter().filter_map(told).collect();
        for node in told {
            self.handle_record_gone(source, node);
        }
    }

    /// Those of `nodes` that are linked with us, but for `except`.
    fn introductions(&self, nodes: &[NodeId], except: NodeId, near: bool) -> Vec<Introduction> {
        let peers = nodes.iter().filter(|node| **node != except);
        peers
            .filter_map(|node| introduction(self.peers.get(node)?, near))
            .collect()
    }

    /// Whether a node has said that it is one.
    pub(super) fn is_hub(&self, node: NodeId) -> bool {
        self.peers.get(&node).is_some_and(|peer| peer.about.hub)
    }

    fn is_near(&self, node: NodeId) -> bool {
        self.peers.get(&node).is_some_and(is_near)
    }
}

/// Whether it is reached by a loopback address: only there do such addresses mean the same machine.
fn is_near(peer: &Peer) -> bool {
    peer.life
        .as_ref()
        .is_some_and(|life| life.address.ip().to_canonical().is_loopback())
}

/// Where a node that is alive accepts control links. None: nowhere that could be said.
fn introduction(peer: &Peer, near: bool) -> Option<Introduction> {
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
    })
}
