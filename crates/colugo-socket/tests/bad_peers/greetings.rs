//! Handshakes in pieces, of other versions, of other kinds, and too slow ones.

use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use colugo_socket::{
    Builder, Endpoint, HandshakeError, HandshakeFault, PubSocket, PullSocket, PushSocket,
    RouterSocket, Socket, SocketEvent, SubSocket, kind::Kind,
};

use crate::PATIENCE;
use crate::raw::{COMMAND, Raw, command, frame, greeting, property, ready, serves};

fn told_of_failures<K: Kind>() -> (Builder<K>, Receiver<HandshakeFault>) {
    let (tell, told) = channel();
    let builder = Socket::builder().on_event(move |event| {
        if let SocketEvent::HandshakeFailed(_, fault) = event {
            let _ = tell.send(fault.clone());
        }
    });
    (builder, told)
}

/// libzmq sends its greeting so, each part after it has seen enough of ours.
#[test]
fn a_greeting_in_three_steps_is_answered_by_a_whole_one() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::dial(&endpoint);
    let greeting = greeting(1);
    raw.send(&greeting[..10]);
    raw.expect_greeting();
    raw.send(&greeting[10..11]);
    raw.send(&greeting[11..]);
    raw.send(&ready("PUSH"));
    raw.send(&frame(0, b"work"));
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "work");
}

#[test]
fn a_dialled_peer_that_greets_in_three_steps_is_understood() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let push = PushSocket::new().unwrap();
    push.connect(Endpoint::tcp(listener.local_addr().unwrap()))
        .unwrap();
    push.send("work").unwrap();
    let mut raw = Raw::accept(&listener);
    raw.expect_greeting();
    let greeting = greeting(1);
    for part in [&greeting[..10], &greeting[10..11], &greeting[11..]] {
        raw.send(part);
    }
    assert_eq!(raw.frame(), (COMMAND, ready("PUSH")[2..].to_vec()));
    raw.send(&ready("PULL"));
    assert_eq!(raw.frame(), (0, b"work".to_vec()));
}

#[test]
fn a_whole_conversation_is_understood_octet_by_octet_and_in_one_piece() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let all = [
        greeting(1),
        ready("PUSH"),
        frame(1, b""),
        frame(0, &[7; 300]),
        command("PING", b"\0\0context"),
        frame(0, b"last"),
    ]
    .concat();
    for size in [1, 3, all.len()] {
        let mut raw = Raw::dial(&endpoint);
        for piece in all.chunks(size) {
            raw.send(piece);
        }
        let message = pull.recv_timeout(PATIENCE).unwrap();
        assert_eq!(message.frames().len(), 2);
        assert_eq!(message.frames()[1].len(), 300);
        assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "last");
    }
}

/// ZMTP 3.0 subscribes by messages, and knows no commands after the handshake.
#[test]
fn a_3_0_peer_is_spoken_to_in_its_own_version() {
    let publisher = PubSocket::builder()
        .property("X-Colugo", "1")
        .stamped(true)
        .build()
        .unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap();
    let mut old = Raw::shaken(&endpoint, "SUB", 0);
    old.send(&frame(0, b"\x01a"));
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    publisher.send("b1").unwrap();
    publisher.send("a1").unwrap();
    assert_eq!(old.frame(), (0, b"a1".to_vec()));
    old.send(&frame(0, b"\x00a"));
    old.send(&frame(0, b"\x01c"));
    colugo_testkit::wait_until("the change of subscriptions", || {
        (publisher.send("c1").unwrap().queued == 1).then_some(())
    });
    assert_eq!(publisher.send("a2").unwrap().queued, 0);
    assert_eq!(old.frame(), (0, b"c1".to_vec()));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let subscriber = SubSocket::new().unwrap();
    subscriber.subscribe("a").unwrap();
    subscriber
        .connect(Endpoint::tcp(listener.local_addr().unwrap()))
        .unwrap();
    let mut old = Raw::accept(&listener);
    old.shake("PUB", 0);
    assert_eq!(old.frame(), (0, b"\x01a".to_vec()));
    subscriber.unsubscribe("a");
    assert_eq!(old.frame(), (0, b"\x00a".to_vec()));
}

#[test]
fn subscriptions_in_either_form_are_taken_from_a_3_1_peer() {
    let publisher = PubSocket::new().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "SUB", 1);
    raw.send(&frame(0, b"\x01old"));
    raw.send(&command("SUBSCRIBE", b"new"));
    colugo_testkit::wait_until("the subscriptions", || {
        (publisher.send("new").unwrap().queued == 1).then_some(())
    });
    assert_eq!(raw.frame(), (0, b"new".to_vec()));
    publisher.send("old").unwrap();
    assert_eq!(raw.frame(), (0, b"old".to_vec()));
}

#[test]
fn later_versions_are_spoken_to_as_3_1() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    for (major, minor) in [(3, 2), (3, 255), (4, 0)] {
        let mut raw = Raw::dial(&endpoint);
        let mut greeting = greeting(minor);
        greeting[10] = major;
        raw.send(&[greeting, ready("PUSH"), frame(0, b"work")].concat());
        assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "work");
    }
}

