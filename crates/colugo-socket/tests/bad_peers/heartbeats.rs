//! Peers that fall silent: who is asked, who is given up, and who is only waited for.

use std::io::{ErrorKind, Read};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use colugo_socket::{
    Builder, Bytes, DownReason, Endpoint, PubSocket, PullSocket, PushSocket, SocketEvent,
    kind::Kind,
};
use colugo_testkit::wait_until;

use crate::PATIENCE;
use crate::raw::{COMMAND, LONG, Raw, command, frame, greeting, header, property};

const OFTEN: Duration = Duration::from_millis(20);

/// Tells of every event, as text that names it first.
fn telling<K: Kind>(builder: Builder<K>) -> (Builder<K>, Receiver<SocketEvent>) {
    let (tell, told) = channel();
    let builder = builder.on_event(move |event| {
        let _ = tell.send(event.clone());
    });
    (builder, told)
}

/// What `pick` makes of the first event that it makes something of.
fn await_event<T>(told: &Receiver<SocketEvent>, pick: impl Fn(SocketEvent) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if let Some(found) = pick(told.recv_timeout(left).unwrap()) {
            return found;
        }
    }
}

fn silent(event: SocketEvent) -> Option<Duration> {
    match event {
        SocketEvent::Disconnected(_, DownReason::Silent(silent)) => Some(silent),
        SocketEvent::Disconnected(_, why) => panic!("{why}"),
        _ => None,
    }
}

/// Takes a PING, with its ttl and context.
fn expect_ping(raw: &mut Raw) -> (u16, Vec<u8>) {
    let (flags, body) = raw.frame();
    assert_eq!((flags, &body[..5]), (COMMAND, &b"\x04PING"[..]));
    let ttl = u16::from_be_bytes([body[5], body[6]]);
    (ttl, body[7..].to_vec())
}

#[test]
fn a_mute_peer_is_asked_given_up_and_dialled_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (builder, told) = telling(PullSocket::builder());
    let pull = builder
        .heartbeat(OFTEN, OFTEN * 5)
        .reconnect(OFTEN, OFTEN)
        .build()
        .unwrap();
    pull.connect(Endpoint::tcp(listener.local_addr().unwrap()))
        .unwrap();
    for round in 1..=3 {
        let mut mute = Raw::accept(&listener);
        mute.shake("PUSH", 1);
        let (ttl, _) = expect_ping(&mut mute);
        assert_eq!(ttl, 0, "a plain peer is promised nothing");
        assert_eq!(mute.rest(), b"", "asked once");
        assert!(await_event(&told, silent) >= OFTEN * 5);
        assert_eq!(pull.stats().silent, round);
    }
}

#[test]
fn a_peer_that_answers_is_kept() {
    let pull = PullSocket::builder()
        .heartbeat(OFTEN, PATIENCE)
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
    for _ in 0..20 {
        let (_, context) = expect_ping(&mut raw);
        raw.send(&command("PONG", &context));
    }
    raw.send(&frame(0, b"work"));
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "work");
}

/// Before 3.1 there is no PING, and zmq.rs ends its connection on a command it does not know.
#[test]
fn a_peer_of_3_0_is_sent_no_ping() {
    let pull = PullSocket::builder()
        .heartbeat(OFTEN, OFTEN * 5)
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut old = Raw::shaken(&endpoint, "PUSH", 0);
    let mut new = Raw::shaken(&endpoint, "PUSH", 1);
    for _ in 0..10 {
        let (_, context) = expect_ping(&mut new);
        new.send(&command("PONG", &context));
    }
    old.0.set_nonblocking(true).unwrap();
    let nothing = old.0.read(&mut [0; 64]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    old.send(&frame(0, b"work"));
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "work");
}

#[test]
fn a_colugo_peer_is_promised_a_sign_of_life_and_gets_it() {
    let pull = PullSocket::builder()
        .heartbeat(OFTEN, Duration::from_secs(30))
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::dial(&endpoint);
    let properties = [property("Socket-Type", b"PUSH"), property("X-Colugo", b"1")];
    raw.send(&[greeting(1), command("READY", &properties.concat())].concat());
    raw.expect_greeting();
    raw.frame();
    // It answers none, and yet hears from us again and again.
    for _ in 0..10 {
        assert_eq!(expect_ping(&mut raw).0, 300);
    }
}

