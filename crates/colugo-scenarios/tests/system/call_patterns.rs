//! Request and reply as the original has it: one or several of each, every one a process, found by discovery alone. Several servers take turns.

use serde_json::json;

use crate::peer::Peer;
use crate::place::Place;

const ROUNDS: u64 = 40;

#[test]
fn one_client_one_server() {
    meet(1, 1);
}

#[test]
fn one_client_several_servers() {
    meet(1, 3);
}

#[test]
fn several_clients_one_server() {
    meet(3, 1);
}

#[test]
fn several_clients_several_servers() {
    meet(2, 2);
}

/// Every request of every client has its own reply, and no server has more than one request more than another.
fn meet(clients: usize, servers: usize) {
    let place = Place::new();
    let start = |kind, n| -> Vec<Peer> {
        (0..n)
            .map(|at| place.peer(&format!("{kind}{at}")))
            .collect()
    };
    let mut clients = start("c", clients);
    let mut servers = start("s", servers);
    clients
        .iter_mut()
        .for_each(|peer| drop(peer.make("client", "rpc.topic")));
    servers
        .iter_mut()
        .for_each(|peer| drop(peer.make("serve", "rpc.topic")));
    // One more than fits, so that the turns do not come out even.
    let count = ROUNDS * servers.len() as u64 + 1;
    for client in &mut clients {
        client.wait_for("rpc.topic", servers.len());
        client.tell(json!({"do": "call", "topic": "rpc.topic", "count": count}));
    }
    for client in &mut clients {
        let ended = client.done();
        assert_eq!(
            (&ended["ended"], &ended["errors"]),
            (&json!(count), &json!({}))
        );
        let replies = ended["replies"].as_object().unwrap();
        assert_eq!(replies.len(), servers.len(), "{ended}");
        let even =
            |n: &serde_json::Value| n.as_u64().is_some_and(|n| n == ROUNDS || n == ROUNDS + 1);
        assert!(
            replies.values().all(even),
            "round robin is not even to one: {ended}"
        );
    }
}
