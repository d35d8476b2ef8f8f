//! What libzmq does that no RFC says, each with what we do about it. Each of these tests fails when libzmq gets another habit.

use std::net::TcpListener;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;

use colugo_socket::{Builder, PullSocket, PushSocket, Socket, SocketEvent, kind::Kind};
use colugo_testkit::bad_peer::{LibzmqTarget, Whose, check, named};
use colugo_testkit::wire::{COMMAND, GREETING, command, greeting, property};
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

/// A time after which ours ask for a sign of life, short enough for a test.
const OFTEN: Duration = Duration::from_millis(20);

/// The first PING of a socket of ours with this timeout, to a peer with these properties beside its type.
fn our_ping(timeout: Duration, properties: &[Vec<u8>]) -> Vec<u8> {
    let pull = PullSocket::builder()
        .heartbeat(OFTEN, timeout)
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::dial(&endpoint);
    let properties = [&[property("Socket-Type", b"PUSH")], properties].concat();
    raw.send(&[greeting(1), command("READY", &properties.concat())].concat());
    raw.expect_greeting();
    assert_eq!(raw.frame().1[..6], *b"\x05READY");
    let (flags, ping) = raw.frame();
    assert_eq!((flags, &ping[..5]), (COMMAND, &b"\x04PING"[..]));
    ping
}

/// 65,600 ms are 64 in 16 bits, and so 656 tenths of a second the end of the connection. Ours to libzmq have a ttl of 0, and none to anybody
/// one so long.
#[test]
fn libzmq_takes_a_ttl_of_66_s_for_one_of_64_ms_and_is_sent_none() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    both(&libzmq, "pings_with_a_ttl_of_66_s");
    let ttl = |ping: &[u8]| u16::from_be_bytes([ping[5], ping[6]]);
    for timeout in [60, 65, 66, 70, 700, 7000].map(Duration::from_secs) {
        assert_eq!(ttl(&our_ping(timeout, &[])), 0);
        assert!(ttl(&our_ping(timeout, &[property("X-Colugo", b"1")])) < 656);
    }
    let (told, pull) = watched(PullSocket::builder().heartbeat(OFTEN, Duration::from_secs(70)));
    let push = libzmq.socket("PUSH", &[]);
    push.connect(pull.bind("tcp://127.0.0.1:0").unwrap());
    push.send(&["first"]);
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "first");
    // Many times 64 ms, and many PINGs.
    let end = told.recv_timeout(Duration::from_secs(1));
    assert_eq!(end, Err(RecvTimeoutError::Timeout));
    push.send(&["second"]);
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "second");
}

/// It gives back 16 octets of its buffer. We refuse such a PING, and send none.
#[test]
fn libzmq_reads_past_the_end_of_a_ping_without_a_ttl_and_is_sent_none() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    both(&libzmq, "pings_without_a_ttl");
    both(&libzmq, "pings_with_a_cut_ttl");
    let ping = our_ping(PATIENCE, &[]);
    assert!(ping.len() >= b"\x04PING".len() + 2, "{ping:02x?}");
}

/// Its engine stops reading, so that it answers no PING, and yet takes everything when its program does.
#[test]
fn libzmq_is_silent_while_its_queue_is_full_and_we_wait_for_it() {
    const COUNT: usize = 20_000;
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let pull = libzmq.socket("PULL", &[("RCVHWM", 10.into())]);
    let (told, push) = watched(
        PushSocket::builder()
            .heartbeat(OFTEN, OFTEN * 5)
            .send_queue(COUNT, 64 << 20),
    );
    push.connect(pull.bind("tcp://127.0.0.1:0")).unwrap();
    for i in 0..COUNT as u64 {
        push.send([&i.to_be_bytes()[..], &[7; 1000]].concat())
            .unwrap();
    }
    colugo_testkit::wait_until("libzmq's silence", || {
        (push.stats().stalled > 0).then_some(())
    });
    // Many times as long as a peer may be silent that has nothing to take.
    let end = told.recv_timeout(Duration::from_secs(1));
    assert_eq!(end, Err(RecvTimeoutError::Timeout));
    pull.count(COUNT, 0).finish();
    assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(push.stats().dropped_disconnect, 0);
}

/// Tells why a connection ended.
fn watched<K: Kind>(builder: Builder<K>) -> (Receiver<String>, Socket<K>) {
    let (tell, told) = channel();
    let builder = builder.on_event(move |event| {
        if let SocketEvent::Disconnected(_, why) = event {
            let _ = tell.send(why.to_string());
        }
    });
    (told, builder.build().unwrap())
}

/// Traffic that is there before it has said READY is the end for it.
#[test]
fn libzmq_takes_no_traffic_before_its_own_ready_and_gets_none_from_us() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    both(&libzmq, "says_all_at_once");
    // Ours has something to say long before, and says it when it has heard READY.
    let push = PushSocket::new().unwrap();
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
