//! Publish and subscribe as the original has it: one or several of each, every one a process, found by discovery alone.

use serde_json::json;

use crate::peer::Peer;
use crate::place::Place;

const MESSAGES: u64 = 200;

#[test]
fn one_publisher_one_subscriber() {
    meet(1, 1);
}

#[test]
fn one_publisher_several_subscribers() {
    meet(1, 3);
}

#[test]
fn several_publishers_one_subscriber() {
    meet(3, 1);
}

#[test]
fn several_publishers_several_subscribers() {
    meet(2, 2);
}

/// Every subscriber hears every message of every publisher, in order and once.
fn meet(publishers: usize, subscribers: usize) {
    let place = Place::new();
    let start = |kind, n| -> Vec<Peer> {
        (0..n)
            .map(|at| place.peer(&format!("{kind}{at}")))
            .collect()
    };
    let mut publishers = start("p", publishers);
    let mut subscribers = start("s", subscribers);
    publishers
        .iter_mut()
        .for_each(|peer| drop(peer.make("publish", "pub.topic")));
    subscribers
        .iter_mut()
        .for_each(|peer| drop(peer.make("subscribe", "pub.topic")));
    for publisher in &mut publishers {
        publisher.wait_for("pub.topic", subscribers.len());
        publisher.send("pub.topic", MESSAGES);
    }
    let by: serde_json::Map<_, _> = (0..publishers.len())
        .map(|at| (format!("p{at}"), MESSAGES.into()))
        .collect();
    let total = MESSAGES * publishers.len() as u64;
    for subscriber in &mut subscribers {
        let heard = subscriber.heard("pub.topic", total);
        assert_eq!(heard, json!({"total": total, "by": by, "jumps": 0}));
    }
}
