//! Who is alive: probes, suspicion, death, and the passing of time.
//!
//! Any message counts as a sign of life. Silence leads to a probe, then to suspicion, then to the end of the link; a
//! node without a link is redialled once: refused, it is dead at once; not answered, a second later.

use std::time::{Duration, Instant};

use super::peer::{Link, Orphan, Stage};
use super::reaching::Goal;
use super::{Brain, Effect, LinkId, MatchKind};
use crate::{Bye, DialFailure, Event, LeaveReason, Message, Misbehaviour, NodeId, Step};

/// Silence after which the node with the lower id probes.
pub(super) const PROBE_AFTER: Duration = Duration::from_millis(1300);

/// Silence after which the other one does.
pub(super) const PROBE_AFTER_SECOND: Duration = Duration::from_millis(1500);

/// Silence after which a node is suspect: both probes had time to be answered.
pub(super) const SUSPECT_AFTER: Duration = Duration::from_millis(1800);

/// Silence after which the link is given up.
pub(super) const SILENT_AFTER: Duration = Duration::from_secs(3);

/// How long a node whose link has fallen silent may take to answer a redial.
const ORPHAN_SILENT: Duration = Duration::from_millis(900);

/// How long a node whose link has broken may: it may be alive and busy. If it is dead, the redial is refused.
const ORPHAN: Duration = Duration::from_secs(2);

/// After a peer ended a link as a duplicate the other one may still be on its way: the redial waits for it.
const AFTER_DUPLICATE: Duration = Duration::from_millis(300);

/// How long a probe of the first link may take when a second one claims to be the same node.
pub(super) const RIVAL_PROBE: Duration = Duration::from_millis(500);

/// Called later than this, the brain was asleep, which people should know.
const STALL: Duration = Duration::from_millis(500);

/// The silence of others means nothing for as long as the brain was late by more than this: on a busy machine the time in which it is not run adds
/// up, and what they said waits to be read.
const LATE: Duration = Duration::from_millis(20);

