//! How long a publisher's `send` keeps its caller, with several subscribers asleep at the other end.

use std::time::Instant;

use crate::catalogue::contender;
use crate::engine::{Engine, Full, Nodes, Publisher, Sockets, Zmq};
use crate::harness::Part;
use crate::row::{Better, Row};
use crate::suite::Suite;
use kit::Result;
use kit::Role;
use kit::child::{Link, Spec};
use kit::clock::Metronome;
use kit::payload::{stamp, stamp_last};
use kit::report::Report;
use kit::stats::{Latencies, Usage};

/// Who is timed.
pub const ROLES: &[(&str, Role)] = &[
    ("zmq.send", send::<Zmq>),
    ("socket.send", send::<Sockets>),
    ("node.send", send::<Nodes>),
];

fn send<E: Engine>(spec: &Spec, link: &Link) -> Result<Report> {
    let home = E::home()?;
    let mut publisher = E::publisher(&home, "bench", spec, Full::Waits)?;
    link.ready(&publisher.endpoint()?)?;
    publisher.wait_for_subscribers(spec.count()?)?;
    let usage = Usage::start();
    let mut payload = vec![0; spec.size()?];
    let mut latencies = Latencies::new();
    let mut total = 0;
    let mut metronome = Metronome::start(spec.number("rate", 1000.0)?, spec.duration()?);
    while let Some((number, _)) = metronome.beat() {
        stamp(&mut payload, number);
        let start = Instant::now();
        publisher.send(&payload)?;
        latencies.add(start.elapsed());
        total = number + 1;
    }
    stamp_last(&mut payload, total);
    publisher.send(&payload)?;
    link.wait_for_stop();
    Ok(usage.report().merge(latencies.report()))
}

/// `send-p99`.
pub fn suite() -> Suite {
    let row = |name, about, metric| Row::new(name, about, "µs", metric, Better::Less);
    let eight = |role| Part::new(role).set("count", 8);
    Suite {
        contenders: vec![
            contender("ours", "", eight("node.send"), eight("node.sub")),
            contender(
                "socket",
                "",
                eight("socket.send"),
                eight("socket.sub").set("stamped", 1),
            ),
            contender("theirs", "zmq_send", eight("zmq.send"), eight("zmq.sub")),
        ],
        rows: vec![
            row(
                "send-p50",
                "caller's time inside send, 64 B at 1 kHz to 8 subscribers: p50",
                "p50_us",
            ),
            row("send-p99", "the same: p99", "p99_us").must(1.0, 0.5),
            row("socket-send-p50", "send-p50 with colugo-socket", "p50_us")
                .between("socket", "theirs"),
            row("socket-send-p99", "send-p99 with colugo-socket", "p99_us")
                .must(1.0, 0.5)
                .between("socket", "theirs"),
        ],
    }
}
