//! Nodes that come, leave, are killed, stand still, and come back at other ports: what the others see of it, and when.

use std::net::{Ipv6Addr, TcpListener};

use crate::figure::{now, took};
use crate::peer::Peer;
use crate::place::Place;

/// A watcher that hears a node of that name.
fn scene(place: &Place) -> (Peer, Peer) {
    let mut watcher = place.peer("watcher");
    watcher.make("subscribe", "t");
    let publisher = publisher(place);
    watcher.sees("joined", "publisher");
    (watcher, publisher)
}

fn publisher(place: &Place) -> Peer {
    let mut publisher = place.peer("publisher");
    publisher.make("publish", "t");
    publisher.wait_for("t", 1);
    publisher
}

#[test]
fn a_node_that_leaves_is_noticed() {
    let place = Place::new();
    let (mut watcher, mut publisher) = scene(&place);
    let left = publisher.leave();
    took(
        "one machine: a node that left is noticed after",
        watcher.sees("left", "publisher") - left,
    );
}

#[test]
fn a_node_that_is_killed_is_noticed_and_its_successor_at_another_port_is_found() {
    let place = Place::new();
    let (mut watcher, mut publisher) = scene(&place);
    publisher.send("t", 10);
    watcher.heard("t", 10);
    let killed = publisher.kill();
    took(
        "one machine: a killed node is noticed after",
        watcher.sees("left", "publisher") - killed,
    );
    // Somebody else has its port meanwhile, who does not answer.
    let _port = TcpListener::bind((Ipv6Addr::UNSPECIFIED, publisher.control_port())).unwrap();
    let started = now();
    let mut successor = self::publisher(&place);
    let joined = watcher.sees("joined", "publisher") - started;
    took(
        "one machine: its successor is found, from exec on, after",
        joined,
    );
    assert_ne!(successor.control_port(), publisher.control_port());
    successor.send("t", 10);
    watcher.heard("t", 20);
}

#[test]
fn a_node_that_stands_still_is_noticed_and_comes_back() {
    let place = Place::new();
    let (mut watcher, mut publisher) = scene(&place);
    publisher.send("t", 10);
    watcher.heard("t", 10);
    let stopped = publisher.signal("STOP");
    took(
        "one machine: a stopped process is noticed after",
        watcher.sees("left", "publisher") - stopped,
    );
    let continued = publisher.signal("CONT");
    took(
        "one machine: once it goes on it is back after",
        watcher.sees("joined", "publisher") - continued,
    );
    publisher.reaches(&mut watcher, "t");
}

#[test]
fn a_publisher_parts_from_a_subscriber_that_stands_still() {
    let place = Place::new();
    let (mut watcher, mut publisher) = scene(&place);
    publisher.send("t", 10);
    watcher.heard("t", 10);
    let stopped = watcher.signal("STOP");
    // The kernel of a stopped process still answers: only its node's silence tells.
    took(
        "one machine: the publisher has parted from a stopped subscriber after",
        publisher.sees("parted", "publisher \"t\"") - stopped,
    );
    watcher.signal("CONT");
    publisher.wait_for("t", 1);
    publisher.reaches(&mut watcher, "t");
}
