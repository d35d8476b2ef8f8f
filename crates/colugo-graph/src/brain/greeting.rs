//! Links and what is said on them: HELLO, directories, probes, goodbyes, and which of two links stays.
//!
//! Knows the rules of WIRE "Control links"; timers are in `liveness`, dialling in `reaching`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::liveness::RIVAL_PROBE;
use super::matching::Offer;
use super::peer::{Life, Link, Peer, Rival, Stage};
use super::reaching::Goal;
use super::{Brain, LinkId, MatchKind, Origin};
use crate::{
    AnnouncementId, Bye, DialFailure, Entry, Event, HUB, Hello, LeaveReason, Message, Misbehaviour,
    NodeId, NodeRecord, Step, Version, limits,
};

/// How long a peer may take to say HELLO.
const HELLO_WITHIN: Duration = Duration::from_secs(3);

impl Brain {
    /// A connection is up in both directions; `remote` is its other end.
    pub fn handle_link_up(&mut self, now: Instant, id: LinkId, origin: Origin, remote: SocketAddr) {
        let dialled = match origin {
            Origin::Accepted => None,
            Origin::Dialled(dial) => match self.dials.remove(&dial) {
                Some(dial) => Some(dial.goal),
                // Given up in the meantime.
                None => return self.effects.push_back(super::Effect::Close(id)),
            },
        };
        if let Some(Goal::Node(node)) = dialled
            && let Some(peer) = self.peers.get_mut(&node)
        {
            peer.reach.dial = None;
        }
        let crowded = dialled.is_none() && self.strangers.len() >= limits::STRANGERS;
        if self.left || crowded {
            self.counters.strangers_refused += 1;
            return self.effects.push_back(super::Effect::Close(id));
        }
        let stage = Stage::Stranger {
            until: now + HELLO_WITHIN,
        };
        self.strangers.insert(id);
        self.links.insert(
            id,
            Link {
                remote,
                dialled,
                stage,
            },
        );
        let hello = Hello {
            node: self.config.node,
            version: Version::OURS,
            namespace: self.config.namespace.to_string(),
            name: limits::cut(&self.config.name, limits::NAME_LEN).to_owned(),
            host: limits::cut(&self.config.host, limits::NAME_LEN).to_owned(),
            port: self.config.port,
            addresses: self
                .config
                .addresses
                .iter()
                .take(limits::ADDRESSES)
                .copied()
                .collect(),
            capabilities: self
                .config
                .hub
                .then(|| HUB.to_owned())
                .into_iter()
                .collect(),
        };
        self.send(id, &Message::Hello(hello));
    }

