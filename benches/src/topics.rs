//! Many topics of one process, each with little to say: what they cost together.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use colugo::{Network, Node, NodeBuilder};

use crate::catalogue::contender;
use crate::engine::{Engine, Full, Nodes, Publisher, Sockets, Subscriber, Zmq};
use crate::harness::Part;
use crate::row::{Better, Row};
use crate::suite::Suite;
use kit::Result;
use kit::Role;
use kit::child::{Link, Spec};
use kit::clock::{Metronome, nanos};
use kit::payload::{Checker, Pace, SMALLEST, is_last, number, stamp, stamp_last, stamp_time, time};
use kit::report::Report;
use kit::stats::{Latencies, Usage};

/// Publishers of many topics, and who hears them all.
pub const ROLES: &[(&str, Role)] = &[
    ("zmq.topics", publish::<Zmq>),
    ("zmq.all", subscribe::<Zmq>),
    ("socket.topics", publish::<Sockets>),
    ("socket.all", subscribe::<Sockets>),
    ("node.topics", publish_by_name),
    ("node.all", subscribe_by_callback),
];

/// Of each topic, a second.
const RATE: f64 = 10.0;
/// The topics' turns are spread over this many beats.
const BEATS: usize = 100;

fn name(topic: usize) -> String {
    format!("topic-{topic}")
}

fn publish<E: Engine>(spec: &Spec, link: &Link) -> Result<Report> {
    let home = E::home()?;
    let publishers = (0..spec.count()?)
        .map(|topic| E::publisher(&home, &name(topic), spec, Full::Waits))
        .collect::<Result<Vec<_>>>()?;
    let endpoints: Vec<_> = publishers
        .iter()
        .map(Publisher::endpoint)
        .collect::<Result<_>>()?;
    take_turns(spec, link, publishers, &endpoints.join(","))
}

/// The publishers of a node, which are found by their topics' names.
fn publish_by_name(spec: &Spec, link: &Link) -> Result<Report> {
    let node = node(spec)?.listen("127.0.0.1:0").build()?;
    let publishers = (0..spec.count()?)
        .map(|topic| Nodes::named_publisher(&node, &name(topic), Full::Waits))
        .collect::<Result<Vec<_>>>()?;
    let control = node.control_address().ok_or("no control port")?;
    take_turns(spec, link, publishers, &format!("tcp://{control}"))
}

/// As it is out of the box, or with a connection for each topic.
fn node(spec: &Spec) -> Result<NodeBuilder> {
    let node = Node::builder("bench").network(Network::Peers);
    Ok(if spec.flag("own") {
        node.share_after(usize::MAX)
    } else {
        node
    })
}

/// Has each publisher say something ten times a second, in turns, once somebody who is told of `where_they_are` has subscribed to all.
fn take_turns<P: Publisher>(
    spec: &Spec,
    link: &Link,
    mut publishers: Vec<P>,
    where_they_are: &str,
) -> Result<Report> {
    link.ready(where_they_are)?;
    for publisher in &publishers {
        publisher.wait_for_subscribers(1)?;
    }
    let mut payload = vec![0; spec.size()?.max(SMALLEST + 8)];
    let usage = Usage::start();
    let unpaced = spec.flag("unpaced");
    let pace = Pace::start(spec.duration()?, payload.len());
    let mut metronome = Metronome::start(RATE * BEATS as f64, spec.duration()?);
    let mut beats = 0;
    loop {
        let (beat, time) = if unpaced {
            if !pace.goes_on(beats) {
                break;
            }
            (beats, 0)
        } else {
            match metronome.beat() {
                Some(beat) => beat,
                None => break,
            }
        };
        let (round, place) = (beat / BEATS as u64, beat as usize % BEATS);
        for (topic, publisher) in publishers.iter_mut().enumerate().skip(place).step_by(BEATS) {
            stamp(&mut payload, round);
            stamp_time(&mut payload, time);
            stamp(&mut payload[SMALLEST..], topic as u64);
            publisher.send(&payload)?;
        }
        beats = beat + 1;
    }
    let report = usage.report().with_load();
    for (topic, publisher) in publishers.iter_mut().enumerate() {
        let rounds = (beats + (BEATS - 1 - topic % BEATS) as u64) / BEATS as u64;
        stamp_last(&mut payload, rounds);
        stamp(&mut payload[SMALLEST..], topic as u64);
        publisher.send(&payload)?;
    }
    link.wait_for_stop();
    Ok(report)
}

