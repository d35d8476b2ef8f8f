//! Publish and subscribe.

use std::time::Duration;

use colugo_socket::{Overflow, PubSocket, SubSocket};

use crate::{PATIENCE, Transport};

over_every_transport! {
    only_what_was_subscribed_to_arrives
    blocking_publishers_lose_nothing_and_number_their_messages
    what_is_dropped_is_counted_on_both_sides
    a_slow_subscriber_does_not_hold_up_the_others
    several_threads_that_flood_are_counted_exactly
}

fn only_what_was_subscribed_to_arrives(at: Transport) {
    let publisher = PubSocket::new().unwrap();
    let endpoint = publisher.bind(at.any()).unwrap();
    let subscriber = SubSocket::new().unwrap();
    subscriber.subscribe("b").unwrap();
    subscriber.subscribe("b").unwrap();
    subscriber.connect(&endpoint).unwrap();
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    assert_eq!(publisher.send("a1").unwrap().queued, 0);
    assert_eq!(publisher.send("b1").unwrap().queued, 1);
    assert_eq!(subscriber.recv_timeout(PATIENCE).unwrap().payload(), "b1");
    assert!(subscriber.unsubscribe("b"));
    publisher.send("b2").unwrap();
    assert_eq!(subscriber.recv_timeout(PATIENCE).unwrap().payload(), "b2");
    assert!(subscriber.unsubscribe("b") && !subscriber.unsubscribe("b"));
    subscriber.subscribe("c").unwrap();
    while publisher.send("c1").unwrap().queued == 0 {
        std::thread::yield_now();
    }
    assert_eq!(
        publisher.send("b3").unwrap().queued,
        0,
        "the cancel came before the subscription"
    );
    assert_eq!(subscriber.recv_timeout(PATIENCE).unwrap().payload(), "c1");
}

fn blocking_publishers_lose_nothing_and_number_their_messages(at: Transport) {
    let publisher = PubSocket::builder()
        .property("X-Colugo", "1")
        .stamped(true)
        .overflow(Overflow::Block(PATIENCE))
        .send_queue(10, 1 << 20)
        .build()
        .unwrap();
    let endpoint = publisher.bind(at.any()).unwrap();
    let subscriber = SubSocket::builder()
        .property("X-Colugo", "1")
        .receive_queue(10, 1 << 20)
        .build()
        .unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect(&endpoint).unwrap();
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    let sender = std::thread::spawn(move || {
        for i in 0..50_000u64 {
            let sent = publisher.send(&i.to_be_bytes()).unwrap();
            assert_eq!((sent.queued, sent.dropped), (1, 0));
        }
        publisher.close()
    });
    let before = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64
        - 3_600_000_000_000;
    for i in 0..50_000u64 {
        let message = subscriber.recv_timeout(PATIENCE).unwrap();
        assert_eq!(message.payload()[..], i.to_be_bytes());
        assert_eq!(message.seq(), Some(i));
        assert!(message.sent_ns().unwrap() > before);
    }
    assert!(sender.join().unwrap());
    let stats = subscriber.stats();
    assert_eq!(
        (stats.received, stats.lost, stats.lost_unexplained),
        (50_000, 0, 0)
    );
}

