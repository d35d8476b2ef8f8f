//! More nodes than can all be linked: a hub tells everybody of everybody, and links are made where topics match.

use colugo_graph::{
    Announcement, AnnouncementId, Change, Counters, Event, HUB, Introduction, Kind, Listing,
    Message, Namespace, NodeId, NodeState, limits,
};

use crate::net::{HostId, MS, Net, SEC};

/// So many hosts that know nothing but these hubs, each with a topic of its own.
fn crowd(net: &mut Net, hubs: &[HostId], hosts: usize) -> Vec<HostId> {
    let add = |net: &mut Net| {
        let host = net.add_with(false, Namespace::default());
        net.publish(host, &format!("own.{host}"), 5);
        for hub in hubs {
            let at = net.host(*hub).address;
            net.add_fixed(host, at);
        }
        host
    };
    (0..hosts).map(|_| add(net)).collect()
}

/// What one host knows another to publish, linked with it or not.
fn topics(net: &mut Net, host: HostId, of: HostId) -> Vec<String> {
    let of = net.id(of);
    let graph = net.brain(host).snapshot();
    let of = graph.nodes.iter().find(|node| node.id == of);
    let topics = of.into_iter().flat_map(|node| &node.announcements);
    topics.map(|what| what.topic.to_string()).collect()
}

fn state(net: &mut Net, host: HostId, of: HostId) -> Option<NodeState> {
    let of = net.id(of);
    let graph = net.brain(host).snapshot();
    let of = graph.nodes.iter().find(|node| node.id == of);
    of.map(|node| node.state)
}

fn links(net: &Net, host: HostId, to: &[HostId]) -> usize {
    let links = to.iter().map(|other| net.links_between(host, *other).len());
    links.sum()
}

fn counters(net: &mut Net, host: HostId) -> Counters {
    net.brain(host).snapshot().counters
}

#[test]
fn a_hub_is_the_only_link_of_who_shares_no_topic() {
    for seed in 0..3 {
        let mut net = Net::new(seed);
        let hub = net.add_hub();
        let hosts = crowd(&mut net, &[hub], 100);
        net.advance(10 * SEC);
        for host in &hosts {
            assert_eq!(links(&net, *host, &hosts), 0, "seed {seed}, n{host}");
            assert_eq!(net.links_between(*host, hub).len(), 1);
        }
        for (one, other) in [(0, 99), (99, 0), (50, 51)] {
            let (one, other) = (hosts[one], hosts[other]);
            assert_eq!(state(&mut net, one, other), Some(NodeState::Relayed));
            assert_eq!(topics(&mut net, one, other), [format!("own.{other}")]);
        }
    }
}

/// A hub that has much to tell names all at once, and says later what they announce: nobody is dialled meanwhile.
#[test]
fn directories_that_take_several_messages_are_waited_for() {
    let mut net = Net::new(0);
    let hub = net.add_hub();
    let hosts = crowd(&mut net, &[hub], 80);
    let long = "t".repeat(200);
    for host in &hosts {
        for number in 0..50 {
            net.publish(*host, &format!("{long}.{host}.{number}"), 5);
        }
    }
    net.advance(SEC / 5);
    let late = crowd(&mut net, &[hub], 10);
    net.advance(20 * SEC);
    for host in hosts.iter().chain(&late) {
        assert_eq!(links(&net, *host, &hosts), 0, "n{host}");
        assert_eq!(topics(&mut net, *host, hosts[7]).len(), 51);
    }
    let want = net.want(late[0], &format!("{long}.{}.49", hosts[3]));
    net.until(SEC / 10, "what was told late", |net| {
        net.finds(late[0], want, hosts[3])
    });
}

#[test]
fn who_shares_a_topic_is_linked_whichever_side_comes_to_want_it() {
    for seed in 0..10 {
        let mut net = Net::new(seed);
        let hub = net.add_hub();
        let hosts = crowd(&mut net, &[hub], 80);
        net.advance(5 * SEC);
        let [a, b, c] = [hosts[3], hosts[70], hosts[40]];
        // It is offered already, and is wanted now.
        let want = net.want(a, &format!("own.{b}"));
        net.until(SEC / 10, "what was there", |net| net.finds(a, want, b));
        // It is wanted already, and is offered now.
        let late = net.want(a, "late");
        net.advance(SEC);
        net.publish(c, "late", 7);
        net.until(SEC / 2, "what came", |net| net.finds(a, late, c));
        net.advance(5 * SEC);
        assert_eq!(links(&net, a, &hosts), 2, "seed {seed}");
        assert_eq!(links(&net, b, &hosts), 1, "seed {seed}");
    }
}

