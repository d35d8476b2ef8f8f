//! A callback that blocks for three seconds holds up the callbacks of its own node and nothing else.

use serde_json::json;

use crate::place::Place;

/// Longer than others wait for a sign of life.
const BLOCKED_MS: u64 = 4000;

#[test]
fn a_callback_that_blocks_delays_no_heartbeat_no_discovery_and_no_other_node() {
    let place = Place::new();
    let mut blocked = place.peer("blocked");
    let mut watcher = place.peer("watcher");
    blocked.make("publish", "t");
    blocked.make("serve", "slow");
    watcher.make("subscribe", "t");
    watcher.make("client", "slow");
    watcher.sees("joined", "blocked");
    blocked.sees("joined", "watcher");
    blocked.wait_for("t", 1);
    watcher.wait_for("slow", 1);

    let begun = std::time::Instant::now();
    blocked.ask(json!({"do": "block", "ms": BLOCKED_MS}));
    watcher.ask(json!({"do": "start", "topic": "slow", "count": 1}));
    // It still sends, finds those who come, and is found.
    blocked.send("t", 100);
    watcher.heard("t", 100);
    let mut newcomer = place.peer("newcomer");
    newcomer.sees("joined", "blocked");
    blocked.sees("joined", "newcomer");
    newcomer.make("subscribe", "t");
    newcomer.make("serve", "fast");
    blocked.wait_for("t", 2);
    blocked.send("t", 100);
    newcomer.heard("t", 100);
    // Others are not held up.
    watcher.make("client", "fast");
    watcher.wait_for("fast", 1);
    let ended = watcher.ask(json!({"do": "call", "topic": "fast", "count": 100}));
    assert_eq!(ended["replies"], json!({"newcomer": 100}));
    let meanwhile = begun.elapsed().as_millis();
    assert!(
        meanwhile < u128::from(BLOCKED_MS),
        "all that took {meanwhile} ms: was somebody held up?"
    );

    // What waited for the callback is done after it, and nobody took the node for dead.
    let ended = watcher.ended("slow", 1);
    assert!(begun.elapsed().as_millis() >= u128::from(BLOCKED_MS));
    assert_eq!(ended["replies"], json!({"blocked": 1}));
    for peer in [&mut watcher, &mut newcomer] {
        let events = peer.events_so_far();
        assert!(
            !events.iter().any(|event| event["event"] == "left"),
            "{events:?}"
        );
    }
}
