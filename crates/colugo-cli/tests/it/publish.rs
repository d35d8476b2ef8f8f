//! `topic pub`: to whom, how often, and what it says.

use std::time::{Duration, Instant};

use crate::command::{Colugo, LONG, line};

#[test]
fn a_single_message_waits_for_its_subscriber() {
    let colugo = Colugo::new("single");
    let publisher = colugo.start(&["topic", "pub", "hello", "hi there", "--timeout", LONG]);
    let echoed = colugo
        .run(&["topic", "echo", "hello", "-n", "1", "--timeout", LONG])
        .with(0);
    assert_eq!(echoed.stdout, "hi there\n");
    publisher
        .end()
        .with(0)
        .saying(&["published 1 message to 1 subscriber"]);
}

#[test]
fn each_line_of_the_standard_input_is_a_message_and_none_is_lost() {
    let colugo = Colugo::new("lines");
    let lines: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    let mut echo = colugo.speak(&["topic", "echo", "numbers", "-n", "5000"]);
    colugo.wait_for("topic", &["numbers"]);
    colugo
        .run_with(
            &["topic", "pub", "numbers", "-", "--timeout", LONG],
            &lines.join("\n"),
        )
        .with(0)
        .saying(&["published 5000 messages"]);
    let echoed: Vec<_> = std::iter::from_fn(|| line(&mut echo)).collect();
    assert_eq!(echoed, lines);
}

#[test]
fn two_subscribers_can_be_waited_for() {
    let colugo = Colugo::new("two");
    let publisher = colugo.start(&["topic", "pub", "hello", "hi", "-w", "2", "--timeout", LONG]);
    let first = colugo.start(&["topic", "echo", "hello", "-n", "1", "--timeout", LONG]);
    let second = colugo.start(&["topic", "echo", "hello", "-n", "1", "--timeout", LONG]);
    publisher.end().with(0).saying(&["to 2 subscribers"]);
    assert_eq!(first.end().with(0).stdout, "hi\n");
    assert_eq!(second.end().with(0).stdout, "hi\n");
}

#[test]
fn without_subscribers_nothing_is_published() {
    let colugo = Colugo::new("nobody");
    let ended = colugo
        .run(&["topic", "pub", "hello", "hi", "--timeout", "300ms"])
        .with(124);
    assert!(
        ended.stderr.contains("0 of 1 subscribers of \"hello\""),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_rate_is_kept_and_needs_no_subscriber() {
    let colugo = Colugo::new("rate");
    let begun = Instant::now();
    colugo
        .run(&["topic", "pub", "tick", "x", "--rate", "50", "-n", "26"])
        .with(0)
        .saying(&["published 26 messages"]);
    assert!(
        begun.elapsed() >= Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn the_encoding_is_declared() {
    let colugo = Colugo::new("encoding");
    let _json = colugo.start(&["topic", "pub", "a", "[1]", "--rate", "1"]);
    let _other = colugo.start(&[
        "topic",
        "pub",
        "b",
        "x",
        "--rate",
        "1",
        "--encoding",
        "protobuf",
    ]);
    colugo.wait_for("topic", &["a      json", "b      protobuf"]);
}
