//! Messages at a steady rate: how long each is on its way, from the publisher's `send` to the subscriber's `recv` in another process.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::catalogue::contender;
use crate::engine::{Engine, Full, Nodes, Publisher, Sockets, Subscriber, Zmq};
use crate::harness::{Harness, Part};
use crate::row::{Better, Row};
use crate::suite::{Contender, Suite, Trial};
use kit::Result;
use kit::Role;
use kit::child::{Link, Spec};
use kit::clock::{Metronome, nanos};
use kit::payload::{Checker, SMALLEST, is_last, stamp, stamp_last, stamp_time, time};
use kit::report::Report;
use kit::stats::{Latencies, Usage};

/// Who keeps a pace, and who takes the time.
pub const ROLES: &[(&str, Role)] = &[
    ("zmq.paced", publish::<Zmq>),
    ("zmq.timed", subscribe::<Zmq>),
    ("socket.paced", publish::<Sockets>),
    ("socket.timed", subscribe::<Sockets>),
    ("node.paced", publish::<Nodes>),
    ("node.timed", subscribe::<Nodes>),
];

fn publish<E: Engine>(spec: &Spec, link: &Link) -> Result<Report> {
    let home = E::home()?;
    let mut publisher = E::publisher(&home, "bench", spec, Full::Waits)?;
    link.ready(&publisher.endpoint()?)?;
    publisher.wait_for_subscribers(spec.count()?)?;
    let rate = spec.number("rate", 1000.0)?;
    let usage = Usage::start();
    let mut payload = vec![0; spec.size()?.max(SMALLEST)];
    let mut total = 0;
    let mut metronome = Metronome::start(rate, spec.duration()?);
    while let Some((number, time)) = metronome.beat() {
        stamp(&mut payload, number);
        stamp_time(&mut payload, time);
        publisher.send(&payload)?;
        total = number + 1;
    }
    stamp_last(&mut payload, total);
    publisher.send(&payload)?;
    link.wait_for_stop();
    Ok(usage.report())
}

/// `count` subscribers with a thread each.
fn subscribe<E: Engine>(spec: &Spec, link: &Link) -> Result<Report> {
    let home = E::home()?;
    let address = spec.text("addr")?;
    let subscribers = (0..spec.count()?)
        .map(|_| E::subscriber(&home, "bench", spec, &[address]))
        .collect::<Result<Vec<_>>>()?;
    let usage = Usage::start();
    let threads: Vec<_> = subscribers
        .into_iter()
        .map(|mut subscriber| {
            let spec = spec.clone();
            std::thread::spawn(move || receive(&mut subscriber, &spec))
        })
        .collect();
    link.ready("")?;
    let (mut checkers, mut latencies) = (Vec::new(), Latencies::new());
    for thread in threads {
        let (checker, taken) = thread.join().map_err(|_| "a receiving thread panicked")??;
        checkers.push(checker);
        latencies.append(taken);
    }
    let report = usage.report().merge(Checker::report(&checkers));
    Ok(report.merge(latencies.report()))
}

/// Takes the time of each message, but for the first tenth of the run.
pub fn receive(subscriber: &mut impl Subscriber, spec: &Spec) -> Result<(Checker, Latencies)> {
    let mut checker = Checker::new();
    let mut latencies = Latencies::new();
    let cold = (spec.duration()? / 10).as_nanos() as u64;
    let mut warm = None;
    loop {
        let over = subscriber.receive(|payload| {
            let now = nanos();
            if !is_last(payload) {
                let sent = time(payload);
                if sent >= *warm.get_or_insert(sent + cold) {
                    latencies.add_nanos(now.saturating_sub(sent));
                }
            }
            checker.see(payload)
        })?;
        if over {
            return Ok((checker, latencies));
        }
    }
}

fn row(name: &'static str, about: &'static str, metric: &'static str) -> Row {
    Row::new(name, about, "µs", metric, Better::Less).must(0.8, 0.5)
}

/// `paced`: at 1 kHz.
pub fn at_1_khz() -> Suite {
    let pair = |group, label: &str, publisher, subscriber, kind: &str| {
        let part = |role| Part::new(role).set("rate", 1000).set("kind", kind);
        contender(group, label, part(publisher), part(subscriber))
    };
    Suite {
        contenders: vec![
            pair("ours", "", "node.paced", "node.timed", "pub"),
            pair("socket", "", "socket.paced", "socket.timed", "pub"),
            pair("theirs", "libzmq PUB", "zmq.paced", "zmq.timed", "pub"),
            pair("theirs", "libzmq PUSH", "zmq.paced", "zmq.timed", "push"),
        ],
        rows: vec![
            row("paced", "one way at 1 kHz, 64 B: p50", "p50_us"),
            row("paced-p99", "the same: p99", "p99_us"),
            row("socket-paced", "paced with colugo-socket", "p50_us").between("socket", "theirs"),
            row("socket-paced-p99", "the same: p99", "p99_us").between("socket", "theirs"),
        ],
    }
}

/// `paced-half`: at half of what libzmq's best way manages, for both alike.
pub fn at_half_load() -> Suite {
    let half = Rc::new(OnceCell::new());
    let pair = |group, label: &str, publisher, subscriber, kind: &'static str, hwm: usize| {
        let half = half.clone();
        Contender {
            group,
            label: label.to_owned(),
            trial: Trial::Course(Box::new(move |harness| {
                let rate = half_load(&half, harness)?;
                let part = |role| {
                    Part::new(role)
                        .set("rate", rate)
                        .set("kind", kind)
                        .set("hwm", hwm)
                };
                harness.pair(&part(publisher), &part(subscriber))
            })),
        }
    };
    let theirs = |label, kind, hwm| pair("theirs", label, "zmq.paced", "zmq.timed", kind, hwm);
    Suite {
        contenders: vec![
            pair("ours", "", "node.paced", "node.timed", "pub", 1000),
            pair("socket", "", "socket.paced", "socket.timed", "pub", 1000),
            theirs("libzmq PUB hwm 1000", "pub", 1000),
            theirs("libzmq PUB hwm 100000", "pub", 100_000),
            theirs("libzmq PUSH hwm 1000", "push", 1000),
            theirs("libzmq PUSH hwm 100000", "push", 100_000),
        ],
        rows: vec![
            row(
                "paced-half",
                "one way at half of libzmq's full load, 64 B: p50",
                "p50_us",
            ),
            row("paced-half-p99", "the same: p99", "p99_us"),
            row(
                "socket-paced-half",
                "paced-half with colugo-socket",
                "p50_us",
            )
            .between("socket", "theirs"),
            row("socket-paced-half-p99", "the same: p99", "p99_us").between("socket", "theirs"),
        ],
    }
}

/// Half of libzmq's full load, messages a second: the best of its ways without a loss, measured once.
fn half_load(known: &OnceCell<f64>, harness: &Harness) -> Result<f64> {
    if let Some(rate) = known.get() {
        return Ok(*rate);
    }
    let mut best: f64 = 0.0;
    for hwm in [1000, 100_000] {
        for (sender, receiver) in [("zmq.push", "zmq.pull"), ("zmq.pub", "zmq.sub")] {
            let part = |role| Part::new(role).set("hwm", hwm);
            let report = harness.pair(&part(sender), &part(receiver))?;
            best = best.max(report.figure("rate").unwrap_or(0.0));
        }
    }
    let half = (best / 2.0).round();
    eprintln!("  half of libzmq's full load: {half} messages a second");
    Ok(*known.get_or_init(|| half))
}
