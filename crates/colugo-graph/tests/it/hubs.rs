//! Hubs: one address that all know takes the place of multicast.

use colugo_graph::{Event, Introduction, Message, Namespace, NodeId, NodeState};

use crate::net::{HostId, Net, SEC};

/// So many hosts that know nothing but the addresses of these hubs.
fn around(net: &mut Net, hubs: &[HostId], hosts: usize) -> Vec<HostId> {
    let add = |net: &mut Net| {
        let host = net.add_with(false, Namespace::default());
        for hub in hubs {
            let at = net.host(*hub).address;
            net.add_fixed(host, at);
        }
        host
    };
    (0..hosts).map(|_| add(net)).collect()
}

fn all_see_all(net: &Net, hosts: &[HostId]) -> bool {
    let pairs = hosts
        .iter()
        .flat_map(|one| hosts.iter().map(move |other| (*one, *other)));
    pairs
        .filter(|(one, other)| one != other)
        .all(|(one, other)| net.sees(one, other))
}

fn losses(net: &Net, host: HostId) -> usize {
    net.events_of(host, |event| {
        matches!(event, Event::NodeLeft { .. } | Event::NodeSuspect { .. })
    })
}

#[test]
fn nodes_that_know_only_a_hub_find_each_other() {
    for seed in 0..50 {
        let mut net = Net::new(seed);
        let hub = net.add_hub();
        let hosts = around(&mut net, &[hub], 10);
        let want = net.want(hosts[0], "pose");
        net.publish(hosts[9], "pose", 5);
        net.until(SEC, "the publisher", |net| {
            net.finds(hosts[0], want, hosts[9])
        });
        net.until(SEC, "everybody", |net| all_see_all(net, &hosts));
        let late = around(&mut net, &[hub], 1)[0];
        net.until(SEC, "the one that came late", |net| {
            hosts
                .iter()
                .all(|host| net.sees(*host, late) && net.sees(late, *host))
        });
        for host in hosts {
            assert_eq!(losses(&net, host), 0, "{}", net.story());
        }
    }
}

#[test]
fn no_host_is_a_hub_unless_it_is_told_to_be() {
    let mut net = Net::new(3);
    let middle = net.add_with(false, Namespace::default());
    let hosts = around(&mut net, &[middle], 2);
    net.advance(10 * SEC);
    assert!(net.sees(hosts[0], middle) && !net.sees(hosts[0], hosts[1]));
}

#[test]
fn the_end_of_a_hub_ends_no_link() {
    let mut net = Net::new(11);
    let hub = net.add_hub();
    let hosts = around(&mut net, &[hub], 5);
    let want = net.want(hosts[0], "pose");
    net.publish(hosts[4], "pose", 5);
    net.until(SEC, "everybody", |net| {
        all_see_all(net, &hosts) && net.finds(hosts[0], want, hosts[4])
    });
    net.kill(hub);
    net.advance(60 * SEC);
    assert!(all_see_all(&net, &hosts) && net.finds(hosts[0], want, hosts[4]));
    for host in hosts {
        assert_eq!(losses(&net, host), 1, "the hub's\n{}", net.story());
    }
}

/// Whichever of two hubs ends, those that come later meet those that were there.
#[test]
fn of_two_hubs_one_is_enough() {
    for first in [true, false] {
        let mut net = Net::new(5);
        let hubs = [net.add_hub(), net.add_hub()];
        let mut hosts = around(&mut net, &hubs, 4);
        net.until(SEC, "everybody", |net| all_see_all(net, &hosts));
        net.kill(hubs[usize::from(first)]);
        net.advance(5 * SEC);
        hosts.extend(around(&mut net, &hubs, 2));
        net.until(SEC, "the late ones", |net| all_see_all(net, &hosts));
    }
}

