//! A node in what is like a container: behind its machine, reached by published ports only, as the README tells for Docker.

use colugo_testkit::{Host, Lan};
use serde_json::json;

use crate::peer::Peer;
use crate::place::Place;

/// A node in the container, with these settings of its own, and one outside that knows its machine, which has received and called.
fn meet(lan: &Lan, container: &Host, place: &Place, settings: &[(&str, &str)]) -> [Peer; 2] {
    let known_as = lan.host(1).ip().to_string();
    let own = [("LISTEN", "0.0.0.0:4747"), ("ADVERTISE", &*known_as)];
    let mut inside = place
        .start("inside")
        .on(container)
        .settings(&[&own, settings].concat())
        .by_multicast_only()
        .go();
    let peer = format!("tcp://{known_as}:4747");
    let mut outside = place
        .start("outside")
        .on(lan.host(0))
        .settings(&[("PEERS", &peer)])
        .by_multicast_only()
        .go();
    outside.sees("joined", "inside");
    inside.make("publish", "poses");
    inside.make("serve", "add");
    outside.make("subscribe", "poses");
    outside.make("client", "add");
    inside.wait_for("poses", 1);
    inside.send("poses", 100);
    outside.heard("poses", 100);
    outside.wait_for("add", 1);
    let ended = outside.ask(json!({"do": "call", "topic": "add", "count": 10}));
    assert_eq!(ended["replies"], json!({"inside": 10}), "{ended}");
    [inside, outside]
}

#[test]
fn a_node_behind_published_ports_publishes_serves_and_subscribes() {
    let Some(lan) = Lan::new(2) else { return };
    let container = lan.host(1).contain("4747, 20000-20010");
    let place = Place::new();
    let [mut inside, mut outside] = meet(&lan, &container, &place, &[("PORTS", "20000-20010")]);
    // The way out needs no ports.
    outside.make("publish", "orders");
    inside.make("subscribe", "orders");
    outside.wait_for("orders", 1);
    outside.send("orders", 100);
    inside.heard("orders", 100);
}

/// One published port, for everything.
#[test]
fn a_node_behind_one_published_port_publishes_and_serves() {
    let Some(lan) = Lan::new(2) else { return };
    let container = lan.host(1).contain("4747");
    meet(&lan, &container, &Place::new(), &[]);
}
