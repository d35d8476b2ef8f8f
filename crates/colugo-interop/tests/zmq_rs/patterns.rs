//! The patterns. What we wait for blocks this test's thread; zmq.rs has one of its own.

use bytes::Bytes;
use colugo_socket::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SubSocket,
};

use crate::{A_MOMENT, PATIENCE, WAYS, frames, join, next, of, ours, parts, send, with_zmq_rs};
use zeromq::{Socket as _, SocketSend as _};

/// Of each length that has another form on the wire, or needs several reads.
fn sizes() -> [Bytes; 6] {
    [0, 1, 255, 256, 70_000, 3 << 20].map(|len| colugo_testkit::pattern(len, 7).into())
}

#[test]
fn our_publisher_feeds_their_subscriber() {
    with_zmq_rs(async {
        for way in WAYS {
            let publisher: PubSocket = ours();
            let mut subscriber = zeromq::SubSocket::new();
            subscriber.subscribe("pose").await.unwrap();
            join(way, &publisher, &mut subscriber).await;
            assert!(publisher.wait_for_subscribers(1, PATIENCE), "{way:?}");
            assert_eq!(publisher.send("image").unwrap().queued, 0);
            publisher
                .send(&parts(&[b"pose", b"", b"\x00\xff"]))
                .unwrap();
            assert_eq!(
                next(&mut subscriber).await,
                parts(&[b"pose", b"", b"\x00\xff"])
            );
            for i in 0..500u32 {
                publisher
                    .send([&b"pose"[..], &i.to_be_bytes()].concat())
                    .unwrap();
            }
            for i in 0..500u32 {
                let message = next(&mut subscriber).await;
                assert_eq!(message[0][4..], i.to_be_bytes());
            }
            subscriber.unsubscribe("pose").await.unwrap();
            colugo_testkit::wait_until("the end of the subscription", || {
                (publisher.send("pose").unwrap().queued == 0).then_some(())
            });
        }
    });
}

#[test]
fn their_publisher_feeds_our_subscriber() {
    with_zmq_rs(async {
        for way in WAYS {
            let subscriber: SubSocket = ours();
            subscriber.subscribe("pose").unwrap();
            let mut publisher = zeromq::PubSocket::new();
            join(way, &subscriber, &mut publisher).await;
            assert!(subscriber.wait_for_peers(1, PATIENCE), "{way:?}");
            // It cannot be asked whether anybody subscribed: it sends until something arrives.
            let message = loop {
                send(&mut publisher, of(&[b"image"])).await;
                send(&mut publisher, of(&[b"pose", b"", b"left"])).await;
                if let Ok(message) = subscriber.recv_timeout(A_MOMENT) {
                    break message;
                }
            };
            assert_eq!(frames(&message), parts(&[b"pose", b"", b"left"]));
        }
    });
}

#[test]
fn our_work_is_done_by_them_and_theirs_by_us() {
    with_zmq_rs(async {
        for way in WAYS {
            let push: PushSocket = ours();
            let mut pull = zeromq::PullSocket::new();
            join(way, &push, &mut pull).await;
            for payload in sizes() {
                push.send(payload.clone()).unwrap();
                assert_eq!(next(&mut pull).await, [payload]);
            }

            let pull: PullSocket = ours();
            let mut push = zeromq::PushSocket::new();
            join(way, &pull, &mut push).await;
            assert!(pull.wait_for_peers(1, PATIENCE), "{way:?}");
            for payload in sizes() {
                send(&mut push, payload.clone()).await;
                assert_eq!(*pull.recv_timeout(PATIENCE).unwrap().payload(), payload);
            }
        }
    });
}

#[test]
fn our_questions_are_answered_by_their_rep() {
    with_zmq_rs(async {
        for way in WAYS {
            let req: ReqSocket = ours();
            let mut rep = zeromq::RepSocket::new();
            join(way, &req, &mut rep).await;
            assert!(req.wait_for_peers(1, PATIENCE), "{way:?}");
            for payload in sizes().into_iter().skip(1) {
                req.send(payload.clone()).unwrap();
                assert_eq!(next(&mut rep).await, std::slice::from_ref(&payload));
                send(&mut rep, payload.clone()).await;
                assert_eq!(*req.recv_timeout(PATIENCE).unwrap().payload(), payload);
            }
        }
    });
}

#[test]
fn their_questions_are_answered_by_our_rep() {
    with_zmq_rs(async {
        for way in WAYS {
            let rep: RepSocket = ours();
            let mut req = zeromq::ReqSocket::new();
            join(way, &rep, &mut req).await;
            assert!(rep.wait_for_peers(1, PATIENCE), "{way:?}");
            for payload in sizes().into_iter().skip(1) {
                send(&mut req, payload.clone()).await;
                assert_eq!(*rep.recv_timeout(PATIENCE).unwrap().payload(), payload);
                rep.send(payload.clone()).unwrap();
                assert_eq!(next(&mut req).await, [payload]);
            }
        }
    });
}

#[test]
fn our_dealer_and_their_router_talk() {
    with_zmq_rs(async {
        for way in WAYS {
            let dealer: DealerSocket = ours();
            let mut router = zeromq::RouterSocket::new();
            join(way, &dealer, &mut router).await;
            for _ in 0..3 {
                dealer.send(&parts(&[b"id", b"", b"question"])).unwrap();
                let mut message = next(&mut router).await;
                let whom = message.remove(0);
                assert_eq!(message, parts(&[b"id", b"", b"question"]), "{way:?}");
                let mut answer = of(&[b"id", b"", b"answer"]);
                answer.push_front(whom);
                router.send(answer).await.unwrap();
                let answer = dealer.recv_timeout(PATIENCE).unwrap();
                assert_eq!(frames(&answer), parts(&[b"id", b"", b"answer"]));
            }
        }
    });
}

#[test]
fn their_dealer_and_our_router_talk() {
    with_zmq_rs(async {
        for way in WAYS {
            let router: RouterSocket = ours();
            let mut dealer = zeromq::DealerSocket::new();
            join(way, &router, &mut dealer).await;
            assert!(router.wait_for_peers(1, PATIENCE), "{way:?}");
            for _ in 0..3 {
                send(&mut dealer, of(&[b"id", b"", b"question"])).await;
                let question = router.recv_timeout(PATIENCE).unwrap();
                assert_eq!(frames(&question)[1..], parts(&[b"id", b"", b"question"]));
                let answer = parts(&[b"id", b"", b"answer"]);
                router.send_to(question.link(), &answer).unwrap();
                assert_eq!(next(&mut dealer).await, answer);
            }
        }
    });
}