/// Each hub has half of the nodes, and a link to the other.
#[test]
fn hubs_that_are_linked_join_their_nodes() {
    for seed in 0..20 {
        let mut net = Net::new(seed);
        let hubs = [net.add_hub(), net.add_hub(), net.add_hub()];
        for pair in hubs.windows(2) {
            let at = net.host(pair[1]).address;
            net.add_fixed(pair[0], at);
        }
        let mut hosts = Vec::new();
        for hub in hubs {
            hosts.extend(around(&mut net, &[hub], 3));
        }
        net.until(2 * SEC, "everybody", |net| all_see_all(net, &hosts));
    }
}

#[test]
fn who_has_left_is_not_looked_for_on_account_of_a_hub() {
    let mut net = Net::new(9);
    let hub = net.add_hub();
    let hosts = around(&mut net, &[hub], 3);
    net.until(SEC, "everybody", |net| all_see_all(net, &hosts));
    net.leave(hosts[2]);
    net.until(SEC, "its goodbye", |net| !net.sees(hosts[0], hosts[2]));
    net.kill(hosts[1]);
    net.until(SEC, "the other's end", |net| !net.sees(hosts[0], hosts[1]));
    net.advance(10 * SEC);
    let heard = net.brain(hosts[0]).snapshot();
    let heard = heard
        .nodes
        .iter()
        .filter(|node| node.state == NodeState::Heard);
    assert_eq!(heard.count(), 0, "nothing leads to them any more");
    let failed = |event: &Event| matches!(event, Event::NodeUnreachable { .. });
    assert_eq!(net.events_of(hosts[0], failed), 0, "{}", net.story());
    // A newcomer does not hear of them at all.
    let late = around(&mut net, &[hub], 1)[0];
    net.advance(10 * SEC);
    assert_eq!(net.events_of(late, failed), 0, "{}", net.story());
}

/// Else anybody could make others dial whatever it likes.
#[test]
fn who_does_not_say_that_it_is_a_hub_is_not_believed() {
    for (word, dials) in [("hub", 1), ("no hub", 0)] {
        let mut net = Net::new(1);
        let host = net.add_with(false, Namespace::default());
        let link = net.intrude_as(host, NodeId([9; 16]), word);
        let nodes = Message::Nodes {
            all: true,
            known: vec![Introduction {
                node: NodeId([8; 16]),
                name: "victim".into(),
                host: "virtual".into(),
                hub: false,
                addresses: vec!["10.9.9.9:80".parse().unwrap()],
                listing: None,
            }],
            gone: Vec::new(),
            changed: Vec::new(),
        };
        let now = net.now;
        net.brain(host).handle_message(now, link, &nodes.encode());
        let heard = net.brain(host).snapshot().nodes;
        let heard = heard.iter().filter(|node| node.name == "victim");
        assert_eq!(heard.count(), dials, "{word}");
        let counted = net.brain(host).snapshot().counters.unknown_messages;
        assert_eq!(counted, 1 - dials as u64, "{word}");
    }
}

/// Behind a hub and on the same network too: one link, whoever told of it.
#[test]
fn who_is_heard_twice_has_one_link() {
    for seed in 0..50 {
        let mut net = Net::new(seed);
        let hub = net.add_hub();
        let at = net.host(hub).address;
        let hosts: Vec<_> = (0..4)
            .map(|_| {
                let host = net.add();
                net.add_fixed(host, at);
                host
            })
            .collect();
        net.until(SEC, "everybody", |net| all_see_all(net, &hosts));
        net.advance(5 * SEC);
        for one in &hosts {
            for other in hosts.iter().filter(|other| *other != one) {
                assert_eq!(net.links_between(*one, *other).len(), 1, "seed {seed}");
            }
            assert_eq!(losses(&net, *one), 0, "seed {seed}\n{}", net.story());
        }
    }
}

#[test]
fn a_restart_elsewhere_is_found_through_the_hub() {
    let mut net = Net::new(21);
    let hub = net.add_hub();
    let hosts = around(&mut net, &[hub], 3);
    net.until(SEC, "everybody", |net| all_see_all(net, &hosts));
    net.kill(hosts[1]);
    let again = around(&mut net, &[hub], 1)[0];
    net.until(SEC, "the new one", |net| {
        net.sees(hosts[0], again) && !net.sees(hosts[0], hosts[1])
    });
}
