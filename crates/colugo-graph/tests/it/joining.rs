//! Nodes find each other.

use colugo_graph::{Event, Kind, NodeState};

use crate::net::{MS, Net, SEC};

#[test]
fn a_subscriber_finds_a_publisher_that_was_there() {
    for seed in 0..50 {
        let mut net = Net::new(seed);
        let publisher = net.add();
        net.publish(publisher, "pose", 5555);
        net.advance(SEC);
        let subscriber = net.add();
        let want = net.want(subscriber, "pose");
        net.until(300 * MS, "the match", |net| {
            net.finds(subscriber, want, publisher)
        });
        let (_, found) = &net.host(subscriber).matches[0];
        assert_eq!(found.endpoint.to_string(), "10.0.0.1:5555");
        assert_eq!(found.node_name, "n0");
        net.until(SEC, "the other side", |net| net.sees(publisher, subscriber));
    }
}

#[test]
fn a_publisher_that_comes_later_is_found_too() {
    let mut net = Net::new(1);
    let subscriber = net.add();
    let want = net.want(subscriber, "pose");
    net.advance(SEC);
    let publisher = net.add();
    net.until(SEC, "the nodes", |net| {
        net.sees(subscriber, publisher) && net.sees(publisher, subscriber)
    });
    net.advance(SEC);
    net.publish(publisher, "pose", 5555);
    let took = net.until(SEC, "the match", |net| {
        net.finds(subscriber, want, publisher)
    });
    assert!(
        took < 10 * MS,
        "the first change after a quiet spell goes at once, took {took:?}"
    );
}

#[test]
fn own_announcements_match_own_wants() {
    let mut net = Net::new(1);
    let host = net.add();
    let early = net.want(host, "pose");
    let id = net.publish(host, "pose", 5555);
    let late = net.want(host, "pose");
    assert!(net.finds(host, early, host) && net.finds(host, late, host));
    assert!(
        net.host(host)
            .matches
            .iter()
            .all(|(_, found)| found.endpoint.to_string() == "127.0.0.1:5555")
    );
    net.withdraw(host, id);
    assert!(net.host(host).found.is_empty());
}

#[test]
fn kinds_and_names_are_not_mixed_up() {
    let mut net = Net::new(1);
    let (a, b) = (net.add(), net.add());
    let want = net.want(b, "pose");
    net.announce(a, "pose", Kind::Server, 1);
    net.announce(a, "pose", Kind::Subscriber, 0);
    net.announce(a, "pose.x", Kind::Publisher, 2);
    net.until(SEC, "the nodes", |net| net.sees(a, b) && net.sees(b, a));
    net.advance(SEC);
    assert!(net.host(b).found.is_empty());
    net.publish(a, "pose", 3);
    net.publish(a, "pose", 4);
    net.advance(SEC);
    let ports: Vec<_> = net
        .host(b)
        .found
        .iter()
        .map(|(_, _, endpoint)| endpoint.port())
        .collect();
    assert_eq!(ports, [3, 4]);
    let now = net.now;
    assert!(net.brain(b).unwant(now, want) && !net.brain(b).unwant(now, want));
}

#[test]
fn a_snapshot_shows_who_does_what() {
    let mut net = Net::new(3);
    let (a, b) = (net.add(), net.add());
    net.publish(a, "robot/pose", 5555);
    net.announce(b, "robot/pose", Kind::Subscriber, 0);
    net.announce(b, "add", Kind::Server, 6666);
    net.until(SEC, "the nodes", |net| net.sees(a, b) && net.sees(b, a));
    net.advance(2 * SEC);
    let graph = net.brain(b).snapshot();
    assert_eq!(
        graph
            .nodes
            .iter()
            .map(|node| node.state)
            .collect::<Vec<_>>(),
        [NodeState::Own, NodeState::Alive]
    );
    assert!(graph.nodes[1].round_trip.is_some_and(|time| time < 10 * MS));
    assert!(
        graph.nodes[1]
            .clock_ahead_ns
            .is_some_and(|ns| ns.abs() < 10_000_000)
    );
    let topic = &graph.topics[0];
    assert_eq!(
        topic.providers[0].address.unwrap().to_string(),
        "10.0.0.1:5555"
    );
    assert_eq!(topic.users[0].node, graph.own);
    assert_eq!(topic.encodings(), ["raw"]);
    assert_eq!(graph.services[0].topic.as_str(), "add");
}

#[test]
fn an_event_tells_name_and_address() {
    let mut net = Net::new(4);
    let (a, b) = (net.add(), net.add());
    net.until(SEC, "the nodes", |net| net.sees(a, b));
    let joined = net
        .host(a)
        .events
        .iter()
        .find_map(|(_, event)| match event {
            Event::NodeJoined { name, address, .. } => Some((name.clone(), address.to_string())),
            _ => None,
        });
    assert_eq!(joined, Some(("n1".to_owned(), "10.0.0.2:4000".to_owned())));
}
