//! The socket patterns of RFC 28 to 30.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use colugo_socket::{
    Bytes, DealerSocket, Handler, MessageRef, Peer, PullSocket, PushSocket, RecvError, RepSocket,
    ReqSocket, RouterSocket, SendError,
};

use crate::{PATIENCE, Transport};

over_every_transport! {
    push_reaches_pull_in_order_and_large_messages_pass
    ten_thousand_messages_arrive_in_order
    work_is_handed_out_in_turn
    req_and_rep_alternate
    a_late_answer_is_not_taken_for_the_next_one
    a_router_answers_by_identity
    a_handler_gets_messages_and_survives_its_panics
    futures_run_on_any_executor
    a_flood_does_not_hide_a_quiet_sender
}

fn push_reaches_pull_in_order_and_large_messages_pass(at: Transport) {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind(at.any()).unwrap();
    let push = PushSocket::new().unwrap();
    push.connect(&endpoint).unwrap();
    let sizes = [0, 1, 255, 256, 4095, 16 << 10, 1 << 20, (16 << 20) + 1];
    let sender = std::thread::spawn(move || {
        for (i, size) in sizes.iter().enumerate() {
            push.send(vec![i as u8; *size]).unwrap();
            push.send(&[
                Bytes::from_static(b"head"),
                Bytes::from(vec![i as u8; *size]),
                Bytes::new(),
            ])
            .unwrap();
        }
        push.close()
    });
    for (i, size) in sizes.iter().enumerate() {
        let single = pull.recv_timeout(PATIENCE).unwrap();
        assert_eq!(single.frames().len(), 1);
        assert!(single.payload().len() == *size && single.payload().iter().all(|b| *b == i as u8));
        let multi = pull.recv_timeout(PATIENCE).unwrap();
        assert_eq!(
            multi.frames().iter().map(Bytes::len).collect::<Vec<_>>(),
            [4, *size, 0]
        );
    }
    assert!(sender.join().unwrap(), "closed within the linger time");
}

fn ten_thousand_messages_arrive_in_order(at: Transport) {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind(at.any()).unwrap();
    let push = PushSocket::new().unwrap();
    push.connect(&endpoint).unwrap();
    let sender = std::thread::spawn(move || {
        for i in 0..100_000u64 {
            push.send(&i.to_be_bytes()).unwrap();
        }
        push.close()
    });
    for i in 0..100_000u64 {
        assert_eq!(
            pull.recv_timeout(PATIENCE).unwrap().payload()[..],
            i.to_be_bytes()
        );
    }
    assert!(sender.join().unwrap());
}

fn work_is_handed_out_in_turn(at: Transport) {
    let push = PushSocket::new().unwrap();
    let endpoint = push.bind(at.any()).unwrap();
    let pulls: Vec<_> = (0..3).map(|_| PullSocket::new().unwrap()).collect();
    for pull in &pulls {
        pull.connect(&endpoint).unwrap();
    }
    assert!(push.wait_for_peers(3, PATIENCE));
    for i in 0..30u8 {
        push.send(&[i]).unwrap();
    }
    for pull in &pulls {
        for _ in 0..10 {
            pull.recv_timeout(PATIENCE).unwrap();
        }
        assert_eq!(pull.try_recv(), Err(RecvError::TimedOut));
    }
}

fn req_and_rep_alternate(at: Transport) {
    let rep = RepSocket::new().unwrap();
    let endpoint = rep.bind(at.any()).unwrap();
    let req = ReqSocket::new().unwrap();
    assert!(matches!(req.recv(), Err(RecvError::Order(_))));
    assert!(matches!(rep.send("x"), Err(SendError::Order(_))));
    req.connect(&endpoint).unwrap();
    for round in 0..3u8 {
        req.send(&[round]).unwrap();
        assert!(matches!(req.send("again"), Err(SendError::Order(_))));
        assert_eq!(rep.recv_timeout(PATIENCE).unwrap().payload()[..], [round]);
        rep.send(&[round, round]).unwrap();
        assert_eq!(
            req.recv_timeout(PATIENCE).unwrap().payload()[..],
            [round, round]
        );
    }
}

fn a_late_answer_is_not_taken_for_the_next_one(at: Transport) {
    let rep = RepSocket::new().unwrap();
    let endpoint = rep.bind(at.any()).unwrap();
    let req = ReqSocket::new().unwrap();
    req.connect(&endpoint).unwrap();
    req.send("first").unwrap();
    rep.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        req.recv_timeout(Duration::from_millis(1)),
        Err(RecvError::TimedOut)
    );
    rep.send("late").unwrap();
    req.send("second").unwrap();
    assert_eq!(rep.recv_timeout(PATIENCE).unwrap().payload(), "second");
    rep.send("in time").unwrap();
    assert_eq!(req.recv_timeout(PATIENCE).unwrap().payload(), "in time");
}

