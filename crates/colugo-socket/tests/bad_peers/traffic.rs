//! Commands and messages after the handshake, the usual and the unusual.

use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::Instant;

use colugo_socket::{
    Bytes, DealerSocket, Endpoint, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterSocket, SendError, SocketEvent, SubSocket,
};

use crate::PATIENCE;
use crate::raw::{
    COMMAND, LONG, MORE, Raw, command, frame, greeting, header, property, ready, serves,
};

#[test]
fn a_ping_is_answered_with_its_context() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
    for context in [&b""[..], b"CTX", &[0xff; 16]] {
        raw.send(&command("PING", &[&[0, 0], context].concat()));
        assert_eq!(raw.frame(), (COMMAND, [&b"\x04PONG"[..], context].concat()));
    }
    // As libzmq does: what is longer is cut.
    raw.send(&command("PING", &[&[0, 0][..], &[7; 20]].concat()));
    assert_eq!(
        raw.frame(),
        (COMMAND, [&b"\x04PONG"[..], &[7; 16]].concat())
    );
}

/// Each kind of socket answers: a PUB and a PUSH have nothing else to read.
#[test]
fn every_kind_answers_a_ping() {
    macro_rules! check {
        ($($kind:ty: $peer:literal),*) => {$(
            let socket = <$kind>::new().unwrap();
            let endpoint = socket.bind("tcp://127.0.0.1:0").unwrap();
            let mut raw = Raw::shaken(&endpoint, $peer, 1);
            raw.send(&command("PING", b"\0\x0ax"));
            assert_eq!(raw.frame(), (COMMAND, b"\x04PONGx".to_vec()), $peer);
        )*};
    }
    check!(
        PubSocket: "SUB", SubSocket: "PUB", PushSocket: "PULL", PullSocket: "PUSH",
        ReqSocket: "REP", RepSocket: "REQ", DealerSocket: "ROUTER", RouterSocket: "DEALER"
    );
}

#[test]
fn what_nobody_knows_is_ignored_and_counted() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
    raw.send(&command("JOIN", b"group"));
    raw.send(&command("STAMP", &[0; 17]));
    raw.send(&command("SUBSCRIBE", b"to a PULL"));
    raw.send(&ready("PUSH"));
    raw.send(&command("PONG", b""));
    raw.send(&frame(0, b"work"));
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "work");
    assert_eq!(pull.stats().unknown_commands, 2, "JOIN and STAMP");
}

/// libzmq's SUB sends a SUBSCRIBE each time, but a CANCEL only for the last: a publisher that counts would send for ever.
#[test]
fn one_cancel_ends_two_subscriptions() {
    let publisher = PubSocket::new().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "SUB", 1);
    for _ in 0..2 {
        raw.send(&command("SUBSCRIBE", b"a"));
    }
    raw.send(&command("CANCEL", b"a"));
    raw.send(&command("CANCEL", b"never subscribed"));
    raw.send(&command("SUBSCRIBE", b"end"));
    colugo_testkit::wait_until("the last subscription", || {
        (publisher.send("end").unwrap().queued == 1).then_some(())
    });
    assert_eq!(publisher.send("a1").unwrap().queued, 0);
}

/// A cancelled subscription may be on its way still.
#[test]
fn what_a_subscriber_did_not_ask_for_is_filtered_and_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let subscriber = SubSocket::new().unwrap();
    subscriber.subscribe("a").unwrap();
    subscriber
        .connect(Endpoint::tcp(listener.local_addr().unwrap()))
        .unwrap();
    let mut raw = Raw::accept(&listener);
    raw.shake("PUB", 1);
    for topic in ["b1", "a1", "c1", "a2"] {
        raw.send(&frame(0, topic.as_bytes()));
    }
    for topic in ["a1", "a2"] {
        assert_eq!(subscriber.recv_timeout(PATIENCE).unwrap().payload(), topic);
    }
    let stats = subscriber.stats();
    assert_eq!((stats.filtered, stats.received), (2, 2));
}

