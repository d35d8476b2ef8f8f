//! A node in what is like a container: behind its machine, reached by published ports only, as the README tells for Docker.

use colugo_testkit::Lan;
use serde_json::json;

use crate::place::Place;

#[test]
fn a_node_behind_published_ports_publishes_serves_and_subscribes() {
    let Some(lan) = Lan::new(2) else { return };
    let place = Place::new();
    let machine = lan.host(1);
    let container = machine.contain("4747, 20000-20010");
    let mut inside = place
        .start("inside")
        .on(&container)
        .settings(&[
            ("LISTEN", "0.0.0.0:4747"),
            ("PORTS", "20000-20010"),
            ("ADVERTISE", &machine.ip().to_string()),
        ])
        .by_multicast_only()
        .go();
    let peer = format!("tcp://{}:4747", machine.ip());
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
    let place = Place::new();
    let machine = lan.host(1);
    let container = machine.contain("4747");
    let settings = [
        ("LISTEN", "0.0.0.0:4747"),
        ("ADVERTISE", &machine.ip().to_string()),
    ];
    let mut inside = place
        .start("inside")
        .on(&container)
        .settings(&settings)
        .by_multicast_only()
        .go();
    let peer = format!("tcp://{}:4747", machine.ip());
    let mut outside = place
        .start("outside")
        .on(lan.host(0))
        .settings(&[("PEERS", &peer)])
        .by_multicast_only()
        .go();
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
}
