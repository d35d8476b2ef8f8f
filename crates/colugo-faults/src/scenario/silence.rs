//! F5, for a peer that ends without a word: stopped, as a machine that hangs is. A stopped publisher is given up after SECS of silence, and its
//! successor heard; a stopped subscriber is said to be stalled, keeps its queue, and goes on where it stopped.

use serde_json::{Value, json};

use crate::actor::Actor;
use crate::parcel::now_ns;
use crate::progress::Progress;
use crate::report::{Report, Spread};
use crate::scenario::{Plan, and, colugo, each_once, number};

const RATE: u32 = 200;
const SIZE: usize = 1000;

pub(super) fn run(plan: &Plan) -> Option<Report> {
    let mut progress = Progress::new("silence");
    let (mut given_up, mut back, mut stalled) =
        (Spread::default(), Spread::default(), Spread::default());
    for round in 0..plan.rounds {
        progress.at(round, plan.rounds);
        stopped_publisher(plan, &mut given_up, &mut back);
        stopped_subscriber(plan, &mut stalled);
    }
    let mut report = Report::default();
    report.tell("rounds", plan.rounds.into(), "");
    // Silence begins with the last message, and its end is heard of a moment after the timer's.
    let goal = f64::from(plan.secs) * 1000.0 + 50.0;
    report.times(goal, "a silent publisher is given up", &given_up);
    report.times(500.0, "its successor heard", &back);
    report.times(goal, "a silent subscriber is said to be stalled", &stalled);
    Some(report)
}

fn patient(kind: &str, plan: &Plan) -> Value {
    let timeout = u64::from(plan.secs) * 1000;
    and(colugo(kind), "heartbeat_ms", json!([timeout / 3, timeout]))
}

fn stopped_publisher(plan: &Plan, given_up: &mut Spread, back: &mut Spread) {
    let endpoint = format!("tcp://127.0.0.1:{}", colugo_testkit::free_port());
    let mut subscriber = Actor::start("subscriber", patient("sub", plan));
    let mut publisher = Actor::start("publisher", patient("pub", plan));
    publisher.bind(&endpoint);
    publisher.flow(RATE, SIZE);
    subscriber.connect(&endpoint);
    subscriber.watch(0);
    subscriber.found();
    let stopped = now_ns();
    publisher.signal("STOP");
    let (at, why) = subscriber.sees("disconnected");
    assert!(why.contains("said nothing"), "{why}");
    given_up.add(at.saturating_sub(stopped));
    publisher.kill();
    subscriber.watch(stopped);
    let mut successor = Actor::start("successor", patient("pub", plan));
    successor.bind(&endpoint);
    let (listens, _) = successor.sees("listening");
    successor.flow(RATE, SIZE);
    back.add(subscriber.found().saturating_sub(listens));
    each_once(&subscriber.report());
}

fn stopped_subscriber(plan: &Plan, stalled: &mut Spread) {
    let mut publisher = Actor::start("publisher", patient("pub", plan));
    let mut subscriber = Actor::start("subscriber", patient("sub", plan));
    let endpoint = publisher.bind("tcp://127.0.0.1:0");
    subscriber.connect(&endpoint);
    publisher.wait(1);
    publisher.flow(RATE, SIZE);
    subscriber.watch(0);
    subscriber.found();
    let stopped = now_ns();
    subscriber.signal("STOP");
    stalled.add(publisher.sees("stalled").0.saturating_sub(stopped));
    subscriber.signal("CONT");
    publisher.sees("resumed");
    let sent = publisher.halt();
    subscriber.reached(&sent);
    let (received, missing) = each_once(&subscriber.report());
    let stats = subscriber.stats();
    assert_eq!(number(&stats["events"]["connected"]), 1, "{stats}");
    assert_eq!(
        (received + missing, missing),
        (sent.numbers(), sent.dropped()),
        "{stats}"
    );
}
