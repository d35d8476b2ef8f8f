//! `Matching`: wants × what is offered.
//!
//! Knows which want meets which provider; does not know how a provider was learned of. Used by the brain.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;

use super::{MatchChange, MatchKind};
use crate::{AnnouncementId, Kind, NodeId, Topic, WantId};

/// One announcement of one node.
pub(super) type Provider = (NodeId, AnnouncementId);

#[derive(Debug, Default)]
pub(super) struct Matching {
    wants: BTreeMap<WantId, (Kind, Topic)>,
    names: HashMap<(Kind, Topic), Name>,
    changes: VecDeque<MatchChange>,
    next_want: u64,
}

#[derive(Debug, Default)]
struct Name {
    wants: BTreeSet<WantId>,
    providers: BTreeMap<Provider, (String, SocketAddr)>,
}

impl Matching {
    pub(super) fn want(&mut self, topic: Topic, kind: Kind) -> WantId {
        let want = WantId(self.next_want);
        self.next_want += 1;
        let name = self.names.entry((kind, topic.clone())).or_default();
        name.wants.insert(want);
        for ((node, _), (node_name, endpoint)) in &name.providers {
            self.changes
                .push_back(change(want, MatchKind::Found, *node, node_name, *endpoint));
        }
        self.wants.insert(want, (kind, topic));
        want
    }

    /// What it was that is wanted no longer; `None`: nothing.
    pub(super) fn unwant(&mut self, want: WantId) -> Option<(Kind, Topic)> {
        let key = self.wants.remove(&want)?;
        if let Some(name) = self.names.get_mut(&key) {
            name.wants.remove(&want);
        }
        self.forget_if_empty(&key);
        self.changes.retain(|change| change.want != want);
        Some(key)
    }

    /// A provider came, or is reached at another endpoint now.
    pub(super) fn offer(
        &mut self,
        kind: Kind,
        topic: &Topic,
        by: Provider,
        node_name: &str,
        endpoint: SocketAddr,
    ) {
        if !matches!(kind, Kind::Publisher | Kind::Server) || endpoint.port() == 0 {
            return;
        }
        let name = self.names.entry((kind, topic.clone())).or_default();
        let before = name.providers.insert(by, (node_name.to_owned(), endpoint));
        if before
            .as_ref()
            .is_some_and(|(_, address)| *address == endpoint)
        {
            return;
        }
        for want in &name.wants {
            if let Some((old_name, old)) = &before {
                let gone = MatchKind::Withdrawn;
                self.changes
                    .push_back(change(*want, gone, by.0, old_name, *old));
            }
            let found = MatchKind::Found;
            self.changes
                .push_back(change(*want, found, by.0, node_name, endpoint));
        }
    }

    /// A provider is gone, in the way that `how` says.
    pub(super) fn withdraw(&mut self, kind: Kind, topic: &Topic, by: Provider, how: MatchKind) {
        let key = (kind, topic.clone());
        let Some(name) = self.names.get_mut(&key) else {
            return;
        };
        if let Some((node_name, endpoint)) = name.providers.remove(&by) {
            for want in &name.wants {
                self.changes
                    .push_back(change(*want, how, by.0, &node_name, endpoint));
            }
        }
        self.forget_if_empty(&key);
    }

    pub(super) fn poll(&mut self) -> Option<MatchChange> {
        self.changes.pop_front()
    }

    fn forget_if_empty(&mut self, key: &(Kind, Topic)) {
        if self
            .names
            .get(key)
            .is_some_and(|name| name.wants.is_empty() && name.providers.is_empty())
        {
            self.names.remove(key);
        }
    }
}

fn change(
    want: WantId,
    kind: MatchKind,
    node: NodeId,
    node_name: &str,
    endpoint: SocketAddr,
) -> MatchChange {
    MatchChange {
        want,
        kind,
        node,
        node_name: node_name.to_owned(),
        endpoint,
    }
}
