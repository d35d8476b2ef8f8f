//! A machine without any network: nodes find each other on it, by its directory and by multicast alone.

use colugo_testkit::{Host, Lan};
use serde_json::json;

use crate::figure::{now, took};
use crate::place::{Place, Start};

#[test]
fn nodes_of_a_machine_without_a_network_find_each_other() {
    let Some(host) = Lan::loopback_only() else {
        return;
    };
    meet(&host, "by all means", |start| start);
}

#[test]
fn nodes_of_a_machine_without_a_network_find_each_other_by_multicast_alone() {
    let Some(host) = Lan::loopback_only() else {
        return;
    };
    meet(&host, "by multicast alone", |start| {
        start.by_multicast_only()
    });
}

fn meet(host: &Host, how: &str, with: impl for<'a> Fn(Start<'a>) -> Start<'a>) {
    let place = Place::new();
    let mut a = with(place.start("a").on(host)).go();
    a.make("publish", "t");
    a.make("serve", "q");
    let started = now();
    let mut b = with(place.start("b").on(host)).go();
    took(
        &format!("loopback only, {how}: found, from exec on, after"),
        b.sees("joined", "a") - started,
    );
    a.sees("joined", "b");
    b.make("subscribe", "t");
    b.make("client", "q");
    a.wait_for("t", 1);
    a.send("t", 100);
    b.heard("t", 100);
    b.wait_for("q", 1);
    let ended = b.ask(json!({"do": "call", "topic": "q", "count": 100}));
    assert_eq!(ended["replies"], json!({"a": 100}));
    let left = b.leave();
    took(
        &format!("loopback only, {how}: a node that left is noticed after"),
        a.sees("left", "b") - left,
    );
}
