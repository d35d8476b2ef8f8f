//! `Engine`: the task that announces, asks and answers by the original's records.
//!
//! Knows when; what is to be shown and who is told of others is in `Original`, what was heard in `heard`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use colugo_graph::SERVICE_TYPE;

use super::heard::Heard;
use super::ports::{Ports, Received};
use super::record::{OwnSocket, SERVICE, TTL, TYPES};
use super::{Original, Shown};
use crate::control::dns::{
    A, ANY, AUTHORITATIVE, Data, Name, PTR, Packet, Question, RESPONSE, Record, SRV, TXT,
};

/// When an announcement is repeated after the first time, and how often it is made in all.
const REPEATS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];
/// The pauses between questions for all; the last again and again: who comes later announces itself.
const ASKS: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(600),
];
/// Answers to all wait for each other so long, and come no more often than this.
const ANSWER_AFTER: Duration = Duration::from_millis(10);
pub(super) const ANSWER_EVERY: Duration = Duration::from_millis(200);
/// Seconds for which a direct answer is kept.
const DIRECT_TTL: u32 = 120;
const GATHER_EVERY: Duration = Duration::from_millis(10);
/// How often it is looked for interfaces that came and went.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Sockets in one packet: it has to fit a frame of Ethernet.
const IN_A_PACKET: usize = 6;
/// Questions in one packet.
const QUESTIONS_IN_A_PACKET: usize = 24;

/// The task of the process.
struct Engine {
    original: Arc<Original>,
    ports: Ports,
    heard: Heard,
    own: BTreeMap<OwnSocket, Shown>,
    /// Announcements to come: how many were made, and when the next is.
    announcing: BTreeMap<OwnSocket, (usize, Instant)>,
    asked: usize,
    ask_at: Instant,
    look_at: Instant,
    /// Not before: who makes a thousand publishers is asked a few times.
    gather_at: Instant,
    answers: BTreeSet<OwnSocket>,
    answer_at: Option<Instant>,
    answered_at: Option<Instant>,
}

pub(super) async fn run(original: Arc<Original>) {
    let now = Instant::now();
    let mut engine = Engine {
        original,
        ports: Ports::new(),
        heard: Heard::default(),
        own: BTreeMap::new(),
        announcing: BTreeMap::new(),
        asked: 0,
        ask_at: now,
        look_at: now,
        gather_at: now,
        answers: BTreeSet::new(),
        answer_at: None,
        answered_at: None,
    };
    loop {
        engine.act(Instant::now()).await;
        let next = engine.next();
        let original = engine.original.clone();
        tokio::select! {
            () = original.stirred.notified() => {}
            received = engine.ports.receive() => engine.received(Instant::now(), received).await,
            () = tokio::time::sleep_until(next.into()) => {}
        }
    }
}

impl Engine {
    /// Does everything that is due.
    async fn act(&mut self, now: Instant) {
        #[cfg(test)]
        if self
            .original
            .breaks
            .swap(false, std::sync::atomic::Ordering::Relaxed)
        {
            panic!("broken by a test");
        }
        if now >= self.look_at {
            self.look_at = now + LOOK_EVERY;
            if self.ports.follow(&self.original.choice()) {
                // As for the first time: somebody else may be there now.
                (self.asked, self.ask_at) = (0, now);
                self.announcing = self.own.keys().map(|own| (own.clone(), (0, now))).collect();
            }
        }
        if now >= self.gather_at {
            self.gather_at = now + GATHER_EVERY;
            self.original.gather();
        }
        self.say_goodbye().await;
        self.own = self.original.own();
        self.announcing.retain(|own, _| self.own.contains_key(own));
        for own in self.own.keys() {
            if !self.announcing.contains_key(own) {
                self.announcing.insert(own.clone(), (0, now));
            }
        }
        self.announce(now).await;
        if now >= self.ask_at {
            let pause = ASKS.get(self.asked).or(ASKS.last());
            self.ask_at = now + pause.copied().unwrap_or(LOOK_EVERY);
            self.asked += 1;
            // Whoever hears both questions knows that one of ours asks, who will hear of it by its node record.
            let names = [SERVICE, SERVICE_TYPE.trim_end_matches('.')];
            let questions = names.map(|name| Question {
                name: Name::of(name),
                kind: PTR,
            });
            self.ask(questions.to_vec()).await;
        }
        let questions = self.heard.questions(now);
        for some in questions.chunks(QUESTIONS_IN_A_PACKET) {
            self.ask(some.to_vec()).await;
        }
        if self.answer_at.is_some_and(|at| now >= at) {
            self.answer_at = None;
            self.answered_at = Some(now);
            let answers = std::mem::take(&mut self.answers);
            self.show(answers.iter(), TTL).await;
        }
        let changes = self.heard.expire(now);
        self.original.tell(&changes, &self.heard);
    }

    fn next(&self) -> Instant {
        let announcing = self.announcing.iter();
        let announcing = announcing
            .filter(|(_, (made, _))| *made <= REPEATS.len())
            .map(|(_, (_, at))| *at);
        let gathering = !self.original.state().changed.is_empty();
        announcing
            .chain(gathering.then_some(self.gather_at))
            .chain(self.answer_at)
            .chain(self.heard.next())
            .chain([self.ask_at, self.look_at])
            .min()
            .unwrap_or(self.look_at)
    }