#[test]
fn identities_and_properties_are_read_as_they_come() {
    let router = RouterSocket::new().unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::dial(&endpoint);
    // Names in any case, properties nobody knows, an identity that begins with a zero octet.
    let properties = [
        property("x-unknown", &[0; 500]),
        property("SOCKET-TYPE", b"DEALER"),
        property("identity", b"\x00\x00\x01"),
    ];
    raw.send(&[greeting(1), command("READY", &properties.concat())].concat());
    raw.send(&frame(0, b"hello"));
    let message = router.recv_timeout(PATIENCE).unwrap();
    assert_eq!(message.frames()[0][..], [0, 0, 1]);
    assert_eq!(router.peers()[0].property("X-Unknown").unwrap().len(), 500);
}

#[test]
fn who_cannot_be_talked_to_is_told_so_and_named() {
    let (builder, told) = told_of_failures();
    let pull: PullSocket = builder.build().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let long_identity = [
        property("Socket-Type", b"PUSH"),
        property("Identity", &[1; 256]),
    ];
    let refused = [
        (ready("SUB"), &b"Invalid socket type"[..]),
        (ready("NONSENSE"), b"Invalid socket type"),
        (command("READY", b""), b"Invalid socket type"),
        (
            command("READY", &long_identity.concat()),
            b"Invalid identity",
        ),
        (command("READY", b"\x05short"), b"Invalid metadata"),
        (
            command("READY", &property("X-Many", b"").repeat(33)),
            b"Invalid metadata",
        ),
        (
            command("READY", &property("X-Large", &[0; 5000])),
            b"Invalid metadata",
        ),
    ];
    for (ready, reason) in refused {
        let mut raw = Raw::dial(&endpoint);
        raw.send(&[greeting(1), ready].concat());
        raw.expect_greeting();
        let expected = command("ERROR", &[&[reason.len() as u8], reason].concat());
        let said = raw.rest();
        assert!(
            said.ends_with(&expected),
            "{:?} instead of {:?}",
            String::from_utf8_lossy(&said),
            String::from_utf8_lossy(reason)
        );
        assert!(matches!(
            told.recv_timeout(PATIENCE).unwrap(),
            HandshakeFault::Peer(_)
        ));
    }
    serves(&pull, &endpoint);
}

#[test]
fn other_mechanisms_and_old_versions_are_refused() {
    let (builder, told) = told_of_failures();
    let pull: PullSocket = builder.build().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut curve = greeting(1);
    curve[12..17].copy_from_slice(b"CURVE");
    let mut version_2 = greeting(0);
    version_2[10] = 1;
    // ZMTP 1.0: a length and the identity, no signature.
    let version_1 = b"\x01\x00\x05\x00work".to_vec();
    for octets in [curve, version_2, version_1] {
        let mut raw = Raw::dial(&endpoint);
        raw.send(&octets);
        raw.rest();
        let fault = told.recv_timeout(PATIENCE).unwrap();
        assert!(
            matches!(
                fault,
                HandshakeFault::Peer(
                    HandshakeError::MechanismMismatch { .. }
                        | HandshakeError::OldVersion { .. }
                        | HandshakeError::NotZmtp
                )
            ),
            "{fault}"
        );
    }
    serves(&pull, &endpoint);
}

#[test]
fn an_error_instead_of_ready_is_reported_with_its_reason_escaped() {
    let (builder, told) = told_of_failures();
    let pull: PullSocket = builder.build().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::dial(&endpoint);
    raw.send(&[greeting(1), command("ERROR", b"\x06no\x1b[2J")].concat());
    raw.rest();
    let fault = told.recv_timeout(PATIENCE).unwrap().to_string();
    assert!(fault.contains("no") && !fault.contains('\x1b'), "{fault}");
}

/// The deadline is one for the whole handshake: octets that drip in do not extend it.
#[test]
fn a_dripping_handshake_ends_at_its_deadline() {
    let limit = Duration::from_millis(300);
    let (builder, told) = told_of_failures();
    let pull: PullSocket = builder.handshake_timeout(limit).build().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let began = Instant::now();
    let mut raw = Raw::dial(&endpoint);
    for octet in greeting(1).into_iter().cycle() {
        match told.recv_timeout(Duration::from_millis(20)) {
            Ok(fault) => {
                assert_eq!(fault, HandshakeFault::TimedOut);
                break;
            }
            Err(_) => raw.try_send(&[octet]),
        };
        assert!(began.elapsed() < PATIENCE);
    }
    assert!(began.elapsed() >= limit);
    serves(&pull, &endpoint);
}

#[test]
fn mute_connections_make_room_for_those_that_speak() {
    let pull = PullSocket::builder()
        .max_connections(10)
        .handshake_timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mute: Vec<Raw> = (0..20).map(|_| Raw::dial(&endpoint)).collect();
    serves(&pull, &endpoint);
    drop(mute);
}
