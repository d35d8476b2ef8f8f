//! Payloads from nothing to 16 MiB, in one frame and in several, in both directions.

use colugo_socket::{
    Bytes, DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, SubSocket,
};
use colugo_testkit::{ZmqPeer, octets, pattern};

use crate::{PATIENCE, Way, frames, join, ours, parts, pubsub::synchronise};

/// Around what is framed or buffered differently: the short frame's end, our read sizes, libzmq's 8 KiB batches, 64 KiB and more.
const SIZES: [usize; 9] = [0, 1, 255, 256, 8191, 65_535, 65_536, 1 << 20, 16 << 20];

fn payload(size: usize) -> Bytes {
    pattern(size, (size % 7) as u8).into()
}

/// Not `assert_eq!`: it would print megabytes.
fn same(got: &[Vec<u8>], sent: &[Bytes]) {
    let lengths: Vec<usize> = got.iter().map(Vec::len).collect();
    let sizes: Vec<usize> = sent.iter().map(Bytes::len).collect();
    assert_eq!(lengths, sizes);
    assert!(
        got.iter().zip(sent).all(|(got, sent)| got == sent),
        "the octets differ"
    );
}

#[test]
fn every_size_goes_through_a_pipeline() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for way in [Way::WeListen, Way::TheyListen] {
        let (push, pull): (PushSocket, PullSocket) = (ours(), ours());
        let (their_push, their_pull) = (libzmq.socket("PUSH", &[]), libzmq.socket("PULL", &[]));
        join(way, &push, &their_pull);
        join(way, &pull, &their_push);
        for size in SIZES {
            let payload = payload(size);
            push.send(payload.clone()).unwrap();
            same(&their_pull.recv(), std::slice::from_ref(&payload));
            push.send(&payload[..]).unwrap();
            same(&their_pull.recv(), std::slice::from_ref(&payload));
            their_push.send(&[&payload]);
            let message = pull.recv_timeout(PATIENCE).unwrap();
            same(&frames(&message), std::slice::from_ref(&payload));
        }
        // All of them as the frames of one message, which begins and ends with an empty one.
        let mut all: Vec<Bytes> = SIZES.into_iter().map(payload).collect();
        all.push(Bytes::new());
        push.send(&all).unwrap();
        same(&their_pull.recv(), &all);
        their_push.send(&all);
        same(&frames(&pull.recv_timeout(PATIENCE).unwrap()), &all);
    }
}

#[test]
fn every_size_is_published() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let publisher: PubSocket = ours();
    let their_subscriber = libzmq.socket("SUB", &[("SUBSCRIBE", octets(""))]);
    join(Way::WeListen, &publisher, &their_subscriber);
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    let subscriber: SubSocket = ours();
    subscriber.subscribe("").unwrap();
    let their_publisher = libzmq.socket("PUB", &[]);
    join(Way::TheyListen, &subscriber, &their_publisher);
    synchronise(&their_publisher, &subscriber, "sync");
    for size in SIZES {
        let payload = payload(size);
        publisher.send(payload.clone()).unwrap();
        same(&their_subscriber.recv(), std::slice::from_ref(&payload));
        their_publisher.send(&[&payload]);
        loop {
            let message = subscriber.recv_timeout(PATIENCE).unwrap();
            if message.payload() != "sync" {
                same(&frames(&message), std::slice::from_ref(&payload));
                break;
            }
        }
    }
}

#[test]
fn every_size_is_asked_and_answered() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let (client, server): (ReqSocket, RepSocket) = (ours(), ours());
    let dealer: DealerSocket = ours();
    let (their_client, their_server) = (libzmq.socket("REQ", &[]), libzmq.socket("REP", &[]));
    let their_router = libzmq.socket("ROUTER", &[]);
    join(Way::TheyListen, &client, &their_server);
    join(Way::WeListen, &server, &their_client);
    join(Way::TheyListen, &dealer, &their_router);
    for size in SIZES {
        let message = [payload(size), Bytes::new(), payload(size / 2)];
        let echo = their_server.echo(1);
        client.send(&message).unwrap();
        same(&frames(&client.recv_timeout(PATIENCE).unwrap()), &message);
        echo.finish();
        their_client.send(&message);
        let question = server.recv_timeout(PATIENCE).unwrap();
        server.send(&parts(question.frames())).unwrap();
        same(&their_client.recv(), &message);
        let echo = their_router.echo(1);
        dealer.send(&message).unwrap();
        same(&frames(&dealer.recv_timeout(PATIENCE).unwrap()), &message);
        echo.finish();
    }
}

/// Frames whose lengths meet every border of every buffer sooner or later.
#[test]
fn messages_of_random_shape_come_back_as_they_went() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for way in [Way::WeListen, Way::TheyListen] {
        let dealer: DealerSocket = ours();
        let router = libzmq.socket("ROUTER", &[]);
        join(way, &dealer, &router);
        let mut state = 1u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        let messages: Vec<Vec<Bytes>> = (0..400)
            .map(|_| {
                let frames = 1 + random(5);
                // As many of each order of magnitude, from nothing to 128 KiB.
                let mut size = || {
                    let most = 1 << random(18);
                    random(most) as usize
                };
                (0..frames).map(|_| payload(size())).collect()
            })
            .collect();
        let echo = router.echo(messages.len());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for message in &messages {
                    dealer.send(message).unwrap();
                }
            });
            for message in &messages {
                same(&frames(&dealer.recv_timeout(PATIENCE).unwrap()), message);
            }
        });
        echo.finish();
    }
}
