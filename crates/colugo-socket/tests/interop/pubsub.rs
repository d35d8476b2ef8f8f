//! Publish and subscribe.

use colugo_socket::{PubSocket, SubSocket};
use colugo_testkit::{ZmqPeer, ZmqSocket, octets, wait_until};

use crate::{PATIENCE, WAYS, frames, join, ours, parts};

#[test]
fn their_subscriber_gets_what_it_asked_for_and_nothing_else() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let publisher: PubSocket = ours();
        let subscriber = libzmq.socket("SUB", &[("SUBSCRIBE", octets("pose"))]);
        join(way, &publisher, &subscriber);
        wait_for_subscription(&publisher, &subscriber);
        assert_eq!(publisher.send("pos").unwrap().queued, 0, "{way:?}");
        assert_eq!(publisher.send("pose").unwrap().queued, 1);
        assert_eq!(publisher.send("image 1").unwrap().queued, 0);
        let multipart = [&b"pose/left"[..], b"", b"\x00\xff", b""];
        publisher.send(&parts(&multipart)).unwrap();
        assert_eq!(subscriber.recv(), [b"pose"]);
        assert_eq!(subscriber.recv(), multipart);
        for i in 0..500u64 {
            publisher
                .send([&b"pose"[..], &i.to_be_bytes()].concat())
                .unwrap();
            publisher.send("noise").unwrap();
        }
        subscriber.count(500, 4).finish();
    }
}

#[test]
fn our_subscriber_gets_what_it_asked_for_and_nothing_else() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let subscriber: SubSocket = ours();
        subscriber.subscribe("pose").unwrap();
        let publisher = libzmq.socket("PUB", &[]);
        join(way, &subscriber, &publisher);
        synchronise(&publisher, &subscriber, "pose sync");
        publisher.send(&["image"]);
        publisher.send(&["pos"]);
        let multipart = [&b"pose/left"[..], b"", b"\x00\xff", b""];
        publisher.send(&multipart);
        publisher.flood(500, "image").finish();
        let flood = publisher.flood(500, "pose");
        assert_eq!(next(&subscriber, "pose sync"), multipart);
        for i in 0..500u64 {
            let message = subscriber.recv_timeout(PATIENCE).unwrap();
            assert_eq!(message.payload()[..4], *b"pose");
            assert_eq!(message.payload()[4..], i.to_be_bytes());
        }
        flood.finish();
    }
}

#[test]
fn subscriptions_change_while_messages_flow() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let publisher: PubSocket = ours();
        let subscriber = libzmq.socket("SUB", &[("SUBSCRIBE", octets("a"))]);
        join(way, &publisher, &subscriber);
        wait_for_subscription(&publisher, &subscriber);
        // Prefixes may be any octets, and one a prefix of another.
        subscriber.set("SUBSCRIBE", octets([0, 1]));
        subscriber.set("SUBSCRIBE", octets("abc"));
        subscriber.set("UNSUBSCRIBE", octets("a"));
        let queued = |topic: &[u8]| publisher.send(topic).unwrap().queued;
        wait_until("the end of the subscription to a", || {
            (queued(b"ab") == 0).then_some(())
        });
        assert_eq!(queued(&[0, 1, 2]), 1);
        assert_eq!(queued(b"abcd"), 1);
        wait_until("abcd", || (subscriber.recv() == [b"abcd"]).then_some(()));
    }
}

/// libzmq's SUB sends two SUBSCRIBEs but one CANCEL; where it publishes, one CANCEL ends two SUBSCRIBEs.
#[test]
fn two_subscriptions_to_the_same_topic_need_two_cancels_whoever_counts() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let publisher: PubSocket = ours();
    let twice = [("SUBSCRIBE", octets("a")), ("SUBSCRIBE", octets("a"))];
    let subscriber = libzmq.socket("SUB", &twice);
    join(WAYS[0], &publisher, &subscriber);
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    subscriber.set("UNSUBSCRIBE", octets("a"));
    publisher.send("a1").unwrap();
    assert_eq!(subscriber.recv(), [b"a1"]);
    subscriber.set("UNSUBSCRIBE", octets("a"));
    wait_until("the end of the subscription", || {
        (publisher.subscriber_count() == 0).then_some(())
    });

    let subscriber: SubSocket = ours();
    let publisher = libzmq.socket("XPUB", &[("XPUB_VERBOSER", 1.into())]);
    join(WAYS[0], &subscriber, &publisher);
    subscriber.subscribe("b").unwrap();
    subscriber.subscribe("b").unwrap();
    assert_eq!(publisher.recv(), [b"\x01b"]);
    assert!(subscriber.unsubscribe("b"));
    publisher.send(&["b1"]);
    assert_eq!(
        subscriber.recv_timeout(PATIENCE).unwrap().payload(),
        "b1",
        "one is left"
    );
    assert!(subscriber.unsubscribe("b"));
    assert_eq!(publisher.recv(), [b"\x00b"], "nothing was said in between");
}

#[test]
fn one_publisher_feeds_many_and_one_subscriber_hears_many() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let publisher: PubSocket = ours();
    let subscribers: Vec<_> = (0..5)
        .map(|_| libzmq.socket("SUB", &[("SUBSCRIBE", octets(""))]))
        .collect();
    for subscriber in &subscribers {
        join(WAYS[0], &publisher, subscriber);
    }
    assert!(publisher.wait_for_subscribers(5, PATIENCE));
    for i in 0..100u64 {
        assert_eq!(publisher.send(&i.to_be_bytes()).unwrap().queued, 5);
    }
    for subscriber in &subscribers {
        subscriber.count(100, 0).finish();
    }

    let subscriber: SubSocket = ours();
    subscriber.subscribe("").unwrap();
    let publishers: Vec<_> = (0..5).map(|_| libzmq.socket("PUB", &[])).collect();
    for (i, publisher) in publishers.iter().enumerate() {
        join(WAYS[1], &subscriber, publisher);
        synchronise(publisher, &subscriber, &format!("sync {i}"));
    }
    assert_eq!(subscriber.peers().len(), 5);
}

/// A SUB of libzmq that listens subscribes with a new peer only when its program touches the socket.
fn wait_for_subscription(publisher: &PubSocket, subscriber: &ZmqSocket<'_>) {
    wait_until("the subscription", || {
        assert_eq!(subscriber.recv_within(1), None);
        (publisher.subscriber_count() == 1).then_some(())
    });
}

/// A PUB of libzmq cannot be asked whether anybody subscribed: it sends until something arrives.
pub(crate) fn synchronise(publisher: &ZmqSocket<'_>, subscriber: &SubSocket, text: &str) {
    wait_until("the first message", || {
        publisher.send(&[text]);
        subscriber
            .try_recv()
            .is_ok_and(|message| *message.payload() == *text)
            .then_some(())
    });
}

/// The next message that is not left from synchronising.
fn next(subscriber: &SubSocket, sync: &str) -> Vec<Vec<u8>> {
    loop {
        let message = subscriber.recv_timeout(PATIENCE).unwrap();
        if *message.payload() != *sync {
            return frames(&message);
        }
    }
}
