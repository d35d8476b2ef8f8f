//! PAIR: exactly one peer (RFC 31).

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use colugo_socket::{
    Builder, PairSocket, RecvError, RefusedWhy, SendError, SocketEvent, kind::Pair,
};
use colugo_testkit::wait_until;

use crate::{PATIENCE, Transport};

over_every_transport! {
    a_pair_talks_both_ways
    a_second_peer_is_refused_while_the_first_is_there_and_loses_nothing
    the_dialling_side_keeps_its_queue_until_its_peer_is_back
    a_listening_pair_without_a_peer_has_nobody_to_send_to
    the_peer_that_is_there_gets_everything
}

fn quick() -> Builder<Pair> {
    PairSocket::builder().reconnect(Duration::from_millis(5), Duration::from_millis(50))
}

fn watched() -> (PairSocket, Receiver<RefusedWhy>) {
    let (tell, told) = channel();
    let socket = PairSocket::builder()
        .on_event(move |event| {
            if let SocketEvent::PeerRefused(_, why) = event {
                let _ = tell.send(*why);
            }
        })
        .build()
        .unwrap();
    (socket, told)
}

fn a_pair_talks_both_ways(at: Transport) {
    let (one, other) = (PairSocket::new().unwrap(), PairSocket::new().unwrap());
    other.connect(one.bind(at.any()).unwrap()).unwrap();
    for i in 0..100u8 {
        other.send(&[i]).unwrap();
    }
    for i in 0..100u8 {
        assert_eq!(one.recv_timeout(PATIENCE).unwrap().payload()[..], [i]);
        one.send(&[i, i]).unwrap();
    }
    for i in 0..100u8 {
        assert_eq!(other.recv_timeout(PATIENCE).unwrap().payload()[..], [i, i]);
    }
}

fn a_second_peer_is_refused_while_the_first_is_there_and_loses_nothing(at: Transport) {
    let (one, refused) = watched();
    let endpoint = one.bind(at.any()).unwrap();
    let first = quick().build().unwrap();
    first.connect(&endpoint).unwrap();
    assert!(one.wait_for_peers(1, PATIENCE));
    let second = quick().build().unwrap();
    second.connect(&endpoint).unwrap();
    for i in 0..10u8 {
        second.send(&[i]).unwrap();
    }
    assert_eq!(
        refused.recv_timeout(PATIENCE).unwrap(),
        RefusedWhy::PairTaken
    );
    assert!(one.stats().refused_peers >= 1);
    assert_eq!(one.peers().len(), 1);
    one.send("for the first").unwrap();
    assert_eq!(
        first.recv_timeout(PATIENCE).unwrap().payload(),
        "for the first"
    );
    assert_eq!(one.try_recv(), Err(RecvError::TimedOut));
    drop(first);
    // The second dials again by itself, and what it has sent was kept.
    for i in 0..10u8 {
        assert_eq!(one.recv_timeout(PATIENCE).unwrap().payload()[..], [i]);
    }
    one.send("for the second").unwrap();
    assert_eq!(
        second.recv_timeout(PATIENCE).unwrap().payload(),
        "for the second"
    );
}

fn the_dialling_side_keeps_its_queue_until_its_peer_is_back(at: Transport) {
    let endpoint = at.certain();
    let dialling = quick().build().unwrap();
    dialling.connect(&endpoint).unwrap();
    for round in 0..3u8 {
        for i in 0..50u8 {
            dialling.send(&[round, i]).unwrap();
        }
        let listening = PairSocket::new().unwrap();
        wait_until("the port", || listening.bind(&endpoint).ok());
        for i in 0..50u8 {
            let message = listening.recv_timeout(PATIENCE).unwrap();
            assert_eq!(message.payload()[..], [round, i]);
        }
        drop(listening);
        wait_until("the end of the connection", || {
            dialling.peers().is_empty().then_some(())
        });
    }
}

fn a_listening_pair_without_a_peer_has_nobody_to_send_to(at: Transport) {
    let listening = PairSocket::new().unwrap();
    listening.bind(at.any()).unwrap();
    assert_eq!(listening.try_send("x"), Err(SendError::Full));
    assert_eq!(listening.stats().refused_full, 1);
}

/// With a peer there, what is sent goes to it and not into the queue of an endpoint that is dialled in vain.
fn the_peer_that_is_there_gets_everything(at: Transport) {
    let one = PairSocket::new().unwrap();
    one.connect(at.certain()).unwrap();
    let endpoint = one.bind(at.any()).unwrap();
    let other = quick().build().unwrap();
    other.connect(endpoint).unwrap();
    assert!(one.wait_for_peers(1, PATIENCE));
    for i in 0..20u8 {
        one.send(&[i]).unwrap();
    }
    for i in 0..20u8 {
        assert_eq!(other.recv_timeout(PATIENCE).unwrap().payload()[..], [i]);
    }
}
