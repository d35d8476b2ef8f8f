//! Peers that are known by address only.

use colugo_graph::{DialFailure, Event, Namespace};

use crate::net::{MS, Net, SEC};

fn two() -> Net {
    let mut net = Net::new(7);
    for _ in 0..2 {
        net.add_with(false, Namespace::default());
    }
    net
}

#[test]
fn one_side_knows_the_address() {
    let mut net = two();
    let want = net.want(0, "pose");
    let back = net.want(1, "pose");
    net.publish(0, "pose", 1);
    net.publish(1, "pose", 2);
    let at = net.host(1).address;
    net.add_fixed(0, at);
    net.until(50 * MS, "both", |net| {
        net.finds(0, want, 1) && net.finds(1, back, 0)
    });
}

#[test]
fn a_peer_that_starts_later_is_reached_soon() {
    let mut net = two();
    let at = ([10, 0, 0, 9], 4000).into();
    net.add_fixed(0, at);
    net.advance(30 * SEC);
    let fixed = net.brain(0).snapshot().fixed_peers;
    assert_eq!(
        (fixed[0].address.as_str(), fixed[0].problem.as_deref()),
        ("10.0.0.9:4000", Some("connection refused"))
    );
    let refused = |event: &Event| {
        matches!(
            event,
            Event::NodeUnreachable {
                node: None,
                failure: DialFailure::Refused,
                ..
            }
        )
    };
    assert_eq!(
        net.events_of(0, refused),
        2,
        "at the first and the tenth attempt\n{}",
        net.story()
    );
    let late = net.add_at(at, false, Namespace::default());
    net.until(2100 * MS, "the peer", |net| {
        net.sees(0, late) && net.sees(late, 0)
    });
    let fixed = net.brain(0).snapshot().fixed_peers;
    assert_eq!(
        (fixed[0].node, &fixed[0].problem),
        (Some(net.id(late)), &None)
    );
    // It is replaced.
    net.kill(late);
    net.until(100 * MS, "its end", |net| !net.sees(0, late));
    let next = net.add_at(at, false, Namespace::default());
    net.until(SEC, "the next", |net| net.sees(0, next));
}

#[test]
fn the_own_address_is_no_peer() {
    let mut net = two();
    let at = net.host(0).address;
    net.add_fixed(0, at);
    net.advance(10 * SEC);
    assert!(net.host(0).events.is_empty(), "{}", net.story());
    assert!(net.links_between(0, 0).is_empty());
    let frames = net.frames;
    net.advance(100 * SEC);
    assert_eq!(net.frames, frames, "it is not dialled again");
}

#[test]
fn a_node_that_is_found_twice_is_one_node() {
    let mut net = Net::new(8);
    let (a, b) = (net.add(), net.add());
    let at = net.host(b).address;
    net.until(SEC, "each other", |net| net.sees(a, b) && net.sees(b, a));
    net.add_fixed(a, at);
    net.add_fixed(a, at);
    net.advance(60 * SEC);
    assert_eq!(
        (net.links_between(a, b).len(), net.links_between(b, a).len()),
        (1, 1)
    );
    assert_eq!(
        net.events_of(a, |event| matches!(event, Event::NodeJoined { .. })),
        1,
        "{}",
        net.story()
    );
}
