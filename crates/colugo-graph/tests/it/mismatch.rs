//! Nodes that are not for each other: other namespaces, other versions.

use colugo_graph::{Event, Hello, Message, NodeId, NodeState, Version};

use crate::net::{Net, SEC};

#[test]
fn namespaces_do_not_meet() {
    let mut net = Net::new(1);
    let a = net.add_with(true, "one".parse().unwrap());
    let b = net.add_with(true, "two".parse().unwrap());
    net.want(a, "pose");
    net.publish(b, "pose", 1);
    net.advance(10 * SEC);
    assert!(
        net.links_between(a, b).is_empty()
            && net.host(a).events.is_empty()
            && net.host(a).found.is_empty()
    );
    let graph = net.brain(a).snapshot();
    assert_eq!(graph.nodes[1].state, NodeState::Foreign);
    assert_eq!(
        graph.nodes[1].problem.as_deref(),
        Some("it is in the namespace \"two\", we are in \"one\"")
    );
}

#[test]
fn a_fixed_peer_in_another_namespace_is_told() {
    let mut net = Net::new(1);
    let a = net.add_with(false, "one".parse().unwrap());
    let b = net.add_with(false, "two".parse().unwrap());
    let at = net.host(b).address;
    net.add_fixed(a, at);
    net.advance(10 * SEC);
    let told = net.events_of(a, |event| {
        matches!(event, Event::NamespaceMismatch { ours, theirs, .. } if ours == "one" && theirs == "two")
    });
    assert_eq!(told, 1, "{}", net.story());
    assert!(net.links_between(a, b).is_empty());
}

fn hello(version: Version) -> Vec<u8> {
    Message::Hello(Hello {
        node: NodeId([9; 16]),
        version,
        namespace: "default".into(),
        name: "future".into(),
        host: String::new(),
        port: 1,
        addresses: Vec::new(),
        capabilities: vec!["telepathy".into()],
    })
    .encode()
}

#[test]
fn another_major_version_is_named_and_refused() {
    let mut net = Net::new(1);
    let a = net.add();
    let theirs = Version { major: 2, minor: 0 };
    let link = net.intrude(a, Some(&hello(theirs)));
    let expected = Event::VersionMismatch {
        node: NodeId([9; 16]),
        name: "future".into(),
        ours: Version::OURS,
        theirs,
    };
    assert_eq!(
        net.host(a)
            .events
            .iter()
            .map(|(_, event)| event)
            .collect::<Vec<_>>(),
        [&expected]
    );
    assert!(!net.is_open(link));
}

#[test]
fn a_newer_minor_version_is_welcome() {
    let mut net = Net::new(1);
    let a = net.add();
    let link = net.intrude(a, Some(&hello(Version { major: 1, minor: 9 })));
    assert!(net.is_open(link));
    assert_eq!(
        net.events_of(a, |event| matches!(event, Event::NodeJoined { .. })),
        1
    );
}
