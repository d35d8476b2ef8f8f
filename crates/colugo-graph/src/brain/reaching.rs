//! How the brain reaches others: records, fixed peers, dials and their back-off.
//!
//! Knows whom to dial and when; what happens on a link that came up is in `greeting`. Which of a node's addresses is
//! tried first is the driver's business.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::peer::{Memory, Peer};
use super::told::{is_worth_a_link, told_patience};
use super::{Brain, DialId, Effect, FixedId, Source, Target, back_off, is_lasting};
use crate::{
    DialFailure, Event, FixedPeerInfo, LeaveReason, Listing, NodeId, NodeRecord, Step, Version,
    limits,
};

/// The node with the higher id waits this long for the other to dial, where both learn of each other alike.
const COURTESY: Duration = Duration::from_millis(250);

/// A node that has been there for so long does not wait: the other is new, and the answer to its question may come late. Measured
/// between two hosts, half of all meetings took 260 to 350 ms for want of this, instead of 8 to 78 ms.
const SETTLED: Duration = Duration::from_secs(1);

/// A node shows its addresses one after another, and those that mean nothing beyond one cable may come first.
const GATHERING: Duration = Duration::from_millis(30);

/// Between attempts to reach a node that discovery shows.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Between attempts to reach a fixed peer: it may be started at any time, and nothing else tells us.
const RETRY_FIXED: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Between attempts where the other side does not want us.
const RETRY_LASTING: Duration = Duration::from_secs(30);

/// Between attempts to reach a node again that has just been lost. A process that is being killed closes one socket
/// after the other: its port may still answer when its link is gone.
const RETRY_ORPHAN: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

/// Between attempts to reach a node that fell silent, while there is no answer or no way to it.
const RETRY_SILENT: Duration = Duration::from_millis(250);

/// For how long they go on, whatever discovery shows.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Whom an attempt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    Node(NodeId),
    Fixed(FixedId),
}

#[derive(Debug)]
pub(super) struct Dial {
    pub(super) goal: Goal,
}

/// How far we are with reaching a node.
#[derive(Debug, Default)]
pub(super) struct Reach {
    pub(super) dial: Option<DialId>,
    pub(super) at: Option<Instant>,
    pub(super) failures: u32,
}

impl Reach {
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.at.filter(|_| self.dial.is_none())
    }

    /// Neither dialled nor to be dialled.
    pub(super) fn is_idle(&self) -> bool {
        self.dial.is_none() && self.at.is_none()
    }

    pub(super) fn sooner(&mut self, at: Instant) {
        self.at = Some(self.at.map_or(at, |before| before.min(at)));
    }
}

/// A peer that was given by address.
#[derive(Debug)]
pub(super) struct Fixed {
    name: String,
    stage: FixedStage,
    failures: u32,
    problem: Option<DialFailure>,
}

#[derive(Debug)]
enum FixedStage {
    Waiting {
        until: Instant,
    },
    Dialling,
    Reached(NodeId),
    /// The address is our own.
    Own,
}

impl Fixed {
    pub(super) fn info(&self) -> FixedPeerInfo {
        let (node, problem, failure) = match self.stage {
            FixedStage::Reached(node) => (Some(node), None, None),
            FixedStage::Own => {
                let problem = "it is the address of this node itself";
                (None, Some(problem.to_owned()), None)
            }
            FixedStage::Waiting { .. } | FixedStage::Dialling => {
                (None, self.problem.map(|why| why.to_string()), self.problem)
            }
        };
        FixedPeerInfo {
            address: self.name.clone(),
            node,
            problem,
            failure,
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match self.stage {
            FixedStage::Waiting { until } => Some(until),
            FixedStage::Dialling | FixedStage::Reached(_) | FixedStage::Own => None,
        }
    }
}

impl Brain {
    /// Keeps a link to whoever is at an address that the user gave; `name` is what the user wrote.
    pub fn add_fixed_peer(&mut self, now: Instant, id: FixedId, name: &str) {
        let stage = FixedStage::Waiting { until: now };
        self.fixed.insert(
            id,
            Fixed {
                name: name.to_owned(),
                stage,
                failures: 0,
                problem: None,
            },
        );
        self.dial_due_fixed(now);
    }

