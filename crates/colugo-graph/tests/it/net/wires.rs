//! What happens between the hosts of a `Net`: deliveries, connections, delays.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use colugo_graph::{
    Brain, DialFailure, DialId, Effect, LinkId, MatchKind, Message, NodeId, NodeRecord, Origin,
    Source, Target, Version,
};

use super::{DIAL_WITHIN, Delivery, End, HostId, Net};

impl Net {
    /// Does the next thing that is due by `until`.
    pub(super) fn step(&mut self, until: Instant) -> bool {
        let delivery = self.due.first_key_value().map(|((at, _), _)| *at);
        let running = self
            .hosts
            .iter()
            .enumerate()
            .filter(|(_, host)| !host.stopped);
        let timer = running.filter_map(|(n, host)| Some((host.timer?, n))).min();
        match (delivery, timer) {
            (Some(at), timer) if at <= until && timer.is_none_or(|(due, _)| at <= due) => {
                self.now = self.now.max(at);
                let (_, delivery) = self.due.pop_first().unwrap();
                self.deliver(delivery);
            }
            (_, Some((due, host))) if due <= until => {
                self.now = self.now.max(due);
                let now = self.now;
                self.brain(host).handle_timeout(now);
                self.pump(host);
            }
            _ => return false,
        }
        true
    }

    pub(super) fn deliver(&mut self, delivery: Delivery) {
        let now = self.now;
        match delivery.clone() {
            Delivery::Knock {
                from,
                dial,
                to,
                wanted,
            } => self.knock(from, dial, to, wanted),
            Delivery::Answer {
                to,
                dial,
                answer,
                remote,
            } => {
                if self.asleep(to) {
                    return self.held.push(delivery);
                }
                self.dialling.remove(&(to, dial));
                if self.hosts[to].brain.is_none() {
                    return;
                }
                match answer {
                    Ok(link) => {
                        self.brain(to)
                            .handle_link_up(now, link, Origin::Dialled(dial), remote)
                    }
                    Err(failure) => self.brain(to).handle_dial_failed(now, dial, failure),
                }
                self.pump(to);
            }
            Delivery::Frame { to, ref frame } => {
                let end = &self.links[&to];
                let (host, from, open) = (end.host, end.peer_host, end.open);
                if self.asleep(host) || self.cut.contains(&(from, host)) {
                    return self.held.push(delivery);
                }
                if open && self.hosts[host].brain.is_some() {
                    self.brain(host).handle_message(now, to, frame);
                    self.pump(host);
                }
            }
            Delivery::Down { to } => {
                let end = &self.links[&to];
                let (host, from, open) = (end.host, end.peer_host, end.open);
                if self.asleep(host) || self.cut.contains(&(from, host)) {
                    return self.held.push(delivery);
                }
                self.links.get_mut(&to).unwrap().open = false;
                if open && self.hosts[host].brain.is_some() {
                    self.brain(host).handle_link_down(now, to);
                    self.pump(host);
                }
            }
            Delivery::Record { to, about } => {
                let about = &self.hosts[about];
                let record = NodeRecord {
                    node: about.id,
                    version: Version::OURS,
                    namespace: about.namespace.to_string(),
                    name: String::new(),
                    host: String::new(),
                    hub: false,
                    addresses: vec![about.address],
                };
                self.with_running(to, |brain| brain.handle_record(now, Source::Mdns, record));
            }
            Delivery::RecordGone { to, node } => {
                self.with_running(to, |brain| {
                    brain.handle_record_gone(now, Source::Mdns, node)
                });
            }
        }
    }

    pub(crate) fn with_running(&mut self, host: HostId, input: impl FnOnce(&mut Brain)) {
        if let Some(brain) = &mut self.hosts[host].brain {
            input(brain);
            self.pump(host);
        }
    }

