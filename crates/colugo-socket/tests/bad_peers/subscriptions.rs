//! Subscriptions as XPUB takes them and as XSUB sends them, in either form, and peers that do not read them.

use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use colugo_socket::{DownReason, Endpoint, RecvError, SocketEvent, XPubSocket, XSubSocket};

use crate::PATIENCE;
use crate::raw::{COMMAND, MORE, Raw, command, frame};

fn heard(publisher: &XPubSocket) -> Vec<u8> {
    publisher.recv_timeout(PATIENCE).unwrap().payload().to_vec()
}

#[test]
fn an_xpub_is_told_of_subscriptions_in_either_form_and_handed_the_rest() {
    for minor in [0, 1] {
        let publisher = XPubSocket::new().unwrap();
        let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap();
        let mut raw = Raw::shaken(&endpoint, "XSUB", minor);
        let all = [
            frame(0, b"\x01old"),
            command("SUBSCRIBE", b"new"),
            command("SUBSCRIBE", b"new"),
            frame(0, b"\x01new"),
            frame(0, b"a message"),
            frame(0, b""),
            [frame(MORE, b"\x01first"), frame(0, b"second")].concat(),
            command("CANCEL", b"old"),
            command("CANCEL", b"never"),
            frame(0, b"\x00new"),
        ];
        raw.send(&all.concat());
        let expected: [&[u8]; 8] = [
            b"\x01old",
            b"\x01new",
            b"a message",
            b"",
            b"\x01first",
            b"second",
            b"\x00old",
            b"\x00new",
        ];
        for expected in expected {
            assert_eq!(heard(&publisher), expected);
        }
        assert_eq!(publisher.send("first").unwrap().queued, 1);
        assert_eq!(raw.frame(), (0, b"first".to_vec()));
        drop(raw);
        assert_eq!(heard(&publisher), b"\x00first");
        assert_eq!(publisher.try_recv(), Err(RecvError::TimedOut));
    }
}

#[test]
fn a_subscription_between_the_frames_of_a_message_ends_the_connection() {
    let publisher = XPubSocket::new().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap();
    let mut raw = Raw::shaken(&endpoint, "XSUB", 1);
    let parts = [frame(MORE, b"one"), command("SUBSCRIBE", b"a")];
    raw.send(&parts.concat());
    assert!(raw.rest().is_empty());
    assert_eq!(publisher.stats().protocol_errors, 1);
}

#[test]
fn an_xsub_subscribes_in_the_form_of_the_peers_version() {
    for minor in [0, 1] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let subscriber = XSubSocket::new().unwrap();
        subscriber.send(b"\x01before").unwrap();
        subscriber
            .connect(Endpoint::tcp(listener.local_addr().unwrap()))
            .unwrap();
        let mut raw = Raw::accept(&listener);
        raw.shake("XPUB", minor);
        assert!(subscriber.wait_for_peers(1, PATIENCE));
        subscriber.send(b"\x00before").unwrap();
        subscriber.send("a message").unwrap();
        let expected = match minor {
            0 => [(0, &b"\x01before"[..]), (0, b"\x00before")],
            _ => [
                (COMMAND, &b"\x09SUBSCRIBEbefore"[..]),
                (COMMAND, b"\x06CANCELbefore"),
            ],
        };
        for (flags, body) in expected {
            assert_eq!(raw.frame(), (flags, body.to_vec()));
        }
        assert_eq!(raw.frame(), (0, b"a message".to_vec()));
    }
}

/// A subscriber behind a proxy could otherwise fill the proxy's memory through a publisher that has stopped reading.
#[test]
fn a_publisher_that_reads_no_subscriptions_is_disconnected_and_told_afresh() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (tell, told) = channel();
    let subscriber = XSubSocket::builder()
        .send_queue(10, 64 << 10)
        .reconnect(Duration::from_millis(5), Duration::from_millis(50))
        .on_event(move |event| {
            if let SocketEvent::Disconnected(_, why) = event {
                let _ = tell.send(why.clone());
            }
        })
        .build()
        .unwrap();
    subscriber.send(b"\x01kept").unwrap();
    subscriber
        .connect(Endpoint::tcp(listener.local_addr().unwrap()))
        .unwrap();
    let mut mute = Raw::accept(&listener);
    mute.shake("PUB", 1);
    assert!(subscriber.wait_for_peers(1, PATIENCE));
    let deadline = Instant::now() + PATIENCE;
    let (on, off) = ([1; 500], [&[0][..], &[1; 499]].concat());
    let why = loop {
        subscriber.send(&on[..]).unwrap();
        subscriber.send(&off[..]).unwrap();
        if let Ok(why) = told.try_recv() {
            break why;
        }
        assert!(Instant::now() < deadline, "it was never disconnected");
    };
    assert_eq!(why, DownReason::Unread);
    let mut good = Raw::accept(&listener);
    good.shake("PUB", 1);
    assert_eq!(good.frame(), (COMMAND, b"\x09SUBSCRIBEkept".to_vec()));
}
