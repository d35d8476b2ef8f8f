//! `examples/plain-zeromq/node.py`: a node that was written from docs/wire.md, on libzmq, python-zeroconf and msgpack, in a graph with ours.

use std::path::Path;

use colugo_testkit::{PATIENCE, Program, Python};
use serde_json::json;

use crate::place::Place;

fn start(python: &Python, place: &Place, args: &[&str]) -> Program {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plain-zeromq/node.py");
    let mut command = python.script(script);
    command.env("COLUGO_NAMESPACE", place.namespace());
    Program::start(command.args(args))
}

#[test]
fn it_subscribes_to_and_calls_our_nodes() {
    let Some(python) = Python::find() else { return };
    let place = Place::new();
    let mut node = place.start("ours").go();
    node.make("publish", "t");
    node.make("serve", "q");
    let mut subscriber = start(&python, &place, &["subscribe", "t"]);
    node.sees("joined", "python-subscribe");
    node.wait_for("t", 1);
    node.send("t", 3);
    for number in 0..3 {
        assert_eq!(subscriber.line(PATIENCE), Some(format!("ours {number}")));
    }
    // A node that knows only where the other is.
    let peer = format!("tcp://127.0.0.1:{}", node.control_port());
    let mut caller = start(&python, &place, &["call", "q", "why", "--peer", &peer]);
    assert_eq!(caller.line(PATIENCE).as_deref(), Some("ours why"));
    assert!(caller.wait().success());
    node.sees("left", "python-call");
    subscriber.signal("INT");
    assert!(subscriber.wait().success());
    node.sees("left", "python-subscribe");
}

#[test]
fn it_publishes_to_and_serves_our_nodes() {
    let Some(python) = Python::find() else { return };
    let place = Place::new();
    // One that was there, and one that comes later.
    let mut early = place.start("early").go();
    early.make("subscribe", "t");
    let _publisher = start(&python, &place, &["publish", "t"]);
    let _server = start(&python, &place, &["serve", "q", "because"]);
    early.heard("t", 3);
    let mut late = place.start("late").go();
    late.make("subscribe", "t");
    late.make("client", "q");
    late.heard("t", 3);
    late.wait_for("q", 1);
    let ended = late.ask(json!({"do": "call", "topic": "q", "count": 5}));
    assert_eq!(ended["ended"], 5, "{ended}");
    let graph = late.ask(json!({"do": "graph"}));
    assert!(
        graph["nodes"].to_string().contains("python-publish"),
        "{graph}"
    );
}

#[test]
fn the_golden_vectors_are_what_they_say() {
    let Some(python) = Python::find() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/check.py");
    let output = python.script(script).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
