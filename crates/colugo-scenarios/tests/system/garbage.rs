//! Garbage on every port of a node, while it goes on serving.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use colugo_testkit::{pattern, wait_until};
use serde_json::json;

use crate::listening::{descriptors, listening, threads};
use crate::place::Place;

/// What a peer of libzmq's generation says first.
const GREETING: [u8; 64] = {
    let mut greeting = [0; 64];
    let head = [
        0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1, b'N', b'U', b'L', b'L',
    ];
    let mut at = 0;
    while at < head.len() {
        greeting[at] = head[at];
        at += 1;
    }
    greeting
};

#[test]
fn garbage_on_every_port_disturbs_nobody() {
    let place = Place::new();
    let mut node = place.peer("node");
    let mut other = place.peer("other");
    node.make("publish", "t");
    node.make("serve", "q");
    other.make("subscribe", "t");
    other.make("client", "q");
    node.wait_for("t", 1);
    other.wait_for("q", 1);
    let ports = listening(node.process());
    assert!(
        ports.len() >= 3,
        "a publisher, a server and the control port: {ports:?}"
    );
    let before = (descriptors(node.process()), threads(node.process()));
    other.ask(json!({"do": "flow", "topic": "q", "width": 4}));
    let mut kept = Vec::new();
    for port in &ports {
        for garbage in garbage() {
            throw(*port, &garbage);
            kept.push(leave_open(*port, &garbage));
        }
    }
    // It goes on with those who are still there, half way through their greetings.
    node.send("t", 500);
    assert_eq!(other.heard("t", 500)["jumps"], 0);
    let ended = other.ended("q", 200);
    assert_eq!(ended["errors"], json!({}));
    let mut late = place.peer("late");
    late.make("subscribe", "t");
    late.sees("joined", "node");
    node.wait_for("t", 2);
    drop(kept);
    late.leave();
    wait_until("the end of all that garbage opened", || {
        (descriptors(node.process()) <= before.0 && threads(node.process()) <= before.1)
            .then_some(())
    });
    let ended = other.stop("q");
    assert_eq!(ended["errors"], json!({}));
    let left = node.events_so_far();
    assert!(
        !left
            .iter()
            .any(|event| event["event"] == "left" && event["name"] == "other"),
        "{left:?}"
    );
}

fn garbage() -> Vec<Vec<u8>> {
    let then = |octets: &[u8]| [&GREETING, octets].concat();
    vec![
        Vec::new(),
        vec![0],
        vec![0xff],
        b"GET / HTTP/1.1\r\nHost: colugo\r\n\r\n".to_vec(),
        pattern(100_000, 7),
        vec![0xff; 4096],
        GREETING[..40].to_vec(),
        GREETING.to_vec(),
        then(&pattern(5000, 3)),
        // A command, and a message, of absurd sizes.
        then(&[0x06, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        then(&[0x02, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        then(b"\x04\x05\x05READY"),
        then(b"\x04\x19\x05READY\x0bSocket-Type\xff\xff\xff\xffPUB"),
    ]
}

/// Throws it at a port and waits for nothing.
fn throw(at: SocketAddr, garbage: &[u8]) {
    let mut stream = TcpStream::connect(at).unwrap();
    // It may be thrown out in the midst of it.
    let _ = stream.write_all(garbage);
}

/// Throws it and stays; what comes back is taken, so that nobody waits for that.
fn leave_open(at: SocketAddr, garbage: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(at).unwrap();
    let _ = stream.write_all(garbage);
    stream
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    match stream.read(&mut [0; 4096]) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            panic!("{at} listens no more")
        }
        _ => stream,
    }
}
