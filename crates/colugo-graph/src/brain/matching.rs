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
    providers: BTreeMap<Provider, Offer>,
}

/// Where something is to be had.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) node_name: String,
    pub(super) endpoint: SocketAddr,
    /// The control port of its node, unless that is the own one or no node of ours.
    pub(super) control: Option<SocketAddr>,
}

impl Matching {
    pub(super) fn want(&mut self, topic: Topic, kind: Kind) -> WantId {
        let want = WantId(self.next_want);
        self.next_want += 1;
        let name = self.names.entry((kind, topic.clone())).or_default();
        name.wants.insert(want);
        for ((node, _), offer) in &name.providers {
            self.changes
                .push_back(change(want, MatchKind::Found, *node, offer));
        }
        self.wants.insert(want, (kind, topic));
        want
    }

    pub(super) fn is_wanted(&self, kind: Kind, topic: &Topic) -> bool {
        let name = self.names.get(&(kind, topic.clone()));
        name.is_some_and(|name| !name.wants.is_empty())
    }

    /// Who offers this.
    pub(super) fn providers(&self, kind: Kind, topic: &Topic) -> Vec<NodeId> {
        let name = self.names.get(&(kind, topic.clone()));
        let providers = name.into_iter().flat_map(|name| name.providers.keys());
        providers.map(|(node, _)| *node).collect()
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
    pub(super) fn offer(&mut self, kind: Kind, topic: &Topic, by: Provider, offer: Offer) {
        if !matches!(kind, Kind::Publisher | Kind::Server) || offer.endpoint.port() == 0 {
            return;
        }
        let name = self.names.entry((kind, topic.clone())).or_default();
        let before = name.providers.insert(by, offer.clone());
        if before
            .as_ref()
            .is_some_and(|before| before.endpoint == offer.endpoint)
        {
            return;
        }
        for want in &name.wants {
            if let Some(before) = &before {
                let gone = MatchKind::Withdrawn;
                self.changes.push_back(change(*want, gone, by.0, before));
            }
            let found = MatchKind::Found;
            self.changes.push_back(change(*want, found, by.0, &offer));
        }
    }

    /// A provider is gone, in the way that `how` says.
    pub(super) fn withdraw(&mut self, kind: Kind, topic: &Topic, by: Provider, how: MatchKind) {
        let key = (kind, topic.clone());
        let Some(name) = self.names.get_mut(&key) else {
            return;
        };
        if let Some(offer) = name.providers.remove(&by) {
            for want in &name.wants {
                self.changes.push_back(change(*want, how, by.0, &offer));
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

fn change(want: WantId, kind: MatchKind, node: NodeId, offer: &Offer) -> MatchChange {
    MatchChange {
        want,
        kind,
        node,
        node_name: offer.node_name.clone(),
        endpoint: offer.endpoint,
        control: offer.control,
    }
}
