//! DEALER and ROUTER: identities, and many requests at once.

use colugo_socket::{Bytes, DealerSocket, RepSocket, RouterSocket, SendError};
use colugo_testkit::{ZmqPeer, octets, wait_until};

use crate::{PATIENCE, WAYS, frames, join, ours, parts, quick};

/// Names as programs choose them: a packed integer begins with a zero octet.
const IDENTITIES: [&[u8]; 4] = [b"robot", &[0, 0, 0, 7], &[0xff; 255], b"\x01"];

#[test]
fn their_dealer_is_known_to_our_router_by_its_identity() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        for identity in IDENTITIES {
            let router: RouterSocket = ours();
            let dealer = libzmq.socket("DEALER", &[("IDENTITY", octets(identity))]);
            join(way, &router, &dealer);
            assert!(router.wait_for_peers(1, PATIENCE));
            let peer = router.peers().remove(0);
            assert_eq!(peer.identity(), identity);
            // The router speaks first.
            router
                .send(&parts(&[identity, b"", b"hello", b""]))
                .unwrap();
            assert_eq!(dealer.recv(), [&b""[..], b"hello", b""]);
            dealer.send(&[&b"a"[..], b""]);
            let message = router.recv_timeout(PATIENCE).unwrap();
            assert_eq!(frames(&message), [identity, b"a", b""]);
            router.send_to(message.link(), "by its link").unwrap();
            assert_eq!(dealer.recv(), [b"by its link"]);
        }
    }
}

#[test]
fn our_dealer_is_known_to_their_router_by_its_identity() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        for identity in IDENTITIES {
            let dealer: DealerSocket = quick().identity(identity).build().unwrap();
            let router = libzmq.socket("ROUTER", &[("ROUTER_MANDATORY", 1.into())]);
            join(way, &dealer, &router);
            dealer.send(&parts(&[&b""[..], b"q"])).unwrap();
            assert_eq!(router.recv(), [identity, b"", b"q"], "{way:?}");
            router.send(&[identity, b"answer", b""]);
            let answer = dealer.recv_timeout(PATIENCE).unwrap();
            assert_eq!(frames(&answer), [&b"answer"[..], b""]);
        }
    }
}

#[test]
fn peers_without_an_identity_are_told_apart() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let router: RouterSocket = ours();
    let dealers: Vec<_> = (0..3).map(|_| libzmq.socket("DEALER", &[])).collect();
    for dealer in &dealers {
        join(WAYS[0], &router, dealer);
    }
    for (i, dealer) in dealers.iter().enumerate() {
        dealer.send(&[[i as u8]]);
    }
    for _ in 0..3 {
        let message = router.recv_timeout(PATIENCE).unwrap();
        router.send(message.frames()).unwrap();
    }
    for (i, dealer) in dealers.iter().enumerate() {
        assert_eq!(dealer.recv(), [[i as u8]], "each gets its own");
    }
    let nobody = parts(&[&b"nobody"[..], b"x"]);
    assert_eq!(router.send(&nobody), Err(SendError::NoPeer));
}

#[test]
fn a_second_dealer_of_theirs_with_a_taken_name_waits_until_the_first_has_left() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let router: RouterSocket = ours();
    let endpoint = router.bind("tcp://127.0.0.1:0").unwrap();
    let named = || libzmq.socket("DEALER", &[("IDENTITY", octets("robot"))]);
    let (first, second) = (named(), named());
    first.connect(&endpoint);
    assert!(router.wait_for_peers(1, PATIENCE));
    second.connect(&endpoint);
    second.send(&["kept"]);
    wait_until("a refusal", || {
        (router.stats().refused_peers > 0).then_some(())
    });
    router.send(&parts(&["robot", "for the first"])).unwrap();
    assert_eq!(first.recv(), [b"for the first"]);
    first.close(0);
    let message = router.recv_timeout(PATIENCE).unwrap();
    assert_eq!(frames(&message), [&b"robot"[..], b"kept"]);
    router.send(&parts(&["robot", "for the second"])).unwrap();
    assert_eq!(second.recv(), [b"for the second"]);
}

#[test]
fn with_handover_the_newest_dealer_of_theirs_has_the_name() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let router = RouterSocket::builder().handover(true).build().unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:0").unwrap();
    // It does not come back: it would take over again.
    let first = [
        ("IDENTITY", octets("robot")),
        ("RECONNECT_IVL", (-1).into()),
    ];
    let first = libzmq.socket("DEALER", &first);
    first.watch();
    first.connect(&endpoint);
    assert!(router.wait_for_peers(1, PATIENCE));
    let second = libzmq.socket("DEALER", &[("IDENTITY", octets("robot"))]);
    second.connect(&endpoint);
    second.send(&["hello"]);
    let message = router.recv_timeout(PATIENCE).unwrap();
    assert_eq!(frames(&message), [&b"robot"[..], b"hello"]);
    first.wait_down();
    router.send(&parts(&["robot", "for the second"])).unwrap();
    assert_eq!(second.recv(), [b"for the second"]);
}

