//! Questions and answers, and sockets that only send.

use std::time::Duration;

use super::super::case::{Act, Case, Step, dials, listens};
use super::super::fact::Fact::{Closes, DialsAgain, GivesUp, StaysOpen};
use super::super::target::Kind::{Dealer, Pair, Pull, Push, Rep, Req, Router};
use super::{delivers, says};
use crate::wire::{LONG, MORE, command, frame, greeting, header, ready};

const REQREP: &str = "RFC 28, REP";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = asked();
    cases.extend(asking());
    cases.extend(queues());
    cases.extend(pairs());
    cases
}

fn question(envelope: &[&[u8]], body: &[u8]) -> Vec<u8> {
    let mut octets: Vec<u8> = envelope.iter().flat_map(|it| frame(MORE, it)).collect();
    octets.extend(frame(0, body));
    octets
}

fn asked() -> Vec<Case> {
    let rep = |name, does| listens(Rep, name, does).source(REQREP);
    vec![
        rep(
            "asks_without_a_delimiter",
            "sends a question without the empty frame before it, then a good one",
        )
        .shaken([frame(0, b"bad"), question(&[b""], b"good")].concat())
        .both([StaysOpen, delivers("good")]),
        rep("asks_nothing", "sends an envelope with no question in it")
            .shaken([question(&[b"id"], b""), question(&[b""], b"good")].concat())
            .both([StaysOpen, delivers("good")]),
        rep(
            "asks_in_a_long_envelope",
            "asks with three frames before the delimiter, and gets them back",
        )
        .shaken(question(&[b"a", b"b", b"c", b""], b"q"))
        .steps([
            Step::Have(Act::Take(1)),
            Step::Have(Act::Send(b"answer")),
            Step::Hear(5),
        ])
        .both([says("message a|b|c||answer"), StaysOpen]),
        rep("leaves_before_the_answer", "asks and hangs up")
            .shaken(question(&[b""], b"q"))
            .steps([
                Step::Have(Act::Take(1)),
                Step::HangUp,
                Step::Have(Act::Send(b"answer")),
            ])
            .both([]),
        listens(
            Push,
            "sends_to_a_push",
            "sends a message to a socket that only sends",
        )
        .source("RFC 30, PUSH")
        .shaken(frame(0, b"junk"))
        .both([StaysOpen]),
        listens(
            Dealer,
            "sends_frames_of_all_kinds_to_a_dealer",
            "sends messages that are no answers to anything",
        )
        .source("RFC 28, DEALER")
        .shaken([question(&[b"", b""], b""), frame(0, b"x")].concat())
        .both([StaysOpen, delivers("||"), delivers("x")]),
        listens(
            Router,
            "sends_empty_frames_to_a_router",
            "sends a message of two empty frames",
        )
        .source("RFC 28, ROUTER")
        .shaken(question(&[b""], b""))
        .both([StaysOpen, delivers("(made up)||")]),
    ]
}

fn asking() -> Vec<Case> {
    let req = |name, does| {
        dials(Req, name, does).source("RFC 28, REQ").steps([
            Step::Shake { minor: 1 },
            Step::Have(Act::Send(b"q")),
            Step::Hear(2),
        ])
    };
    vec![
        req("answers_without_a_delimiter", "answers a REQ without the empty frame")
            .steps([Step::Send(frame(0, b"answer"))])
            .unfinished()
            .ours([StaysOpen])
            .libzmq([Closes, GivesUp], "libzmq takes it for a broken peer; for us it is no answer, counted and dropped, and the question is still open"),
    ]
}

fn queues() -> Vec<Case> {
    let many = frame(0, &[7; 1000]);
    vec![
        listens(Pull, "pings_while_the_queue_is_full", "sends more than the receive queue takes, then PING: that is answered only when the program has taken what came before it")
            .source("flow control: a full queue is not read")
            .queue(10)
            .steps([Step::Shake { minor: 1 }, Step::Repeat(3000, many), Step::Send(command("PING", b"\0\0"))])
            .steps([Step::Silence(Duration::from_millis(300)), Step::Have(Act::Take(3000)), Step::Hear(1)])
            .both([says("PONG"), StaysOpen]),
    ]
}

fn pairs() -> Vec<Case> {
    let hello = [greeting(1), ready("PAIR")].concat();
    vec![
        listens(Pair, "joins_a_pair", "connects to a PAIR that has its peer")
            .source("RFC 31: exactly one peer")
            .steps([Step::Shake { minor: 1 }, Step::Second])
            .greets(hello, frame(0, b"work"))
            .ours([Closes])
            .libzmq([StaysOpen], "libzmq keeps the second connected and takes nothing of it, which its program cannot know"),
        dials(
            Pair,
            "is_a_bad_half_of_a_pair",
            "claims a frame of 2^63 octets to a PAIR",
        )
        .source("RFC 31")
        .shaken(header(LONG, 1 << 63))
        .ours([Closes, DialsAgain])
        .libzmq([Closes, GivesUp], super::dialled::FOR_GOOD),
    ]
}
