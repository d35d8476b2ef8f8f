//! The library prints nothing unless it is asked to. (Every other scenario fails too if a peer prints what it was not asked for.)

use serde_json::json;

use crate::place::Place;

#[test]
fn a_node_prints_nothing_whatever_happens_and_much_when_it_is_asked_to() {
    let place = Place::new();
    let mut loud = place.start("loud").args(["--network", "host"]).loud().go();
    let mut node = place.peer("node");
    node.make("publish", "t");
    node.make("serve", "q");
    loud.make("subscribe", "t");
    loud.make("client", "q");
    node.wait_for("t", 1);
    loud.wait_for("q", 1);
    node.send("t", 10);
    // A mistake, a full queue at nobody's, a request that is never answered.
    node.try_ask(json!({"do": "publish", "topic": "t"}))
        .unwrap_err();
    node.ask(json!({"do": "drop", "topic": "q"}));
    node.make("publish", "nobody");
    node.send("nobody", 5000);
    loud.signal("STOP");
    node.sees("left", "loud");
    loud.signal("CONT");
    node.sees("joined", "loud");
    node.ask(json!({"do": "close"}));
    assert!(node.last_words().is_empty());
    assert!(!loud.last_words().is_empty());
}
