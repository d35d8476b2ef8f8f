//! Connections that are made and not used: however many there are, who shakes hands gets in.

use std::sync::mpsc::channel;
use std::time::Duration;

use colugo_socket::{HandshakeFault, PullSocket, SocketEvent};
use colugo_testkit::{Alone, wait_until};

use crate::PATIENCE;
use crate::raw::{Raw, frame, greeting, ready, serves};

/// Longer than any test: nobody is closed for want of time.
const LATER: Duration = Duration::from_secs(600);

#[test]
fn a_thousand_mute_connections_lock_nobody_out() {
    Alone::new().open_files(4096).run(
        "crowds::a_thousand_mute_connections_lock_nobody_out",
        || {
            let pull = PullSocket::builder()
                .handshake_timeout(LATER)
                .build()
                .unwrap();
            let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
            let mute: Vec<Raw> = (0..1000).map(|_| Raw::dial(&endpoint)).collect();
            serves(&pull, &endpoint);
            // Of one address eight stay.
            wait_until("the crowd to be turned out", || {
                (pull.stats().handshakes_failed == 992).then_some(())
            });
            serves(&pull, &endpoint);
            drop(mute);
        },
    );
}

#[test]
fn connections_that_say_nothing_do_not_count_against_those_that_do() {
    let pull = PullSocket::builder()
        .max_connections(1)
        .handshake_timeout(LATER)
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mute: Vec<Raw> = (0..8).map(|_| Raw::dial(&endpoint)).collect();
    serves(&pull, &endpoint);
    drop(mute);
}

#[test]
fn the_oldest_that_said_nothing_goes_first() {
    let (tell, told) = channel();
    let pull = PullSocket::builder()
        .max_handshakes(2, 2)
        .handshake_timeout(LATER)
        .on_event(move |event| {
            if let SocketEvent::HandshakeFailed(addr, HandshakeFault::Crowded) = event {
                let _ = tell.send(addr.unwrap().port());
            }
        })
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut slow = Raw::dial(&endpoint);
    slow.send(&greeting(1)[..20]);
    slow.expect_greeting();
    let mute: Vec<Raw> = (0..3).map(|_| Raw::dial(&endpoint)).collect();
    for raw in mute.iter().take(2) {
        let port = raw.0.local_addr().unwrap().port();
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), port);
    }
    slow.send(&[&greeting(1)[20..], &ready("PUSH"), &frame(0, b"slow")].concat());
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "slow");
    let last = mute.into_iter().next_back().unwrap();
    last.0.set_nonblocking(true).unwrap();
    let mut octets = [0; 64];
    std::io::Read::read_exact(&mut &last.0, &mut octets).unwrap();
    assert_eq!(octets[0], 0xff, "the last one is still greeted and welcome");
}