/// Each of them in its own envelope, and none that is still being dialled.
#[test]
fn a_req_asks_those_who_are_there_a_rep_with_a_number_and_a_router_without() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (rep, router) = (RepSocket::new().unwrap(), RouterSocket::new().unwrap());
    let req = ReqSocket::new().unwrap();
    let mute_at = mute.local_addr().unwrap();
    req.connect(format!("tcp://{mute_at}")).unwrap();
    req.connect(rep.bind("tcp://127.0.0.1:0").unwrap()).unwrap();
    req.connect(router.bind("tcp://127.0.0.1:0").unwrap())
        .unwrap();
    assert!(req.wait_for_peers(2, PATIENCE));
    for round in 0..6u8 {
        req.send(&[round]).unwrap();
        if round % 2 == 0 {
            assert_eq!(rep.recv_timeout(PATIENCE).unwrap().payload()[..], [round]);
            rep.send(&[round]).unwrap();
        } else {
            let question = router.recv_timeout(PATIENCE).unwrap();
            assert_eq!(question.frames()[1..], [&[][..], &[round]]);
            router.send(question.frames()).unwrap();
        }
        assert_eq!(req.recv_timeout(PATIENCE).unwrap().payload()[..], [round]);
    }
}

fn a_router_answers_by_identity(at: Transport) {
    let router = RouterSocket::new().unwrap();
    let endpoint = router.bind(at.any()).unwrap();
    let named = DealerSocket::builder().identity("named").build().unwrap();
    let nameless = DealerSocket::new().unwrap();
    named.connect(&endpoint).unwrap();
    nameless.connect(&endpoint).unwrap();
    named.send("a").unwrap();
    nameless.send("b").unwrap();
    for _ in 0..2 {
        let question = router.recv_timeout(PATIENCE).unwrap();
        assert_eq!(question.frames().len(), 2);
        let is_named = question.frames()[0] == "named";
        assert_eq!(question.frames()[1], if is_named { "a" } else { "b" });
        router
            .send(&[question.frames()[0].clone(), Bytes::from_static(b"answer")])
            .unwrap();
    }
    assert_eq!(named.recv_timeout(PATIENCE).unwrap().payload(), "answer");
    assert_eq!(nameless.recv_timeout(PATIENCE).unwrap().payload(), "answer");
    assert_eq!(
        router.send(&[Bytes::from_static(b"nobody"), Bytes::new()]),
        Err(SendError::NoPeer)
    );
    assert_eq!(router.send("alone"), Err(SendError::NoIdentity));
}

struct Echo(
    mpsc::Sender<(usize, usize)>,
    Option<std::sync::Weak<RouterSocket>>,
);

impl Handler for Echo {
    fn message(&mut self, _: &std::sync::Arc<Peer>, message: MessageRef<'_>) {
        assert_ne!(message.payload(), b"panic", "as asked");
        self.0
            .send((message.len(), message.payload().len()))
            .unwrap();
        let _ = &self.1;
    }
}

fn a_handler_gets_messages_and_survives_its_panics(at: Transport) {
    let (tell, told) = mpsc::channel();
    let pull = PullSocket::builder()
        .handler(Echo(tell, None))
        .build()
        .unwrap();
    let endpoint = pull.bind(at.any()).unwrap();
    let push = PushSocket::new().unwrap();
    push.connect(&endpoint).unwrap();
    push.send("panic").unwrap();
    push.send(&[Bytes::from_static(b"abc"), Bytes::new()])
        .unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), (2, 3));
    assert_eq!(pull.stats().handler_panics, 1);
}

fn futures_run_on_any_executor(at: Transport) {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind(at.any()).unwrap();
    let push = PushSocket::new().unwrap();
    push.connect(&endpoint).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let received = runtime.block_on(async {
        push.send_async("async").await.unwrap();
        pull.recv_async().await.unwrap()
    });
    assert_eq!(received.payload(), "async");
    runtime.block_on(async move {
        push.close_async().await;
        drop(pull);
    });
}

/// Fair queueing: who sends much has no more than its share of the inbox.
fn a_flood_does_not_hide_a_quiet_sender(at: Transport) {
    let pull = PullSocket::builder()
        .receive_queue(10, 1 << 20)
        .build()
        .unwrap();
    let endpoint = pull.bind(at.any()).unwrap();
    let (loud, quiet) = (PushSocket::new().unwrap(), PushSocket::new().unwrap());
    loud.connect(&endpoint).unwrap();
    quiet.connect(&endpoint).unwrap();
    assert!(pull.wait_for_peers(2, PATIENCE));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                let _ = loud.try_send(&[7; 1000]);
            }
        });
        for round in 0..20u8 {
            quiet.send(&[round]).unwrap();
            // Its own share, and one read, is all that can be before it; and as much again that was there already.
            let is_it = |_: &i32| pull.recv_timeout(PATIENCE).unwrap().payload()[..] == [round];
            let found = (0..2000).find(is_it);
            done.store(found.is_none(), Relaxed);
            assert!(found.is_some(), "round {round}");
        }
        done.store(true, Relaxed);
    });
}
