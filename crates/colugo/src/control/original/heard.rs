//! `Heard`: the sockets that others show by the original's records: what was heard of each, what has to be asked, and when it is over.
//!
//! Knows records and time; does not know sockets. Bounded: who floods it gets in nobody's way.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use colugo_graph::{Kind, NodeId, Outsider, Topic, limits};

use super::record::{About, SERVICE};
use crate::control::dns::{A, Data, Name, Packet, Question, SRV, TXT};

/// The pause before the first question about a record that is not whole, doubled for the next ones. The original takes a while to answer.
const ASK_AFTER: Duration = Duration::from_millis(60);
const QUESTIONS_MAX: u32 = 5;
/// Addresses of one host.
const ADDRESSES_MAX: usize = 8;
/// Seconds for which a record is kept at most, whatever it says.
const TTL_MAX: u32 = 2 * super::record::TTL;

/// What came of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Came(Outsider),
    Gone(NodeId, Kind, Topic),
}

#[derive(Default)]
pub(super) struct Heard {
    entries: HashMap<String, Entry>,
}

struct Entry {
    /// As it was spelled.
    name: Name,
    until: Instant,
    service: Option<(u16, String)>,
    about: Option<About>,
    /// Whether a TXT record came, even one that says nothing.
    described: bool,
    addresses: Vec<Ipv4Addr>,
    shown: Option<Outsider>,
    asked: u32,
    ask_at: Instant,
}

impl Entry {
    fn is_whole(&self) -> bool {
        self.described && self.service.is_some() && !self.addresses.is_empty()
    }

    /// What to show of it. An address that works is not left for another one.
    fn outsider(&self) -> Option<Outsider> {
        let about = self.about.as_ref().filter(|about| !about.ours)?;
        let (port, _) = self.service.as_ref().filter(|(port, _)| *port != 0)?;
        let kept = self.shown.as_ref().map(|shown| shown.endpoint.ip());
        let kept = self
            .addresses
            .iter()
            .find(|address| Some((**address).into()) == kept);
        let address = kept.or_else(|| self.addresses.last())?;
        Some(Outsider {
            node: about.node,
            kind: about.kind,
            topic: about.topic.clone(),
            endpoint: ((*address), *port).into(),
        })
    }
}

impl Heard {
    /// Takes in what a packet says. `near`: it came from this machine, where alone a loopback address means something.
    pub(super) fn packet(&mut self, now: Instant, packet: &Packet, near: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        for record in &packet.records {
            let name = match &record.data {
                Data::Ptr(target) if record.name.key() == SERVICE => target,
                Data::Srv { .. } | Data::Txt(_) => &record.name,
                _ => continue,
            };
            let key = name.key();
            if !is_instance(&key) {
                continue;
            }
            if record.ttl == 0 {
                changes.extend(self.entries.remove(&key).and_then(gone));
                continue;
            }
            let Some(entry) = self.entry(now, &key, name) else {
                continue;
            };
            let ttl = Duration::from_secs(record.ttl.min(TTL_MAX).into());
            entry.until = entry.until.max(now + ttl);
            match &record.data {
                Data::Srv { port, target, .. } => {
                    let host = target.key();
                    if entry.service.as_ref().is_some_and(|(_, old)| *old != host) {
                        entry.addresses.clear();
                    }
                    entry.service = Some((*port, host));
                }
                Data::Txt(strings) => {
                    entry.described = true;
                    entry.about = About::read(strings);
                }
                _ => {}
            }
        }
        // Last, as they may come before the records that name their hosts.
        for record in &packet.records {
            if let Data::A(ip) = record.data
                && record.ttl > 0
                && (near || !ip.is_loopback())
                && !ip.is_unspecified()
                && !ip.is_multicast()
            {
                self.address(&record.name.key(), ip);
            }
        }
        for entry in self.entries.values_mut() {
            let outsider = entry.outsider();
            if outsider == entry.shown {
                continue;
            }
            let before = std::mem::replace(&mut entry.shown, outsider.clone());
            if let Some(old) = before
                && outsider.as_ref().is_none_or(|new| {
                    (new.node, new.kind, &new.topic) != (old.node, old.kind, &old.topic)
                })
            {
                changes.push(Change::Gone(old.node, old.kind, old.topic));
            }
            changes.extend(outsider.map(Change::Came));
        }
        changes
    }

