//! `Peer` and `Link`: what the brain keeps about one other node and one connection.
//!
//! Knows the state and when it needs attention next; what happens then is in `greeting`, `liveness` and `reaching`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::liveness::{PROBE_AFTER, PROBE_AFTER_SECOND, SILENT_AFTER, SUSPECT_AFTER};
use super::reaching::{Goal, Reach};
use super::{FixedId, LinkId, Source};
use crate::history::History;
use crate::{
    Announcement, AnnouncementId, DialFailure, LeaveReason, Listing, NodeId, NodeInfo, NodeRecord,
    NodeState, limits,
};

/// A connection. Belongs to nobody until its HELLO has come.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) remote: SocketAddr,
    /// Whom we wanted to reach with it; `None` when the other side dialled.
    pub(super) dialled: Option<Goal>,
    pub(super) stage: Stage,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// HELLO has to come until then.
    Stranger { until: Instant },
    /// It belongs to this node.
    Of(NodeId),
}

impl Link {
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Stranger { until } => Some(until),
            Stage::Of(_) => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Peer {
    /// What it says of itself: its HELLO, or before that its latest record.
    pub(super) about: NodeRecord,
    pub(super) records: BTreeMap<Source, NodeRecord>,
    /// Where it was before we lost it.
    pub(super) memory: Option<Memory>,
    pub(super) fixed: Option<FixedId>,
    pub(super) foreign: bool,
    pub(super) reach: Reach,
    pub(super) life: Option<Life>,
    pub(super) directory: Directory,
    /// What hubs say that it announces. Where there is a link, its own word counts.
    pub(super) listing: Option<Listing>,
    /// Whether that is of interest to the own node.
    pub(super) concerns: bool,
    /// Something is missing in it, and this hub was asked last.
    pub(super) listing_asked: Option<NodeId>,
    pub(super) round_trip: Option<Duration>,
    pub(super) clock_ahead_ns: Option<i64>,
    pub(super) problem: Option<String>,
    /// Why it was not reached the last time.
    pub(super) failure: Option<DialFailure>,
    pub(super) history: History,
}

/// A node that has joined and has not left.
#[derive(Debug)]
pub(super) struct Life {
    /// The link in use; `None` while it is an orphan.
    pub(super) link: Option<LinkId>,
    /// A second link from the same node, held until the first has failed a probe or passed it.
    pub(super) rival: Option<Rival>,
    pub(super) orphan: Option<Orphan>,
    /// Its control port, at the address by which we reach it.
    pub(super) address: SocketAddr,
    pub(super) last_heard: Instant,
    pub(super) probed: bool,
    pub(super) suspect: bool,
}

#[derive(Debug)]
pub(super) struct Rival {
    pub(super) link: LinkId,
    pub(super) until: Instant,
}

/// A node whose link is gone gets a last chance.
#[derive(Debug)]
pub(super) struct Orphan {
    pub(super) until: Instant,
    /// How it went if the chance is missed.
    pub(super) reason: LeaveReason,
    /// Whether the address by which we reached it is in doubt.
    pub(super) way_lost: bool,
}

/// A node that fell silent may be back any moment, and discovery may be slower to show it than a dial.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) address: SocketAddr,
    pub(super) until: Instant,
}

/// What a node announces.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) generation: u64,
    pub(super) entries: BTreeMap<AnnouncementId, Announcement>,
    /// A snapshot has been asked for or has to come; deltas mean nothing before it.
    pub(super) waiting: bool,
    /// The same as octets, for who passes it on.
    as_listing: Option<Listing>,
}

impl Directory {
    /// The directory as it is passed on; `None`: it has not come yet.
    pub(super) fn listing(&mut self) -> Option<&Listing> {
        if self.waiting {
            return None;
        }
        let current = |listing: &Listing| listing.generation() == self.generation;
        if !self.as_listing.as_ref().is_some_and(current) {
            let entries = self.entries.iter().map(|(id, what)| (*id, what));
            self.as_listing = Some(Listing::new(self.generation, entries));
        }
        self.as_listing.as_ref()
    }
}

