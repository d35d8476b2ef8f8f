//! `Outsiders`: sockets of programs that are no nodes of ours and have no control port, as discovery shows them.
//!
//! Knows what they offer and where; does not know whether they live. Their names meet the wants like everybody's.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::matching::Offer;
use super::{Brain, MatchKind};
use crate::{
    Announcement, AnnouncementId, Kind, NodeId, NodeInfo, NodeState, Outsider, Topic, limits,
};

#[derive(Debug, Default)]
pub(super) struct Outsiders {
    sockets: BTreeMap<(NodeId, Kind, Topic), (AnnouncementId, SocketAddr)>,
    next: u64,
}

impl Outsiders {
    /// One for each program and host, as an address is of a node.
    pub(super) fn infos(&self) -> Vec<NodeInfo> {
        let mut nodes: BTreeMap<_, Vec<Announcement>> = BTreeMap::new();
        for ((node, kind, topic), (_, endpoint)) in &self.sockets {
            let announcements = nodes.entry((*node, endpoint.ip())).or_default();
            announcements.push(Announcement {
                topic: topic.clone(),
                kind: *kind,
                port: endpoint.port(),
                encoding: String::new(),
            });
        }
        let info = |((id, ip), announcements): (_, Vec<Announcement>)| NodeInfo {
            id,
            name: name(id),
            host: String::new(),
            namespace: String::new(),
            state: NodeState::Outside,
            address: Some(SocketAddr::new(ip, 0)),
            round_trip: None,
            clock_ahead_ns: None,
            announcements,
            problem: None,
            failure: None,
            history: Vec::new(),
            addresses: Vec::new(),
        };
        nodes.into_iter().map(info).collect()
    }
}

/// They say none.
fn name(node: NodeId) -> String {
    format!("plain-{}", node.short())
}

impl Brain {
    /// Discovery shows a socket of a program without a control port, or shows it at another address than before.
    pub fn handle_outsider(&mut self, outsider: Outsider) {
        let Outsider {
            node,
            kind,
            topic,
            endpoint,
        } = outsider;
        // Nodes of ours say themselves what they offer.
        if self.left || node == self.config.node || self.peers.contains_key(&node) {
            return;
        }
        let key = (node, kind, topic);
        let known = self.outsiders.sockets.get(&key).map(|(id, _)| *id);
        if known.is_none() && self.outsiders.sockets.len() >= limits::OUTSIDERS {
            self.tell_limit("sockets of programs that are no nodes", limits::OUTSIDERS);
            return;
        }
        let id = known.unwrap_or(AnnouncementId(self.outsiders.next));
        self.outsiders.next += 1;
        let offer = Offer {
            node_name: name(node),
            endpoint,
            control: None,
        };
        self.matching.offer(kind, &key.2, (node, id), offer);
        self.outsiders.sockets.insert(key, (id, endpoint));
    }

    /// Such a socket is shown no longer.
    pub fn handle_outsider_gone(&mut self, node: NodeId, kind: Kind, topic: &Topic) {
        let key = (node, kind, topic.clone());
        if let Some((id, _)) = self.outsiders.sockets.remove(&key) {
            let how = MatchKind::Withdrawn;
            self.matching.withdraw(kind, topic, (node, id), how);
        }
    }
}
