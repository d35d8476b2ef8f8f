//! Whoever knows the port may connect and say anything.

use colugo_graph::{Event, Message, Misbehaviour, NodeId, NodeRecord, Source, Version, limits};
use proptest::prelude::*;

use crate::net::{Net, SEC};

#[test]
fn whoever_does_not_say_hello_is_shown_out() {
    let mut net = Net::new(1);
    let a = net.add();
    let early = net.intrude(a, Some(&Message::Resync { of: None }.encode()));
    let garbage = net.intrude(a, Some(b"GET / HTTP/1.1\r\n"));
    assert!(!net.is_open(early) && !net.is_open(garbage));
    let blamed = net.events_of(a, |event| {
        matches!(event, Event::PeerMisbehaved { node: None, .. })
    });
    assert_eq!(blamed, 2);
}

#[test]
fn whoever_says_nothing_is_shown_out() {
    let mut net = Net::new(1);
    let a = net.add();
    let b = net.add();
    net.until(SEC, "each other", |net| net.sees(a, b));
    let link = net.intrude(a, None);
    net.advance(2 * SEC);
    assert!(net.is_open(link));
    net.advance(10 * SEC);
    assert!(!net.is_open(link));
    let blamed = net.events_of(a, |event| {
        matches!(
            event,
            Event::PeerMisbehaved {
                what: Misbehaviour::NoHello,
                ..
            }
        )
    });
    assert_eq!(blamed, 1);
    assert!(net.sees(a, b), "others are not touched");
}

#[test]
fn a_flood_of_records_is_bounded_and_told_once() {
    let mut net = Net::new(1);
    let a = net.add();
    let now = net.now;
    for number in 0..10_000_u32 {
        let mut id = [7; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let record = NodeRecord {
            node: NodeId(id),
            version: Version::OURS,
            namespace: if number % 2 == 0 {
                "default".into()
            } else {
                "other".into()
            },
            name: "flood".into(),
            host: String::new(),
            hub: false,
            addresses: vec![([10, 77, 0, 1], 1).into()],
        };
        net.with_running(a, |brain| brain.handle_record(now, Source::Mdns, record));
    }
    let graph = net.brain(a).snapshot();
    assert_eq!(graph.nodes.len(), limits::PEERS + 1);
    assert!(graph.counters.peers_refused > 0);
    net.advance(SEC);
    assert_eq!(
        net.events_of(a, |event| matches!(event, Event::LimitReached { .. })),
        1
    );
}

proptest! {
    #[test]
    fn no_octets_make_a_brain_panic(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 1..8)) {
        let mut net = Net::new(1);
        let a = net.add();
        for frame in frames {
            net.intrude(a, Some(&frame));
        }
        net.advance(10 * SEC);
    }
}
