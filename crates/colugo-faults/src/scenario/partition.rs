//! F6: the network between two hosts is cut for a while. The flow comes back, and what did not arrive was counted, all of it.

use std::time::Duration;

use colugo_testkit::Lan;
use serde_json::{Value, json};

use crate::actor::{Actor, At};
use crate::network::cut;
use crate::parcel::now_ns;
use crate::progress::Progress;
use crate::report::{Report, Spread};
use crate::scenario::{Plan, and, colugo, each_once, number};

const RATE: u32 = 200;
const SIZE: usize = 1000;
/// Seconds.
const CUTS: [u32; 8] = [1, 2, 4, 5, 10, 20, 30, 60];
/// Patience of less than the default, in milliseconds.
const BRISK: (u64, u64) = (1000, 3000);

/// With default settings.
pub(super) fn run(plan: &Plan) -> Option<Report> {
    held(plan, Value::Null)
}

/// With less patience: between three and six seconds TCP's own pauses have become longer than a new connection takes, but what was on its way is
/// lost with the old one.
pub(super) fn brisk(plan: &Plan) -> Option<Report> {
    held(plan, json!(BRISK))
}

fn held(plan: &Plan, heartbeat: Value) -> Option<Report> {
    let setup = |kind| and(colugo(kind), "heartbeat_ms", heartbeat.clone());
    let lan = Lan::new(2)?;
    let mut progress = Progress::new("partition");
    let hosts = [lan.host(0), lan.host(1)];
    let mut publisher = Actor::start_at("publisher", At::host(hosts[0]), setup("pub"));
    let mut subscriber = Actor::start_at("subscriber", At::host(hosts[1]), setup("sub"));
    let endpoint = publisher.bind(&format!("tcp://{}:0", hosts[0].ip()));
    subscriber.connect(&endpoint);
    publisher.wait(1);
    publisher.flow(RATE, SIZE);
    let mut report = Report::default();
    let (mut back, mut silent) = (Spread::default(), Spread::default());
    let cuts = CUTS.into_iter().filter(|secs| *secs <= plan.secs);
    for secs in cuts.take(plan.rounds as usize) {
        progress.at(format!("a cut of {secs} s"), format!("{} s", plan.secs));
        subscriber.watch(now_ns());
        subscriber.found();
        let cut_at = now_ns();
        let fault = cut(&hosts);
        std::thread::sleep(Duration::from_secs(secs.into()));
        drop(fault);
        let healed = now_ns();
        subscriber.watch(healed);
        let took = subscriber.found().saturating_sub(healed);
        report.tell(format!("after {secs} s"), took as f64 / 1e6, "ms");
        // It may have been given up meanwhile, and dialled again since.
        if let Ok((at, _)) = subscriber.sees_within("disconnected", Duration::ZERO) {
            silent.add(at.saturating_sub(cut_at));
        }
        back.add(took);
    }
    let sent = publisher.halt();
    subscriber.reached(&sent);
    report.times(2000.0, "flow back", &back);
    if silent.len() > 0 {
        report.times(6200.0, "given up after", &silent);
    }
    let (received, missing) = each_once(&subscriber.report());
    let (ours, theirs) = (subscriber.stats(), publisher.stats());
    assert_eq!(
        sent.numbers(),
        received + missing,
        "the first or the last is missing"
    );
    let links = number(&ours["events"]["connected"]);
    // The receiver counts what the sender's numbers tell it; the sender what it did not queue.
    let counted = number(&ours["lost"]) + number(&ours["lost_disconnected"]);
    assert_eq!(
        (missing, 0),
        (counted, number(&ours["lost_unexplained"])),
        "{ours} {theirs}"
    );
    if links == 1 {
        assert_eq!(missing, sent.dropped(), "{theirs}");
    }
    report.tell("sent", sent.numbers() as f64, "");
    report.tell("received", received as f64, "");
    report.tell("counted as lost", counted as f64, "");
    report.tell("connections", links as f64, "");
    Some(report)
}
