//! Peers that go away and come back on the same port.

use std::sync::mpsc::{Receiver, channel};

use colugo_socket::{
    Builder, DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, SocketEvent,
    SubSocket, kind::Kind,
};
use colugo_testkit::{ZmqPeer, free_port, octets};

use crate::{PATIENCE, frames, ours, parts, quick};

/// Tells each time a peer has left.
fn watched<K: Kind>() -> (Builder<K>, Receiver<()>) {
    let (tell, told) = channel();
    let builder = quick().on_event(move |event| {
        if let SocketEvent::Disconnected(..) = event {
            let _ = tell.send(());
        }
    });
    (builder, told)
}

#[test]
fn subscriptions_are_resent_at_once_to_their_restarted_publisher() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    let subscriber: SubSocket = ours();
    subscriber.subscribe("a").unwrap();
    subscriber.subscribe("b").unwrap();
    subscriber.connect(&endpoint).unwrap();
    let publisher = libzmq.socket("XPUB", &[]);
    publisher.bind(&endpoint);
    assert_eq!(publisher.recv(), [b"\x01a"]);
    libzmq.kill();
    let libzmq = ZmqPeer::start().unwrap();
    let publisher = libzmq.socket("XPUB", &[]);
    publisher.bind(&endpoint);
    // Nobody touches our socket meanwhile.
    assert_eq!(publisher.recv(), [b"\x01a"]);
    assert_eq!(publisher.recv(), [b"\x01b"]);
    publisher.send(&["b1"]);
    assert_eq!(subscriber.recv_timeout(PATIENCE).unwrap().payload(), "b1");
}

#[test]
fn their_subscriber_comes_back_to_our_restarted_publisher() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    let subscriber = libzmq.socket("SUB", &[("SUBSCRIBE", octets("a"))]);
    subscriber.connect(&endpoint);
    for _ in 0..3 {
        let publisher: PubSocket = ours();
        publisher.bind(&endpoint).unwrap();
        // libzmq subscribes again only when its program touches the socket.
        let count = subscriber.count(10, 1);
        assert!(publisher.wait_for_subscribers(1, PATIENCE));
        for i in 0..10u64 {
            publisher
                .send([&b"a"[..], &i.to_be_bytes()].concat())
                .unwrap();
        }
        count.finish();
    }
}

#[test]
fn work_for_their_pull_is_kept_while_it_is_away() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    let (builder, left) = watched();
    let push: PushSocket = builder.build().unwrap();
    push.connect(&endpoint).unwrap();
    let pull = libzmq.socket("PULL", &[]);
    pull.bind(&endpoint);
    push.send("before").unwrap();
    assert_eq!(pull.recv(), [b"before"]);
    libzmq.kill();
    left.recv_timeout(PATIENCE).unwrap();
    for i in 0..500u64 {
        push.send(&i.to_be_bytes()).unwrap();
    }
    let libzmq = ZmqPeer::start().unwrap();
    let pull = libzmq.socket("PULL", &[]);
    pull.bind(&endpoint);
    pull.count(500, 0).finish();
}

#[test]
fn their_push_keeps_work_for_our_pull_while_it_is_away() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    let push = libzmq.socket("PUSH", &[]);
    push.watch();
    push.connect(&endpoint);
    let pull: PullSocket = ours();
    pull.bind(&endpoint).unwrap();
    push.send(&["before"]);
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "before");
    drop(pull);
    push.wait_down();
    push.flood(500, "").finish();
    let pull: PullSocket = ours();
    pull.bind(&endpoint).unwrap();
    for i in 0..500u64 {
        let message = pull.recv_timeout(PATIENCE).unwrap();
        assert_eq!(message.payload()[..], i.to_be_bytes());
    }
}

#[test]
fn questions_wait_for_their_restarted_rep() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    let (builder, left) = watched();
    let client: ReqSocket = builder.build().unwrap();
    client.connect(&endpoint).unwrap();
    let server = libzmq.socket("REP", &[]);
    server.bind(&endpoint);
    client.send("one").unwrap();
    assert_eq!(server.recv(), [b"one"]);
    server.send(&["1"]);
    assert_eq!(client.recv_timeout(PATIENCE).unwrap().payload(), "1");
    libzmq.kill();
    left.recv_timeout(PATIENCE).unwrap();
    let asking = std::thread::spawn(move || {
        client.send("two").unwrap();
        client.recv_timeout(PATIENCE)
    });
    let libzmq = ZmqPeer::start().unwrap();
    let server = libzmq.socket("REP", &[]);
    server.bind(&endpoint);
    assert_eq!(server.recv(), [b"two"]);
    server.send(&["2"]);
    assert_eq!(asking.join().unwrap().unwrap().payload(), "2");
}

#[test]
fn their_req_finds_our_restarted_rep() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    let client = libzmq.socket("REQ", &[]);
    client.watch();
    client.connect(&endpoint);
    for round in 0..3u8 {
        let server: RepSocket = ours();
        server.bind(&endpoint).unwrap();
        client.send(&[[round]]);
        assert_eq!(
            server.recv_timeout(PATIENCE).unwrap().payload()[..],
            [round]
        );
        server.send("answer").unwrap();
        assert_eq!(client.recv(), [b"answer"]);
        drop(server);
        client.wait_down();
    }
}

#[test]
fn requests_of_our_dealer_are_kept_while_their_router_is_away() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    let (builder, left) = watched();
    let dealer: DealerSocket = builder.identity("dealer").build().unwrap();
    dealer.connect(&endpoint).unwrap();
    dealer.send("before").unwrap();
    let router = libzmq.socket("ROUTER", &[]);
    router.bind(&endpoint);
    assert_eq!(router.recv(), [&b"dealer"[..], b"before"]);
    libzmq.kill();
    left.recv_timeout(PATIENCE).unwrap();
    let kept = [&b"kept"[..], b"", b"body"];
    dealer.send(&parts(&kept)).unwrap();
    let libzmq = ZmqPeer::start().unwrap();
    let router = libzmq.socket("ROUTER", &[]);
    router.bind(&endpoint);
    assert_eq!(router.recv(), [&b"dealer"[..], b"kept", b"", b"body"]);
    router.send(&[&b"dealer"[..], b"answer", b""]);
    let answer = dealer.recv_timeout(PATIENCE).unwrap();
    assert_eq!(frames(&answer), [&b"answer"[..], b""]);
}