/// A publisher that counts, as RFC 29 has it, would need two CANCELs where it was told twice.
#[test]
fn a_subscription_made_during_the_handshake_is_told_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::tcp(listener.local_addr().unwrap());
    for _ in 0..200 {
        let subscriber = SubSocket::new().unwrap();
        subscriber.connect(&endpoint).unwrap();
        let mut raw = Raw::accept(&listener);
        std::thread::scope(|scope| {
            scope.spawn(|| raw.shake("PUB", 1));
            let deadline = Instant::now() + PATIENCE;
            while subscriber.peers().is_empty() && Instant::now() < deadline {}
            subscriber.subscribe("a").unwrap();
        });
        subscriber.subscribe("end").unwrap();
        assert_eq!(raw.frame().1, b"\x09SUBSCRIBEa");
        assert_eq!(raw.frame().1, b"\x09SUBSCRIBEend");
        // First, or it might dial again and be taken for the next.
        drop(subscriber);
    }
}

#[test]
fn short_bodies_in_long_frames_are_taken() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
    raw.send(&frame(LONG | MORE, b""));
    raw.send(&frame(LONG, b"x"));
    let message = pull.recv_timeout(PATIENCE).unwrap();
    assert_eq!(message.frames(), [&b""[..], b"x"]);
}

#[test]
fn a_message_is_delivered_whole_or_not_at_all() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    for cut in [1, 2, 3, 5, 7, 8] {
        let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
        raw.send(&frame(0, b"whole"));
        assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "whole");
        let message = [frame(MORE, b"one"), frame(0, b"two")].concat();
        raw.send(&message[..cut]);
    }
    serves(&pull, &endpoint);
    assert_eq!(pull.stats().received, 7);
}

#[test]
fn junk_for_sockets_that_only_send_is_ignored_and_counted() {
    let publisher = PubSocket::new().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "SUB", 1);
    raw.send(&frame(0, b"junk"));
    raw.send(&frame(0, b""));
    raw.send(&command("SUBSCRIBE", b""));
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    publisher.send("news").unwrap();
    assert_eq!(raw.frame(), (0, b"news".to_vec()));
    assert_eq!(publisher.stats().ignored, 2);

    let push = PushSocket::new().unwrap();
    let endpoint = push.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "PULL", 1);
    raw.send(&frame(0, b"junk"));
    raw.send(&command("PING", b"\0\0"));
    assert_eq!(raw.frame().1, b"\x04PONG");
    assert_eq!(push.stats().ignored, 1);
}

#[test]
fn a_rep_ignores_what_is_no_question() {
    let rep = RepSocket::new().unwrap();
    let endpoint = rep.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "DEALER", 1);
    raw.send(&frame(0, b"no delimiter"));
    raw.send(&[frame(MORE, b"id"), frame(0, b"")].concat());
    raw.send(&[frame(MORE, b"id"), frame(MORE, b""), frame(0, b"question")].concat());
    assert_eq!(rep.recv_timeout(PATIENCE).unwrap().payload(), "question");
    rep.send("answer").unwrap();
    assert_eq!(raw.frame(), (MORE, b"id".to_vec()));
    assert_eq!(raw.frame(), (MORE, Vec::new()));
    assert_eq!(raw.frame(), (0, b"answer".to_vec()));
    assert_eq!(rep.stats().ignored, 2);
}

#[test]
fn an_answer_to_an_asker_who_left_is_refused() {
    let rep = RepSocket::new().unwrap();
    let endpoint = rep.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "REQ", 1);
    raw.send(&[frame(MORE, b""), frame(0, b"question")].concat());
    assert_eq!(rep.recv_timeout(PATIENCE).unwrap().payload(), "question");
    drop(raw);
    colugo_testkit::wait_until("the end of the connection", || {
        rep.peers().is_empty().then_some(())
    });
    assert_eq!(rep.send("answer"), Err(SendError::NoPeer));
}

