//! A publisher that never waits: what arrives, and what a `send` costs while most of it is dropped.

use std::time::{Duration, Instant};

use crate::catalogue::contender;
use crate::engine::{Engine, Full, Nodes, Publisher, Sockets, Zmq};
use crate::harness::Part;
use crate::row::Row;
use crate::suite::Suite;
use kit::Result;
use kit::Role;
use kit::child::{Link, Spec};
use kit::payload::{Pace, stamp, stamp_last};
use kit::report::Report;
use kit::stats::Usage;

/// Who floods.
pub const ROLES: &[(&str, Role)] = &[
    ("zmq.flood", flood::<Zmq>),
    ("socket.flood", flood::<Sockets>),
    ("node.flood", flood::<Nodes>),
];

fn flood<E: Engine>(spec: &Spec, link: &Link) -> Result<Report> {
    let home = E::home()?;
    let mut publisher = E::publisher(&home, "bench", spec, Full::Drops)?;
    link.ready(&publisher.endpoint()?)?;
    publisher.wait_for_subscribers(spec.count()?)?;
    let size = spec.size()?;
    let mut payload = vec![0; size];
    let mut total = 0;
    let mut dropped = Some(0);
    let usage = Usage::start();
    let started = Instant::now();
    let pace = Pace::start(spec.duration()?, size);
    while pace.goes_on(total) {
        stamp(&mut payload, total);
        let full = publisher.send(&payload)?;
        dropped = dropped
            .zip(full)
            .map(|(dropped, full)| dropped + u64::from(full));
        total += 1;
    }
    let secs = started.elapsed().as_secs_f64();
    let report = usage.report().with("calls", total as f64 / secs);
    stamp_last(&mut payload, total);
    // The last message may be dropped like any other.
    loop {
        publisher.send(&payload)?;
        if link.stopped_within(Duration::from_millis(1)) {
            break;
        }
    }
    Ok(match dropped {
        Some(dropped) => report.with("dropped", dropped as f64),
        None => report,
    })
}

/// `flood`: delivered messages, and calls of `send`.
pub fn suite() -> Suite {
    let row = |name, about, metric| Row {
        metric,
        ..Row::rate(name, about).lossy()
    };
    let delivered = "a publisher that never waits, 64 B, queues of 1000: delivered messages";
    let calls = "the same: calls of send";
    Suite {
        contenders: vec![
            contender("ours", "", Part::new("node.flood"), Part::new("node.sub")),
            contender(
                "socket",
                "",
                Part::new("socket.flood"),
                Part::new("socket.sub").set("stamped", 1),
            ),
            contender(
                "theirs",
                "libzmq PUB hwm 1000",
                Part::new("zmq.flood"),
                Part::new("zmq.sub"),
            ),
        ],
        rows: vec![
            row("flood", delivered, "rate").must(2.0, 5.0),
            row("flood-calls", calls, "calls").must(1.0, 2.0),
            row("socket-flood", "flood with colugo-socket", "rate")
                .must(2.0, 5.0)
                .between("socket", "theirs"),
            row(
                "socket-flood-calls",
                "flood-calls with colugo-socket",
                "calls",
            )
            .must(1.0, 2.0)
            .between("socket", "theirs"),
        ],
    }
}
