//! Servers that go while clients ask: one that closes costs nothing, one that is killed costs the requests it had, and these end at once.

use std::time::Duration;

use colugo_testkit::PATIENCE;
use serde_json::json;

use crate::figure::{ms, took};
use crate::peer::Peer;
use crate::place::Place;

/// Requests in flight.
const WIDTH: u64 = 30;
/// Many enough that all servers have their turns often.
const MANY: u64 = 300;

fn scene(place: &Place) -> (Peer, [Peer; 3]) {
    let mut servers = ["s0", "s1", "s2"].map(|name| place.peer(name));
    servers
        .iter_mut()
        .for_each(|server| drop(server.make("serve", "q")));
    let mut client = place.peer("client");
    client.make("client", "q");
    client.wait_for("q", servers.len());
    (client, servers)
}

#[test]
fn servers_that_close_while_clients_ask_cause_no_error() {
    let place = Place::new();
    let (mut client, mut servers) = scene(&place);
    client.ask(json!({"do": "flow", "topic": "q", "width": WIDTH}));
    client.ended("q", MANY);
    // The server alone, then another one with its node.
    servers[2].ask(json!({"do": "drop", "topic": "q"}));
    let ended = client.ended("q", 2 * MANY);
    servers[1].ask(json!({"do": "close"}));
    client.ended("q", ended["ended"].as_u64().unwrap() + MANY);
    // And one that comes back.
    servers[2].make("serve", "q");
    client.wait_for("q", 2);
    let ended = client.stop("q");
    assert_eq!(ended["errors"], json!({}), "{ended}");
}

#[test]
fn a_killed_server_fails_at_most_the_requests_it_had() {
    let place = Place::new();
    let (mut client, mut servers) = scene(&place);
    client.ask(json!({"do": "flow", "topic": "q", "width": WIDTH}));
    let before = client.ended("q", MANY);
    servers[2].kill();
    client.ended("q", before["ended"].as_u64().unwrap() + MANY);
    let ended = client.stop("q");
    let disconnected = ended["errors"]["Disconnected"].as_u64().unwrap_or(0);
    assert!(disconnected <= WIDTH, "{ended}");
    let errors = ended["errors"].as_object().unwrap();
    assert!(errors.keys().all(|kind| kind == "Disconnected"), "{ended}");
}

#[test]
fn requests_of_a_killed_server_end_with_disconnected_at_once_and_others_go_on() {
    let place = Place::new();
    let (mut client, mut servers) = scene(&place);
    let mut holder = place.peer("holder");
    holder.ask(json!({"do": "serve", "topic": "q", "hold": true}));
    client.wait_for("q", 4);
    client.ask(json!({"do": "start", "topic": "q", "count": 40}));
    let ended = client.ended("q", 30);
    assert_eq!(ended["errors"], json!({}), "{ended}");
    let held = holder.ask(json!({"do": "held", "topic": "q", "n": 10}));
    assert_eq!(held, 10, "round robin over four servers");
    let killed = holder.kill();
    let ended = client.ended("q", 40);
    assert_eq!(ended["errors"], json!({"Disconnected": 10}), "{ended}");
    let time = Duration::from_nanos(ended["failed_ns"].as_u64().unwrap()) - killed;
    took("ten requests of a killed server have ended after", time);
    assert!(time < PATIENCE / 6, "{} ms", ms(time));
    // Those that are left take their turns.
    let ended = client.ask(json!({"do": "call", "topic": "q", "count": 30}));
    assert_eq!(
        ended["replies"],
        json!({"s0": 10, "s1": 10, "s2": 10}),
        "{ended}"
    );
    for server in &mut servers {
        server.leave();
    }
}

/// Far longer than a node that says nothing is waited for.
const TIMEOUT_MS: u64 = 60_000;

#[test]
fn requests_of_a_server_that_stands_still_end_and_it_serves_again_when_it_goes_on() {
    let place = Place::new();
    let (mut client, servers) = scene(&place);
    client.ask(json!({"do": "client", "topic": "q", "timeout_ms": TIMEOUT_MS}));
    client.wait_for("q", 3);
    let stopped = servers[2].signal("STOP");
    client.ask(json!({"do": "start", "topic": "q", "count": 30}));
    let ended = client.ended("q", 30);
    assert_eq!(ended["replies"], json!({"s0": 10, "s1": 10}), "{ended}");
    // Nobody can tell a server that stands still from one that takes its time; but its node says nothing, and is given up.
    assert_eq!(ended["errors"], json!({"Disconnected": 10}), "{ended}");
    let time = Duration::from_nanos(ended["failed_ns"].as_u64().unwrap()) - stopped;
    took("ten requests at a stopped server have ended after", time);
    servers[2].signal("CONT");
    client.wait_for("q", 3);
    let ended = client.ask(json!({"do": "call", "topic": "q", "count": 30}));
    assert_eq!(
        (&ended["ended"], &ended["errors"]),
        (&json!(30), &json!({})),
        "{ended}"
    );
}
