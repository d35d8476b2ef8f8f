//! Two hosts on one network, two nodes on each: all find each other, talk, and notice each other's ends.

use colugo_testkit::{Host, Lan};
use serde_json::json;

use crate::figure::{now, took};
use crate::peer::Peer;
use crate::place::Place;

const NAMES: [&str; 4] = ["a1", "a2", "b1", "b2"];

/// The rendezvous directories are apart, as those of two machines are.
fn start(place: &Place, host: &Host, name: &str) -> Peer {
    place.start(name).on(host).by_multicast_only().go()
}

#[test]
fn nodes_of_two_hosts_find_each_other_and_talk() {
    let Some(lan) = Lan::new(2) else { return };
    let place = Place::new();
    let started = now();
    let mut nodes = [0, 1, 2, 3].map(|at| start(&place, lan.host(at / 2), NAMES[at]));
    let mut last = started;
    for (at, node) in nodes.iter_mut().enumerate() {
        let mut others: Vec<_> = NAMES
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at)
            .collect();
        // In whatever order they came.
        while !others.is_empty() {
            let came = node.sees_any("joined");
            last = last.max(came.1);
            others.retain(|(_, name)| **name != came.0);
        }
    }
    took(
        "two hosts: four nodes started one after another know each other, from the first exec on, after",
        last - started,
    );
    for node in &mut nodes {
        node.make("publish", "t");
        node.make("serve", "q");
        node.make("subscribe", "t");
    }
    for node in &mut nodes {
        node.wait_for("t", 4);
        node.send("t", 50);
    }
    for node in &mut nodes {
        let heard = node.heard("t", 200);
        assert_eq!(
            heard,
            json!({"total": 200, "by": {"a1": 50, "a2": 50, "b1": 50, "b2": 50}, "jumps": 0})
        );
    }
    let caller = &mut nodes[0];
    caller.make("client", "calls");
    let mut server = start(&place, lan.host(1), "server");
    server.make("serve", "calls");
    caller.wait_for("calls", 1);
    let ended = caller.ask(json!({"do": "call", "topic": "calls", "count": 100}));
    assert_eq!(ended["replies"], json!({"server": 100}));
}

#[test]
fn a_node_finds_one_on_another_host_that_was_there_before() {
    let Some(lan) = Lan::new(2) else { return };
    let place = Place::new();
    let mut publisher = start(&place, lan.host(0), "publisher");
    publisher.make("publish", "t");
    let started = now();
    let mut late = start(&place, lan.host(1), "late");
    late.make("subscribe", "t");
    took(
        "two hosts: found, from exec on, after",
        late.sees("joined", "publisher") - started,
    );
    publisher.wait_for("t", 1);
    publisher.send("t", 10);
    late.heard("t", 10);
}

#[test]
fn every_end_of_a_node_is_noticed_on_the_other_host() {
    let Some(lan) = Lan::new(2) else { return };
    let place = Place::new();
    let mut watcher = start(&place, lan.host(0), "watcher");
    watcher.make("subscribe", "t");
    let mut leaver = start(&place, lan.host(1), "leaver");
    watcher.sees("joined", "leaver");
    let left = leaver.leave();
    took(
        "two hosts: a node that left is noticed after",
        watcher.sees("left", "leaver") - left,
    );

    let mut publisher = start(&place, lan.host(1), "publisher");
    publisher.make("publish", "t");
    watcher.sees("joined", "publisher");
    publisher.wait_for("t", 1);
    let killed = publisher.kill();
    took(
        "two hosts: a killed node is noticed after",
        watcher.sees("left", "publisher") - killed,
    );
    let started = now();
    let mut publisher = start(&place, lan.host(1), "publisher");
    took(
        "two hosts: its successor is found, from exec on, after",
        watcher.sees("joined", "publisher") - started,
    );
    publisher.make("publish", "t");
    publisher.wait_for("t", 1);
    publisher.send("t", 10);
    watcher.heard("t", 10);

    let stopped = publisher.signal("STOP");
    took(
        "two hosts: a stopped process is noticed after",
        watcher.sees("left", "publisher") - stopped,
    );
    let continued = publisher.signal("CONT");
    took(
        "two hosts: once it goes on it is back after",
        watcher.sees("joined", "publisher") - continued,
    );
    publisher.reaches(&mut watcher, "t");
}

#[test]
fn fixed_peers_meet_across_hosts_without_discovery() {
    let Some(lan) = Lan::new(2) else { return };
    let place = Place::new();
    let fixed = |host: usize, name| {
        place
            .start(name)
            .on(lan.host(host))
            .args(["--network", "peers"])
    };
    let mut publisher = fixed(0, "publisher").args(["--listen", "0.0.0.0:0"]).go();
    publisher.make("publish", "t");
    let peer = format!("tcp://{}:{}", lan.host(0).ip(), publisher.control_port());
    let mut subscriber = fixed(1, "subscriber").args(["--peer", &*peer]).go();
    subscriber.make("subscribe", "t");
    publisher.wait_for("t", 1);
    publisher.send("t", 100);
    subscriber.heard("t", 100);
}
