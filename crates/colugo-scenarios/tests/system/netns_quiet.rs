//! Quiet: nodes of several hosts that joined in both orders, and then for a long time nothing. Nobody may be taken for gone.
//! `cargo xtask soak quiet` lasts longer than any record is kept.

use std::thread::sleep;
use std::time::Duration;

use colugo_testkit::Lan;

use crate::figure::figure;
use crate::place::Place;

/// How long it is quiet, in seconds.
const VARIABLE: &str = "COLUGO_SOAK_QUIET_S";
const SECONDS: u64 = 5;

#[test]
fn nobody_is_taken_for_gone_while_it_is_quiet() {
    let Some(lan) = Lan::new(2) else { return };
    let seconds = std::env::var(VARIABLE).ok().and_then(|s| s.parse().ok());
    let seconds = seconds.unwrap_or(SECONDS);
    let place = Place::new();
    let start = |host: usize, name| {
        place
            .start(name)
            .on(lan.host(host))
            .by_multicast_only()
            .go()
    };
    // Each host has one that was there before those of the other, and one that came after.
    let mut nodes = Vec::new();
    for (name, host) in [("a1", 0), ("b1", 1), ("b2", 1), ("a2", 0)] {
        let mut node = start(host, name);
        node.make("publish", "t");
        node.make("subscribe", "t");
        nodes.push(node);
    }
    for node in &mut nodes {
        node.wait_for("t", 4);
    }
    sleep(Duration::from_secs(seconds));
    for node in &mut nodes {
        let events = node.events_so_far();
        let left = |event: &serde_json::Value| event["event"] == "left";
        assert!(!events.iter().any(left), "{events:?}");
        assert!(events.iter().any(|event| event["event"] == "joined"));
    }
    for node in &mut nodes {
        node.send("t", 10);
    }
    for node in &mut nodes {
        assert_eq!(node.heard("t", 40)["total"], 40);
    }
    figure(
        "nobody was taken for gone while it was quiet, for",
        format_args!("{seconds} s"),
    );
}
