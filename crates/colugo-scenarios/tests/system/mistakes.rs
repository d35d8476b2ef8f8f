//! Mistakes that programs make: each error says what is wrong and what to do, and the node goes on.

use colugo_testkit::free_port;
use serde_json::json;

use crate::place::Place;

#[test]
fn mistakes_are_told_and_the_node_goes_on() {
    let place = Place::new();
    let mut node = place.peer("node");
    let mut fails = |command, words: &[&str]| {
        let error = node.try_ask(command).unwrap_err();
        assert!(
            words.iter().all(|word| error.contains(word)),
            "{error:?} says nothing of {words:?}"
        );
    };
    for topic in [
        "",
        "a b",
        "a..b",
        ".a",
        "ä",
        "x\u{0}",
        "a*",
        &"x".repeat(256),
    ] {
        for kind in ["publish", "subscribe", "serve", "client"] {
            fails(json!({"do": kind, "topic": topic}), &["topic"]);
        }
    }
    fails(
        json!({"do": "publish", "topic": "t", "bind": "tcp://127.0.0.1:x"}),
        &["tcp://127.0.0.1:x"],
    );
    fails(
        json!({"do": "publish", "topic": "t", "bind": "udp://127.0.0.1:1"}),
        &["udp://127.0.0.1:1", "tcp"],
    );

    node.make("publish", "t");
    node.make("serve", "q");
    let mut fails = |command, words: &[&str]| {
        let error = node.try_ask(command).unwrap_err();
        assert!(
            words.iter().all(|word| error.contains(word)),
            "{error:?} says nothing of {words:?}"
        );
    };
    fails(
        json!({"do": "publish", "topic": "t"}),
        &["node", "already", "publisher", "\"t\"", "clone"],
    );
    fails(
        json!({"do": "serve", "topic": "q"}),
        &["node", "already", "reply server", "\"q\""],
    );

    let mut other = place.peer("other");
    other.make("subscribe", "t");
    node.wait_for("t", 1);
    node.send("t", 10);
    other.heard("t", 10);
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let place = Place::new();
    let port = free_port();
    let at = format!("127.0.0.1:{port}");
    let mut first = place
        .start("first")
        .args(["--network", "host", "--listen", &*at])
        .go();

    let mut second = place
        .start("second")
        .args(["--network", "host", "--listen", &*at])
        .launch();
    let error = second.started().unwrap_err();
    assert!(error.contains(&at) && error.contains("in use"), "{error}");
    assert_eq!(second.end().code(), Some(1));

    let bind = format!("tcp://{at}");
    let error = first
        .try_ask(json!({"do": "publish", "topic": "t", "bind": bind}))
        .unwrap_err();
    assert!(
        error.contains(&at) && error.contains("in use") && error.contains("\"t\""),
        "{error}"
    );
    first.make("publish", "t");
}