/// As libzmq does while its receive queue is full: it will come back and take everything.
#[test]
fn a_silent_peer_that_was_sent_data_is_stalled_and_stays() {
    let (builder, told) = telling(PushSocket::builder());
    let push = builder.heartbeat(OFTEN, OFTEN * 5).build().unwrap();
    let endpoint = push.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "PULL", 1);
    push.send("work").unwrap();
    for round in 1..=3 {
        await_event(&told, |event| match event {
            SocketEvent::Stalled(peer) => Some(peer),
            SocketEvent::Disconnected(_, why) => panic!("{why}"),
            _ => None,
        });
        assert_eq!(push.stats().stalled, round);
        if round < 3 {
            // The answer to a PING says nothing of what was sent after it.
            push.send("work").unwrap();
        }
        let context = loop {
            match raw.frame() {
                (COMMAND, ping) => break ping[7..].to_vec(),
                work => assert_eq!(work, (0, b"work".to_vec())),
            }
        };
        raw.send(&command("PONG", &context));
        let stalled = await_event(&told, |event| match event {
            SocketEvent::Resumed(_, stalled) => Some(stalled),
            SocketEvent::Disconnected(_, why) => panic!("{why}"),
            _ => None,
        });
        assert!(stalled < PATIENCE);
    }
    // With nothing on its way any more, silence is the end.
    await_event(&told, silent);
}

#[test]
fn a_peer_that_promised_to_speak_and_does_not_is_given_up() {
    let (builder, told) = telling(PullSocket::builder());
    let pull = builder.no_heartbeat().build().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
    // A second at least: a tenth may pass for want of a processor.
    raw.send(&command("PING", b"\0\x01"));
    assert_eq!(raw.frame().1, b"\x04PONG");
    assert_eq!(raw.rest(), b"");
    assert!(await_event(&told, silent) >= Duration::from_secs(1));
}

/// A message that takes long is a sign of life with each of its octets.
#[test]
fn octets_of_a_long_message_count_as_life() {
    let pull = PullSocket::builder()
        .heartbeat(Duration::from_millis(400), Duration::from_secs(2))
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
    raw.send(&header(LONG, 4000));
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < Duration::from_secs(3) {
        raw.send(b"x");
        sent += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    raw.send(&vec![b'x'; 4000 - sent]);
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().octets(), 4000);
}

/// A peer with little patience would hang up if it had to take all of a large queue first.
#[test]
fn a_pong_overtakes_large_messages() {
    let publisher = PubSocket::new().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "SUB", 1);
    raw.send(&command("SUBSCRIBE", b""));
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    let large = Bytes::from(vec![7; 3 << 20]);
    let parts = [large.clone(), large];
    let mut sent = 0;
    while publisher.send(&parts).unwrap().queued == 1 {
        sent += 1;
    }
    raw.send(&command("PING", b"\0\0ctx"));
    raw.send(&frame(0, b"junk, to see that the PING was taken"));
    wait_until("the PING to be taken", || {
        (publisher.stats().ignored == 1).then_some(())
    });
    let mut frames = 0;
    loop {
        let (flags, body) = raw.frame();
        if flags == COMMAND {
            assert_eq!(body, b"\x04PONGctx");
            break;
        }
        frames += 1;
    }
    assert_eq!(frames % 2, 0, "between two messages, not within one");
    assert!(frames < 2 * sent, "{frames} of {sent} messages came first");
}

/// One who asks ten thousand times before it listens gets the last answers, and not all of the others.
#[test]
fn of_pings_that_pile_up_the_last_are_answered() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
    let mut pings = command("PING", b"\0\0other").repeat(10_000);
    pings.extend(command("PING", b"\0\0last"));
    raw.send(&pings);
    let mut answers = 1;
    while raw.frame().1 != b"\x04PONGlast" {
        answers += 1;
    }
    assert!(answers < 5000, "{answers}");
}

/// A handler that holds the data thread keeps it from hearing; that is no fault of the peer's.
#[test]
fn a_thread_that_was_kept_from_reading_blames_nobody() {
    use colugo_socket::{Handler, MessageRef, Peer};
    use std::sync::Arc;
    struct Slow;
    impl Handler for Slow {
        fn message(&mut self, _: &Arc<Peer>, _: MessageRef<'_>) {
            std::thread::sleep(OFTEN * 20);
        }
    }
    let (builder, told) = telling(PullSocket::builder());
    let pull = builder
        .handler(Slow)
        .heartbeat(OFTEN * 5, OFTEN * 15)
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let push = PushSocket::builder().no_heartbeat().build().unwrap();
    let pace = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            // Answers every PING at once, which the data thread sees late.
            let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
            for _ in 0..3 {
                let (_, context) = expect_ping(&mut raw);
                raw.send(&command("PONG", &context));
            }
            raw
        });
        push.connect(&endpoint).unwrap();
        for _ in 0..5 {
            push.send("slow").unwrap();
        }
        other.join().unwrap()
    });
    while let Ok(event) = told.try_recv() {
        assert!(!matches!(event, SocketEvent::Disconnected(..)), "{event:?}");
    }
    drop(pace);
}