    /// Discovery shows a node, anew or again.
    pub fn handle_record(&mut self, now: Instant, source: Source, record: NodeRecord) {
        self.learn(now, source, record, None);
    }

    /// The same, with what a hub says that it announces.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        source: Source,
        record: NodeRecord,
        listing: Option<Listing>,
    ) {
        let node = record.node;
        if self.left || node == self.config.node || self.departed.contains(node, now) {
            return;
        }
        let foreign = record.namespace != self.config.namespace.as_str()
            || record.version.major != Version::OURS.major;
        if !self.peers.contains_key(&node) {
            self.counters.foreign_records += u64::from(foreign);
            if !self.make_room(false) {
                return;
            }
        }
        let settled = now.saturating_duration_since(self.started) >= SETTLED;
        let we_are_first = self.config.node < node || settled;
        let peer = self
            .peers
            .get_or_insert_with(node, || Peer::new(record.clone()));
        if peer.life.is_none() {
            peer.about = record.clone();
            peer.foreign = foreign;
        }
        let news = peer
            .records
            .get(&source)
            .is_none_or(|before| before.addresses != record.addresses);
        peer.records.insert(source, record);
        if news {
            peer.history.note(now, Step::Shown(source));
        }
        if let Some(listing) = listing {
            self.set_listing(now, node, listing);
        }
        let own = self.config.node;
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        if foreign {
            let why = foreign_because(&peer.about, self.config.namespace.as_str());
            if news {
                peer.history.note(now, Step::Foreign(why.clone()));
            }
            peer.problem = Some(why);
        } else if news && peer.life.is_none() && !peer.addresses().is_empty() {
            let patience = match source {
                Source::Mdns | Source::Hub(_) if !we_are_first => COURTESY,
                Source::Mdns if peer.addresses().iter().all(is_link_local) => GATHERING,
                _ => Duration::ZERO,
            };
            let patience = told_patience(own, peer, source).unwrap_or(patience);
            peer.reach.sooner(now + patience);
            self.dial_if_due(now, node);
        }
    }