/// The limit is on a message, all frames together; what is exactly as large passes.
#[test]
fn messages_over_the_limit_end_their_connection_and_no_other() {
    let (tell, told) = channel();
    let pull = PullSocket::builder()
        .max_message(1000)
        .on_event(move |event| {
            if let SocketEvent::Disconnected(_, why) = event {
                let _ = tell.send(why.to_string());
            }
        })
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut good = Raw::shaken(&endpoint, "PUSH", 1);
    let too_large = [
        header(LONG, 1001),
        header(LONG, u64::MAX >> 1),
        [frame(MORE, &[1; 500]), header(LONG, 501)].concat(),
        [frame(MORE, &[1; 1000]), frame(MORE, b""), header(0, 1)].concat(),
    ];
    for octets in too_large {
        let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
        raw.send(&octets);
        raw.rest();
        let why = told.recv_timeout(PATIENCE).unwrap();
        assert!(why.contains("the limit here is 1000"), "{why}");
    }
    good.send(&[frame(MORE, &[1; 600]), frame(0, &[2; 400])].concat());
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().octets(), 1000);
    assert_eq!(pull.stats().protocol_errors, 4);
    let push = PushSocket::builder().max_message(1000).build().unwrap();
    push.connect(&endpoint).unwrap();
    let parts = [Bytes::from_static(&[0; 600]), Bytes::from_static(&[0; 401])];
    let refused = SendError::TooLarge {
        octets: 1001,
        limit: 1000,
    };
    assert_eq!(push.send(&parts), Err(refused));
    assert_eq!(push.stats().refused_too_large, 1);
}

/// Peers that both announce it get numbers and times; to others not one octet of that goes.
#[test]
fn stamps_go_to_colugo_peers_only() {
    let publisher = PubSocket::builder()
        .property("X-Colugo", "1")
        .stamped(true)
        .build()
        .unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap();
    let mut plain = Raw::shaken(&endpoint, "SUB", 1);
    plain.send(&command("SUBSCRIBE", b""));
    let mut colugo = Raw::dial(&endpoint);
    let properties = [property("Socket-Type", b"SUB"), property("X-Colugo", b"1")];
    colugo.send(&[greeting(1), command("READY", &properties.concat())].concat());
    colugo.send(&command("SUBSCRIBE", b""));
    colugo.expect_greeting();
    let (_, ready) = colugo.frame();
    assert!(ready.windows(8).any(|octets| octets == b"X-Colugo"));
    assert!(publisher.wait_for_subscribers(2, PATIENCE));
    publisher.send("one").unwrap();
    assert_eq!(plain.frame(), (0, b"one".to_vec()));
    let (flags, stamp) = colugo.frame();
    assert_eq!((flags, &stamp[..7]), (COMMAND, &b"\x05STAMP\0"[..]));
    assert_eq!(stamp[7..15], [0; 8], "the first of its run");
    assert_eq!(stamp.len(), 23);
    assert_eq!(colugo.frame(), (0, b"one".to_vec()));
    drop(publisher);
    assert!(plain.rest().is_empty());
}

#[test]
fn what_a_peer_sent_before_it_hung_up_is_delivered() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    for _ in 0..20 {
        let mut raw = Raw::dial(&endpoint);
        let all = [
            greeting(1),
            ready("PUSH"),
            frame(0, b"work"),
            frame(0, &[1; 100_000]),
        ];
        raw.send(&all.concat());
        raw.0.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "work");
        assert_eq!(pull.recv_timeout(PATIENCE).unwrap().octets(), 100_000);
    }
}

/// A publisher that breaks the protocol is dialled again: libzmq would give it up for good.
#[test]
fn a_dialled_peer_that_broke_the_protocol_is_dialled_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let subscriber = SubSocket::new().unwrap();
    subscriber.subscribe("").unwrap();
    subscriber
        .connect(Endpoint::tcp(listener.local_addr().unwrap()))
        .unwrap();
    for octets in [frame(0xf8, b"x"), frame(COMMAND | MORE, b"\x04PING\0\0")] {
        let mut bad = Raw::accept(&listener);
        bad.shake("PUB", 1);
        bad.send(&octets);
        bad.rest();
    }
    let mut bad = Raw::accept(&listener);
    bad.send(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    bad.rest();
    let mut good = Raw::accept(&listener);
    good.shake("PUB", 1);
    assert_eq!(good.frame(), (COMMAND, b"\x09SUBSCRIBE".to_vec()));
    good.send(&frame(0, b"news"));
    assert_eq!(subscriber.recv_timeout(PATIENCE).unwrap().payload(), "news");
}