    async fn announce(&mut self, now: Instant) {
        let mut due = Vec::new();
        for (own, (made, at)) in &mut self.announcing {
            if *made <= REPEATS.len() && now >= *at {
                *at = now + REPEATS.get(*made).copied().unwrap_or_default();
                *made += 1;
                due.push(own.clone());
            }
        }
        self.show(due.iter(), TTL).await;
    }

    async fn say_goodbye(&mut self) {
        let leaving = {
            let state = self.original.state();
            state.leaving.clone()
        };
        if leaving.is_empty() {
            return;
        }
        self.own.extend(leaving.iter().cloned());
        let sockets: Vec<_> = leaving.into_iter().map(|(socket, _)| socket).collect();
        // Twice: there is nobody left who could say it again.
        for _ in 0..2 {
            self.show(sockets.iter(), 0).await;
        }
        self.original
            .state()
            .leaving
            .retain(|(socket, _)| !sockets.contains(socket));
        self.original.said.notify_waiters();
    }

    /// Sends all records of these sockets on every interface that they are shown on.
    async fn show(&self, sockets: impl Iterator<Item = &OwnSocket> + Clone, ttl: u32) {
        for port in self.ports.all() {
            let mut packets = Vec::new();
            let mut packet = Vec::new();
            let mut count = 0;
            for socket in sockets.clone() {
                let shown = self.own.get(socket);
                let Some(ip) = shown.and_then(|shown| shown.address(&port.interface, port.ip))
                else {
                    continue;
                };
                packet.push(socket.pointer(ttl));
                packet.extend(socket.details(&socket.name(), ip, ttl));
                count += 1;
                if count % IN_A_PACKET == 0 {
                    packets.push(std::mem::take(&mut packet));
                }
            }
            packets.push(packet);
            for records in packets.into_iter().filter(|packet| !packet.is_empty()) {
                port.send(&response(records)).await;
            }
        }
    }

    async fn ask(&self, questions: Vec<Question>) {
        let packet = Packet {
            questions,
            ..Packet::default()
        };
        for port in self.ports.all() {
            port.ask(&packet).await;
        }
    }

    async fn received(&mut self, now: Instant, received: Received) {
        let Some(mut packet) = Packet::read(&received.octets) else {
            return;
        };
        if received.direct {
            // What is answered to one asker need not hold for longer than seconds; the answer to all follows.
            let records = packet.records.iter_mut();
            records.for_each(|record| record.ttl = record.ttl.max(DIRECT_TTL));
        }
        if packet.is_response() {
            let near = self.ports.is_own(received.from);
            let changes = self.heard.packet(now, &packet, near);
            self.original.tell(&changes, &self.heard);
            return;
        }
        let keys: Vec<_> = packet.questions.iter().map(|q| q.name.key()).collect();
        if keys.iter().any(|key| *key == SERVICE) {
            let by_us = SERVICE_TYPE.trim_end_matches('.');
            if !keys.iter().any(|key| key == by_us) {
                self.asked_for_all(now, &packet);
            }
        }
        if !self.own.is_empty() && keys.iter().any(|key| key == TYPES) {
            self.tell_type(received.on).await;
        }
        self.asked_for_some(&packet, received.on).await;
    }

    /// Whoever asks hears of all that it does not know yet.
    fn asked_for_all(&mut self, now: Instant, packet: &Packet) {
        let known: BTreeSet<_> = packet
            .records
            .iter()
            .filter_map(|record| match &record.data {
                Data::Ptr(name) if record.ttl > TTL / 2 => Some(name.key()),
                _ => None,
            })
            .collect();
        let unknown = self
            .own
            .keys()
            .filter(|own| !known.contains(&own.name().key()));
        self.answers.extend(unknown.cloned());
        if !self.answers.is_empty() {
            let earliest = self.answered_at.map(|at| at + ANSWER_EVERY);
            let at = (now + ANSWER_AFTER).max(earliest.unwrap_or(now));
            self.answer_at.get_or_insert(at);
        }
    }

    /// Says that there are such records at all, to who asks which types there are.
    async fn tell_type(&self, on: Ipv4Addr) {
        let pointer = Record {
            name: Name::of(TYPES),
            ttl: TTL,
            data: Data::Ptr(Name::of(SERVICE)),
        };
        if let Some(port) = self.ports.all().iter().find(|port| port.ip == on) {
            port.send(&response(vec![pointer])).await;
        }
    }

    /// Answers about single sockets, each under its name as it was spelled in the question.
    async fn asked_for_some(&self, packet: &Packet, on: Ipv4Addr) {
        let Some(port) = self.ports.all().iter().find(|port| port.ip == on) else {
            return;
        };
        let mut asked: BTreeMap<String, &Name> = BTreeMap::new();
        for question in &packet.questions {
            if [A, SRV, TXT, ANY].contains(&question.kind) {
                asked.insert(question.name.key(), &question.name);
            }
        }
        if asked.is_empty() {
            return;
        }
        for (own, shown) in &self.own {
            if let Some(name) = asked.get(&own.name().key())
                && let Some(ip) = shown.address(&port.interface, port.ip)
            {
                port.send(&response(own.details(name, ip, TTL).to_vec()))
                    .await;
            }
        }
    }
}

fn response(records: Vec<Record>) -> Packet {
    Packet {
        flags: RESPONSE | AUTHORITATIVE,
        records,
        ..Packet::default()
    }
}
