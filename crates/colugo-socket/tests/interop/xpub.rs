//! XPUB and XSUB.

use colugo_socket::{SubSocket, XPubSocket, XSubSocket};
use colugo_testkit::{ZmqPeer, octets, wait_until};

use crate::{PATIENCE, WAYS, Way, frames, join, ours, parts};

fn heard(publisher: &XPubSocket) -> Vec<u8> {
    publisher.recv_timeout(PATIENCE).unwrap().payload().to_vec()
}

#[test]
fn our_xpub_is_told_what_their_subscribers_want() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for way in [Way::WeListen, Way::TheyDialFirst] {
        let publisher: XPubSocket = ours();
        let first = libzmq.socket("SUB", &[("SUBSCRIBE", octets("a"))]);
        join(way, &publisher, &first);
        assert_eq!(heard(&publisher), b"\x01a", "{way:?}");
        let second = libzmq.socket("XSUB", &[]);
        second.connect(publisher.bind("tcp://127.0.0.1:0").unwrap());
        second.send(&[b"\x01a"]);
        second.send(&[b"\x01b"]);
        assert_eq!(heard(&publisher), b"\x01b", "nothing of the second a");
        second.send(&[&b"hello"[..], b"", b"\x01x"]);
        let message = publisher.recv_timeout(PATIENCE).unwrap();
        assert_eq!(frames(&message), [&b"hello"[..], b"", b"\x01x"]);
        assert_eq!(publisher.send("a1").unwrap().queued, 2);
        assert_eq!(first.recv(), [b"a1"]);
        assert_eq!(second.recv(), [b"a1"]);
        second.send(&[b"\x00a"]);
        first.close(0);
        assert_eq!(heard(&publisher), b"\x00a", "the last one has left");
        second.close(0);
        assert_eq!(heard(&publisher), b"\x00b");
    }
}

#[test]
fn their_xpub_is_told_what_our_xsub_wants() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let subscriber: XSubSocket = ours();
        subscriber.send(b"\x01a").unwrap();
        subscriber.send(b"\x01a").unwrap();
        let publisher = libzmq.socket("XPUB", &[("XPUB_VERBOSER", 1.into())]);
        join(way, &subscriber, &publisher);
        assert_eq!(publisher.recv(), [b"\x01a"], "{way:?}");
        subscriber.send("hello").unwrap();
        assert_eq!(publisher.recv(), [b"hello"]);
        let multipart = [&b"two"[..], b"", b"frames"];
        subscriber.send(&parts(&multipart)).unwrap();
        assert_eq!(publisher.recv(), multipart);
        publisher.send(&["b"]);
        publisher.send(&["a1"]);
        let message = subscriber.recv_timeout(PATIENCE).unwrap();
        assert_eq!(message.payload(), "a1");
        subscriber.send(b"\x00a").unwrap();
        subscriber.send(b"\x00a").unwrap();
        assert_eq!(publisher.recv(), [b"\x00a"], "once for both");
    }
}

#[test]
fn our_xsub_subscribes_to_their_pub_and_their_sub_to_our_xpub() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let subscriber: XSubSocket = ours();
    let publisher = libzmq.socket("PUB", &[]);
    join(Way::TheyListen, &subscriber, &publisher);
    subscriber.send(b"\x01a").unwrap();
    wait_until("the first message", || {
        publisher.send(&["b"]);
        publisher.send(&["a"]);
        let message = subscriber.try_recv().ok()?;
        assert_eq!(message.payload(), "a");
        Some(())
    });

    let publisher: XPubSocket = ours();
    let subscriber = libzmq.socket("SUB", &[("SUBSCRIBE", octets(""))]);
    join(Way::TheyDialFirst, &publisher, &subscriber);
    assert_eq!(heard(&publisher), b"\x01");
    let count = subscriber.count(1000, 0);
    for i in 0..1000u64 {
        // Its queue takes as many.
        assert_eq!(publisher.send(&i.to_be_bytes()).unwrap().queued, 1);
    }
    count.finish();
}

/// What an XPUB of libzmq hands up is what ours does: the same orders, the same messages.
#[test]
fn both_xpubs_tell_the_same() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let (ours, theirs): (XPubSocket, _) = (ours(), libzmq.socket("XPUB", &[]));
    let endpoints = [
        ours.bind("tcp://127.0.0.1:0").unwrap().to_string(),
        theirs.bind("tcp://127.0.0.1:0"),
    ];
    let told = |subscriber: &SubSocket, topic: &str, wanted: bool| {
        if wanted {
            subscriber.subscribe(topic).unwrap();
        } else {
            assert!(subscriber.unsubscribe(topic));
        }
    };
    let subscribers: Vec<SubSocket> = (0..2).map(|_| crate::ours()).collect();
    for subscriber in &subscribers {
        for endpoint in &endpoints {
            subscriber.connect(endpoint).unwrap();
        }
        assert!(subscriber.wait_for_peers(2, PATIENCE));
    }
    // One step at a time, so that no order depends on which connection is quicker.
    let steps = [
        (0, "a", true, Some(b"\x01a")),
        (1, "a", true, None),
        (1, "b", true, Some(b"\x01b")),
        (0, "a", false, None),
        (0, "c", true, Some(b"\x01c")),
        (1, "a", false, Some(b"\x00a")),
        (1, "b", false, Some(b"\x00b")),
        (0, "c", false, Some(b"\x00c")),
    ];
    for (who, topic, wanted, expected) in steps {
        told(&subscribers[who], topic, wanted);
        if let Some(expected) = expected {
            assert_eq!(heard(&ours), expected);
            assert_eq!(theirs.recv(), [expected]);
        }
    }
}
