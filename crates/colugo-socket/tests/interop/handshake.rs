//! What is agreed on before messages flow: properties, heartbeats, socket types; and IPv6.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use colugo_socket::{
    HandshakeError, HandshakeFault, PubSocket, PullSocket, PushSocket, SocketEvent, SocketType,
    SubSocket,
};
use colugo_testkit::{ZmqPeer, octets, wait_until};

use crate::{PATIENCE, WAYS, join, ours, quick};

#[test]
fn libzmq_is_of_the_version_these_tests_are_about() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    assert!(libzmq.version().starts_with("4.3."), "{}", libzmq.version());
}

#[test]
fn libzmq_accepts_our_properties_and_hands_them_to_its_program() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let push: PushSocket = quick()
            .property("X-Colugo", "1")
            .property("X-Colugo-Topic", "robot/pose")
            .property("X-Colugo-Run", vec![0; 16])
            .property("X-Long", vec![b'x'; 3000])
            .build()
            .unwrap();
        let pull = libzmq.socket("PULL", &[]);
        join(way, &push, &pull);
        push.send("hello").unwrap();
        assert_eq!(pull.property("X-Colugo-Topic"), "robot/pose", "{way:?}");
        let peer = push.peers().remove(0);
        assert_eq!(peer.socket_type(), SocketType::Pull);
        assert!(!peer.is_colugo());
    }
}

/// libzmq ends a connection that leaves its PING without any answer.
#[test]
fn their_heartbeats_are_answered() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let heartbeats = [
        ("HEARTBEAT_IVL", 50.into()),
        ("HEARTBEAT_TIMEOUT", 1000.into()),
        ("HEARTBEAT_TTL", 5000.into()),
    ];
    let (tell, told) = channel();
    let pull = PullSocket::builder()
        .on_event(move |event| {
            if let SocketEvent::Disconnected(_, why) = event {
                let _ = tell.send(why.to_string());
            }
        })
        .build()
        .unwrap();
    let push = libzmq.socket("PUSH", &heartbeats);
    join(WAYS[0], &pull, &push);
    push.send(&["first"]);
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "first");
    // Twice the time after which libzmq would have ended it.
    assert_eq!(
        told.recv_timeout(Duration::from_secs(2)),
        Err(RecvTimeoutError::Timeout)
    );
    assert_eq!(pull.stats().unknown_commands, 0);
    push.send(&["second"]);
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "second");
}

#[test]
fn a_socket_of_the_wrong_type_is_refused_and_named() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let (tell, told) = channel();
    let pull = PullSocket::builder()
        .on_event(move |event| {
            if let SocketEvent::HandshakeFailed(_, fault) = event {
                let _ = tell.send(fault.clone());
            }
        })
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let wrong = libzmq.socket("SUB", &[("SUBSCRIBE", octets(""))]);
    wrong.connect(&endpoint);
    let expected = HandshakeFault::Peer(HandshakeError::IncompatibleSocketType {
        ours: SocketType::Pull,
        theirs: SocketType::Sub,
    });
    wait_until("the refusal", || {
        (told.recv_timeout(PATIENCE) == Ok(expected.clone())).then_some(())
    });
    let right = libzmq.socket("PUSH", &[]);
    right.connect(&endpoint);
    right.send(&["still here"]);
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "still here");
}

#[test]
fn ipv6_works_both_ways() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        colugo_testkit::skipped("this machine has no IPv6", "a machine with IPv6");
        return;
    }
    let publisher: PubSocket = ours();
    let subscriber = libzmq.socket("SUB", &[("IPV6", 1.into()), ("SUBSCRIBE", octets(""))]);
    subscriber.connect(publisher.bind("tcp://[::1]:0").unwrap());
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    publisher.send("over IPv6").unwrap();
    assert_eq!(subscriber.recv(), [b"over IPv6"]);

    let subscriber: SubSocket = ours();
    subscriber.subscribe("").unwrap();
    let publisher = libzmq.socket("PUB", &[("IPV6", 1.into())]);
    subscriber.connect(publisher.bind("tcp://[::1]:0")).unwrap();
    crate::pubsub::synchronise(&publisher, &subscriber, "over IPv6");
}

#[test]
fn every_interface_means_both_families() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let pull: PullSocket = ours();
    let port = pull.bind("tcp://*:0").unwrap().port().unwrap();
    let mut hosts = vec!["127.0.0.1"];
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        hosts.push("[::1]");
    }
    for host in hosts {
        let push = libzmq.socket("PUSH", &[("IPV6", 1.into())]);
        push.connect(format!("tcp://{host}:{port}"));
        push.send(&[host]);
        assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), host);
    }
}