/// One socket that dials them all: the cheapest that ZeroMQ has.
fn subscribe<E: Engine>(spec: &Spec, link: &Link) -> Result<Report> {
    let home = E::home()?;
    let addresses: Vec<_> = spec.text("addr")?.split(',').collect();
    let mut checkers: Vec<_> = addresses.iter().map(|_| Checker::new()).collect();
    let mut subscriber = E::subscriber(&home, "", spec, &addresses)?;
    link.ready("")?;
    let mut usage = None;
    let mut latencies = Latencies::new();
    let mut left = checkers.len();
    while left > 0 {
        let over = subscriber.receive(|payload| {
            usage.get_or_insert_with(Usage::start);
            take_time(payload, &mut latencies);
            let topic = payload.get(SMALLEST..).map_or(0, number);
            checkers
                .get_mut(topic as usize)
                .is_some_and(|checker| checker.see(payload))
        })?;
        left -= usize::from(over);
    }
    let usage = usage.ok_or("nothing came")?;
    let report = usage.report().with_load();
    let report = report.merge(Checker::report(&checkers));
    Ok(report.merge(latencies.report()))
}

/// Of a message that has one.
fn take_time(payload: &[u8], latencies: &mut Latencies) {
    let sent = time(payload);
    if sent != 0 && !is_last(payload) {
        latencies.add_nanos(nanos().saturating_sub(sent));
    }
}

/// A subscriber for each, as a program has it, with callbacks that a thread of the node's runs.
fn subscribe_by_callback(spec: &Spec, link: &Link) -> Result<Report> {
    let node = node(spec)?.peer(spec.text("addr")?).build()?;
    let (over, checked) = channel();
    let usage = Arc::new(OnceLock::new());
    let latencies = Arc::new(Mutex::new(Latencies::new()));
    let mut guards = Vec::new();
    for topic in 0..spec.count()? {
        let mut checker = Checker::new();
        let (over, usage, latencies) = (over.clone(), usage.clone(), latencies.clone());
        let builder = node.subscriber(&name(topic));
        guards.push(builder.on_message(move |message| {
            usage.get_or_init(Usage::start);
            take_time(
                &message.value,
                &mut latencies.lock().unwrap_or_else(PoisonError::into_inner),
            );
            if checker.see(&message.value) {
                let _ = over.send(std::mem::take(&mut checker));
            }
        })?);
    }
    node.spawn()?;
    link.ready("")?;
    let checkers: Vec<_> = checked.iter().take(guards.len()).collect();
    let usage = usage.get().ok_or("nothing came")?;
    let latencies = latencies.lock().unwrap_or_else(PoisonError::into_inner);
    let report = usage.report().with_load();
    let report = report.merge(Checker::report(&checkers));
    Ok(report.merge(latencies.report()))
}

/// `topics-1000`.
pub fn suite() -> Suite {
    let part = |role| Part::new(role).set("count", 1000);
    let row = |name, about| Row::new(name, about, "ms/s", "load", Better::Less).must(0.5, 0.25);
    Suite {
        contenders: vec![
            contender("ours", "", part("node.topics"), part("node.all")),
            contender(
                "own",
                "a connection for each topic",
                part("node.topics").set("own", 1),
                part("node.all").set("own", 1),
            ),
            contender("socket", "", part("socket.topics"), part("socket.all")),
            contender(
                "theirs",
                "libzmq, 1000 PUB, one SUB",
                part("zmq.topics"),
                part("zmq.all"),
            ),
        ],
        rows: vec![
            row(
                "topics-1000",
                "1000 topics of a node at 10 Hz, 64 B: processor time, both sides",
            ),
            Row::new(
                "topics-1000-own",
                "topics-1000 with a connection for each topic",
                "ms/s",
                "load",
                Better::Less,
            )
            .between("own", "theirs"),
            row(
                "socket-topics-1000",
                "topics-1000 with colugo-socket, one SUB",
            )
            .between("socket", "theirs"),
        ],
    }
}
