//! Sockets of programs that are no nodes: they meet the wants as everybody's do, and are bounded.

use std::net::SocketAddr;
use std::time::Instant;

use colugo_graph::{
    Brain, Config, Event, Kind, MatchKind, Namespace, NodeId, NodeState, Outsider, limits,
};

const OWN: NodeId = NodeId([1; 16]);

#[allow(clippy::disallowed_methods)] // there is no other way to get a first Instant
fn brain() -> (Brain, Instant) {
    let now = Instant::now();
    let config = Config {
        node: OWN,
        name: "n".into(),
        host: "h".into(),
        namespace: Namespace::default(),
        port: 4000,
        hub: false,
        addresses: Vec::new(),
        own_address: [127, 0, 0, 1].into(),
        unix_ns: 0,
    };
    (Brain::new(config, now), now)
}

fn outsider(node: NodeId, topic: &str, port: u16) -> Outsider {
    Outsider {
        node,
        kind: Kind::Publisher,
        topic: topic.parse().expect("a topic"),
        endpoint: ([10, 0, 0, 9], port).into(),
    }
}

fn changes(brain: &mut Brain) -> Vec<(MatchKind, SocketAddr)> {
    std::iter::from_fn(|| brain.poll_match())
        .map(|change| (change.kind, change.endpoint))
        .collect()
}

#[test]
fn it_is_found_moves_and_is_withdrawn() {
    let (mut brain, now) = brain();
    let other = NodeId([2; 16]);
    brain.want(now, "t".parse().expect("a topic"), Kind::Publisher);
    brain.handle_outsider(outsider(other, "t", 1));
    brain.handle_outsider(outsider(other, "t", 1));
    brain.handle_outsider(outsider(other, "u", 7));
    let at = |port| SocketAddr::from(([10, 0, 0, 9], port));
    assert_eq!(changes(&mut brain), [(MatchKind::Found, at(1))]);
    brain.handle_outsider(outsider(other, "t", 2));
    assert_eq!(
        changes(&mut brain),
        [(MatchKind::Withdrawn, at(1)), (MatchKind::Found, at(2))]
    );
    let snapshot = brain.snapshot();
    let info = snapshot.nodes.iter().find(|node| node.id == other);
    let info = info.expect("it is shown");
    assert_eq!(info.state, NodeState::Outside);
    assert_eq!(info.announcements.len(), 2);
    assert_eq!(snapshot.topics[0].providers[0].address, Some(at(2)));
    brain.handle_outsider_gone(other, Kind::Publisher, &"t".parse().expect("a topic"));
    assert_eq!(changes(&mut brain), [(MatchKind::Withdrawn, at(2))]);
}

#[test]
fn a_record_of_the_own_node_is_no_outsider() {
    let (mut brain, _) = brain();
    brain.handle_outsider(outsider(OWN, "t", 1));
    assert_eq!(brain.snapshot().nodes.len(), 1);
}

#[test]
fn a_flood_is_bounded_and_said_once() {
    let (mut brain, _) = brain();
    for i in 0..10_000 {
        brain.handle_outsider(outsider(NodeId([2; 16]), &format!("t{i}"), 1));
    }
    assert_eq!(brain.snapshot().topics.len(), limits::OUTSIDERS);
    let said = std::iter::from_fn(|| brain.poll_event());
    let said = said.filter(|event| matches!(event, Event::LimitReached { .. }));
    assert_eq!(said.count(), 1);
}
