//! `topic echo`: forms, ends, losses.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use bytes::Bytes;
use colugo::{Network, Node};
use colugo_testkit::PATIENCE;

use crate::command::{Colugo, LONG_TIME, line};

/// A node of the test's own.
fn node(colugo: &Colugo) -> Node {
    Node::builder("test")
        .namespace(colugo.namespace())
        .network(Network::Host)
        .build()
        .expect("a node")
}

#[test]
fn messages_are_printed_as_they_are_declared_or_guessed() {
    let colugo = Colugo::new("forms");
    let node = node(&colugo);
    let publisher = node.publisher("mixed").build().expect("a publisher");
    let mut people = colugo.speak(&["topic", "echo", "mixed", "-n", "4"]);
    let mut programs = colugo.speak(&["topic", "echo", "mixed", "-n", "4", "--json"]);
    let mut digits = colugo.speak(&["topic", "echo", "mixed", "-n", "4", "--hex"]);
    publisher
        .wait_for_subscribers(3, LONG_TIME)
        .expect("all three");
    for payload in [&b"hello"[..], b"{\"n\":\n1}", b"\x81\xa1n\x02", b"\x00\xff"] {
        publisher.send(payload).expect("sent");
    }
    let people: Vec<_> = std::iter::from_fn(|| line(&mut people)).collect();
    assert_eq!(
        people,
        [
            "hello",
            "{\"n\": 1}",
            "{\"n\":2}",
            &format!("00000000  {:<47}  |..|", "00 ff")
        ]
    );
    let digits: Vec<_> = std::iter::from_fn(|| line(&mut digits)).collect();
    assert_eq!(
        digits,
        ["68656c6c6f", "7b226e223a0a317d", "81a16e02", "00ff"]
    );
    let programs = std::iter::from_fn(|| line(&mut programs))
        .map(|line| serde_json::from_str(&line).expect("JSON"));
    let programs: Vec<serde_json::Value> = programs.collect();
    assert_eq!(programs[0]["payload"], "hello");
    assert_eq!(programs[0]["seq"], 0);
    assert_eq!(programs[1]["payload"]["n"], 1);
    assert_eq!(
        (&programs[2]["encoding"], &programs[2]["payload"]["n"]),
        (&"msgpack".into(), &2.into())
    );
    assert_eq!(programs[3]["payload"]["hex"], "00ff");
    assert_eq!(programs[3]["topic"], "mixed");
}

#[test]
fn raw_octets_come_as_they_were_sent() {
    let colugo = Colugo::new("raw");
    let node = node(&colugo);
    let publisher = node.publisher("octets").build().expect("a publisher");
    let mut echo = colugo
        .command(&["topic", "echo", "octets", "--raw", "-n", "2"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    publisher
        .wait_for_subscribers(1, LONG_TIME)
        .expect("it is there");
    publisher.send(&[0, 10, 255]).expect("sent");
    publisher
        .send_parts(&[Bytes::from_static(b"a"), Bytes::from_static(b"b")])
        .expect("sent");
    let mut octets = Vec::new();
    echo.stdout
        .take()
        .expect("a pipe")
        .read_to_end(&mut octets)
        .expect("read");
    assert_eq!(octets, [0, 10, 255, b'a', b'b']);
    assert!(echo.wait().expect("its end").success());
}

#[test]
fn frames_are_told_apart() {
    let colugo = Colugo::new("frames");
    let node = node(&colugo);
    let publisher = node.publisher("frames").build().expect("a publisher");
    let mut people = colugo.speak(&["topic", "echo", "frames"]);
    let mut programs = colugo.speak(&["topic", "echo", "frames", "--json"]);
    publisher.wait_for_subscribers(2, LONG_TIME).expect("both");
    publisher
        .send_parts(&[Bytes::from_static(b"a"), Bytes::from_static(b"{\"b\":1}")])
        .expect("sent");
    assert_eq!(line(&mut people).as_deref(), Some("[1/2] a"));
    assert_eq!(line(&mut people).as_deref(), Some("[2/2] {\"b\":1}"));
    let message: serde_json::Value =
        serde_json::from_str(&line(&mut programs).expect("a line")).expect("JSON");
    assert_eq!(message["frames"][0], "a");
    assert_eq!(message["frames"][1]["b"], 1);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let colugo = Colugo::new("pipe");
    let node = node(&colugo);
    let publisher = node.publisher("pose").text().build().expect("a publisher");
    let mut echo = colugo
        .command(&["topic", "echo", "pose"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    publisher
        .wait_for_subscribers(1, LONG_TIME)
        .expect("it is there");
    publisher.send("first").expect("sent");
    let mut reader = BufReader::new(echo.stdout.take().expect("a pipe"));
    let mut first = String::new();
    reader.read_line(&mut first).expect("a line");
    assert_eq!(first, "first\n");
    drop(reader);
    // It notices with one of the next messages.
    let status = colugo_testkit::wait_until("the end of echo", || {
        publisher.send("more").expect("sent");
        echo.try_wait().expect("its own child")
    });
    assert_eq!(status.code(), Some(0));
    let mut said = String::new();
    echo.stderr
        .take()
        .expect("a pipe")
        .read_to_string(&mut said)
        .expect("read");
    assert_eq!(said, "");
}

#[test]
fn nothing_in_time_is_exit_124() {
    let colugo = Colugo::new("timeout");
    let ended = colugo
        .run(&["topic", "echo", "pose", "--timeout", "300ms"])
        .with(124);
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.contains("300ms")),
        ("", true)
    );
}

#[test]
fn too_little_in_time_is_exit_124_too() {
    let colugo = Colugo::new("too-little");
    let node = node(&colugo);
    let publisher = node.publisher("pose").text().build().expect("a publisher");
    let echo = colugo.start(&["topic", "echo", "pose", "-n", "2", "--timeout", "3"]);
    publisher
        .wait_for_subscribers(1, LONG_TIME)
        .expect("it is there");
    publisher.send("one").expect("sent");
    let ended = echo.end().with(124).saying(&["1 came"]);
    assert_eq!(ended.stdout, "one\n");
}

#[test]
fn losses_are_told_on_the_standard_error() {
    let colugo = Colugo::new("lost");
    let node = node(&colugo);
    let publisher = node
        .publisher("flood")
        .queue(10)
        .queue_octets(1 << 20)
        .build()
        .expect("a publisher");
    let echo = colugo.start(&[
        "topic",
        "echo",
        "flood",
        "--prefix",
        "",
        "--hex",
        "--timeout",
        "5",
    ]);
    publisher
        .wait_for_subscribers(1, LONG_TIME)
        .expect("it is there");
    echo.signal("STOP");
    // A stopped process takes what the kernel and its own queue hold, then no more.
    let payload = vec![7; 256 << 10];
    let deadline = std::time::Instant::now() + PATIENCE;
    let mut dropped = 0;
    while dropped < 5 && std::time::Instant::now() < deadline {
        dropped += publisher.send(&payload).expect("sent").dropped;
    }
    assert!(dropped >= 5, "nothing was dropped");
    echo.signal("CONT");
    colugo_testkit::wait_until("a message that is not dropped", || {
        let sent = publisher.send(b"end").expect("sent");
        dropped += sent.dropped;
        (sent.dropped == 0).then_some(())
    });
    let ended = echo.end();
    let lost: u32 = ended
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("colugo: lost ")?.parse::<u32>().ok())
        .sum();
    assert_eq!(lost, dropped, "{}", ended.stderr);
}