    /// The entry of an instance, made if there is room.
    fn entry(&mut self, now: Instant, key: &str, name: &Name) -> Option<&mut Entry> {
        if !self.entries.contains_key(key) {
            if self.entries.len() >= limits::OUTSIDERS {
                // What was asked for in vain makes room.
                let useless = self.entries.iter().find(|(_, entry)| {
                    entry.shown.is_none() && (entry.is_whole() || entry.asked >= QUESTIONS_MAX)
                });
                let useless = useless.map(|(key, _)| key.clone())?;
                self.entries.remove(&useless);
            }
            self.entries.insert(
                key.to_owned(),
                Entry {
                    name: name.clone(),
                    until: now,
                    service: None,
                    about: None,
                    described: false,
                    addresses: Vec::new(),
                    shown: None,
                    asked: 0,
                    ask_at: now + ASK_AFTER,
                },
            );
        }
        self.entries.get_mut(key)
    }

    fn address(&mut self, host: &str, ip: Ipv4Addr) {
        for entry in self.entries.values_mut() {
            let is_its_host = entry
                .service
                .as_ref()
                .is_some_and(|(_, target)| target == host);
            if is_its_host {
                // The latest last.
                entry.addresses.retain(|old| *old != ip);
                entry.addresses.push(ip);
                if entry.addresses.len() > ADDRESSES_MAX {
                    entry.addresses.remove(0);
                }
            }
        }
    }

    /// What has to be asked now: for what is missing of a record, as the original's clients ask.
    pub(super) fn questions(&mut self, now: Instant) -> Vec<Question> {
        let mut questions = Vec::new();
        for entry in self.entries.values_mut() {
            if entry.is_whole() || entry.asked >= QUESTIONS_MAX || entry.ask_at > now {
                continue;
            }
            entry.asked += 1;
            entry.ask_at = now + ASK_AFTER.saturating_mul(1 << entry.asked);
            for kind in [SRV, TXT, A] {
                let host = match &entry.service {
                    Some((_, target)) if kind == A && *target != entry.name.key() => {
                        Name::of(target)
                    }
                    _ => entry.name.clone(),
                };
                questions.push(Question { name: host, kind });
            }
        }
        questions
    }

    /// Forgets what has not been said again for as long as it said it would hold.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Change> {
        let over = self.entries.extract_if(|_, entry| entry.until <= now);
        over.filter_map(|(_, entry)| gone(entry)).collect()
    }

    /// When to call [`Self::questions`] or [`Self::expire`] next.
    pub(super) fn next(&self) -> Option<Instant> {
        let due = |entry: &Entry| {
            if entry.is_whole() || entry.asked >= QUESTIONS_MAX {
                entry.until
            } else {
                entry.ask_at.min(entry.until)
            }
        };
        self.entries.values().map(due).min()
    }

    /// All that is shown.
    pub(super) fn shown(&self) -> Vec<Outsider> {
        let shown = self.entries.values();
        shown.filter_map(|entry| entry.shown.clone()).collect()
    }
}

fn is_instance(key: &str) -> bool {
    key.strip_suffix(SERVICE)
        .is_some_and(|instance| instance.len() > 1 && instance.ends_with('.'))
}

fn gone(entry: Entry) -> Option<Change> {
    let shown = entry.shown?;
    Some(Change::Gone(shown.node, shown.kind, shown.topic))
}

