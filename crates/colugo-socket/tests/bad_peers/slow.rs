//! A subscriber that takes its messages more slowly than they come: told once an episode, and every message accounted for.

use std::io::Read;
use std::sync::mpsc::channel;

use colugo_socket::{PubSocket, PullSocket, SocketEvent, SubSocket};
use colugo_testkit::wait_until;

use crate::PATIENCE;
use crate::raw::{Raw, command, frame};

#[test]
fn a_slow_subscriber_is_told_of_once_and_all_its_messages_are_accounted_for() {
    let (tell, told) = channel();
    let publisher = PubSocket::builder()
        .send_queue(100, 1 << 20)
        .no_heartbeat()
        .on_event(move |event| match event {
            SocketEvent::Slow(peer, dropped) => tell.send((peer.id(), true, *dropped)).unwrap(),
            SocketEvent::CaughtUp(peer, dropped) => {
                tell.send((peer.id(), false, *dropped)).unwrap();
            }
            _ => {}
        })
        .build()
        .unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap();
    let quick = SubSocket::new().unwrap();
    quick.subscribe("x").unwrap();
    quick.connect(&endpoint).unwrap();
    let mut slow = Raw::shaken(&endpoint, "SUB", 1);
    slow.send(&command("SUBSCRIBE", b""));
    assert!(publisher.wait_for_subscribers(2, PATIENCE));

    let mut sum = (0, 0);
    let mut sent = 0;
    for _ in 0..2 {
        let before = sum.1;
        while sum.1 < before + 500 {
            let now = publisher.send(&[7; 10_000]).unwrap();
            sum = (
                sum.0 + u64::from(now.queued),
                sum.1 + u64::from(now.dropped),
            );
            sent += 1;
        }
        let stats = publisher.peer_stats();
        let of_slow = stats.iter().find(|s| s.dropped > 0).unwrap();
        assert_eq!(of_slow.sent + of_slow.queued + of_slow.dropped, sent);
        assert_eq!(of_slow.dropped, sum.1);
        let (link, is_slow, so_far) = told.recv_timeout(PATIENCE).unwrap();
        assert_eq!((link, is_slow), (of_slow.peer.id(), true));
        assert!(so_far >= 1 && so_far <= sum.1 - before, "{so_far}");
        assert_eq!(
            told.recv_timeout(PATIENCE).unwrap(),
            (link, false, sum.1 - before)
        );
    }
    assert_eq!(publisher.stats().slow, 2);
    assert_eq!(publisher.stats().dropped_full, sum.1);
    let others: u64 = publisher.peer_stats().iter().map(|s| s.dropped).sum();
    assert_eq!(others, sum.1, "nothing was dropped for the other");

    // What was sent and what was queued arrives.
    drop(publisher);
    let mut octets = Vec::new();
    let _ = slow.0.read_to_end(&mut octets);
    let message = frame(0, &[7; 10_000]).len();
    assert_eq!(octets.len() % message, 0);
    assert!(octets.len() / message <= sum.0 as usize);
}

#[test]
fn each_peers_messages_are_counted_apart() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut peers: Vec<Raw> = (0..3).map(|_| Raw::shaken(&endpoint, "PUSH", 1)).collect();
    for (count, raw) in (1..).zip(&mut peers) {
        raw.send(&frame(0, b"work").repeat(count));
    }
    wait_until("all to be received", || {
        (pull.stats().received == 6).then_some(())
    });
    let mut received: Vec<_> = pull
        .peer_stats()
        .iter()
        .map(|s| (s.received, s.received_octets))
        .collect();
    received.sort_unstable();
    assert_eq!(received, [(1, 6), (2, 12), (3, 18)]);
}
