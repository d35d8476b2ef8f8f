//! Nodes go: with a goodbye, killed, stopped, cut off; and come back.

use std::time::Duration;

use colugo_graph::{Event, LeaveReason, MatchKind, Namespace, NodeId, Source, WantId};

use crate::net::{HostId, MS, Net, SEC};

struct Pair {
    net: Net,
    publisher: HostId,
    subscriber: HostId,
    want: WantId,
}

fn pair(seed: u64) -> Pair {
    let mut net = Net::new(seed);
    let publisher = net.add();
    net.publish(publisher, "pose", 5555);
    let subscriber = net.add();
    let want = net.want(subscriber, "pose");
    net.until(SEC, "the match", |net| {
        net.finds(subscriber, want, publisher)
    });
    // Somewhere within the period of the probes.
    let pause = net.between(2000, 5000);
    net.advance(MS * pause);
    Pair {
        net,
        publisher,
        subscriber,
        want,
    }
}

impl Pair {
    fn until_lost(&mut self, limit: Duration) -> (Duration, LeaveReason) {
        let Self {
            net,
            publisher,
            subscriber,
            want,
        } = self;
        let took = net.until(limit, "the end", |net| !net.sees(*subscriber, *publisher));
        assert!(
            !net.finds(*subscriber, *want, *publisher),
            "a match of a node that left"
        );
        let reason = last_reason(net, *subscriber);
        // Who says goodbye may have something on its way; of who dies nothing is to be waited for.
        let expected = match reason {
            LeaveReason::Goodbye => MatchKind::Withdrawn,
            _ => MatchKind::Dead,
        };
        let (_, change) = net.host(*subscriber).matches.last().expect("a match");
        assert_eq!(change.kind, expected, "{reason}");
        (took, reason)
    }
}

fn last_reason(net: &Net, host: HostId) -> LeaveReason {
    let mut reasons = net
        .host(host)
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::NodeLeft { reason, .. } => Some(*reason),
            _ => None,
        });
    reasons.next_back().expect("somebody left")
}

#[test]
fn a_goodbye_is_noticed_at_once_and_stale_records_revive_nobody() {
    for seed in 0..20 {
        let mut pair = pair(seed);
        pair.net.leave(pair.publisher);
        let (took, reason) = pair.until_lost(SEC);
        assert!(
            took < 10 * MS && reason == LeaveReason::Goodbye,
            "seed {seed}: {took:?}, {reason}"
        );
        pair.net.advance(30 * SEC);
        let unreachable = pair.net.events_of(pair.subscriber, |event| {
            matches!(event, Event::NodeUnreachable { .. })
        });
        assert_eq!(
            unreachable, 0,
            "seed {seed}: a node that said goodbye was dialled"
        );
        assert_eq!(pair.net.brain(pair.subscriber).snapshot().nodes.len(), 1);
    }
}

#[test]
fn a_killed_process_is_noticed_within_half_a_second() {
    for seed in 0..20 {
        let mut pair = pair(seed);
        pair.net.kill(pair.publisher);
        let (took, reason) = pair.until_lost(SEC);
        assert!(
            took < 20 * MS && reason == LeaveReason::Refused,
            "seed {seed}: {took:?}, {reason}"
        );
        pair.net.advance(200 * SEC);
        let joined = pair.net.events_of(pair.subscriber, |event| {
            matches!(event, Event::NodeJoined { .. })
        });
        assert_eq!(joined, 1, "seed {seed}: its stale record revived it");
        assert_eq!(
            pair.net.brain(pair.subscriber).snapshot().nodes.len(),
            1,
            "its record is gone"
        );
    }
}

#[test]
fn a_stopped_process_is_noticed_within_four_seconds_and_comes_back() {
    for seed in 0..20 {
        let mut pair = pair(seed);
        pair.net.stop(pair.publisher);
        let (took, reason) = pair.until_lost(5 * SEC);
        assert!(
            took <= 4 * SEC && reason == LeaveReason::Silent,
            "seed {seed}: {took:?}, {reason}"
        );
        let suspect = pair.net.events_of(pair.subscriber, |event| {
            matches!(event, Event::NodeSuspect { .. })
        });
        assert_eq!(suspect, 1);
        pair.net.advance(10 * SEC);
        pair.net.go_on(pair.publisher);
        let Pair {
            mut net,
            publisher,
            subscriber,
            want,
        } = pair;
        net.until(6 * SEC, "its return", |net| {
            net.finds(subscriber, want, publisher)
        });
        net.until(SEC, "the other side", |net| net.sees(publisher, subscriber));
    }
}

#[test]
fn a_short_stop_is_suspicious_and_no_more() {
    for seed in 0..20 {
        let mut pair = pair(seed);
        pair.net.stop(pair.publisher);
        pair.net.advance(1900 * MS);
        pair.net.go_on(pair.publisher);
        pair.net.advance(10 * SEC);
        for host in [pair.publisher, pair.subscriber] {
            assert_eq!(
                pair.net
                    .events_of(host, |event| matches!(event, Event::NodeLeft { .. })),
                0,
                "seed {seed}"
            );
            let suspected = pair
                .net
                .events_of(host, |event| matches!(event, Event::NodeSuspect { .. }));
            let recovered = pair
                .net
                .events_of(host, |event| matches!(event, Event::NodeRecovered { .. }));
            assert_eq!(suspected, recovered, "seed {seed}");
        }
    }
}

