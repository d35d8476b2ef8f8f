//! Nodes that are told of each other instead of finding each other: `.peer(…)` and `.listen(…)`, with discovery off.

use colugo_testkit::free_port;

use crate::place::Place;

#[test]
fn a_node_reaches_the_peer_it_is_told() {
    let place = Place::new();
    let fixed = |name, args: &[&str]| {
        place
            .start(name)
            .args(["--network", "peers"])
            .args(args.iter().copied())
    };
    let mut publisher = fixed("publisher", &["--listen", "127.0.0.1:0"]).go();
    let mut stranger = fixed("stranger", &["--listen", "127.0.0.1:0"]).go();
    let peer = format!("tcp://127.0.0.1:{}", publisher.control_port());
    let mut subscriber = fixed("subscriber", &["--peer", &peer]).go();
    publisher.make("publish", "t");
    subscriber.make("subscribe", "t");
    publisher.wait_for("t", 1);
    publisher.send("t", 100);
    subscriber.heard("t", 100);
    publisher.sees("joined", "subscriber");
    // Nobody was told of that one.
    let nodes = stranger.ask(serde_json::json!({"do": "graph"}))["nodes"].take();
    assert_eq!(nodes, serde_json::json!(["stranger"]));
}

#[test]
fn a_peer_may_be_there_later_and_come_back() {
    let place = Place::new();
    let port = free_port();
    let peer = format!("tcp://127.0.0.1:{port}");
    let listen = format!("127.0.0.1:{port}");
    let fixed = |name, option: &str, value: &str| {
        place
            .start(name)
            .args(["--network", "peers", option, value])
            .go()
    };
    let mut subscriber = fixed("subscriber", "--peer", &peer);
    subscriber.make("subscribe", "t");
    for round in 1..=2 {
        let mut publisher = fixed("publisher", "--listen", &listen);
        publisher.make("publish", "t");
        publisher.wait_for("t", 1);
        publisher.send("t", 100);
        subscriber.heard("t", round * 100);
        publisher.kill();
        subscriber.sees("left", "publisher");
    }
}
