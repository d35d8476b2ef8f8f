//! Where multicast does not pass: networks that only a router joins, one that lets no multicast in, one without IPv4. A hub or a fixed peer
//! takes its place; without either, nobody is found.

use colugo_testkit::{Host, Lan};
use serde_json::json;

use crate::figure::{now, took};
use crate::peer::Peer;
use crate::place::Place;

/// Where hubs, and nodes that others name, listen. Each has a host of its own.
const LISTEN: &str = "0.0.0.0:4747";

fn at(host: &Host) -> String {
    format!("tcp://{}:4747", host.ip())
}

fn start(place: &Place, host: &Host, name: &str, settings: &[(&str, &str)]) -> Peer {
    let start = place.start(name).on(host).by_multicast_only();
    start.settings(settings).go()
}

fn hub(place: &Place, host: &Host, name: &str) -> Peer {
    start(place, host, name, &[("LISTEN", LISTEN), ("HUB", "true")])
}

/// A publisher, then a subscriber that knows the same; the time from the subscriber's exec to its first message.
fn meet(
    place: &Place,
    hosts: [&Host; 2],
    settings: [&[(&str, &str)]; 2],
    what: &str,
) -> (Peer, Peer) {
    let mut publisher = start(place, hosts[0], "publisher", settings[0]);
    publisher.make("publish", "poses");
    let started = now();
    let mut subscriber = start(place, hosts[1], "subscriber", settings[1]);
    subscriber.make("subscribe", "poses");
    publisher.wait_for("poses", 1);
    publisher.send("poses", 1);
    subscriber.heard("poses", 1);
    took(
        &format!("{what}: from exec to the first message"),
        now() - started,
    );
    (publisher, subscriber)
}

#[test]
fn two_networks_meet_through_a_hub_whose_end_nobody_notices() {
    let Some(lan) = Lan::routed(3) else { return };
    let place = Place::new();
    let the_hub = hub(&place, lan.host(0), "hub");
    let peers = at(lan.host(0));
    let settings: &[_] = &[("PEERS", peers.as_str())];
    let hosts = [lan.host(1), lan.host(2)];
    let (mut publisher, mut subscriber) = meet(
        &place,
        hosts,
        [settings; 2],
        "two networks, a hub in a third",
    );
    drop(the_hub);
    subscriber.sees("left", "hub");
    publisher.send("poses", 100);
    let heard = subscriber.heard("poses", 101);
    // Its numbers begin anew with each `send`.
    assert_eq!(heard["jumps"], 1, "{heard}");
    let left = |event: &serde_json::Value| event["event"] == "left";
    assert!(!subscriber.events_so_far().iter().any(left));
}

#[test]
fn of_two_hubs_either_may_end() {
    let Some(lan) = Lan::routed(4) else { return };
    for first in [0, 1] {
        let place = Place::new();
        let mut hubs = vec![
            hub(&place, lan.host(0), "hub0"),
            hub(&place, lan.host(1), "hub1"),
        ];
        let peers = format!("{},{}", at(lan.host(0)), at(lan.host(1)));
        let settings: &[_] = &[("PEERS", peers.as_str())];
        let hosts = [lan.host(2), lan.host(3)];
        let what = format!("two hubs, of which number {first} ends");
        let (mut publisher, mut subscriber) = meet(&place, hosts, [settings; 2], &what);
        drop(hubs.remove(first));
        subscriber.sees("left", &format!("hub{first}"));
        publisher.send("poses", 100);
        assert_eq!(subscriber.heard("poses", 101)["jumps"], 1);
        // Who comes later is introduced by the other one.
        let mut late = start(&place, lan.host(3), "late", settings);
        late.make("subscribe", "poses");
        publisher.wait_for("poses", 2);
        publisher.send("poses", 10);
        late.heard("poses", 10);
    }
}

#[test]
fn two_networks_meet_through_a_fixed_peer() {
    let Some(lan) = Lan::routed(2) else { return };
    let place = Place::new();
    let peers = at(lan.host(0));
    let hosts = [lan.host(0), lan.host(1)];
    meet(
        &place,
        hosts,
        [&[("LISTEN", LISTEN)], &[("PEERS", &peers)]],
        "two networks, a fixed peer",
    );
}

/// What they have in their own network they find, by the same time.
#[test]
fn two_networks_without_either_do_not_meet() {
    let Some(lan) = Lan::routed(2) else { return };
    let place = Place::new();
    let mut apart = start(&place, lan.host(1), "apart", &[]);
    let hosts = [lan.host(0), lan.host(0)];
    let (_publisher, _subscriber) = meet(&place, hosts, [&[], &[]], "beside a network apart");
    assert_eq!(apart.events_so_far(), [] as [serde_json::Value; 0]);
}

#[test]
fn a_hub_takes_the_place_of_multicast_that_is_blocked() {
    let Some(lan) = Lan::new(3) else { return };
    let place = Place::new();
    for number in 0..3 {
        lan.host(number).block_multicast();
    }
    let _hub = hub(&place, lan.host(0), "hub");
    let peers = at(lan.host(0));
    let settings: &[_] = &[("PEERS", peers.as_str())];
    let hosts = [lan.host(1), lan.host(2)];
    meet(&place, hosts, [settings; 2], "multicast blocked, a hub");
}

/// Whose port for the topic nobody reaches is reached by the control port, which hands the connection on.
#[test]
fn one_open_port_is_enough() {
    let Some(lan) = Lan::new(2) else { return };
    let place = Place::new();
    lan.host(0).let_in_only(4747);
    let hosts = [lan.host(0), lan.host(1)];
    let what = "only one TCP port open";
    let (mut inside, mut outside) = meet(&place, hosts, [&[("LISTEN", LISTEN)], &[]], what);
    inside.send("poses", 100);
    outside.heard("poses", 101);
    inside.make("serve", "add");
    outside.make("client", "add");
    outside.wait_for("add", 1);
    let ended = outside.ask(json!({"do": "call", "topic": "add", "count": 10}));
    assert_eq!(ended["replies"], json!({"publisher": 10}), "{ended}");
}

#[test]
fn two_hosts_without_ipv4_meet() {
    let Some(lan) = Lan::new(2) else { return };
    let place = Place::new();
    let hosts = [lan.host(0), lan.host(1)];
    for host in hosts {
        host.forget_ipv4();
    }
    meet(&place, hosts, [&[], &[]], "IPv6 only");
}

#[test]
fn eight_hosts_meet() {
    let Some(lan) = Lan::new(8) else { return };
    let place = Place::new();
    let started = now();
    let names: Vec<_> = (0..8).map(|number| format!("n{number}")).collect();
    let mut nodes: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(number, name)| start(&place, lan.host(number), name, &[]))
        .collect();
    for node in &mut nodes {
        node.make("publish", "t");
        node.make("subscribe", "t");
    }
    for node in &mut nodes {
        node.wait_for("t", 8);
    }
    took(
        "a network of eight hosts: from the first exec to all links",
        now() - started,
    );
    for node in &mut nodes {
        node.send("t", 10);
    }
    for node in &mut nodes {
        assert_eq!(node.heard("t", 80)["jumps"], 0);
    }
}
