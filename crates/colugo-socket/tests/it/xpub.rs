//! XPUB and XSUB: subscriptions as messages (RFC 29).

use colugo_socket::{Bytes, PubSocket, RecvError, SubSocket, XPubSocket, XSubSocket};
use colugo_testkit::wait_until;

use crate::{PATIENCE, Transport};

over_every_transport! {
    an_xpub_is_told_of_the_first_and_of_the_last_subscriber
    a_subscriber_that_leaves_ends_what_nobody_else_holds
    a_verbose_xpub_is_told_of_every_subscriber
    an_xsub_subscribes_by_sending_and_talks_to_its_publishers
    an_xsub_counts_what_it_subscribes_to_and_tells_it_to_those_who_come_later
    they_fit_plain_publishers_and_subscribers
}

fn heard(publisher: &XPubSocket) -> Vec<u8> {
    publisher.recv_timeout(PATIENCE).unwrap().payload().to_vec()
}

fn subscriber_of(publisher: &XPubSocket, at: Transport) -> XSubSocket {
    let endpoint = publisher.bind(at.any()).unwrap();
    let subscriber = XSubSocket::new().unwrap();
    subscriber.connect(endpoint).unwrap();
    assert!(subscriber.wait_for_peers(1, PATIENCE));
    subscriber
}

fn an_xpub_is_told_of_the_first_and_of_the_last_subscriber(at: Transport) {
    let publisher = XPubSocket::new().unwrap();
    let (first, second) = (subscriber_of(&publisher, at), subscriber_of(&publisher, at));
    first.subscribe("a").unwrap();
    assert_eq!(heard(&publisher), b"\x01a");
    second.subscribe("a").unwrap();
    second.subscribe("b").unwrap();
    assert_eq!(heard(&publisher), b"\x01b", "nothing of the second a");
    assert_eq!(publisher.send("a1").unwrap().queued, 2);
    first.unsubscribe("a");
    first.subscribe("c").unwrap();
    assert_eq!(heard(&publisher), b"\x01c", "nothing of the first's end");
    assert_eq!(publisher.send("a2").unwrap().queued, 1);
    second.unsubscribe("a");
    assert_eq!(heard(&publisher), b"\x00a");
    assert_eq!(publisher.send("a3").unwrap().queued, 0);
    assert_eq!(publisher.try_recv(), Err(RecvError::TimedOut));
}

fn a_subscriber_that_leaves_ends_what_nobody_else_holds(at: Transport) {
    let publisher = XPubSocket::new().unwrap();
    let (first, second) = (subscriber_of(&publisher, at), subscriber_of(&publisher, at));
    for topic in ["a", "b", "c"] {
        first.subscribe(topic).unwrap();
        heard(&publisher);
    }
    second.subscribe("b").unwrap();
    second.subscribe("end").unwrap();
    assert_eq!(heard(&publisher), b"\x01end");
    let links: Vec<_> = publisher.peers().iter().map(|peer| peer.id()).collect();
    drop(first);
    let told: Vec<_> = (0..2)
        .map(|_| publisher.recv_timeout(PATIENCE).unwrap())
        .collect();
    assert_eq!(told[0].payload()[..], *b"\x00a");
    assert_eq!(told[1].payload()[..], *b"\x00c");
    assert!(links.contains(&told[0].link()), "it tells who it was");
    drop(second);
    assert_eq!(heard(&publisher), b"\x00b");
    assert_eq!(heard(&publisher), b"\x00end");
}

fn a_verbose_xpub_is_told_of_every_subscriber(at: Transport) {
    let publisher = XPubSocket::builder().verbose(true).build().unwrap();
    let (first, second) = (subscriber_of(&publisher, at), subscriber_of(&publisher, at));
    first.subscribe("a").unwrap();
    assert_eq!(heard(&publisher), b"\x01a");
    second.subscribe("a").unwrap();
    assert_eq!(heard(&publisher), b"\x01a");
    first.unsubscribe("a");
    assert_eq!(heard(&publisher), b"\x00a");
    drop(second);
    assert_eq!(heard(&publisher), b"\x00a");
}

fn an_xsub_subscribes_by_sending_and_talks_to_its_publishers(at: Transport) {
    let publisher = XPubSocket::new().unwrap();
    let subscriber = subscriber_of(&publisher, at);
    assert_eq!(subscriber.send(b"\x01a").unwrap().queued, 1);
    assert_eq!(heard(&publisher), b"\x01a");
    publisher.send("b").unwrap();
    publisher.send("a1").unwrap();
    assert_eq!(subscriber.recv_timeout(PATIENCE).unwrap().payload(), "a1");
    assert_eq!(subscriber.send("hello").unwrap().queued, 1);
    let two = [Bytes::from_static(b"two"), Bytes::from_static(b"\x01x")];
    subscriber.send(&two).unwrap();
    assert_eq!(heard(&publisher), b"hello");
    let message = publisher.recv_timeout(PATIENCE).unwrap();
    assert_eq!(message.frames(), two);
    // What follows a subscription in one message is a message of its own.
    let three = [&b"\x01c"[..], b"with", b"frames"].map(Bytes::from_static);
    subscriber.send(&three).unwrap();
    assert_eq!(heard(&publisher), b"\x01c");
    let message = publisher.recv_timeout(PATIENCE).unwrap();
    assert_eq!(message.frames(), [&b"with"[..], b"frames"]);
    subscriber.send(b"\x00a").unwrap();
    assert_eq!(heard(&publisher), b"\x00a");
    assert_eq!(publisher.send("a2").unwrap().queued, 0);
}

fn an_xsub_counts_what_it_subscribes_to_and_tells_it_to_those_who_come_later(at: Transport) {
    let subscriber = XSubSocket::new().unwrap();
    subscriber.send(b"\x01a").unwrap();
    subscriber.send(b"\x01a").unwrap();
    subscriber.send(b"\x01b").unwrap();
    subscriber.send(b"\x00b").unwrap();
    subscriber.send(b"\x00a").unwrap();
    subscriber.send(b"\x00never").unwrap();
    for _ in 0..3 {
        let publisher = XPubSocket::new().unwrap();
        let endpoint = publisher.bind(at.any()).unwrap();
        subscriber.connect(&endpoint).unwrap();
        assert_eq!(heard(&publisher), b"\x01a", "one of two is left");
        subscriber.disconnect(&endpoint);
        assert_eq!(heard(&publisher), b"\x00a");
        assert_eq!(publisher.try_recv(), Err(RecvError::TimedOut));
    }
}

fn they_fit_plain_publishers_and_subscribers(at: Transport) {
    let publisher = PubSocket::new().unwrap();
    let subscriber = XSubSocket::new().unwrap();
    subscriber
        .connect(publisher.bind(at.any()).unwrap())
        .unwrap();
    subscriber.send(b"\x01a").unwrap();
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    subscriber.send("for nobody").unwrap();
    wait_until("what a PUB ignores", || {
        (publisher.stats().ignored == 1).then_some(())
    });
    publisher.send("a1").unwrap();
    assert_eq!(subscriber.recv_timeout(PATIENCE).unwrap().payload(), "a1");

    let publisher = XPubSocket::new().unwrap();
    let subscriber = SubSocket::new().unwrap();
    subscriber.subscribe("").unwrap();
    subscriber
        .connect(publisher.bind(at.any()).unwrap())
        .unwrap();
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    assert_eq!(heard(&publisher), b"\x01");
    publisher.send("news").unwrap();
    assert_eq!(subscriber.recv_timeout(PATIENCE).unwrap().payload(), "news");
    drop(subscriber);
    assert_eq!(heard(&publisher), b"\x00");
}