    /// Discovery no longer shows a node. A node whose link is alive is not touched by this.
    pub fn handle_record_gone(&mut self, now: Instant, source: Source, node: NodeId) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.records.remove(&source);
            self.uncover(now, node);
        }
        if let Some(peer) = self.peers.get_mut(&node) {
            if !peer.is_shown() && peer.life.is_none() {
                peer.reach.at = None;
                self.cancel_dial(node);
            }
            self.forget_if_nothing_left(node);
        }
    }

    /// An interface of this machine came or went. Who dials us or is dialled from now on is told these addresses, and everybody who could
    /// not be reached so far is tried again at once.
    pub fn handle_network_change(&mut self, now: Instant, addresses: Vec<IpAddr>) {
        self.config.addresses = addresses;
        if self.left {
            return;
        }
        let waiting = self
            .peers
            .iter_mut()
            .filter(|(_, peer)| peer.reach.next_timeout().is_some() && peer.reach.failures > 0);
        let mut due = Vec::new();
        for (node, peer) in waiting {
            peer.reach.at = Some(now);
            due.push(*node);
        }
        for node in due {
            self.dial_if_due(now, node);
        }
        for fixed in self.fixed.values_mut() {
            if let FixedStage::Waiting { until } = &mut fixed.stage {
                *until = now;
            }
        }
        self.dial_due_fixed(now);
    }

    /// An attempt has failed.
    pub fn handle_dial_failed(&mut self, now: Instant, dial: DialId, failure: DialFailure) {
        let Some(Dial { goal }) = self.dials.remove(&dial) else {
            return;
        };
        if let Goal::Node(node) = goal
            && let Some(peer) = self.peers.get_mut(&node)
            && peer.reach.dial == Some(dial)
        {
            peer.reach.dial = None;
        }
        self.reaching_failed(now, goal, failure);
    }

    /// Counts a failure to reach somebody and plans the next attempt.
    pub(super) fn reaching_failed(&mut self, now: Instant, goal: Goal, failure: DialFailure) {
        match goal {
            Goal::Node(node) => self.node_not_reached(now, node, failure),
            Goal::Fixed(id) => {
                let Some(fixed) = self.fixed.get_mut(&id) else {
                    return;
                };
                fixed.failures = fixed.failures.saturating_add(1);
                fixed.problem = Some(failure);
                let pause = pause(fixed.failures, failure, RETRY_FIXED);
                fixed.stage = FixedStage::Waiting { until: now + pause };
                let (name, attempts) = (fixed.name.clone(), fixed.failures);
                self.tell_unreachable(None, name, failure, attempts);
            }
        }
    }

    fn node_not_reached(&mut self, now: Instant, node: NodeId, failure: DialFailure) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        peer.history.note(now, Step::NotReached(failure));
        if let Some(life) = &peer.life {
            let gone = match failure {
                DialFailure::Refused => Some(LeaveReason::Refused),
                DialFailure::OtherNode => Some(LeaveReason::Replaced),
                _ => None,
            };
            if life.orphan.is_none() {
                return;
            }
            peer.reach.failures = peer.reach.failures.saturating_add(1);
            match gone {
                Some(reason) => self.die(now, node, reason),
                None => {
                    peer.reach.at = Some(now + pause(peer.reach.failures, failure, RETRY_ORPHAN))
                }
            }
            return;
        }
        peer.reach.failures = peer.reach.failures.saturating_add(1);
        peer.problem = Some(failure.to_string());
        peer.failure = Some(failure);
        let attempts = peer.reach.failures;
        if failure == DialFailure::Refused {
            peer.memory = None;
        }
        if !peer.is_shown() {
            self.forget_if_nothing_left(node);
            return;
        }
        let pause = match failure {
            DialFailure::TimedOut | DialFailure::Unreachable if peer.memory.is_some() => {
                RETRY_SILENT
            }
            _ => pause(attempts, failure, RETRY),
        };
        peer.reach.at = Some(now + pause);
        // A file that was left behind is no news, and the driver removes it now.
        let left_over = failure == DialFailure::Refused
            && peer.records.keys().all(|source| *source == Source::Machine);
        if left_over {
            return;
        }
        let name = peer.about.name.clone();
        self.tell_unreachable(Some(node), name, failure, attempts);
    }

    fn tell_unreachable(
        &mut self,
        node: Option<NodeId>,
        name: String,
        failure: DialFailure,
        attempts: u32,
    ) {
        if matches!(attempts, 1 | 10 | 100 | 1000 | 10_000) {
            self.tell(Event::NodeUnreachable {
                node,
                name,
                failure,
                attempts,
            });
        }
    }

    /// Dials a node whose time has come.
    pub(super) fn dial_if_due(&mut self, now: Instant, node: NodeId) {
        let known = self.peers.len();
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        if peer.reach.next_timeout().is_none_or(|at| at > now) {
            return;
        }
        peer.reach.at = None;
        let addresses = match &peer.life {
            // Only there can it be found again soon; refused there, it is gone.
            Some(life) if life.orphan.is_some() => vec![life.address],
            Some(_) => return,
            None if is_worth_a_link(peer, known) => peer.addresses(),
            None => return,
        };
        let dial = DialId(self.next_dial);
        self.next_dial += 1;
        peer.reach.dial = Some(dial);
        peer.history.note(now, Step::Dialled(addresses.clone()));
        self.dials.insert(
            dial,
            Dial {
                goal: Goal::Node(node),
            },
        );
        self.effects.push_back(Effect::Dial {
            dial,
            target: Target::Node { node, addresses },
        });
    }

    /// Dials all fixed peers whose time has come.
    pub(super) fn dial_due_fixed(&mut self, now: Instant) {
        for (id, fixed) in &mut self.fixed {
            if fixed.next_timeout().is_some_and(|at| at <= now) {
                let dial = DialId(self.next_dial);
                self.next_dial += 1;
                fixed.stage = FixedStage::Dialling;
                self.dials.insert(
                    dial,
                    Dial {
                        goal: Goal::Fixed(*id),
                    },
                );
                self.effects.push_back(Effect::Dial {
                    dial,
                    target: Target::Fixed(*id),
                });
            }
        }
    }

    pub(super) fn fixed_reached(&mut self, id: FixedId, node: NodeId) {
        let own = node == self.config.node;
        if let Some(fixed) = self.fixed.get_mut(&id) {
            fixed.failures = 0;
            fixed.problem = None;
            fixed.stage = if own {
                FixedStage::Own
            } else {
                FixedStage::Reached(node)
            };
        }
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.fixed = Some(id);
        }
    }

    /// The node behind a fixed peer is gone; another may come at the same address.
    pub(super) fn fixed_lost(&mut self, now: Instant, node: NodeId) {
        for fixed in self.fixed.values_mut() {
            if matches!(fixed.stage, FixedStage::Reached(reached) if reached == node) {
                fixed.stage = FixedStage::Waiting {
                    until: now + RETRY_FIXED.0,
                };
            }
        }
    }

    /// Plans to reach a node again that is dead as far as we know, if anything still leads to it.
    pub(super) fn plan_revival(
        &mut self,
        now: Instant,
        node: NodeId,
        last: SocketAddr,
        reason: LeaveReason,
    ) {
        self.cancel_dial(node);
        if let Some(peer) = self.peers.get_mut(&node) {
            let fell_silent = matches!(reason, LeaveReason::Silent | LeaveReason::Unreachable);
            peer.memory = fell_silent.then(|| Memory {
                address: last,
                until: now + REMEMBERED,
            });
            // The first failure is no news: its end was told already.
            peer.reach = Reach {
                dial: None,
                at: None,
                failures: 1,
            };
            if peer.is_shown() && !peer.foreign {
                peer.reach.at = Some(now + RETRY.0 * 2);
            }
        }
        self.forget_if_nothing_left(node);
    }

    /// Gives a node up that was silent for too long.
    pub(super) fn forget_memory(&mut self, now: Instant, node: NodeId) {
        if let Some(peer) = self.peers.get_mut(&node)
            && peer.memory.take_if(|memory| memory.until <= now).is_some()
            && !peer.is_shown()
        {
            peer.reach.at = None;
            self.cancel_dial(node);
            self.forget_if_nothing_left(node);
        }
    }

    pub(super) fn cancel_dial(&mut self, node: NodeId) {
        if let Some(dial) = self
            .peers
            .get_mut(&node)
            .and_then(|peer| peer.reach.dial.take())
        {
            self.dials.remove(&dial);
            self.effects.push_back(Effect::CancelDial(dial));
        }
    }

    pub(super) fn forget_if_nothing_left(&mut self, node: NodeId) {
        if self.peers.get(&node).is_some_and(Peer::is_forgotten) {
            self.peers.remove(&node);
        }
    }

    /// Whether one more node may be known. One that is of no use to us makes room for it: first one that is not for us, then the one that
    /// was tried in vain most often. For a node that has shown that it lives, `alive`, any makes room that has not.
    pub(super) fn make_room(&mut self, alive: bool) -> bool {
        if self.peers.len() < limits::PEERS {
            return true;
        }
        let of_use = |peer: &Peer| {
            peer.life.is_some()
                || peer.listing.is_some()
                || !(peer.foreign || peer.reach.failures > 0 || alive)
        };
        let useless = self.peers.iter().filter(|(_, peer)| !of_use(peer));
        let least = useless.max_by_key(|(_, peer)| (peer.foreign, peer.reach.failures));
        if let Some(node) = least.map(|(node, _)| *node) {
            self.cancel_dial(node);
            self.peers.remove(&node);
            return true;
        }
        self.counters.peers_refused += 1;
        self.tell_limit("nodes", limits::PEERS);
        false
    }
}

fn pause(failures: u32, failure: DialFailure, (first, most): (Duration, Duration)) -> Duration {
    if is_lasting(failure) {
        RETRY_LASTING
    } else {
        back_off(failures, first, most)
    }
}

fn foreign_because(about: &NodeRecord, namespace: &str) -> String {
    if about.namespace == namespace {
        format!(
            "it speaks version {} of the protocol, we speak {}",
            about.version,
            Version::OURS
        )
    } else {
        format!(
            "it is in the namespace {:?}, we are in {namespace:?}",
            about.namespace
        )
    }
}

fn is_link_local(address: &SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}