    pub(super) fn knock(
        &mut self,
        from: HostId,
        dial: DialId,
        to: SocketAddr,
        wanted: Option<NodeId>,
    ) {
        let named = self
            .hosts
            .iter()
            .position(|host| host.address == to && host.brain.is_some());
        let listening = named.or_else(|| self.aliases.get(&to).copied());
        let listening = listening.filter(|host| self.hosts[*host].brain.is_some());
        let answer_at = self.now + self.delay();
        let Some(host) = listening else {
            let answer = Err(DialFailure::Refused);
            return self.put(
                answer_at,
                Delivery::Answer {
                    to: from,
                    dial,
                    answer,
                    remote: to,
                },
            );
        };
        if self.asleep(host) || self.cut.contains(&(from, host)) {
            let answer = Err(DialFailure::TimedOut);
            return self.put(
                self.now + DIAL_WITHIN,
                Delivery::Answer {
                    to: from,
                    dial,
                    answer,
                    remote: to,
                },
            );
        }
        if wanted.is_some_and(|wanted| wanted != self.hosts[host].id) {
            let answer = Err(DialFailure::OtherNode);
            return self.put(
                answer_at,
                Delivery::Answer {
                    to: from,
                    dial,
                    answer,
                    remote: to,
                },
            );
        }
        let (accepted, dialled) = (self.link_id(), self.link_id());
        let now = self.now;
        let end = |host, peer, peer_host| End {
            host,
            peer,
            peer_host,
            last_arrival: now,
            open: true,
        };
        self.links.insert(accepted, end(host, dialled, from));
        // What the accepting side says must not overtake the answer.
        self.links.insert(
            dialled,
            End {
                last_arrival: answer_at,
                ..end(from, accepted, host)
            },
        );
        self.put(
            answer_at,
            Delivery::Answer {
                to: from,
                dial,
                answer: Ok(dialled),
                remote: to,
            },
        );
        let remote = SocketAddr::new(self.hosts[from].address.ip(), 50_000);
        self.brain(host)
            .handle_link_up(now, accepted, Origin::Accepted, remote);
        self.pump(host);
    }

    /// Carries out what a brain wants.
    pub(super) fn pump(&mut self, host: HostId) {
        let at = self.now - self.start;
        while let Some(effect) = self.brain(host).poll_effect() {
            self.carry_out(host, effect);
        }
        while let Some(change) = self.brain(host).poll_match() {
            let key = (change.want, change.node, change.endpoint);
            let fits = if change.kind == MatchKind::Found {
                self.hosts[host].found.insert(key)
            } else {
                self.hosts[host].found.remove(&key)
            };
            assert!(
                fits,
                "seed {}: n{host} was told {change:?} out of order",
                self.seed
            );
            self.hosts[host].matches.push((at, change));
        }
        while let Some(event) = self.brain(host).poll_event() {
            self.hosts[host].events.push((at, event));
        }
        self.hosts[host].timer = self.brain(host).poll_timeout();
    }

    pub(super) fn carry_out(&mut self, host: HostId, effect: Effect) {
        match effect {
            Effect::Dial { dial, target } => {
                let (to, wanted) = match target {
                    Target::Node { node, addresses } => (addresses[0], Some(node)),
                    Target::Fixed(id) => (self.hosts[host].fixed[&id], None),
                };
                self.dialling.insert((host, dial));
                let at = self.now + self.delay();
                self.put(
                    at,
                    Delivery::Knock {
                        from: host,
                        dial,
                        to,
                        wanted,
                    },
                );
            }
            Effect::CancelDial(dial) => {
                self.dialling.remove(&(host, dial));
            }
            Effect::Send { link, frame } => self.send(link, frame),
            Effect::Close(link) => self.close(link),
        }
    }

    pub(super) fn send(&mut self, link: LinkId, frame: Arc<[u8]>) {
        self.frames += 1;
        // ZMTP's short frame header.
        self.octets += frame.len() as u64 + 2;
        if self
            .lose_next
            .is_some_and(|lost| lost(&Message::decode(&frame).unwrap()))
        {
            self.lose_next = None;
            return;
        }
        let to = self.links[&link].peer;
        if self.links.contains_key(&to) {
            let at = self.arrival(to);
            self.put(at, Delivery::Frame { to, frame });
        }
    }

    pub(super) fn close(&mut self, link: LinkId) {
        let end = self.links.get_mut(&link).unwrap();
        end.open = false;
        let to = end.peer;
        if self.links.contains_key(&to) {
            let at = self.arrival(to);
            self.put(at, Delivery::Down { to });
        }
    }

    pub(super) fn arrival(&mut self, to: LinkId) -> Instant {
        let at = self.now + self.delay();
        let end = self.links.get_mut(&to).unwrap();
        end.last_arrival = end.last_arrival.max(at);
        end.last_arrival
    }

    pub(super) fn forget_record(&mut self, host: HostId, after: Duration) {
        if self.hosts[host].discovery {
            let node = self.hosts[host].id;
            for to in 0..self.hosts.len() {
                self.put(self.now + after, Delivery::RecordGone { to, node });
            }
        }
    }

    pub(super) fn release(&mut self) {
        for delivery in std::mem::take(&mut self.held) {
            self.put(self.now, delivery);
        }
    }

    pub(super) fn asleep(&self, host: HostId) -> bool {
        self.hosts[host].stopped
    }

    pub(super) fn put(&mut self, at: Instant, delivery: Delivery) {
        self.next += 1;
        self.due.insert((at, self.next), delivery);
    }

    pub(super) fn link_id(&mut self) -> LinkId {
        self.next += 1;
        LinkId(self.next)
    }

    pub(super) fn delay(&mut self) -> Duration {
        Duration::from_micros(u64::from(self.between(50, 3000)))
    }
}
