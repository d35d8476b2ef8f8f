//! Proxies between our sockets.

use std::sync::mpsc::channel;
use std::time::Duration;

use colugo_socket::proxy::{self, Way};
use colugo_socket::{
    Bytes, DealerSocket, Overflow, ProxyError, PubSocket, PullSocket, PushSocket, RepSocket,
    ReqSocket, RouterSocket, SubSocket, XPubSocket, XSubSocket,
};
use colugo_testkit::wait_until;

use crate::{PATIENCE, Transport};

over_every_transport! {
    a_forwarder_passes_subscriptions_up_and_news_down
    a_queue_brings_questions_to_servers_in_turn_and_answers_back
    a_streamer_slows_the_sender_down_and_loses_nothing
    a_stopped_streamer_passes_on_what_has_come_in
    what_is_captured_is_what_passes
}

fn a_forwarder_passes_subscriptions_up_and_news_down(at: Transport) {
    let (front, back) = (XSubSocket::new().unwrap(), XPubSocket::new().unwrap());
    let above = front.bind(at.any()).unwrap();
    let below = back.bind(at.any()).unwrap();
    let forwarder = proxy::forwarder(front, back).start().unwrap();
    let publishers: Vec<_> = (0..2).map(|_| PubSocket::new().unwrap()).collect();
    for publisher in &publishers {
        publisher.connect(&above).unwrap();
    }
    let subscribers: Vec<_> = (0..3).map(|_| SubSocket::new().unwrap()).collect();
    for subscriber in &subscribers {
        subscriber.subscribe("a").unwrap();
        subscriber.connect(&below).unwrap();
    }
    assert!(forwarder.back().wait_for_subscribers(3, PATIENCE));
    for (i, publisher) in publishers.iter().enumerate() {
        assert!(publisher.wait_for_subscribers(1, PATIENCE));
        let large = Bytes::from(vec![i as u8; 300_000]);
        let frames = [Bytes::from_static(b"a"), Bytes::new(), large];
        assert_eq!(publisher.send("b").unwrap().queued, 0, "nobody wants it");
        assert_eq!(publisher.send(&frames).unwrap().queued, 1);
        for subscriber in &subscribers {
            let message = subscriber.recv_timeout(PATIENCE).unwrap();
            assert_eq!(message.frames(), frames, "untouched");
        }
    }
    // The last to go ends the subscription above.
    drop(subscribers);
    for publisher in &publishers {
        wait_until("the end of the subscriptions", || {
            (publisher.subscriber_count() == 0).then_some(())
        });
    }
    let stats = forwarder.stats();
    assert_eq!((stats.to_back.messages, stats.to_back.octets), (2, 600_002));
    assert_eq!(stats.to_front.messages, 2, "one topic, on and off");
    assert!(forwarder.stop());
    forwarder.wait();
    assert_eq!(forwarder.stats().to_back.dropped, 0);
}

fn a_queue_brings_questions_to_servers_in_turn_and_answers_back(at: Transport) {
    let (front, back) = (RouterSocket::new().unwrap(), DealerSocket::new().unwrap());
    let clients_here = front.bind(at.any()).unwrap();
    let servers_here = back.bind(at.any()).unwrap();
    let queue = proxy::queue(front, back).start().unwrap();
    let servers: Vec<_> = (0..2u8)
        .map(|id| {
            let server = RepSocket::new().unwrap();
            server.connect(&servers_here).unwrap();
            std::thread::spawn(move || {
                for _ in 0..20 {
                    let question = server.recv_timeout(PATIENCE).unwrap();
                    let answer = [&question.payload()[..], &[id]].concat();
                    server.send(answer).unwrap();
                }
                assert!(server.close());
            })
        })
        .collect();
    assert!(queue.back().wait_for_peers(2, PATIENCE));
    let clients: Vec<_> = (0..4).map(|_| ReqSocket::new().unwrap()).collect();
    let mut by = [0; 2];
    for client in &clients {
        client.connect(&clients_here).unwrap();
    }
    for round in 0..10u8 {
        for (i, client) in clients.iter().enumerate() {
            client.send(&[i as u8, round]).unwrap();
        }
        for (i, client) in clients.iter().enumerate() {
            let answer = client.recv_timeout(PATIENCE).unwrap();
            assert_eq!(answer.payload()[..2], [i as u8, round]);
            by[usize::from(answer.payload()[2])] += 1;
        }
    }
    assert_eq!(by, [20, 20]);
    for server in servers {
        server.join().unwrap();
    }
    let stats = queue.stats();
    assert_eq!((stats.to_back.messages, stats.to_front.messages), (40, 40));
    assert_eq!((stats.to_back.dropped, stats.to_front.dropped), (0, 0));
}

