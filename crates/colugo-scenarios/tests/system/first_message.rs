//! The first message is not lost: once a publisher has waited for its subscriber, all that it sends arrives. In fresh processes each time; how
//! many pairs of them `COLUGO_SOAK_PAIRS` tells, which `cargo xtask soak first-message` sets.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::figure::{figure, ms};
use crate::peer::Peer;
use crate::place::Place;

const MESSAGES: u64 = 1000;

#[test]
fn a_thousand_messages_of_a_thousand_arrive_in_every_fresh_pair_of_processes() {
    let pairs = std::env::var("COLUGO_SOAK_PAIRS").ok();
    let pairs: u32 = pairs.and_then(|pairs| pairs.parse().ok()).unwrap_or(20);
    let mut times: Vec<Duration> = (0..pairs).map(pair).collect();
    times.sort_unstable();
    let [median, worst] = [times.len() / 2, times.len() - 1].map(|at| ms(times[at]));
    figure(
        "first message",
        format_args!(
            "{pairs} fresh pairs, {MESSAGES} sent and received in each, 0 lost; from exec to the subscriber being there {median:.0} ms \
             (median), {worst:.0} ms (worst)"
        ),
    );
}

/// Either may be the first to be there.
fn pair(number: u32) -> Duration {
    let place = Place::new();
    let launch = |name| place.start(name).args(["--network", "host"]).launch();
    let begun = Instant::now();
    let (mut publisher, mut subscriber) = if number.is_multiple_of(2) {
        let subscriber = launch("subscriber");
        (launch("publisher").ready(), subscriber.ready())
    } else {
        let publisher = launch("publisher");
        (publisher.ready(), launch("subscriber").ready())
    };
    publisher.make("publish", "t");
    publisher.tell(json!({"do": "wait", "topic": "t", "n": 1}));
    subscriber.make("subscribe", "t");
    publisher.done();
    let found = begun.elapsed();
    publisher.send("t", MESSAGES);
    all_heard(&mut subscriber);
    found
}

fn all_heard(subscriber: &mut Peer) {
    let heard = subscriber.heard("t", MESSAGES);
    assert_eq!(
        heard,
        json!({"total": MESSAGES, "by": {"publisher": MESSAGES}, "jumps": 0})
    );
}
