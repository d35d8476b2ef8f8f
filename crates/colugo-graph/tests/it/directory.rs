//! Directories: batches, gaps, generations.

use colugo_graph::{Message, Namespace};

use crate::net::{MS, Net, SEC};

fn linked(seed: u64) -> Net {
    let mut net = Net::new(seed);
    let (a, b) = (net.add(), net.add());
    net.until(SEC, "each other", |net| net.sees(a, b) && net.sees(b, a));
    net.advance(100 * MS);
    net
}

#[test]
fn changes_within_ten_milliseconds_travel_together() {
    let mut net = linked(1);
    let before = net.frames;
    for number in 0..100 {
        net.publish(0, &format!("t{number}"), 1000 + number);
    }
    net.advance(50 * MS);
    let frames = net.frames - before;
    assert!(frames <= 2, "{frames} frames");
    assert_eq!(net.brain(1).snapshot().topics.len(), 100);
}

#[test]
fn a_gap_is_noticed_and_the_snapshot_asked_for_again() {
    let mut net = linked(2);
    let want = net.want(1, "b");
    net.lose_next = Some(|message| matches!(message, Message::Delta { .. }));
    net.publish(0, "a", 1);
    net.advance(SEC);
    assert!(net.lose_next.is_none(), "it was not sent");
    assert!(net.brain(1).snapshot().topics.is_empty());
    net.publish(0, "b", 2);
    let took = net.until(SEC, "the match", |net| net.finds(1, want, 0));
    assert!(took < 20 * MS, "{took:?}");
    assert_eq!(net.brain(1).snapshot().topics.len(), 2);
    assert_eq!(net.brain(1).snapshot().counters.resyncs, 1);
}

#[test]
fn what_was_withdrawn_before_it_was_told_never_shows() {
    let mut net = linked(3);
    net.publish(0, "kept", 1);
    let id = net.publish(0, "brief", 2);
    net.withdraw(0, id);
    net.advance(SEC);
    let graph = net.brain(1).snapshot();
    assert_eq!(
        graph
            .topics
            .iter()
            .map(|info| info.topic.as_str())
            .collect::<Vec<_>>(),
        ["kept"]
    );
}

#[test]
fn a_latecomer_gets_it_all_while_changes_are_on_their_way() {
    for seed in 0..30 {
        let mut net = linked(seed);
        let late = net.add_with(true, Namespace::default());
        let mut kept = 0;
        for number in 0..60 {
            let id = net.publish(0, &format!("t{number}"), 1000 + number);
            let pause = net.between(0, 5);
            net.advance(MS * pause);
            if number % 3 == 0 {
                net.withdraw(0, id);
            } else {
                kept += 1;
            }
        }
        net.advance(SEC);
        for host in [1, late] {
            assert_eq!(
                net.brain(host).snapshot().topics.len(),
                kept,
                "seed {seed}, n{host}"
            );
        }
        assert_eq!(
            net.brain(late).snapshot().counters.resyncs,
            0,
            "seed {seed}"
        );
    }
}