/// Far more than all queues together hold: a proxy that would drop, or keep, would be seen.
fn a_streamer_slows_the_sender_down_and_loses_nothing(at: Transport) {
    const MANY: u64 = 3000;
    let front = PullSocket::builder().receive_queue(10, 1 << 20).build();
    let back = PushSocket::builder().send_queue(10, 1 << 20).build();
    let (front, back) = (front.unwrap(), back.unwrap());
    let work_here = front.bind(at.any()).unwrap();
    let workers_here = back.bind(at.any()).unwrap();
    let streamer = proxy::streamer(front, back).start().unwrap();
    let push = PushSocket::builder()
        .send_queue(10, 1 << 20)
        .overflow(Overflow::Block(PATIENCE))
        .linger(PATIENCE)
        .build()
        .unwrap();
    push.connect(&work_here).unwrap();
    let pull = PullSocket::builder().receive_queue(1, 1).build().unwrap();
    pull.connect(&workers_here).unwrap();
    let (tell, told) = channel();
    let sender = std::thread::spawn(move || {
        for i in 0..MANY {
            let mut message = vec![0; 20_000];
            message[..8].copy_from_slice(&i.to_be_bytes());
            push.send(message).unwrap();
        }
        let _ = tell.send(());
        push.close()
    });
    assert!(pull.wait_for_peers(1, PATIENCE));
    // Nobody takes anything yet, so the sender cannot be done: 60 MB fit nowhere.
    assert!(told.recv_timeout(Duration::from_millis(300)).is_err());
    assert!(streamer.stats().to_back.messages < MANY);
    for i in 0..MANY {
        let message = pull.recv_timeout(PATIENCE).unwrap();
        assert_eq!(message.payload()[..8], i.to_be_bytes());
    }
    assert!(sender.join().unwrap());
    wait_until("the counters", || {
        (streamer.stats().to_back.messages == MANY).then_some(())
    });
    assert_eq!(streamer.stats().to_back.dropped, 0);
}

fn a_stopped_streamer_passes_on_what_has_come_in(at: Transport) {
    let (front, back) = (
        PullSocket::new().unwrap(),
        PushSocket::builder().linger(PATIENCE).build().unwrap(),
    );
    let work_here = front.bind(at.any()).unwrap();
    let workers_here = at.certain();
    back.connect(&workers_here).unwrap();
    let push = PushSocket::new().unwrap();
    push.connect(work_here).unwrap();
    for i in 0..500u64 {
        push.send(&i.to_be_bytes()).unwrap();
    }
    let streamer = proxy::streamer(front, back).start().unwrap();
    wait_until("all to have come in", || {
        (streamer.front().stats().received == 500).then_some(())
    });
    let stopping = std::thread::spawn(move || (streamer.stop(), streamer.stats()));
    let pull = PullSocket::new().unwrap();
    pull.bind(&workers_here).unwrap();
    for i in 0..500u64 {
        let message = pull.recv_timeout(PATIENCE).unwrap();
        assert_eq!(message.payload()[..], i.to_be_bytes());
    }
    let (all, stats) = stopping.join().unwrap();
    assert!(all, "{stats:?}");
    assert_eq!((stats.to_back.messages, stats.to_back.dropped), (500, 0));
}

fn what_is_captured_is_what_passes(at: Transport) {
    let (front, back) = (RouterSocket::new().unwrap(), DealerSocket::new().unwrap());
    let clients_here = front.bind(at.any()).unwrap();
    let servers_here = back.bind(at.any()).unwrap();
    let (tell, told) = channel();
    let _queue = proxy::queue(front, back)
        .capture(move |way, message| {
            let _ = tell.send((way, message.frames().last().cloned()));
            assert_eq!(way, Way::ToBack, "a panic harms nobody");
        })
        .start()
        .unwrap();
    let (client, server) = (ReqSocket::new().unwrap(), RepSocket::new().unwrap());
    client.connect(clients_here).unwrap();
    server.connect(servers_here).unwrap();
    client.send("question").unwrap();
    assert_eq!(server.recv_timeout(PATIENCE).unwrap().payload(), "question");
    server.send("answer").unwrap();
    assert_eq!(client.recv_timeout(PATIENCE).unwrap().payload(), "answer");
    let captured: Vec<_> = told.try_iter().collect();
    let expected = [(Way::ToBack, "question"), (Way::ToFront, "answer")];
    assert_eq!(
        captured,
        expected.map(|(way, text)| (way, Some(Bytes::from_static(text.as_bytes()))))
    );

    let (front, back) = (PullSocket::new().unwrap(), PushSocket::new().unwrap());
    let work_here = front.bind(at.any()).unwrap();
    let publisher = PubSocket::new().unwrap();
    let watch_here = publisher.bind(at.any()).unwrap();
    let subscriber = SubSocket::new().unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect(watch_here).unwrap();
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    let _streamer = proxy::streamer(front, back).capture_to(publisher).start();
    let push = PushSocket::new().unwrap();
    push.connect(work_here).unwrap();
    push.send("work").unwrap();
    assert_eq!(subscriber.recv_timeout(PATIENCE).unwrap().payload(), "work");
}

#[test]
fn what_a_proxy_cannot_keep_is_refused() {
    let colugo = XSubSocket::builder().property("x-colugo", "1").build();
    let refused = proxy::forwarder(colugo.unwrap(), XPubSocket::new().unwrap()).start();
    assert!(matches!(refused, Err(ProxyError::Colugo(_))));
}