#[test]
fn a_process_that_was_asleep_blames_nobody() {
    for seed in 0..20 {
        let mut pair = pair(seed);
        let third = pair.net.add();
        let Pair {
            mut net, publisher, ..
        } = pair;
        net.until(SEC, "the third", |net| {
            net.sees(publisher, third) && net.sees(third, publisher)
        });
        net.advance(2 * SEC);
        net.stop(publisher);
        net.advance(2500 * MS);
        net.go_on(publisher);
        net.advance(10 * SEC);
        assert_eq!(
            net.events_of(publisher, |event| matches!(event, Event::NodeLeft { .. })),
            0,
            "seed {seed}"
        );
        assert!(net.events_of(publisher, |event| matches!(event, Event::Stalled { .. })) > 0);
    }
}

#[test]
fn a_cut_is_noticed_and_a_heal_even_if_discovery_forgot() {
    for seed in 0..20 {
        let mut pair = pair(seed);
        pair.net.cut(pair.publisher, pair.subscriber);
        let (took, reason) = pair.until_lost(5 * SEC);
        assert!(
            took <= 4 * SEC && reason == LeaveReason::Silent,
            "seed {seed}: {took:?}, {reason}"
        );
        for (host, other) in [
            (pair.publisher, pair.subscriber),
            (pair.subscriber, pair.publisher),
        ] {
            let (now, node) = (pair.net.now, pair.net.id(other));
            pair.net.with_running(host, |brain| {
                brain.handle_record_gone(now, Source::Mdns, node)
            });
        }
        pair.net.advance(20 * SEC);
        pair.net.mend(pair.publisher, pair.subscriber);
        let Pair {
            mut net,
            publisher,
            subscriber,
            want,
        } = pair;
        // A dial that is out runs into its end first: the virtual network does not repeat a SYN.
        net.until(4 * SEC, "the heal", |net| {
            net.finds(subscriber, want, publisher) && net.sees(publisher, subscriber)
        });
    }
}

#[test]
fn a_node_that_stays_away_is_forgotten() {
    let mut pair = pair(1);
    pair.net.cut(pair.publisher, pair.subscriber);
    let (now, node) = (pair.net.now, pair.net.id(pair.publisher));
    pair.net.with_running(pair.subscriber, |brain| {
        brain.handle_record_gone(now, Source::Mdns, node)
    });
    pair.until_lost(5 * SEC);
    assert_eq!(pair.net.brain(pair.subscriber).snapshot().nodes.len(), 2);
    pair.net.advance(70 * SEC);
    assert_eq!(pair.net.brain(pair.subscriber).snapshot().nodes.len(), 1);
}

#[test]
fn a_restart_at_another_port_replaces_the_old_node() {
    for seed in 0..20 {
        let mut pair = pair(seed);
        pair.net.kill(pair.publisher);
        let again = pair
            .net
            .add_at(([10, 0, 0, 1], 4001).into(), true, Namespace::default());
        pair.net.publish(again, "pose", 5556);
        pair.until_lost(SEC);
        let Pair {
            mut net,
            subscriber,
            want,
            ..
        } = pair;
        net.until(SEC, "the new one", |net| net.finds(subscriber, want, again));
        assert_eq!(net.host(subscriber).found.len(), 1);
    }
}

#[test]
fn a_restart_at_the_same_port_replaces_the_old_node() {
    for seed in 0..20 {
        let mut pair = pair(seed);
        let address = pair.net.host(pair.publisher).address;
        pair.net.kill(pair.publisher);
        let again = pair.net.add_at(address, true, Namespace::default());
        pair.net.publish(again, "pose", 5556);
        let (took, reason) = pair.until_lost(SEC);
        assert!(
            took < 20 * MS && reason == LeaveReason::Replaced,
            "seed {seed}: {took:?}, {reason}"
        );
        let Pair {
            mut net,
            subscriber,
            want,
            ..
        } = pair;
        net.until(SEC, "the new one", |net| net.finds(subscriber, want, again));
    }
}

#[test]
fn a_broken_link_between_living_nodes_is_not_told() {
    for seed in 0..20 {
        let mut pair = pair(seed);
        // One side only: the other one has to believe the second HELLO.
        let (from, to) = if seed % 2 == 0 { (0, 1) } else { (1, 0) };
        pair.net.half_close(from, to);
        pair.net.advance(10 * SEC);
        let Pair {
            mut net,
            publisher,
            subscriber,
            want,
        } = pair;
        for host in [publisher, subscriber] {
            let left = net.events_of(host, |event| matches!(event, Event::NodeLeft { .. }));
            assert_eq!(left, 0, "seed {seed}\n{}", net.story());
        }
        // And the directory still works.
        let id = net.publish(publisher, "pose", 7777);
        net.advance(SEC);
        assert_eq!(net.host(subscriber).found.len(), 2, "seed {seed}");
        net.withdraw(publisher, id);
        net.advance(SEC);
        assert!(net.finds(subscriber, want, publisher) && net.host(subscriber).found.len() == 1);
    }
}

#[test]
fn an_id_that_is_alive_is_not_taken_over() {
    let mut pair = pair(5);
    let id = pair.net.id(pair.publisher);
    let subscriber_address = pair.net.host(pair.subscriber).address;
    // Another node with the same id dials.
    let thief = pair.net.add_as(
        id,
        ([10, 6, 6, 6], 4000).into(),
        false,
        Namespace::default(),
    );
    pair.net.publish(thief, "pose", 6666);
    pair.net.add_fixed(thief, subscriber_address);
    pair.net.advance(20 * SEC);
    let Pair {
        net,
        publisher,
        subscriber,
        want,
    } = pair;
    let endpoints: Vec<_> = net
        .host(subscriber)
        .found
        .iter()
        .map(|(_, _, endpoint)| endpoint.port())
        .collect();
    assert_eq!(endpoints, [5555], "{}", net.story());
    assert!(net.finds(subscriber, want, publisher));
    assert_eq!(
        net.events_of(subscriber, |event| matches!(event, Event::NodeLeft { .. })),
        0
    );
    assert_ne!(id, NodeId([0; 16]));
}
