//! Proxies of ours between sockets of libzmq.

use colugo_socket::proxy;
use colugo_socket::{DealerSocket, PullSocket, PushSocket, RouterSocket, XPubSocket, XSubSocket};
use colugo_testkit::{ZmqPeer, octets, wait_until};

use crate::{PATIENCE, ours};

#[test]
fn our_forwarder_between_their_publisher_and_their_subscribers() {
    let (Some(above), Some(below)) = (ZmqPeer::start(), ZmqPeer::start()) else {
        return;
    };
    let (front, back): (XSubSocket, XPubSocket) = (ours(), ours());
    let publish_here = front.bind("tcp://127.0.0.1:0").unwrap();
    let subscribe_here = back.bind("tcp://127.0.0.1:0").unwrap();
    let forwarder = proxy::forwarder(front, back).start().unwrap();
    let publisher = above.socket("XPUB", &[]);
    publisher.connect(publish_here);
    let subscribers = ["a", "b"].map(|topic| {
        let subscriber = below.socket("SUB", &[("SUBSCRIBE", octets(topic))]);
        subscriber.connect(&subscribe_here);
        subscriber
    });
    assert_eq!(publisher.recv()[0][0], 1);
    assert_eq!(publisher.recv()[0][0], 1);
    let message = [&b"a"[..], b"", b"\x00\xff", &[7; 100_000]];
    publisher.send(&message);
    publisher.send(&["c"]);
    publisher.send(&["b1"]);
    assert_eq!(subscribers[0].recv(), message);
    assert_eq!(subscribers[1].recv(), [b"b1"]);
    let flood = publisher.flood(20_000, "b");
    let count = subscribers[1].count(500, 1);
    flood.finish();
    count.finish();
    let [first, _second] = subscribers;
    first.close(0);
    assert_eq!(publisher.recv(), [b"\x00a"], "the last one has left");
    assert!(forwarder.stats().to_back.messages >= 502);
}

#[test]
fn our_queue_between_their_clients_and_their_servers() {
    let (Some(clients), Some(servers)) = (ZmqPeer::start(), ZmqPeer::start()) else {
        return;
    };
    let (front, back): (RouterSocket, DealerSocket) = (ours(), ours());
    let ask_here = front.bind("tcp://127.0.0.1:0").unwrap();
    let answer_here = back.bind("tcp://127.0.0.1:0").unwrap();
    let queue = proxy::queue(front, back).start().unwrap();
    let server = servers.socket("REP", &[]);
    server.connect(answer_here);
    let echo = server.echo(20);
    let [first, second] = [(); 2].map(|()| clients.socket("REQ", &[]));
    first.connect(&ask_here);
    second.connect(&ask_here);
    for round in 0..10u8 {
        first.send(&[[round, 1]]);
        second.send(&[[round, 2]]);
        assert_eq!(first.recv(), [[round, 1]]);
        assert_eq!(second.recv(), [[round, 2]]);
    }
    echo.finish();
    let stats = queue.stats();
    assert_eq!((stats.to_back.messages, stats.to_front.messages), (20, 20));
}

#[test]
fn our_streamer_between_their_ventilator_and_their_workers() {
    let (Some(above), Some(below)) = (ZmqPeer::start(), ZmqPeer::start()) else {
        return;
    };
    let (front, back): (PullSocket, PushSocket) = (ours(), ours());
    let work_here = front.bind("tcp://127.0.0.1:0").unwrap();
    let workers_here = back.bind("tcp://127.0.0.1:0").unwrap();
    let streamer = proxy::streamer(front, back).start().unwrap();
    let push = above.socket("PUSH", &[]);
    push.connect(work_here);
    let pull = below.socket("PULL", &[("RCVHWM", 10.into())]);
    pull.connect(workers_here);
    assert!(streamer.back().wait_for_peers(1, PATIENCE));
    let flood = push.flood(20_000, [7; 1000]);
    let count = pull.count(20_000, 1000);
    flood.finish();
    count.finish();
    wait_until("the counters", || {
        let passed = streamer.stats().to_back;
        (passed.messages == 20_000 && passed.dropped == 0).then_some(())
    });
}
