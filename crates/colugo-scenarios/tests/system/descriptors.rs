//! No file descriptors left: errors that say so, no panic, and all is well once there are some again.

use serde_json::json;

use crate::place::Place;

fn says_so(error: &str) -> bool {
    let error = error.to_lowercase();
    error.contains("descriptors") || error.contains("open files") || error.contains("os error 24")
}

#[test]
fn a_node_that_gets_no_descriptors_says_so() {
    let place = Place::new();
    let mut said = 0;
    for limit in 4..32 {
        let start = place
            .start("node")
            .args(["--network", "host"])
            .open_files(limit);
        let mut peer = start.launch();
        match peer.started() {
            // With some of what it wants it may do without the rest.
            Ok(_) => drop(peer.leave()),
            Err(error) => {
                assert!(says_so(&error), "with {limit} descriptors: {error}");
                assert_eq!(peer.end().code(), Some(1));
                said += 1;
            }
        }
    }
    assert!(said > 0, "a node that needs no descriptors?");
}

#[test]
fn a_node_that_runs_out_of_descriptors_goes_on_and_is_well_when_there_are_some_again() {
    let place = Place::new();
    let mut node = place
        .start("node")
        .args(["--network", "host"])
        .open_files(64)
        .go();
    let mut other = place.peer("other");
    node.make("publish", "t");
    node.make("serve", "q");
    other.make("subscribe", "t");
    other.make("client", "q");
    node.wait_for("t", 1);
    other.wait_for("q", 1);

    node.ask(json!({"do": "exhaust"}));
    let error = node
        .try_ask(json!({"do": "publish", "topic": "u"}))
        .unwrap_err();
    assert!(says_so(&error), "{error}");
    let error = node
        .try_ask(json!({"do": "serve", "topic": "r"}))
        .unwrap_err();
    assert!(says_so(&error), "{error}");
    // Who is connected is served; who comes now has to wait.
    let ended = other.ask(json!({"do": "call", "topic": "q", "count": 100}));
    assert_eq!(ended["replies"], json!({"node": 100}), "{ended}");
    let mut late = place.peer("late");
    late.make("subscribe", "t");
    late.make("client", "q");
    node.send("t", 100);
    other.heard("t", 100);

    node.ask(json!({"do": "release"}));
    node.wait_for("t", 2);
    late.wait_for("q", 1);
    let ended = late.ask(json!({"do": "call", "topic": "q", "count": 10}));
    assert_eq!(ended["replies"], json!({"node": 10}), "{ended}");
    node.make("publish", "u");
}
