//! What libzmq does that no RFC says, each with what we do about it. Each of these tests fails when libzmq gets another habit.

use std::net::TcpListener;
use std::time::Duration;

use colugo_testkit::bad_peer::{LibzmqTarget, Whose, check, named};
use colugo_testkit::wire::{GREETING, greeting};
use colugo_testkit::{PATIENCE, ZmqPeer};

use crate::raw::Raw;
use crate::target::OurTarget;

/// Plays a case against both.
fn both(libzmq: &ZmqPeer, name: &str) {
    let case = named(name);
    assert_ne!(case.ours, case.libzmq, "{name} is about no difference");
    check(&case, Whose::Ours, OurTarget::open);
    check(&case, Whose::Libzmq, |settings| {
        LibzmqTarget::open(libzmq, settings)
    });
}

/// 10 octets, the 11th after ours, and the other 53 when it knows our version. Ours come at once, so that neither waits for the other.
#[test]
fn libzmq_greets_in_three_steps_and_we_in_one() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let push = libzmq.socket("PUSH", &[]);
    push.connect(format!("tcp://{}", listener.local_addr().unwrap()));
    let mut raw = Raw::accept(&listener);
    let octets = greeting(1);
    let mut heard = raw.take(10);
    raw.expect_nothing(Duration::from_millis(100));
    raw.send(&octets[..10]);
    heard.extend(raw.take(1));
    raw.expect_nothing(Duration::from_millis(100));
    raw.send(&octets[10..11]);
    heard.extend(raw.take(GREETING - 11));
    assert_eq!(heard, octets);
    both(&libzmq, "says_nothing");
}

#[test]
fn libzmq_dials_nobody_again_who_broke_the_protocol_and_we_do() {
    if let Some(libzmq) = ZmqPeer::start() {
        both(&libzmq, "claims_2_63_when_dialled");
        both(&libzmq, "is_of_the_wrong_type_when_dialled");
    }
}

#[test]
fn libzmq_subscribes_again_when_its_program_next_touches_the_socket_and_we_at_once() {
    if let Some(libzmq) = ZmqPeer::start() {
        both(&libzmq, "hangs_up_on_an_idle_subscriber");
    }
}

#[test]
fn libzmq_cancels_once_what_it_subscribed_to_twice_and_we_say_each_once() {
    if let Some(libzmq) = ZmqPeer::start() {
        both(&libzmq, "counts_subscriptions");
    }
}

/// 65,600 ms are 64 in 16 bits.
#[test]
fn libzmq_takes_a_ttl_of_66_s_for_one_of_64_ms() {
    if let Some(libzmq) = ZmqPeer::start() {
        both(&libzmq, "pings_with_a_ttl_of_66_s");
    }
}

/// It gives back 16 octets of its buffer: we refuse such a PING.
#[test]
fn libzmq_reads_past_the_end_of_a_ping_without_a_ttl() {
    if let Some(libzmq) = ZmqPeer::start() {
        both(&libzmq, "pings_without_a_ttl");
    }
}

/// Traffic that is there before it has said READY is the end for it.
#[test]
fn libzmq_takes_no_traffic_before_its_own_ready_and_gets_none_from_us() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    both(&libzmq, "says_all_at_once");
    // Ours has something to say long before, and says it when it has heard READY.
    let push = colugo_socket::PushSocket::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    push.connect(format!("tcp://{}", listener.local_addr().unwrap()))
        .unwrap();
    push.send("work").unwrap();
    let mut raw = Raw::accept(&listener);
    raw.send(&greeting(1));
    raw.expect_greeting();
    assert_eq!(raw.frame().1[..6], *b"\x05READY");
    raw.expect_nothing(Duration::from_millis(100));
    raw.send(&crate::raw::ready("PULL"));
    assert_eq!(raw.frame(), (0, b"work".to_vec()));
    let pull = libzmq.socket("PULL", &[]);
    push.connect(pull.bind("tcp://127.0.0.1:0")).unwrap();
    drop((raw, listener));
    assert!(push.wait_for_peers(1, PATIENCE));
    colugo_testkit::wait_until("libzmq's turn", || {
        push.send("work").unwrap();
        pull.recv_within(20)
    });
}
