//! F10: one of five subscribers stands still. The others hear as soon as before, the publisher's memory stays within the queue's bound, and what
//! was dropped for the slow one is what it misses.

use std::time::Duration;

use serde_json::json;

use crate::actor::{Actor, Sent};
use crate::progress::Progress;
use crate::report::{Report, Spread};
use crate::scenario::{Plan, and, colugo, each_once, number};

const RATE: u32 = 5000;
const SIZE: usize = 1000;
const FAST: usize = 4;
/// So many fill all that takes messages for the slow one.
const FILLS: u64 = 10_000;
/// Messages and octets.
const QUEUE: (usize, usize) = (1000, 16 << 20);

pub(super) fn run(plan: &Plan) -> Option<Report> {
    let mut progress = Progress::new("slow");
    let mut publisher = Actor::start(
        "publisher",
        and(colugo("pub"), "send_queue", json!([QUEUE.0, QUEUE.1])),
    );
    let endpoint = publisher.bind("tcp://127.0.0.1:0");
    let mut fast: Vec<Actor> = (0..FAST)
        .map(|_| Actor::start("fast", colugo("sub")))
        .collect();
    fast.iter_mut().for_each(|it| it.connect(&endpoint));
    publisher.wait(FAST);
    let count = u64::from(RATE) * u64::from(plan.secs);
    publisher.send(RATE, SIZE, u64::from(RATE));
    let (mut without, mut filling, mut with) =
        (Spread::default(), Spread::default(), Spread::default());
    let (mut dropped, mut received) = (0, 0);
    let mut growth = 0;
    for round in 0..plan.rounds {
        progress.at(round, plan.rounds);
        let sent = publisher.send(RATE, SIZE, count);
        let before = sent.dropped();
        without.add(p99(&mut fast, &sent));
        let mut slow = Actor::start("slow", and(colugo("sub"), "queued", true));
        slow.connect(&endpoint);
        publisher.wait(FAST + 1);
        let base = publisher.usage().memory_kib;
        let first = sent.numbers();
        // It takes nothing: its own queue, the buffers of both kernels and the publisher's queue get full, and then all is dropped.
        let sent = publisher.send(RATE, SIZE, FILLS);
        filling.add(p99(&mut fast, &sent));
        let sent = publisher.send(RATE, SIZE, count);
        growth = growth.max(publisher.usage().peak_kib.saturating_sub(base));
        with.add(p99(&mut fast, &sent));
        slow.ask(json!({"do": "go_on"}));
        // The end of the queue: after it one more gets through.
        let last = through(&mut publisher, &mut slow);
        let (got, _) = each_once(&slow.report());
        let stats = slow.stats();
        let lost = last.dropped() - before;
        assert_eq!(
            got + lost,
            last.numbers() - first,
            "sent to the slow one, and what became of it: {stats}"
        );
        assert_eq!(
            (number(&stats["lost"]), number(&stats["lost_unexplained"])),
            (lost, 0),
            "{stats}"
        );
        dropped += lost;
        received += got;
        slow.kill();
        publisher.ask(json!({"do": "wait_gone", "n": FAST}));
    }
    for it in &mut fast {
        let (_, missing) = each_once(&it.report());
        assert_eq!(missing, 0, "a fast one missed something");
    }
    assert!(
        dropped > 0,
        "the slow one's queue was never full: longer, please"
    );
    let mut report = Report::default();
    report.tell("rounds", plan.rounds.into(), "");
    report.tell("the others' p99 without it", without.ms(0.5), "ms");
    report.tell("while its queues get full", filling.ms(0.5), "ms");
    report.tell("with it", with.ms(0.5), "ms");
    report.at_most(1.2, "ratio", with.ms(0.5) / without.ms(0.5), "");
    let bound = (QUEUE.0 * SIZE).min(QUEUE.1) as f64 / 1024.0;
    report.at_most(bound + 1024.0, "publisher's growth", growth as f64, "KiB");
    report.tell(
        "dropped for the slow one and counted by both",
        dropped as f64,
        "",
    );
    report.tell("it received", received as f64, "");
    Some(report)
}

/// The worst of the fast ones'.
fn p99(fast: &mut [Actor], sent: &Sent) -> u64 {
    let p99 = fast.iter_mut().map(|it| {
        it.reached(sent);
        number(&it.report()["took"]["p99_ns"])
    });
    p99.max().unwrap_or_default()
}

/// Sends until one gets through to a subscriber whose queue was full. Gives the account then.
fn through(publisher: &mut Actor, slow: &mut Actor) -> Sent {
    loop {
        slow.watch(crate::parcel::now_ns());
        let sent = publisher.send(0, SIZE, 1);
        let within = u64::try_from(Duration::from_millis(200).as_millis()).unwrap_or_default();
        if slow
            .try_ask(json!({"do": "found", "within_ms": within}))
            .is_ok()
        {
            return sent;
        }
    }
}