impl Brain {
    /// Does what is due. To be called at [`poll_timeout`](Self::poll_timeout); calls at other times do no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.left {
            return;
        }
        if let Some(late) = self
            .poll_timeout()
            .and_then(|due| now.checked_duration_since(due))
            && late > LATE
        {
            self.forgive(now, late);
        }
        self.flush_if_due(now);
        self.introduce_if_due(now);
        self.look_if_due(now);
        self.dial_due_fixed(now);
        let is_due = |id: &&LinkId| {
            let link = self.links.get(id);
            link.and_then(Link::next_timeout)
                .is_some_and(|at| at <= now)
        };
        let strangers: Vec<_> = self.strangers.iter().filter(is_due).copied().collect();
        for link in strangers {
            self.misbehaved(now, link, Misbehaviour::NoHello);
        }
        for node in self.peers.due(now) {
            self.tend(now, node);
            self.forget_memory(now, node);
            self.dial_if_due(now, node);
        }
    }

    /// Gives everybody the time back in which nobody ran us.
    fn forgive(&mut self, now: Instant, late: Duration) {
        for link in self.links.values_mut() {
            if let Stage::Stranger { until } = &mut link.stage {
                *until += late;
            }
        }
        let lives = self.peers.iter_mut();
        for life in lives.filter_map(|(_, peer)| peer.life.as_mut()) {
            life.last_heard = (life.last_heard + late).min(now);
            if let Some(orphan) = &mut life.orphan {
                orphan.until += late;
            }
            if let Some(rival) = &mut life.rival {
                rival.until += late;
            }
        }
        if late > STALL {
            self.tell(Event::Stalled { late });
        }
    }

    fn tend(&mut self, now: Instant, node: NodeId) {
        let we_are_first = self.config.node < node;
        let unix_ns = self.unix_ns(now);
        let Some((name, history, life)) = self.peers.get_mut(&node).and_then(|peer| {
            let life = peer.life.as_mut()?;
            Some((&peer.about.name, &mut peer.history, life))
        }) else {
            return;
        };
        if life.rival.as_ref().is_some_and(|rival| rival.until <= now) {
            self.give_up_link(now, node, LeaveReason::Silent);
            return;
        }
        if let Some(orphan) = &life.orphan {
            if orphan.until <= now {
                let reason = orphan.reason;
                self.die(now, node, reason);
            }
            return;
        }
        let silence = now - life.last_heard;
        let mut probe = None;
        if !life.probed && life.probe_at(we_are_first) <= now {
            life.probed = true;
            probe = life.link;
        }
        if life.probed && !life.suspect && silence >= SUSPECT_AFTER {
            life.suspect = true;
            history.note(now, Step::Suspect);
            probe = life.link;
            let event = Event::NodeSuspect {
                node,
                name: name.clone(),
                silent_for: silence,
            };
            self.tell(event);
        }
        if silence >= SILENT_AFTER {
            self.give_up_link(now, node, LeaveReason::Silent);
        } else if let Some(link) = probe {
            self.send(link, &Message::Ping { sent_ns: unix_ns });
        }
    }

    /// A node gave a sign of life on its link.
    pub(super) fn heard(&mut self, now: Instant, node: NodeId) {
        let Some((name, history, life)) = self.peers.get_mut(&node).and_then(|peer| {
            let life = peer.life.as_mut()?;
            Some((&peer.about.name, &mut peer.history, life))
        }) else {
            return;
        };
        life.last_heard = now;
        life.probed = false;
        let recovered = std::mem::take(&mut life.suspect);
        let name = name.clone();
        if recovered {
            history.note(now, Step::Recovered);
        }
        if let Some(rival) = life.rival.take() {
            self.part(rival.link, Bye::Duplicate);
        }
        if recovered {
            self.tell(Event::NodeRecovered { node, name });
        }
    }

    /// Closes a node's link from our side; its rival takes over, or it becomes an orphan.
    fn give_up_link(&mut self, now: Instant, node: NodeId, reason: LeaveReason) {
        let life = self
            .peers
            .get_mut(&node)
            .and_then(|peer| peer.life.as_mut());
        if let Some(link) = life.and_then(|life| life.link) {
            self.drop_link(link);
            self.link_lost(now, node, reason);
        }
    }

    /// A node's link is gone without a goodbye.
    pub(super) fn link_lost(&mut self, now: Instant, node: NodeId, reason: LeaveReason) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        let Some(life) = peer.life.as_mut() else {
            return;
        };
        life.link = None;
        if let Some(rival) = life.rival.take() {
            return self.succeed(now, node, rival.link);
        }
        peer.history.note(now, Step::LinkLost(reason));
        let patience = match reason {
            LeaveReason::Silent => ORPHAN_SILENT,
            _ => ORPHAN,
        };
        life.orphan = Some(Orphan {
            until: now + patience,
            reason,
            way_lost: true,
        });
        peer.reach.at = Some(now);
        self.dial_if_due(now, node);
    }

    /// A peer ended its link because there is another one, which we may not have seen yet.
    pub(super) fn link_was_duplicate(&mut self, now: Instant, node: NodeId) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        let Some(life) = peer.life.as_mut() else {
            return;
        };
        life.link = None;
        if let Some(rival) = life.rival.take() {
            return self.succeed(now, node, rival.link);
        }
        // It lives, as it has just said so.
        life.last_heard = now;
        let reason = LeaveReason::Unreachable;
        life.orphan = Some(Orphan {
            until: now + SILENT_AFTER,
            reason,
            way_lost: false,
        });
        peer.reach.at = Some(now + AFTER_DUPLICATE);
    }

    /// A rival takes over. What the node said on it before was not heard.
    fn succeed(&mut self, now: Instant, node: NodeId, rival: LinkId) {
        self.relink(now, node, rival);
        self.send(rival, &Message::Resync { of: None });
    }

    /// A connection has ended from the other side or by the network.
    pub fn handle_link_down(&mut self, now: Instant, id: LinkId) {
        let Some(link) = self.links.remove(&id) else {
            return;
        };
        self.strangers.remove(&id);
        match link.stage {
            Stage::Stranger { .. } => {
                if let Some(goal) = link.dialled {
                    self.reaching_failed(now, goal, DialFailure::Dismissed);
                }
            }
            Stage::Of(node) => self.owned_link_down(now, node, id),
        }
    }

    fn owned_link_down(&mut self, now: Instant, node: NodeId, id: LinkId) {
        let Some(life) = self
            .peers
            .get_mut(&node)
            .and_then(|peer| peer.life.as_mut())
        else {
            return;
        };
        if life.rival.as_ref().is_some_and(|rival| rival.link == id) {
            life.rival = None;
        } else if life.link == Some(id) {
            self.link_lost(now, node, LeaveReason::Unreachable);
        }
    }

    /// A peer broke the protocol on a link: the link is closed, and a node that owned it has left.
    pub(super) fn misbehaved(&mut self, now: Instant, id: LinkId, what: Misbehaviour) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        self.counters.misbehaved += 1;
        let node = match link.stage {
            Stage::Of(node) => Some(node),
            Stage::Stranger { .. } => None,
        };
        let (address, dialled) = (link.remote, link.dialled);
        self.tell(Event::PeerMisbehaved {
            address,
            node,
            what,
        });
        self.drop_link(id);
        match (node, dialled) {
            (Some(node), _) if self.is_link_of(id, node) => {
                self.die(now, node, LeaveReason::Misbehaved)
            }
            (Some(node), _) => self.owned_link_down(now, node, id),
            (None, Some(goal)) => self.reaching_failed(now, goal, DialFailure::NotANode),
            (None, None) => {}
        }
    }

    fn is_link_of(&self, id: LinkId, node: NodeId) -> bool {
        self.peers
            .get(&node)
            .and_then(|peer| peer.life.as_ref())
            .is_some_and(|life| life.link == Some(id))
    }

    /// A node is gone: what it provided is withdrawn.
    pub(super) fn die(&mut self, now: Instant, node: NodeId, reason: LeaveReason) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        let Some(life) = peer.life.take() else {
            return;
        };
        peer.round_trip = None;
        peer.clock_ahead_ns = None;
        peer.problem = Some(reason.to_string());
        peer.history.note(now, Step::Left(reason));
        let name = peer.about.name.clone();
        let directory = std::mem::take(&mut peer.directory);
        if reason == LeaveReason::Goodbye {
            peer.records.clear();
            self.uncover(now, node);
        }
        let how = if reason.is_death() {
            MatchKind::Dead
        } else {
            MatchKind::Withdrawn
        };
        for (id, what) in &directory.entries {
            self.matching
                .withdraw(what.kind, &what.topic, (node, *id), how);
        }
        for link in life
            .link
            .into_iter()
            .chain(life.rival.map(|rival| rival.link))
        {
            self.drop_link(link);
        }
        if reason == LeaveReason::Goodbye {
            self.departed.insert(node, now);
        }
        self.tell(Event::NodeLeft { node, name, reason });
        self.forget_hub(now, node);
        self.take_back(now, node);
        self.fixed_lost(now, node);
        self.plan_revival(now, node, life.address, reason);
    }

    /// Ends a link with a word.
    pub(super) fn part(&mut self, link: LinkId, why: Bye) {
        if self.links.contains_key(&link) {
            self.counters.duplicates += u64::from(why == Bye::Duplicate);
            self.send(link, &Message::Bye(why));
            self.drop_link(link);
        }
    }

    pub(super) fn drop_link(&mut self, link: LinkId) {
        if self.links.remove(&link).is_some() {
            self.strangers.remove(&link);
            self.effects.push_back(Effect::Close(link));
        }
    }

    pub(super) fn dial_of_link(&self, link: LinkId) -> Option<Goal> {
        self.links.get(&link).and_then(|link| link.dialled)
    }
}
