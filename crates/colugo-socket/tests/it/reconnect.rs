//! Connect before bind, peers that leave and come back.

use colugo_socket::{
    BindError, DealerSocket, DownReason, PubSocket, PullSocket, PushSocket, RecvError,
    RouterSocket, SendError, SocketEvent, SubSocket,
};
use std::sync::mpsc;
use std::time::Duration;

use crate::{PATIENCE, Transport};

over_every_transport! {
    connect_before_bind_keeps_what_was_sent
    a_restarted_peer_is_dialled_again_and_subscriptions_are_resent
    disconnecting_and_closing_are_told
    an_answer_does_not_reach_the_askers_successor
    a_link_that_is_leaving_gets_no_more_work
}

fn quick() -> colugo_socket::Builder<colugo_socket::kind::Push> {
    PushSocket::builder().reconnect(Duration::from_millis(5), Duration::from_millis(50))
}

fn connect_before_bind_keeps_what_was_sent(at: Transport) {
    let endpoint = at.certain();
    let push = quick().build().unwrap();
    push.connect(&endpoint).unwrap();
    for i in 0..100u8 {
        push.send(&[i]).unwrap();
    }
    let pull = PullSocket::new().unwrap();
    pull.bind(&endpoint).unwrap();
    for i in 0..100u8 {
        assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload()[..], [i]);
    }
}

fn a_restarted_peer_is_dialled_again_and_subscriptions_are_resent(at: Transport) {
    let endpoint = at.certain();
    let subscriber = SubSocket::builder()
        .reconnect(Duration::from_millis(5), Duration::from_millis(50))
        .build()
        .unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect(&endpoint).unwrap();
    for round in 0..3u8 {
        let publisher = PubSocket::new().unwrap();
        // The one before may still be closing its port on a busy machine.
        let deadline = std::time::Instant::now() + PATIENCE;
        while let Err(error) = publisher.bind(&endpoint) {
            assert!(
                matches!(error, BindError::InUse(_)) && std::time::Instant::now() < deadline,
                "{error}"
            );
            std::thread::yield_now();
        }
        assert!(
            publisher.wait_for_subscribers(1, PATIENCE),
            "without the application touching the socket"
        );
        publisher.send(&[round]).unwrap();
        assert_eq!(
            subscriber.recv_timeout(PATIENCE).unwrap().payload()[..],
            [round]
        );
    }
}

fn disconnecting_and_closing_are_told(at: Transport) {
    let (tell, told) = mpsc::channel();
    let pull = PullSocket::builder()
        .on_event(move |event| {
            if let SocketEvent::Disconnected(_, why) = event {
                let _ = tell.send(why.clone());
            }
        })
        .build()
        .unwrap();
    let endpoint = pull.bind(at.any()).unwrap();
    let push = quick().build().unwrap();
    push.connect(&endpoint).unwrap();
    push.send("last words").unwrap();
    assert!(push.disconnect(&endpoint));
    assert!(!push.disconnect(&endpoint));
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "last words");
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), DownReason::Eof);
    assert!(pull.unbind(&endpoint));
    assert!(pull.close());
}

/// A ROUTER that dials answers a link; who comes next at the same endpoint has another one.
fn an_answer_does_not_reach_the_askers_successor(at: Transport) {
    let endpoint = at.certain();
    let router = RouterSocket::builder()
        .reconnect(Duration::from_millis(5), Duration::from_millis(50))
        .build()
        .unwrap();
    router.connect(&endpoint).unwrap();
    let asker = DealerSocket::new().unwrap();
    asker.bind(&endpoint).unwrap();
    asker.send("question").unwrap();
    let question = router.recv_timeout(PATIENCE).unwrap();
    assert!(asker.close());
    let successor = DealerSocket::new().unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    while let Err(error) = successor.bind(&endpoint) {
        assert!(
            matches!(error, BindError::InUse(_)) && std::time::Instant::now() < deadline,
            "{error}"
        );
        std::thread::yield_now();
    }
    assert!(successor.wait_for_peers(1, PATIENCE));
    successor.send("another question").unwrap();
    let another = router.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        router.send_to(question.link(), "answer"),
        Err(SendError::NoPeer)
    );
    router.send_to(another.link(), "another answer").unwrap();
    assert_eq!(
        successor.recv_timeout(PATIENCE).unwrap().payload(),
        "another answer"
    );
}

/// What is sent after a disconnect is not for the endpoint that was left.
fn a_link_that_is_leaving_gets_no_more_work(at: Transport) {
    let (left, stays) = (at.certain(), at.certain());
    let push = quick().linger(PATIENCE).build().unwrap();
    // Nobody is there yet: the message waits, and so the link is leaving for as long as the linger time.
    push.connect(&left).unwrap();
    push.send("before").unwrap();
    assert!(push.disconnect(&left));
    assert_eq!(push.try_send("to nobody"), Err(SendError::Full));
    let pull = PullSocket::new().unwrap();
    pull.bind(&stays).unwrap();
    push.connect(&stays).unwrap();
    for i in 0..10u8 {
        push.send(&[i]).unwrap();
        assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload()[..], [i]);
    }
    let late = PullSocket::new().unwrap();
    late.bind(&left).unwrap();
    assert_eq!(late.recv_timeout(PATIENCE).unwrap().payload(), "before");
}

#[test]
fn a_closed_socket_wakes_who_waits_on_it() {
    let pull = std::sync::Arc::new(colugo_socket::Inbox::default());
    let other = pull.clone();
    let waiter = std::thread::spawn(move || other.recv());
    pull.close();
    assert_eq!(waiter.join().unwrap(), Err(RecvError::Closed));
}
