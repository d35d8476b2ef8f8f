//! What links cost while nothing happens on them, and what a publisher holds for a subscriber that does not read.

use crate::bare;
use crate::catalogue::contender;
use crate::engine::{Engine, Full, Nodes, Publisher, Sockets, Subscriber, Zmq};
use crate::harness::Part;
use crate::row::{Better, Row};
use crate::suite::Suite;
use kit::Result;
use kit::Role;
use kit::child::{Link, Spec};
use kit::clock::Metronome;
use kit::payload::{Checker, stamp, stamp_last};
use kit::report::Report;
use kit::stats::{Memory, Usage, memory_kib};

/// Publishers, and a subscriber that has a stuck one beside it.
pub const ROLES: &[(&str, Role)] = &[
    ("zmq.idle", idle::<Zmq>),
    ("socket.idle", idle::<Sockets>),
    ("node.idle", idle::<Nodes>),
    ("zmq.stuck", publish::<Zmq>),
    ("zmq.beside-stuck", subscribe::<Zmq>),
    ("socket.stuck", publish::<Sockets>),
    ("socket.beside-stuck", subscribe::<Sockets>),
    ("node.stuck", publish::<Nodes>),
    ("node.beside-stuck", subscribe::<Nodes>),
];

const LINKS: usize = 1000;
const LARGE: usize = 65_536;
const RATE: f64 = 2000.0;
/// Our queues' bound in octets.
const BOUND_MB: f64 = 16.0 * 1.048_576;

/// A publisher with `count` subscribers and nothing to say.
fn idle<E: Engine>(spec: &Spec, link: &Link) -> Result<Report> {
    let home = E::home()?;
    let publisher = E::publisher(&home, "bench", spec, Full::Drops)?;
    let before = memory_kib(Memory::Own);
    link.ready(&publisher.endpoint()?)?;
    let count = spec.count()?;
    publisher.wait_for_subscribers(count)?;
    // The duration of a run, for whatever the engine gives back.
    link.stopped_within(spec.duration()?);
    let links = (memory_kib(Memory::Own) - before) / count as f64;
    Ok(Report::new().with("kib_per_link", links))
}

fn publish<E: Engine>(spec: &Spec, link: &Link) -> Result<Report> {
    let home = E::home()?;
    let mut publisher = E::publisher(&home, "bench", spec, Full::Drops)?;
    link.ready(&publisher.endpoint()?)?;
    publisher.wait_for_subscribers(2)?;
    let usage = Usage::start();
    let mut payload = vec![0; spec.size()?];
    let mut total = 0;
    let mut metronome = Metronome::start(RATE, spec.duration()?);
    while let Some((number, _)) = metronome.beat() {
        stamp(&mut payload, number);
        publisher.send(&payload)?;
        total = number + 1;
    }
    stamp_last(&mut payload, total);
    publisher.send(&payload)?;
    let peak = memory_kib(Memory::Peak) * 1024.0 / 1e6;
    link.wait_for_stop();
    Ok(usage.report().with("publisher_mb", peak))
}

fn subscribe<E: Engine>(spec: &Spec, link: &Link) -> Result<Report> {
    let address = spec.text("addr")?;
    let _stuck = bare::subscribe(address)?;
    let home = E::home()?;
    let mut healthy = E::subscriber(&home, "bench", spec, &[address])?;
    let usage = Usage::start();
    link.ready("")?;
    let mut checker = Checker::new();
    while !healthy.receive(|payload| checker.see(payload))? {}
    Ok(usage.report().merge(Checker::report(&[checker])))
}

/// `idle`.
pub fn idle_links() -> Suite {
    let links = |role| Part::new(role).set("count", LINKS);
    let subscribers = || links("bare.subscribers");
    let row = |name, about| {
        Row::new(name, about, "KiB", "kib_per_link", Better::Less)
            .must(24.0, 12.0)
            .absolute()
    };
    Suite {
        contenders: vec![
            contender("ours", "", links("node.idle"), subscribers()),
            contender("socket", "", links("socket.idle"), subscribers()),
            contender("theirs", "libzmq", links("zmq.idle"), subscribers()),
        ],
        rows: vec![
            row(
                "idle",
                "a publisher's memory for each of 1000 subscribers while nothing is sent",
            ),
            row("socket-idle", "idle with colugo-socket").between("socket", "theirs"),
        ],
    }
}

/// `stuck`.
pub fn stuck() -> Suite {
    let part = |role| Part::new(role).set("size", LARGE);
    let row = |name, about| {
        Row::new(name, about, "MB", "publisher_mb", Better::Less)
            .must(BOUND_MB + 10.0, BOUND_MB + 10.0)
            .absolute()
    };
    Suite {
        contenders: vec![
            contender("ours", "", part("node.stuck"), part("node.beside-stuck")),
            contender(
                "socket",
                "",
                part("socket.stuck"),
                part("socket.beside-stuck"),
            ),
            contender(
                "theirs",
                "libzmq PUB hwm 1000",
                part("zmq.stuck"),
                part("zmq.beside-stuck"),
            ),
        ],
        rows: vec![
            row(
                "stuck",
                "a publisher's peak memory, 64 KiB at 2 kHz, one subscriber stuck; lost: by the other",
            ),
            row("socket-stuck", "stuck with colugo-socket").between("socket", "theirs"),
        ],
    }
}
