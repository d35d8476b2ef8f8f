//! The application's side of the brain: what this node offers, looks for and leaves behind.
//!
//! Knows the own directory, its generation, and how changes are batched; does not know how links come about.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::interests::counterpart;
use super::matching::Offer;
use super::{Brain, Effect, LinkId, MatchKind};
use crate::{Announcement, AnnouncementId, Bye, Entry, Kind, Message, Step, Topic, WantId, limits};

/// Changes within this time travel together. The first after a quiet spell goes at once.
const BATCH: Duration = Duration::from_millis(10);

/// An announcement was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnnounceError {
    /// There are as many as a node may have.
    #[error(
        "a node can't announce more than {} things; spread them over several nodes",
        limits::ENTRIES
    )]
    TooMany,
}

/// What the own node announces.
#[derive(Debug, Default)]
pub(super) struct Own {
    entries: BTreeMap<AnnouncementId, Announcement>,
    next: u64,
    generation: u64,
    told_generation: u64,
    added: Vec<Entry>,
    removed: Vec<AnnouncementId>,
    flush_at: Option<Instant>,
    last_flush: Option<Instant>,
}

impl Own {
    pub(super) fn announcements(&self) -> impl Iterator<Item = &Announcement> {
        self.entries.values()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn flush_at(&self) -> Option<Instant> {
        self.flush_at
    }

    fn changed(&mut self, now: Instant) {
        self.generation += 1;
        let at = self.last_flush.map_or(now, |last| (last + BATCH).max(now));
        self.flush_at.get_or_insert(at);
    }
}

impl Brain {
    /// Tells everybody that this node offers or uses something.
    ///
    /// # Errors
    /// When it announces [`limits::ENTRIES`] things already.
    pub fn announce(
        &mut self,
        now: Instant,
        mut what: Announcement,
    ) -> Result<AnnouncementId, AnnounceError> {
        if self.own.entries.len() >= limits::ENTRIES {
            return Err(AnnounceError::TooMany);
        }
        let end = limits::cut(&what.encoding, limits::ENCODING_LEN).len();
        what.encoding.truncate(end);
        let id = AnnouncementId(self.own.next);
        self.own.next += 1;
        self.own.entries.insert(id, what.clone());
        self.interests.add(now, counterpart(what.kind), &what.topic);
        let offer = Offer {
            node_name: self.config.name.clone(),
            endpoint: SocketAddr::new(self.config.own_address, what.port),
            control: None,
        };
        self.matching
            .offer(what.kind, &what.topic, (self.config.node, id), offer);
        self.own.added.push(Entry {
            id,
            announcement: what,
        });
        self.own.changed(now);
        self.flush_if_due(now);
        Ok(id)
    }

    /// Takes an announcement back; `false` when there is none of this id.
    pub fn withdraw(&mut self, now: Instant, id: AnnouncementId) -> bool {
        let Some(what) = self.own.entries.remove(&id) else {
            return false;
        };
        self.interests
            .remove(now, counterpart(what.kind), &what.topic);
        let own = (self.config.node, id);
        self.matching
            .withdraw(what.kind, &what.topic, own, MatchKind::Withdrawn);
        let untold = self.own.added.len();
        self.own.added.retain(|entry| entry.id != id);
        if self.own.added.len() == untold {
            self.own.removed.push(id);
        }
        self.own.changed(now);
        self.flush_if_due(now);
        true
    }

    /// Looks for publishers or servers of a topic: a [`MatchChange`](crate::MatchChange) follows for each that is known
    /// or comes, and for each that goes. Nobody provides subscribers or clients, so wanting these finds nothing.
    pub fn want(&mut self, now: Instant, topic: Topic, kind: Kind) -> WantId {
        self.interests.add(now, kind, &topic);
        for node in self.matching.providers(kind, &topic) {
            if let Some(peer) = self.peers.get_mut(&node) {
                peer.history.note(now, Step::Matched(kind, topic.clone()));
            }
        }
        self.matching.want(topic, kind)
    }

    /// Stops looking. Nothing more is said about this want, not even what it had found.
    pub fn unwant(&mut self, now: Instant, want: WantId) -> bool {
        let was = self.matching.unwant(want);
        if let Some((kind, topic)) = &was {
            self.interests.remove(now, *kind, topic);
        }
        was.is_some()
    }

    /// Says goodbye on all links and ends: after this the brain does nothing more.
    pub fn leave(&mut self) {
        if self.left {
            return;
        }
        self.left = true;
        let frame: Arc<[u8]> = Message::Bye(Bye::Leaving).encode().into();
        for dial in self.dials.keys() {
            self.effects.push_back(Effect::CancelDial(*dial));
        }
        for link in self.links.keys() {
            self.effects.push_back(Effect::Send {
                link: *link,
                frame: frame.clone(),
            });
            self.effects.push_back(Effect::Close(*link));
        }
        self.dials.clear();
        self.links.clear();
        self.strangers.clear();
        self.peers.clear();
        self.fixed.clear();
        self.own.flush_at = None;
    }

    /// The whole own directory to one link.
    pub(super) fn send_snapshot(&mut self, now: Instant, link: LinkId) {
        // The others must not miss what this snapshot would step over.
        self.flush(now);
        let entries = self.own.entries.iter();
        let entries = entries
            .map(|(id, announcement)| Entry {
                id: *id,
                announcement: announcement.clone(),
            })
            .collect();
        self.send(
            link,
            &Message::Snapshot {
                generation: self.own.generation,
                entries,
            },
        );
    }

    pub(super) fn flush_if_due(&mut self, now: Instant) {
        if self.own.flush_at.is_some_and(|at| at <= now) {
            self.flush(now);
        }
    }

    fn flush(&mut self, now: Instant) {
        if self.own.flush_at.take().is_none() {
            return;
        }
        self.own.last_flush = Some(now);
        let delta = Message::Delta {
            from: self.own.told_generation,
            to: self.own.generation,
            added: std::mem::take(&mut self.own.added),
            removed: std::mem::take(&mut self.own.removed),
        };
        self.own.told_generation = self.own.generation;
        let links: Vec<_> = self
            .peers
            .values()
            .filter_map(|peer| peer.life.as_ref()?.link)
            .collect();
        self.send_to_all(&links, &delta);
    }

    /// One frame for all of these links.
    pub(super) fn send_to_all(&mut self, links: &[LinkId], message: &Message) {
        if links.is_empty() {
            return;
        }
        let frame: Arc<[u8]> = message.encode().into();
        for link in links {
            self.effects.push_back(Effect::Send {
                link: *link,
                frame: frame.clone(),
            });
        }
    }

    pub(super) fn send(&mut self, link: LinkId, message: &Message) {
        self.effects.push_back(Effect::Send {
            link,
            frame: message.encode().into(),
        });
    }
}
