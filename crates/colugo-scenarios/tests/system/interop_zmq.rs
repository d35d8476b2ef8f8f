//! Plain libzmq programs at the topics of nodes: at the endpoints that another node has discovered, and the other way round.

use colugo_testkit::{ZmqPeer, octets};
use serde_json::{Value, json};

use crate::peer::Peer;
use crate::place::Place;

/// Where a topic or service can be reached, as a node that uses it knows.
fn endpoint(peer: &mut Peer, kind: &str, topic: &str) -> String {
    colugo_testkit::wait_until("the endpoint in the graph", || {
        let graph = peer.ask(json!({"do": "graph"}));
        graph[kind][topic][0].as_str().map(str::to_owned)
    })
}

#[test]
fn libzmq_subscribes_to_and_calls_what_was_discovered() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let place = Place::new();
    let mut node = place.peer("node");
    let mut observer = place.peer("observer");
    node.make("publish", "t");
    node.make("serve", "q");

    let sub = libzmq.socket("SUB", &[("SUBSCRIBE", octets(""))]);
    sub.connect(endpoint(&mut observer, "topics", "t"));
    node.wait_for("t", 1);
    node.send("t", 2);
    assert_eq!([sub.recv(), sub.recv()], [[b"node 0"], [b"node 1"]]);

    let req = libzmq.socket("REQ", &[]);
    req.connect(endpoint(&mut observer, "services", "q"));
    for question in ["1", "2"] {
        req.send(&[question]);
        assert_eq!(req.recv(), [format!("node {question}").as_bytes()]);
    }
}

#[test]
fn nodes_subscribe_to_and_call_libzmq() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let place = Place::new();
    let mut node = place.peer("node");

    let publisher = libzmq.socket("XPUB", &[]);
    let to = publisher.bind("tcp://127.0.0.1:0");
    node.ask(json!({"do": "subscribe", "topic": "t", "connect": [to]}));
    assert_eq!(publisher.recv(), [b"\x01"]);
    publisher.send(&["zmq 0"]);
    publisher.send(&["zmq 1"]);
    let heard = node.heard("t", 2);
    assert_eq!(heard, json!({"total": 2, "by": {"zmq": 2}, "jumps": 0}));

    let server = libzmq.socket("REP", &[]);
    let to = server.bind("tcp://127.0.0.1:0");
    node.ask(json!({"do": "client", "topic": "q", "connect": [to]}));
    node.ask(json!({"do": "start", "topic": "q", "count": 2}));
    for _ in 0..2 {
        let question = server.recv();
        server.send(&[[b"zmq ", &*question[0]].concat()]);
    }
    let ended: Value = node.ended("q", 2);
    assert_eq!(
        (&ended["replies"], &ended["errors"]),
        (&json!({"zmq": 2}), &json!({}))
    );
}
