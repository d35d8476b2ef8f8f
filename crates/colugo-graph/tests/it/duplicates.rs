//! Two nodes that dial each other at once end with one connection and never notice.

use colugo_graph::{Event, MatchKind, Namespace};

use crate::net::{MS, Net, SEC};

#[test]
fn both_dial_at_once_and_one_link_stays() {
    let mut duplicates = 0;
    for seed in 0..300 {
        let mut net = Net::new(seed);
        let a = net.add_with(false, Namespace::default());
        let b = net.add_with(false, Namespace::default());
        let (at_a, at_b) = (net.host(a).address, ([10, 1, 0, 2], 4000).into());
        // Which way the link goes that stays must not matter for what was found.
        net.alias(b, at_b);
        let want = net.want(a, "pose");
        net.publish(b, "pose", 5555);
        // Fixed peers are dialled without courtesy.
        net.add_fixed(a, at_b);
        let apart = net.between(0, 5000);
        net.advance(MS * apart / 1000);
        net.add_fixed(b, at_a);
        net.until(SEC, "each other", |net| {
            net.sees(a, b) && net.sees(b, a) && net.finds(a, want, b)
        });
        net.advance(SEC);
        assert_eq!(
            (net.links_between(a, b).len(), net.links_between(b, a).len()),
            (1, 1),
            "seed {seed}"
        );
        for host in [a, b] {
            let joined = net.events_of(host, |event| matches!(event, Event::NodeJoined { .. }));
            let left = net.events_of(host, |event| matches!(event, Event::NodeLeft { .. }));
            assert_eq!((joined, left), (1, 0), "seed {seed}\n{}", net.story());
        }
        let lost = net
            .host(a)
            .matches
            .iter()
            .filter(|(_, change)| change.kind != MatchKind::Found)
            .count();
        assert_eq!(lost, 0, "seed {seed}: a match flickered");
        duplicates += net.brain(a).snapshot().counters.duplicates
            + net.brain(b).snapshot().counters.duplicates;
        // The directory goes on over the link that stayed.
        net.publish(b, "pose", 5556);
        net.advance(100 * MS);
        assert_eq!(net.host(a).found.len(), 2, "seed {seed}");
    }
    assert!(
        duplicates > 100,
        "the test has to provoke duplicates, there were {duplicates}"
    );
}
