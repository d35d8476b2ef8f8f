//! Two topics of one process: small messages at a steady rate on one, large ones on the other. How long do the small ones take?

use crate::catalogue::contender;
use crate::engine::{Engine, Full, Nodes, Publisher, Sockets, Subscriber, Zmq};
use crate::harness::Part;
use crate::paced::receive;
use crate::row::{Better, Row};
use crate::suite::Suite;
use kit::Result;
use kit::Role;
use kit::child::{Link, Spec};
use kit::clock::Metronome;
use kit::payload::{Checker, stamp, stamp_last, stamp_time};
use kit::report::Report;
use kit::stats::Usage;

/// Both topics' publishers, and both subscribers.
pub const ROLES: &[(&str, Role)] = &[
    ("zmq.beside", publish::<Zmq>),
    ("zmq.both", subscribe::<Zmq>),
    ("socket.beside", publish::<Sockets>),
    ("socket.both", subscribe::<Sockets>),
    ("node.beside", publish::<Nodes>),
    ("node.both", subscribe::<Nodes>),
];

const LARGE: usize = 64 << 20;
/// Large messages a second: what each engine here can move, with little rest in between.
const LARGE_RATE: f64 = 10.0;
const SMALL_RATE: f64 = 1000.0;

fn publish<E: Engine>(spec: &Spec, link: &Link) -> Result<Report> {
    let home = E::home()?;
    let duration = spec.duration()?;
    let mut small = E::publisher(&home, "small", spec, Full::Waits)?;
    // A thousand of these would be 64 GB.
    let few = spec.clone().with("hwm", 2);
    let mut large = E::publisher(&home, "large", &few, Full::Waits)?;
    link.ready(&format!("{},{}", small.endpoint()?, large.endpoint()?))?;
    small.wait_for_subscribers(1)?;
    large.wait_for_subscribers(1)?;
    let usage = Usage::start();
    let images = std::thread::spawn(move || -> Result<()> {
        let mut metronome = Metronome::start(LARGE_RATE, duration);
        let mut total = 0;
        while let Some((number, _)) = metronome.beat() {
            large.send_uncopied(LARGE, |buffer| stamp(buffer, number))?;
            total = number + 1;
        }
        large.send_uncopied(LARGE, |buffer| stamp_last(buffer, total))?;
        // Closed with the process, once everything has arrived.
        std::mem::forget(large);
        Ok(())
    });
    let mut payload = vec![0; spec.size()?];
    let mut metronome = Metronome::start(SMALL_RATE, duration);
    let mut total = 0;
    while let Some((number, time)) = metronome.beat() {
        stamp(&mut payload, number);
        stamp_time(&mut payload, time);
        small.send(&payload)?;
        total = number + 1;
    }
    stamp_last(&mut payload, total);
    small.send(&payload)?;
    images
        .join()
        .map_err(|_| "the large topic's thread panicked")??;
    link.wait_for_stop();
    Ok(usage.report())
}

fn subscribe<E: Engine>(spec: &Spec, link: &Link) -> Result<Report> {
    let home = E::home()?;
    let (small, large) = spec
        .text("addr")?
        .split_once(',')
        .ok_or("two addresses are needed")?;
    let mut small = E::subscriber(&home, "small", spec, &[small])?;
    let few = spec.clone().with("hwm", 2);
    let mut large = E::subscriber(&home, "large", &few, &[large])?;
    let usage = Usage::start();
    let images = std::thread::spawn(move || -> Result<Checker> {
        let mut checker = Checker::new();
        while !large.receive(|payload| checker.see(payload))? {}
        Ok(checker)
    });
    link.ready("")?;
    let (checker, latencies) = receive(&mut small, spec)?;
    let images = images
        .join()
        .map_err(|_| "the large topic's thread panicked")??;
    let report = usage
        .report()
        .merge(Checker::report(&[checker, images]))
        .merge(latencies.report());
    Ok(report)
}

/// `mixed`.
pub fn suite() -> Suite {
    let row = |name, about, metric| Row::new(name, about, "µs", metric, Better::Less);
    let about = "one way, 64 B at 1 kHz, beside ten 64 MiB messages a second on another topic: p99";
    Suite {
        contenders: vec![
            contender("ours", "", Part::new("node.beside"), Part::new("node.both")),
            contender(
                "socket",
                "",
                Part::new("socket.beside"),
                Part::new("socket.both"),
            ),
            contender(
                "theirs",
                "libzmq, two sockets",
                Part::new("zmq.beside"),
                Part::new("zmq.both"),
            ),
        ],
        rows: vec![
            row("mixed", about, "p99_us").must(1.0, 0.5),
            row("mixed-p50", "the same: p50", "p50_us"),
            row("socket-mixed", "mixed with colugo-socket", "p99_us")
                .must(1.0, 0.5)
                .between("socket", "theirs"),
            row("socket-mixed-p50", "the same: p50", "p50_us").between("socket", "theirs"),
        ],
    }
}