/// With libzmq's ROUTER our dealers of one name are treated by its rules: it keeps the first, or hands over.
#[test]
fn their_router_hands_over_between_our_dealers() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let router = libzmq.socket("ROUTER", &[("ROUTER_HANDOVER", 1.into())]);
    let endpoint = router.bind("tcp://127.0.0.1:0");
    let rare = std::time::Duration::from_secs(3600);
    let first: DealerSocket = quick()
        .identity("robot")
        .reconnect(rare, rare)
        .build()
        .unwrap();
    first.connect(&endpoint).unwrap();
    first.send("one").unwrap();
    assert_eq!(router.recv(), [&b"robot"[..], b"one"]);
    let second: DealerSocket = quick().identity("robot").build().unwrap();
    second.connect(&endpoint).unwrap();
    second.send("two").unwrap();
    assert_eq!(router.recv(), [&b"robot"[..], b"two"]);
    router.send(&["robot", "for the second"]);
    let answer = second.recv_timeout(PATIENCE).unwrap();
    assert_eq!(answer.payload(), "for the second");
}

#[test]
fn their_rep_answers_many_requests_of_our_dealer_in_order() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let dealer: DealerSocket = ours();
        let server = libzmq.socket("REP", &[]);
        join(way, &dealer, &server);
        let echo = server.echo(300);
        for i in 0..300u64 {
            let request = [&i.to_be_bytes()[..], b"", b"body", b""];
            dealer.send(&parts(&request)).unwrap();
        }
        for i in 0..300u64 {
            let answer = dealer.recv_timeout(PATIENCE).unwrap();
            assert_eq!(
                frames(&answer),
                [&i.to_be_bytes()[..], b"", b"body", b""],
                "{way:?}"
            );
        }
        echo.finish();
    }
}

#[test]
fn our_rep_answers_many_requests_of_their_dealer_in_order() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let server: RepSocket = ours();
        let dealer = libzmq.socket("DEALER", &[]);
        join(way, &server, &dealer);
        for i in 0..100u8 {
            dealer.send(&[&[i][..], b"", b"body"]);
        }
        for i in 0..100u8 {
            assert_eq!(server.recv_timeout(PATIENCE).unwrap().payload(), "body");
            server.send(&[i]).unwrap();
        }
        for i in 0..100u8 {
            assert_eq!(dealer.recv(), [&[i][..], b"", &[i]], "{way:?}");
        }
    }
}

#[test]
fn requests_in_flight_between_dealer_and_router_keep_their_envelopes() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let dealer: DealerSocket = ours();
        let router = libzmq.socket("ROUTER", &[]);
        join(way, &dealer, &router);
        let echo = router.echo(1000);
        for i in 0..1000u64 {
            dealer.send(&i.to_be_bytes()).unwrap();
        }
        for i in 0..1000u64 {
            let answer = dealer.recv_timeout(PATIENCE).unwrap();
            assert_eq!(answer.payload()[..], i.to_be_bytes(), "{way:?}");
        }
        echo.finish();

        let router: RouterSocket = ours();
        let dealer = libzmq.socket("DEALER", &[]);
        join(way, &router, &dealer);
        dealer.flood(500, "").finish();
        for _ in 0..500 {
            let message = router.recv_timeout(PATIENCE).unwrap();
            router.send(message.frames()).unwrap();
        }
        dealer.count(500, 0).finish();
    }
}

#[test]
fn routers_talk_to_each_other_by_identity() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let ours: RouterSocket = quick().identity("ours").build().unwrap();
        let theirs = libzmq.socket("ROUTER", &[("IDENTITY", octets("theirs"))]);
        join(way, &ours, &theirs);
        assert!(ours.wait_for_peers(1, PATIENCE));
        ours.send(&[Bytes::from_static(b"theirs"), "hello".into()])
            .unwrap();
        assert_eq!(theirs.recv(), [&b"ours"[..], b"hello"], "{way:?}");
        theirs.send(&["ours", "and you"]);
        let message = ours.recv_timeout(PATIENCE).unwrap();
        assert_eq!(frames(&message), [&b"theirs"[..], b"and you"]);
    }
}