fn what_is_dropped_is_counted_on_both_sides(at: Transport) {
    let publisher = PubSocket::builder()
        .property("X-Colugo", "1")
        .stamped(true)
        .send_queue(10, 1 << 20)
        .build()
        .unwrap();
    let endpoint = publisher.bind(at.any()).unwrap();
    let subscriber = SubSocket::builder()
        .property("X-Colugo", "1")
        .receive_queue(10, 1 << 20)
        .build()
        .unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect(&endpoint).unwrap();
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    let (mut queued, mut dropped) = (0, 0);
    while dropped < 1000 {
        let sent = publisher.send(&[7; 10_000]).unwrap();
        queued += u64::from(sent.queued);
        dropped += u64::from(sent.dropped);
    }
    for _ in 0..queued {
        subscriber.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(publisher.stats().dropped_full, dropped);
    // The last losses are told by a stamp of their own, right behind the last message.
    let deadline = std::time::Instant::now() + PATIENCE;
    while subscriber.stats().lost < dropped && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(
        (subscriber.stats().lost, subscriber.stats().lost_unexplained),
        (dropped, 0)
    );
    assert_eq!(publisher.stats().sent, queued);
}

fn several_threads_that_flood_are_counted_exactly(at: Transport) {
    const EACH: u64 = 50_000;
    let publisher = PubSocket::builder()
        .property("X-Colugo", "1")
        .stamped(true)
        .send_queue(50, 1 << 20)
        .build()
        .unwrap();
    let endpoint = publisher.bind(at.any()).unwrap();
    let subscribers = [(); 2].map(|()| {
        let subscriber = SubSocket::builder()
            .property("X-Colugo", "1")
            .receive_queue(50, 1 << 20)
            .build()
            .unwrap();
        subscriber.subscribe("").unwrap();
        subscriber.connect(&endpoint).unwrap();
        subscriber
    });
    assert!(publisher.wait_for_subscribers(2, PATIENCE));
    let (mut queued, mut dropped) = (0, 0);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut queued, mut dropped) = (0, 0);
                    for _ in 0..EACH {
                        let sent = publisher.send(&[7; 64]).unwrap();
                        queued += u64::from(sent.queued);
                        dropped += u64::from(sent.dropped);
                    }
                    (queued, dropped)
                })
            })
            .collect();
        for subscriber in &subscribers {
            scope.spawn(move || {
                let deadline = std::time::Instant::now() + PATIENCE;
                let mut last = None;
                // Until this many are accounted for, received or told to be lost.
                loop {
                    if let Ok(message) = subscriber.recv_timeout(Duration::from_millis(5)) {
                        assert!(message.seq() > last, "numbers grow");
                        last = message.seq();
                    }
                    let stats = subscriber.stats();
                    if stats.received + stats.lost == 3 * EACH {
                        break;
                    }
                    assert!(std::time::Instant::now() < deadline, "{stats:?}");
                }
            });
        }
        for sender in senders {
            let (one_queued, one_dropped) = sender.join().unwrap();
            queued += one_queued;
            dropped += one_dropped;
        }
    });
    assert_eq!(queued + dropped, 2 * 3 * EACH);
    let stats = publisher.stats();
    assert_eq!((stats.sent, stats.dropped_full), (queued, dropped));
    for subscriber in &subscribers {
        assert_eq!(subscriber.stats().lost_unexplained, 0);
    }
}

fn a_slow_subscriber_does_not_hold_up_the_others(at: Transport) {
    let publisher = PubSocket::builder()
        .send_queue(10, 1 << 20)
        .build()
        .unwrap();
    let endpoint = publisher.bind(at.any()).unwrap();
    let slow = SubSocket::builder().receive_queue(1, 1000).build().unwrap();
    let fast = SubSocket::new().unwrap();
    for subscriber in [&slow, &fast] {
        subscriber.subscribe("").unwrap();
        subscriber.connect(&endpoint).unwrap();
    }
    assert!(publisher.wait_for_subscribers(2, PATIENCE));
    let mut last = 0;
    while publisher.stats().dropped_full < 10 {
        last += publisher.send(&[0; 100_000]).unwrap().queued;
        while fast.try_recv().is_ok() {}
    }
    assert!(last > 0);
    // The slow one may find room now and then as well, so the count does not tell which of them got it.
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        publisher.send("end").unwrap();
        while let Ok(message) = fast.recv_timeout(Duration::from_millis(10)) {
            if message.payload() == "end" {
                return;
            }
        }
        assert!(
            std::time::Instant::now() < deadline,
            "the fast one gets nothing"
        );
    }
}