/// What is shown after these packets, which came a second after each other: for a fuzz target.
#[cfg(fuzzing)]
pub fn outsiders_from_packets<'a>(
    now: Instant,
    packets: impl Iterator<Item = &'a [u8]>,
) -> Vec<Outsider> {
    let mut heard = Heard::default();
    let mut now = now;
    for packet in packets.filter_map(Packet::read) {
        let _ = Packet::read(&packet.write());
        let _ = heard.packet(now, &packet, true);
        now += Duration::from_secs(1);
        let _ = (heard.questions(now), heard.expire(now));
        assert!(heard.next().is_none_or(|at| at > now));
    }
    heard.shown()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::dns::Record;

    const UUID: &str = "6f1ed002-ab59-4c0d-ba5e-000000000001";

    fn name() -> Name {
        Name::of(&format!("_pub.topic._{UUID}.{SERVICE}"))
    }

    fn packet(data: impl IntoIterator<Item = Data>) -> Packet {
        let record = |data| Record {
            name: match data {
                Data::Ptr(_) => Name::of(SERVICE),
                _ => name(),
            },
            ttl: 3600,
            data,
        };
        Packet {
            records: data.into_iter().map(record).collect(),
            ..Packet::default()
        }
    }

    fn text() -> Data {
        let node = format!("node_uuid={UUID}");
        let strings = ["topic=pub.topic", "socket_type=1", &node];
        Data::Txt(strings.map(|text| text.as_bytes().to_vec()).to_vec())
    }

    fn details(port: u16, ip: [u8; 4]) -> [Data; 3] {
        let target = name();
        let service = Data::Srv {
            priority: 0,
            weight: 0,
            port,
            target,
        };
        [service, text(), Data::A(ip.into())]
    }

    fn came(change: &Change) -> String {
        match change {
            Change::Came(outsider) => format!("{} {}", outsider.topic, outsider.endpoint),
            Change::Gone(_, kind, topic) => format!("{kind} {topic} gone"),
        }
    }

    fn said(changes: &[Change]) -> Vec<String> {
        changes.iter().map(came).collect()
    }

    #[test]
    fn a_pointer_alone_is_asked_about_and_then_shown() {
        let (mut heard, now) = (Heard::default(), Instant::now());
        assert_eq!(heard.packet(now, &packet([Data::Ptr(name())]), true), []);
        assert!(
            heard.questions(now).is_empty(),
            "the rest may be on its way"
        );
        let due = heard.next().expect("a question is due");
        let kinds: Vec<_> = heard.questions(due).iter().map(|q| q.kind).collect();
        assert_eq!(kinds, [SRV, TXT, A]);
        let changes = heard.packet(due, &packet(details(4000, [10, 0, 0, 1])), false);
        assert_eq!(said(&changes), ["pub.topic 10.0.0.1:4000"]);
        assert!(heard.questions(due + ASK_AFTER * 64).is_empty());
        assert_eq!(heard.shown().len(), 1);
    }

    #[test]
    fn goodbye_other_port_and_expiry_are_told() {
        let (mut heard, now) = (Heard::default(), Instant::now());
        heard.packet(now, &packet(details(4000, [10, 0, 0, 1])), false);
        let moved = heard.packet(now, &packet(details(4001, [10, 0, 0, 1])), false);
        assert_eq!(said(&moved), ["pub.topic 10.0.0.1:4001"]);
        let second = heard.packet(now, &packet(details(4001, [10, 9, 9, 9])), false);
        assert_eq!(said(&second), [""; 0], "an address that works is kept");
        let mut bye = packet([Data::Ptr(name())]);
        bye.records.iter_mut().for_each(|record| record.ttl = 0);
        assert_eq!(
            said(&heard.packet(now, &bye, false)),
            ["publisher pub.topic gone"]
        );
        heard.packet(now, &packet(details(4000, [10, 0, 0, 1])), false);
        assert!(heard.expire(now + Duration::from_secs(3599)).is_empty());
        assert_eq!(heard.expire(now + Duration::from_secs(3600)).len(), 1);
        assert_eq!(heard.next(), None);
    }

    #[test]
    fn a_loopback_address_of_another_machine_is_none() {
        let (mut heard, now) = (Heard::default(), Instant::now());
        let record = packet(details(4000, [127, 0, 0, 1]));
        assert_eq!(heard.packet(now, &record, false), []);
        assert_eq!(
            said(&heard.packet(now, &record, true)),
            ["pub.topic 127.0.0.1:4000"]
        );
    }

    #[test]
    fn a_flood_of_names_is_bounded_and_what_was_asked_in_vain_makes_room() {
        let (mut heard, mut now) = (Heard::default(), Instant::now());
        for i in 0..10_000 {
            let name = Name::of(&format!("_t{i}._x.{SERVICE}"));
            heard.packet(now, &packet([Data::Ptr(name)]), false);
        }
        assert_eq!(heard.entries.len(), limits::OUTSIDERS);
        for _ in 0..QUESTIONS_MAX {
            now += Duration::from_secs(10);
            heard.questions(now);
        }
        let changes = heard.packet(now, &packet(details(4000, [10, 0, 0, 1])), false);
        assert_eq!(said(&changes), ["pub.topic 10.0.0.1:4000"]);
        assert_eq!(heard.entries.len(), limits::OUTSIDERS);
    }
}
