//! Interfaces that go away, come back, or were never there.

use colugo_testkit::Lan;

use crate::figure::{now, took};
use crate::place::Place;

#[test]
fn nodes_lose_each_other_with_their_cable_and_find_each_other_when_it_is_back() {
    let Some(lan) = Lan::new(2) else { return };
    let place = Place::new();
    let [mut a, mut b] = [(0, "a"), (1, "b")].map(|(host, name)| {
        place
            .start(name)
            .on(lan.host(host))
            .by_multicast_only()
            .go()
    });
    a.make("publish", "t");
    b.make("subscribe", "t");
    a.sees("joined", "b");
    a.wait_for("t", 1);
    a.send("t", 10);
    b.heard("t", 10);
    let unplugged = now();
    lan.host(1).unplug();
    took(
        "a cable that was pulled is noticed on the other host after",
        a.sees("left", "b") - unplugged,
    );
    took("and on its own after", b.sees("left", "a") - unplugged);
    let plugged = now();
    lan.host(1).plug();
    took(
        "once it is back, they know each other after",
        a.sees("joined", "b").max(b.sees("joined", "a")) - plugged,
    );
    a.ask(serde_json::json!({"do": "drop", "topic": "t"}));
    a.make("publish", "u");
    b.make("subscribe", "u");
    a.wait_for("u", 1);
    a.send("u", 10);
    b.heard("u", 10);
}

#[test]
fn data_links_go_on_once_a_cable_is_back() {
    let Some(lan) = Lan::new(2) else { return };
    let place = Place::new();
    let [mut a, mut b] = [(0, "a"), (1, "b")].map(|(host, name)| {
        place
            .start(name)
            .on(lan.host(host))
            .by_multicast_only()
            .go()
    });
    a.make("publish", "t");
    b.make("subscribe", "t");
    a.wait_for("t", 1);
    a.send("t", 10);
    b.heard("t", 10);
    lan.host(1).unplug();
    a.sees("left", "b");
    lan.host(1).plug();
    a.sees("joined", "b");
    a.reaches(&mut b, "t");
}

#[test]
fn a_machine_without_any_interface_has_nodes_that_find_each_other_when_it_gets_one() {
    let Some(host) = Lan::loopback_only() else {
        return;
    };
    host.stop_loopback();
    let place = Place::new();
    let mut a = place.start("a").on(&host).go();
    a.make("publish", "t");
    let mut b = place.start("b").on(&host).go();
    b.make("subscribe", "t");
    host.start_loopback();
    let up = now();
    took(
        "nodes started without any interface know each other, once there is one, after",
        b.sees("joined", "a") - up,
    );
    a.wait_for("t", 1);
    a.send("t", 10);
    b.heard("t", 10);
}