/// Subscribers are announced for people, and are a reason too: both sides know of it, and whoever can dials.
#[test]
fn a_publisher_may_be_the_one_that_dials_its_subscriber() {
    let mut net = Net::new(8);
    let hub = net.add_hub();
    let hosts = crowd(&mut net, &[hub], 80);
    net.advance(5 * SEC);
    let (publisher, subscriber) = (hosts[5], hosts[6]);
    net.publish(publisher, "pose", 5);
    net.advance(SEC);
    // Nothing but the publisher's own look at what its hub says leads to a link: the subscriber wants nothing.
    net.announce(subscriber, "pose", Kind::Subscriber, 0);
    net.until(SEC, "the link", |net| net.sees(publisher, subscriber));
}

#[test]
fn few_nodes_are_all_linked_with_a_hub_too() {
    let mut net = Net::new(2);
    let hub = net.add_hub();
    let hosts = crowd(&mut net, &[hub], limits::MESH - 2);
    net.advance(2 * SEC);
    for host in &hosts {
        assert_eq!(links(&net, *host, &hosts), hosts.len() - 1, "n{host}");
    }
}

#[test]
fn directories_are_followed_through_a_hub() {
    let mut net = Net::new(4);
    let hub = net.add_hub();
    let hosts = crowd(&mut net, &[hub], 80);
    net.advance(5 * SEC);
    let (a, b) = (hosts[0], hosts[1]);
    let more = net.publish(b, "more", 6);
    net.advance(SEC / 10);
    assert_eq!(topics(&mut net, a, b), [format!("own.{b}"), "more".into()]);
    net.withdraw(b, more);
    net.publish(b, "other", 7);
    net.advance(SEC / 10);
    assert_eq!(topics(&mut net, a, b), [format!("own.{b}"), "other".into()]);
    assert_eq!(state(&mut net, a, b), Some(NodeState::Relayed));
    net.kill(b);
    net.advance(SEC / 10);
    assert_eq!(state(&mut net, a, b), None);
}

#[test]
fn a_change_that_was_lost_is_noticed_at_the_next_one() {
    let mut net = Net::new(6);
    let hub = net.add_hub();
    let hosts = crowd(&mut net, &[hub], 70);
    net.advance(5 * SEC);
    let b = hosts[1];
    net.lose_next =
        Some(|message| matches!(message, Message::Nodes { changed, .. } if !changed.is_empty()));
    net.publish(b, "one", 6);
    net.advance(SEC);
    assert!(net.lose_next.is_none(), "one was lost");
    net.publish(b, "two", 7);
    net.advance(SEC);
    let resyncs: u64 = hosts
        .iter()
        .map(|host| counters(&mut net, *host).resyncs)
        .sum();
    assert_eq!(resyncs, 1);
    for host in hosts.iter().filter(|host| **host != b) {
        let expected = [format!("own.{b}"), "one".into(), "two".into()];
        assert_eq!(topics(&mut net, *host, b), expected, "n{host}");
    }
}

#[test]
fn the_end_of_one_of_two_hubs_is_noticed_by_nobody() {
    for first in [true, false] {
        let mut net = Net::new(12);
        let hubs = [net.add_hub(), net.add_hub()];
        let hosts = crowd(&mut net, &hubs, 70);
        let (a, b) = (hosts[10], hosts[60]);
        let want = net.want(a, &format!("own.{b}"));
        net.advance(5 * SEC);
        assert!(net.finds(a, want, b));
        let matches = net.host(a).matches.len();
        net.kill(hubs[usize::from(first)]);
        for _ in 0..100 {
            net.advance(100 * MS);
            assert_eq!(state(&mut net, a, hosts[20]), Some(NodeState::Relayed));
        }
        assert_eq!(net.host(a).matches.len(), matches);
        // What changes is told by the other one.
        net.publish(hosts[20], "later", 9);
        net.advance(SEC / 10);
        assert_eq!(topics(&mut net, a, hosts[20]).len(), 2);
    }
}

