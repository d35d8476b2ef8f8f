//! Nothing happens, for a long time, and cheaply.

use colugo_graph::Event;

use crate::net::{MS, Net, SEC};

#[test]
fn nobody_is_suspected_in_400_seconds_of_quiet() {
    for seed in 0..4 {
        let mut net = Net::new(seed);
        // Ids are random, so both orders of joining occur.
        for _ in 0..6 {
            net.add();
            let pause = net.between(0, 2000);
            net.advance(MS * pause);
        }
        net.until(2 * SEC, "all", |net| {
            (0..6).all(|a| (0..6).all(|b| a == b || net.sees(a, b)))
        });
        net.advance(400 * SEC);
        for host in 0..6 {
            let trouble = net.events_of(host, |event| !matches!(event, Event::NodeJoined { .. }));
            assert_eq!(trouble, 0, "seed {seed}\n{}", net.story());
        }
    }
}

#[test]
fn an_idle_link_carries_one_probe_and_its_answer_a_second() {
    let mut net = Net::new(1);
    let (a, b) = (net.add(), net.add());
    net.until(SEC, "each other", |net| net.sees(a, b) && net.sees(b, a));
    net.advance(5 * SEC);
    let (frames, octets) = (net.frames, net.octets);
    net.advance(100 * SEC);
    let (frames, octets) = (net.frames - frames, net.octets - octets);
    assert!(frames <= 200, "{frames} frames in 100 s");
    assert!(octets <= 6000, "{octets} octets in 100 s");
}