    /// A frame has come on a link.
    pub fn handle_message(&mut self, now: Instant, id: LinkId, frame: &[u8]) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let owner = match link.stage {
            Stage::Of(node) => Some(node),
            Stage::Stranger { .. } => None,
        };
        let message = match Message::decode(frame) {
            Ok(message) => message,
            Err(error) => return self.misbehaved(now, id, error.into()),
        };
        match (owner, message) {
            (None, Message::Hello(hello)) => self.on_hello(now, id, hello),
            (None, Message::Bye(why)) => self.on_strangers_bye(now, id, &why),
            (None, _) => self.misbehaved(now, id, Misbehaviour::NoHello),
            (Some(node), message) => self.on_message(now, id, node, message),
        }
    }

    fn on_message(&mut self, now: Instant, id: LinkId, node: NodeId, message: Message) {
        let life = self.peers.get(&node).and_then(|peer| peer.life.as_ref());
        if life.is_none_or(|life| life.link != Some(id)) {
            // A rival says nothing that counts until it has taken over; then its directory is asked for anew.
            if matches!(message, Message::Bye(_)) {
                self.drop_link(id);
                self.handle_rival_gone(node, id);
            }
            return;
        }
        self.heard(now, node);
        match message {
            Message::Hello(_) => self.misbehaved(now, id, Misbehaviour::SecondHello),
            Message::Snapshot {
                generation,
                entries,
            } => self.on_snapshot(now, node, generation, entries),
            Message::Delta {
                from,
                to,
                added,
                removed,
            } => self.on_delta(now, id, node, (from, to), added, removed),
            Message::Resync { of: None } => self.send_snapshot(now, id),
            Message::Resync { of: Some(asked) } if self.config.hub => {
                self.introduce_again(asked, node, id);
            }
            Message::Ping { sent_ns } => {
                let answered_ns = self.unix_ns(now);
                self.send(
                    id,
                    &Message::Pong {
                        sent_ns,
                        answered_ns,
                    },
                );
            }
            Message::Pong {
                sent_ns,
                answered_ns,
            } => self.on_pong(now, node, sent_ns, answered_ns),
            Message::Nodes {
                all,
                known,
                gone,
                changed,
            } if self.is_hub(node) => self.on_nodes(now, node, all, known, &gone, &changed),
            // Who is no hub tells of nobody but itself.
            Message::Nodes { .. } | Message::Resync { .. } => self.counters.unknown_messages += 1,
            Message::Bye(why) => self.on_bye(now, id, node, &why),
            Message::Unknown => self.counters.unknown_messages += 1,
        }
    }

    fn on_hello(&mut self, now: Instant, id: LinkId, hello: Hello) {
        let goal = self.dial_of_link(id);
        let node = hello.node;
        if node == self.config.node {
            if let Some(Goal::Fixed(fixed)) = goal {
                self.fixed_reached(fixed, node);
            }
            return self.part(id, Bye::Own);
        }
        if let Some(refusal) = self.refusal(&hello) {
            let failure = match refusal {
                Bye::Version => DialFailure::OtherVersion,
                _ => DialFailure::OtherNamespace,
            };
            self.tell_refusal(hello, goal.is_some());
            self.part(id, refusal);
            if let Some(goal) = goal {
                self.reaching_failed(now, goal, failure);
            }
            return;
        }
        if let Some(Goal::Node(wanted)) = goal
            && wanted != node
        {
            self.reaching_failed(now, Goal::Node(wanted), DialFailure::OtherNode);
        }
        if !self.peers.contains_key(&node) && !self.make_room(true) {
            return self.part(id, Bye::Full);
        }
        self.departed.remove(node);
        let about = NodeRecord::from(&hello);
        let peer = self
            .peers
            .get_or_insert_with(node, || Peer::new(about.clone()));
        peer.about = about;
        peer.foreign = false;
        peer.memory = None;
        if let Some(link) = self.links.get_mut(&id) {
            link.stage = Stage::Of(node);
            self.strangers.remove(&id);
        }
        if let Some(Goal::Fixed(fixed)) = goal {
            self.fixed_reached(fixed, node);
        }
        self.adopt(now, id, hello.port);
    }

    fn refusal(&self, hello: &Hello) -> Option<Bye> {
        if hello.version.major != Version::OURS.major {
            Some(Bye::Version)
        } else if hello.namespace != self.config.namespace.as_str() {
            Some(Bye::Namespace)
        } else {
            None
        }
    }

    fn tell_refusal(&mut self, hello: Hello, dialled: bool) {
        let Hello {
            node,
            name,
            version,
            namespace,
            ..
        } = hello;
        if version.major != Version::OURS.major {
            self.tell(Event::VersionMismatch {
                node,
                name,
                ours: Version::OURS,
                theirs: version,
            });
        } else if dialled {
            let ours = self.config.namespace.to_string();
            self.tell(Event::NamespaceMismatch {
                node,
                name,
                ours,
                theirs: namespace,
            });
        }
    }

    /// A link has an owner now: it is the first one, a better one, or one too many.
    fn adopt(&mut self, now: Instant, id: LinkId, port: u16) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let Stage::Of(node) = link.stage else {
            return;
        };
        let ours = link.dialled.is_some();
        let address = if ours {
            link.remote
        } else {
            SocketAddr::new(link.remote.ip(), port)
        };
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        let Some(life) = peer.life.as_mut() else {
            peer.life = Some(Life::new(id, address, now));
            peer.problem = None;
            peer.failure = None;
            peer.directory.waiting = true;
            let dialled = ours;
            peer.history.note(now, Step::Linked { address, dialled });
            let name = peer.about.name.clone();
            self.tell(Event::NodeJoined {
                node,
                name,
                address,
            });
            self.linked(now, node, id);
            return;
        };
        let Some(current) = life.link else {
            return self.relink(now, node, id);
        };
        let current_is_ours = self
            .links
            .get(&current)
            .is_some_and(|link| link.dialled.is_some());
        let lower_dialled = |ours: bool| ours == (self.config.node < node);
        match (current_is_ours == ours, ours) {
            // Both dialled at once: the connection that the lower id dialled stays.
            (false, _) if lower_dialled(ours) => {
                self.part(current, Bye::Duplicate);
                self.relink(now, node, id);
            }
            (false, _) => self.part(id, Bye::Duplicate),
            // We know that we have one already.
            (true, true) => self.part(id, Bye::Duplicate),
            // The same node twice: either its first link is dead and we have not noticed, or it is another's id.
            (true, false) if life.rival.is_some() => self.part(id, Bye::Duplicate),
            (true, false) => {
                life.rival = Some(Rival {
                    link: id,
                    until: now + RIVAL_PROBE,
                });
                let sent_ns = self.unix_ns(now);
                self.send(current, &Message::Ping { sent_ns });
            }
        }
    }

    /// Goes on with another link to a node that is known.
    pub(super) fn relink(&mut self, now: Instant, node: NodeId, id: LinkId) {
        let (Some(link), Some(peer)) = (self.links.get(&id), self.peers.get_mut(&node)) else {
            return;
        };
        let Some(life) = peer.life.as_mut() else {
            return;
        };
        let ours = link.dialled.is_some();
        let (address, dialled) = (link.remote, ours);
        peer.history.note(now, Step::Linked { address, dialled });
        let was_lost = life.orphan.take().is_some_and(|orphan| orphan.way_lost);
        life.link = Some(id);
        if was_lost && life.address.ip() != link.remote.ip() {
            // The way that was good is gone, so what is offered has to be reached by this one.
            let port = if ours {
                link.remote.port()
            } else {
                life.address.port()
            };
            life.address = SocketAddr::new(link.remote.ip(), port);
            let (address, name) = (life.address, peer.about.name.clone());
            let offers: Vec<_> = peer
                .directory
                .entries
                .iter()
                .map(|(id, what)| (*id, what.clone()))
                .collect();
            for (entry, what) in offers {
                let offer = offer(&name, address, what.port);
                self.matching
                    .offer(what.kind, &what.topic, (node, entry), offer);
            }
        }
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.directory.waiting = true;
        }
        self.heard(now, node);
        self.linked(now, node, id);
    }

    /// A node's link is in use: it gets our directory, and a dial that is still out has lost its purpose.
    fn linked(&mut self, now: Instant, node: NodeId, id: LinkId) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.reach.at = None;
            peer.reach.failures = 0;
        }
        // If the lower id dials, its connection is the one that stays: let it come.
        if node < self.config.node {
            self.cancel_dial(node);
        }
        self.send_snapshot(now, id);
        let sent_ns = self.unix_ns(now);
        self.send(id, &Message::Ping { sent_ns });
        self.introduce(node, id);
    }

    fn on_pong(&mut self, now: Instant, node: NodeId, sent_ns: u64, answered_ns: u64) {
        let now_ns = self.unix_ns(now);
        if let (Some(peer), Some(passed_ns)) =
            (self.peers.get_mut(&node), now_ns.checked_sub(sent_ns))
        {
            peer.round_trip = Some(Duration::from_nanos(passed_ns));
            // As if the answer had been given half-way (Cristian 1989).
            let then_ns = i128::from(sent_ns) + i128::from(passed_ns / 2);
            peer.clock_ahead_ns = i64::try_from(i128::from(answered_ns) - then_ns).ok();
        }
    }

    fn on_snapshot(&mut self, now: Instant, node: NodeId, generation: u64, entries: Vec<Entry>) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        peer.directory.generation = generation;
        peer.directory.waiting = false;
        let new: BTreeMap<_, _> = entries
            .into_iter()
            .map(|entry| (entry.id, entry.announcement))
            .collect();
        let gone = peer
            .directory
            .entries
            .iter()
            .filter(|(id, what)| new.get(id) != Some(what));
        let gone: Vec<_> = gone.map(|(id, _)| *id).collect();
        let came = new
            .into_iter()
            .filter(|(id, _)| gone.contains(id) || !peer.directory.entries.contains_key(id));
        let came: Vec<_> = came
            .map(|(id, announcement)| Entry { id, announcement })
            .collect();
        self.remove_entries(node, &gone);
        self.add_entries(now, node, came);
        self.tell_of(now, node);
    }

    fn on_delta(
        &mut self,
        now: Instant,
        link: LinkId,
        node: NodeId,
        (from, to): (u64, u64),
        added: Vec<Entry>,
        removed: Vec<AnnouncementId>,
    ) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        if peer.directory.waiting {
            return;
        }
        if peer.directory.generation != from {
            peer.directory.waiting = true;
            self.counters.resyncs += 1;
            return self.send(link, &Message::Resync { of: None });
        }
        if peer.directory.entries.len() + added.len() > limits::ENTRIES + removed.len() {
            return self.misbehaved(now, link, Misbehaviour::TooManyEntries);
        }
        peer.directory.generation = to;
        self.tell_of_change(now, node, (from, to), &added, &removed);
        self.remove_entries(node, &removed);
        self.add_entries(now, node, added);
    }

    fn remove_entries(&mut self, node: NodeId, ids: &[AnnouncementId]) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        for id in ids {
            if let Some(what) = peer.directory.entries.remove(id) {
                let gone = MatchKind::Withdrawn;
                self.matching
                    .withdraw(what.kind, &what.topic, (node, *id), gone);
            }
        }
    }

    fn add_entries(&mut self, now: Instant, node: NodeId, entries: Vec<Entry>) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        let Some(life) = &peer.life else {
            return;
        };
        for Entry {
            id,
            announcement: what,
        } in entries
        {
            let offer = offer(&peer.about.name, life.address, what.port);
            // An id that is used again means another thing now.
            if let Some(before) = peer.directory.entries.insert(id, what.clone()) {
                let gone = MatchKind::Withdrawn;
                self.matching
                    .withdraw(before.kind, &before.topic, (node, id), gone);
            }
            if self.matching.is_wanted(what.kind, &what.topic) {
                let matched = Step::Matched(what.kind, what.topic.clone());
                peer.history.note(now, matched);
            }
            self.matching
                .offer(what.kind, &what.topic, (node, id), offer);
        }
    }

    fn on_bye(&mut self, now: Instant, id: LinkId, node: NodeId, why: &Bye) {
        match why {
            Bye::Leaving => self.die(now, node, LeaveReason::Goodbye),
            Bye::Duplicate => {
                self.drop_link(id);
                self.link_was_duplicate(now, node);
            }
            _ => self.die(now, node, LeaveReason::Dismissed),
        }
    }

    fn on_strangers_bye(&mut self, now: Instant, id: LinkId, why: &Bye) {
        let goal = self.dial_of_link(id);
        self.drop_link(id);
        let failure = match why {
            Bye::Namespace => DialFailure::OtherNamespace,
            Bye::Version => DialFailure::OtherVersion,
            Bye::Full => DialFailure::Full,
            _ => DialFailure::Dismissed,
        };
        if let Some(goal) = goal {
            self.reaching_failed(now, goal, failure);
        }
    }

    fn handle_rival_gone(&mut self, node: NodeId, link: LinkId) {
        if let Some(life) = self
            .peers
            .get_mut(&node)
            .and_then(|peer| peer.life.as_mut())
        {
            life.rival.take_if(|rival| rival.link == link);
        }
    }
}

/// The same host at another port, the scope of a link-local address kept.
/// What a node whose control port is at `control` offers at this port.
fn offer(node_name: &str, control: SocketAddr, port: u16) -> Offer {
    let mut endpoint = control;
    endpoint.set_port(port);
    Offer {
        node_name: node_name.to_owned(),
        endpoint,
        control: Some(control),
    }
}
