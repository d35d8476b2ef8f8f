//! F7: one packet of ten is lost, each way. Every message arrives, once and in order; how long it takes stands beside libzmq's time, measured on
//! the same network at the same time.

use colugo_testkit::{Host, Lan, Program, Python};
use serde_json::{Value, json};

use crate::actor::{Actor, At, PATIENCE};
use crate::network::lose;
use crate::progress::Progress;
use crate::report::Report;
use crate::scenario::{Plan, and, colugo, each_once, number};

const RATE: u32 = 200;
const SIZE: usize = 1000;
const OF_A_HUNDRED: u32 = 10;
/// Streams of each kind at the same time: the longest times are rare, and many are needed.
const STREAMS: usize = 4;
/// When peers are asked whether they live, and when they are given up, in milliseconds. Not the default of 6 s: here TCP itself, which doubles
/// its pauses, is silent for longer about once in an hour of a stream, and what a connection holds is lost with it.
const HEARTBEAT_MS: [u64; 2] = [2_000, 60_000];

pub(super) fn run(plan: &Plan) -> Option<Report> {
    let lan = Lan::new(2)?;
    let python = Python::find();
    let mut progress = Progress::new("loss");
    let hosts = [lan.host(0), lan.host(1)];
    let count = u64::from(RATE) * u64::from(plan.secs);
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    let mut missed = 0;
    for round in 0..plan.rounds {
        progress.at(round, plan.rounds);
        let mut pairs: Vec<_> = (0..STREAMS).map(|_| pair(hosts)).collect();
        let python = python.iter().cycle().take(STREAMS);
        let mut others: Vec<_> = python
            .filter_map(|python| libzmq(python, hosts, count))
            .collect();
        let fault = lose(&hosts, OF_A_HUNDRED);
        for (publisher, _) in &mut pairs {
            publisher.ask(json!({"do": "flow", "rate": RATE, "size": SIZE, "count": count}));
        }
        for [publisher, _] in &mut others {
            publisher.say("go");
        }
        for (publisher, subscriber) in &mut pairs {
            let sent = crate::actor::Sent::of(publisher.ask(json!({"do": "halt", "wait": true})));
            subscriber.reached(&sent);
            let report = subscriber.report();
            let (received, missing) = each_once(&report);
            assert_eq!(
                (sent.numbers(), missing),
                (received + missing, sent.dropped()),
                "{report}"
            );
            missed += missing;
            ours.add(&report["took"]);
        }
        for [_, subscriber] in &mut others {
            theirs.add(&said(subscriber));
        }
        drop(fault);
    }
    let mut report = Report::default();
    report.tell("messages", (ours.streams as u64 * count) as f64, "");
    report.at_most(0.0, "missing", missed as f64, "");
    report.tell("p50", ours.mean(ours.p50), "ms");
    report.tell("p99", ours.mean(ours.p99), "ms");
    if theirs.streams > 0 {
        report.tell("libzmq's p50", theirs.mean(theirs.p50), "ms");
        report.tell("its p99", theirs.mean(theirs.p99), "ms");
        report.at_most(
            1.1,
            "p99 ratio",
            ours.mean(ours.p99) / theirs.mean(theirs.p99),
            "",
        );
    } else {
        report.remark("libzmq was not there to be measured beside it");
    }
    Some(report)
}

/// Sums over streams, in milliseconds.
#[derive(Default)]
struct Times {
    streams: usize,
    p50: f64,
    p99: f64,
}

impl Times {
    fn add(&mut self, took: &Value) {
        self.streams += 1;
        self.p50 += number(&took["p50_ns"]) as f64 / 1e6;
        self.p99 += number(&took["p99_ns"]) as f64 / 1e6;
    }

    fn mean(&self, sum: f64) -> f64 {
        sum / self.streams.max(1) as f64
    }
}

fn pair([from, to]: [&Host; 2]) -> (Actor, Actor) {
    let patient = |kind| and(colugo(kind), "heartbeat_ms", json!(HEARTBEAT_MS));
    let mut publisher = Actor::start_at("publisher", At::host(from), patient("pub"));
    let mut subscriber = Actor::start_at("subscriber", At::host(to), patient("sub"));
    let endpoint = publisher.bind(&format!("tcp://{}:0", from.ip()));
    subscriber.connect(&endpoint);
    publisher.wait(1);
    (publisher, subscriber)
}

/// Two Python processes with libzmq that do the same once the first is told to go.
fn libzmq(python: &Python, [from, to]: [&Host; 2], count: u64) -> Option<[Program; 2]> {
    let start = |host: &Host, words: &[String]| {
        let script = python.own_script("stream.py");
        let mut command = host.command(script.get_program());
        command.args(script.get_args()).args(words);
        Program::start(&mut command)
    };
    let numbers = [count.to_string(), RATE.to_string(), SIZE.to_string()];
    let words = [
        &["send".to_owned(), format!("tcp://{}:*", from.ip())][..],
        &numbers,
    ]
    .concat();
    let mut publisher = start(from, &words);
    let endpoint = publisher.line(PATIENCE)?;
    let subscriber = start(
        to,
        &[&["receive".to_owned(), endpoint][..], &numbers].concat(),
    );
    // Its subscriber is there.
    publisher.line(PATIENCE)?;
    Some([publisher, subscriber])
}

fn said(program: &mut Program) -> Value {
    let line = program.line(PATIENCE * 2).unwrap_or_default();
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("the libzmq peer said {line:?}"))
}