impl Peer {
    pub(super) fn new(about: NodeRecord) -> Self {
        Self {
            about,
            records: BTreeMap::new(),
            memory: None,
            fixed: None,
            foreign: false,
            reach: Reach::default(),
            life: None,
            directory: Directory::default(),
            listing: None,
            concerns: false,
            listing_asked: None,
            round_trip: None,
            clock_ahead_ns: None,
            problem: None,
            failure: None,
            history: History::default(),
        }
    }

    pub(super) fn next_timeout(&self, own: NodeId) -> Option<Instant> {
        let life = self
            .life
            .as_ref()
            .map(|life| life.next_timeout(own < self.about.node));
        let memory = self.memory.as_ref().map(|memory| memory.until);
        let timers = life.into_iter().chain(memory);
        timers.chain(self.reach.next_timeout()).min()
    }

    /// Something leads to it.
    pub(super) fn is_shown(&self) -> bool {
        !self.records.is_empty() || self.memory.is_some()
    }

    /// Whether it says that it is a hub, or somebody says so of it.
    pub(super) fn may_be_a_hub(&self) -> bool {
        self.about.hub || self.records.values().any(|record| record.hub)
    }

    /// Whether there is more to it than that it is there.
    pub(super) fn matters(&self) -> bool {
        self.concerns || self.may_be_a_hub()
    }

    /// Nothing leads to it and nothing comes from it.
    pub(super) fn is_forgotten(&self) -> bool {
        self.life.is_none() && !self.is_shown() && self.reach.dial.is_none()
    }

    /// Where it may be, the nearest source first.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        let remembered = self.memory.iter().map(|memory| &memory.address);
        let recorded = self.records.values().flat_map(|record| &record.addresses);
        for address in remembered.chain(recorded) {
            if !addresses.contains(address) && addresses.len() < limits::ADDRESSES {
                addresses.push(*address);
            }
        }
        addresses
    }

    /// How many announcements of it are known; `None`: it is not known to live.
    pub(super) fn known(&self) -> Option<usize> {
        match (&self.life, &self.listing) {
            (Some(_), _) => Some(self.directory.entries.len()),
            (None, listing) => listing.as_ref().map(Listing::len),
        }
    }

    pub(super) fn info(&self) -> NodeInfo {
        let state = match &self.life {
            Some(life) if life.suspect || life.link.is_none() => NodeState::Suspect,
            Some(_) => NodeState::Alive,
            None if self.foreign => NodeState::Foreign,
            None if self.listing.is_some() && self.failure.is_none() => NodeState::Relayed,
            None => NodeState::Heard,
        };
        NodeInfo {
            id: self.about.node,
            name: self.about.name.clone(),
            host: self.about.host.clone(),
            namespace: self.about.namespace.clone(),
            state,
            address: self.life.as_ref().map(|life| life.address),
            round_trip: self.round_trip,
            clock_ahead_ns: self.clock_ahead_ns,
            announcements: match (&self.life, &self.listing) {
                (None, Some(listing)) => listing.iter().map(|entry| entry.announcement).collect(),
                _ => self.directory.entries.values().cloned().collect(),
            },
            problem: self.problem.clone(),
            failure: self.failure,
            addresses: self.addresses(),
            history: self.history.to_vec(),
        }
    }
}

impl Life {
    pub(super) fn new(link: LinkId, address: SocketAddr, now: Instant) -> Self {
        Self {
            link: Some(link),
            rival: None,
            orphan: None,
            address,
            last_heard: now,
            probed: false,
            suspect: false,
        }
    }

    /// The node with the lower id probes first, so that an idle link carries one probe at a time.
    pub(super) fn probe_at(&self, we_are_first: bool) -> Instant {
        self.last_heard
            + if we_are_first {
                PROBE_AFTER
            } else {
                PROBE_AFTER_SECOND
            }
    }

    fn next_timeout(&self, we_are_first: bool) -> Instant {
        let watched = match (&self.orphan, self.probed, self.suspect) {
            (Some(orphan), ..) => orphan.until,
            (None, false, _) => self.probe_at(we_are_first),
            (None, true, false) => self.last_heard + SUSPECT_AFTER,
            (None, true, true) => self.last_heard + SILENT_AFTER,
        };
        self.rival
            .as_ref()
            .map_or(watched, |rival| rival.until.min(watched))
    }
}