/// Those that are linked stay so; of the others nothing is known any more.
#[test]
fn the_end_of_the_only_hub_leaves_what_is_linked() {
    let mut net = Net::new(14);
    let hub = net.add_hub();
    let hosts = crowd(&mut net, &[hub], 70);
    let (a, b) = (hosts[10], hosts[60]);
    let want = net.want(a, &format!("own.{b}"));
    net.advance(5 * SEC);
    net.kill(hub);
    net.advance(30 * SEC);
    assert!(net.finds(a, want, b));
    assert_eq!(state(&mut net, a, b), Some(NodeState::Alive));
    assert_eq!(state(&mut net, a, hosts[20]), None);
    let unreachable = |event: &Event| matches!(event, Event::NodeUnreachable { node: Some(_), .. });
    assert_eq!(net.events_of(a, unreachable), 0, "{}", net.story());
}

/// By multicast they would have to be asked themselves, each by each.
#[test]
fn who_loses_the_hub_asks_those_that_multicast_shows() {
    let mut net = Net::new(16);
    let hub = net.add_hub();
    let at = net.host(hub).address;
    let hosts: Vec<_> = (0..70)
        .map(|_| {
            let host = net.add();
            net.publish(host, &format!("own.{host}"), 5);
            net.add_fixed(host, at);
            host
        })
        .collect();
    net.advance(5 * SEC);
    net.kill(hub);
    net.advance(20 * SEC);
    for host in &hosts {
        assert_eq!(links(&net, *host, &hosts), hosts.len() - 1, "n{host}");
    }
}

/// A hub's word of one more node.
fn told(node: NodeId, listing: Listing) -> Message {
    let about = Introduction {
        node,
        name: "told".into(),
        host: "virtual".into(),
        hub: false,
        addresses: vec![([10, 9, 9, 9], 80).into()],
        listing: Some(listing),
    };
    Message::Nodes {
        all: false,
        known: vec![about],
        gone: Vec::new(),
        changed: Vec::new(),
    }
}

/// It may have ended before it could answer.
#[test]
fn a_hub_that_does_not_answer_keeps_nobody_from_asking_another() {
    let mut net = Net::new(1);
    let host = net.add_with(false, Namespace::default());
    let links = [8, 9].map(|hub| net.intrude_as(host, NodeId([hub; 16]), HUB));
    let now = net.now;
    let node = NodeId([7; 16]);
    let change = |from| Message::Nodes {
        all: false,
        known: Vec::new(),
        gone: Vec::new(),
        changed: vec![Change {
            node,
            from,
            to: from + 1,
            added: Vec::new(),
            removed: Vec::new(),
        }],
    };
    for link in links {
        let first = told(node, Listing::new(1, [])).encode();
        net.brain(host).handle_message(now, link, &first);
    }
    // Each is asked once, however much of what it says does not fit.
    for (from, link, asked) in [(5, 0, 1), (6, 0, 1), (5, 1, 2), (6, 1, 2)] {
        let frame = change(from).encode();
        net.brain(host).handle_message(now, links[link], &frame);
        assert_eq!(counters(&mut net, host).resyncs, asked);
    }
}

/// A hub that tells too much, by mistake or on purpose, does not grow us.
#[test]
fn what_hubs_tell_is_bounded() {
    let mut net = Net::new(1);
    let host = net.add_with(false, Namespace::default());
    let link = net.intrude_as(host, NodeId([9; 16]), HUB);
    let large = Announcement {
        topic: "large".parse().unwrap(),
        kind: Kind::Publisher,
        port: 1,
        encoding: "e".repeat(1 << 20),
    };
    let parts = limits::TOLD_LEN >> 20;
    for number in 0..parts + 10 {
        let mut id = [7; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let listing = Listing::new(1, [(AnnouncementId(1), &large)]);
        let nodes = told(NodeId(id), listing);
        let now = net.now;
        net.brain(host).handle_message(now, link, &nodes.encode());
    }
    assert_eq!(counters(&mut net, host).listings_refused, 11);
    // Who goes makes room.
    let gone = (0..parts as u64 + 10).map(|number| {
        let mut id = [7; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        NodeId(id)
    });
    let nodes = Message::Nodes {
        all: true,
        known: Vec::new(),
        gone: gone.collect(),
        changed: Vec::new(),
    };
    let now = net.now;
    net.brain(host).handle_message(now, link, &nodes.encode());
    assert_eq!(net.brain(host).snapshot().nodes.len(), 2);
}
