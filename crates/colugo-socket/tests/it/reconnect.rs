//! Connect before bind, peers that leave and come back.

use colugo_socket::{
    BindError, DownReason, PubSocket, PullSocket, PushSocket, RecvError, SocketEvent, SubSocket,
};
use std::sync::mpsc;
use std::time::Duration;

use crate::{PATIENCE, Transport};

over_every_transport! {
    connect_before_bind_keeps_what_was_sent
    a_restarted_peer_is_dialled_again_and_subscriptions_are_resent
    disconnecting_and_closing_are_told
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

#[test]
fn a_closed_socket_wakes_who_waits_on_it() {
    let pull = std::sync::Arc::new(colugo_socket::Inbox::default());
    let other = pull.clone();
    let waiter = std::thread::spawn(move || other.recv());
    pull.close();
    assert_eq!(waiter.join().unwrap(), Err(RecvError::Closed));
}
