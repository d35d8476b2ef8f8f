//! Commands after the handshake.

use std::time::Duration;

use super::super::case::{Case, Step, listens};
use super::super::fact::Fact::{Closes, StaysOpen, TakesAtMost};
use super::super::target::Kind::{Pull, Push};
use super::{LOOSE, delivers, says};
use crate::wire::{COMMAND, command, frame, greeting, ready};

const COMMANDS: &str = "RFC 37, commands";
const HEARTBEATS: &str = "RFC 37, connection heartbeating";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = unknown();
    cases.extend(malformed());
    cases.extend(pings());
    cases
}

fn work() -> Vec<u8> {
    frame(0, b"work")
}

fn unknown() -> Vec<Case> {
    let ignored = |name, does, octets: Vec<u8>| {
        listens(Pull, name, does)
            .source(COMMANDS)
            .shaken([octets, work()].concat())
            .both([StaysOpen, delivers("work")])
    };
    vec![
        ignored(
            "sends_a_command_nobody_knows",
            "sends JOIN and a command of a version to come",
            [command("JOIN", b"group"), command("FROM-4-0", &[0xff; 300])].concat(),
        ),
        listens(
            Pull,
            "subscribes_at_a_pull",
            "sends SUBSCRIBE and CANCEL to a socket that does not publish",
        )
        .source(COMMANDS)
        .shaken([command("SUBSCRIBE", b"a"), command("CANCEL", b"a"), work()].concat())
        .ours([StaysOpen, delivers("work")])
        .libzmq(
            [
                StaysOpen,
                delivers("(11 octets)"),
                delivers("\\x06CANCELa"),
                delivers("work"),
            ],
            "libzmq's bug: it hands the commands to the program as messages",
        ),
        ignored(
            "sends_a_stamp_unannounced",
            "sends STAMP without having announced `X-Colugo`",
            command("STAMP", &[0; 17]),
        ),
        ignored("says_ready_again", "sends a second READY", ready("SUB")),
        ignored(
            "answers_what_was_not_asked",
            "sends PONG without a PING",
            command("PONG", b"x"),
        ),
    ]
}

fn malformed() -> Vec<Case> {
    let broken = |name, does, octets: Vec<u8>| {
        listens(Pull, name, does)
            .source(COMMANDS)
            .shaken([octets, work()].concat())
            .ours([Closes])
            .libzmq([StaysOpen, delivers("work")], LOOSE)
    };
    vec![
        broken("sends_an_empty_command", "sends a command of no octets", frame(COMMAND, b"")),
        broken("sends_a_command_without_a_name", "sends a command whose name has no octets", frame(COMMAND, b"\0data")),
        broken("sends_a_name_longer_than_its_command", "sends a command whose name runs past its end", frame(COMMAND, b"\x09SUB")),
        listens(Pull, "reports_an_error", "sends ERROR after the handshake")
            .source(COMMANDS)
            .shaken([command("ERROR", b"\x03400"), work()].concat())
            .ours([Closes])
            .libzmq([StaysOpen, delivers("work")], "an ERROR is the end of a connection (RFC 37); libzmq looks for it in the handshake only"),
    ]
}

fn pings() -> Vec<Case> {
    let ping = |ttl_ds: u16, context: &[u8]| {
        command("PING", &[&ttl_ds.to_be_bytes()[..], context].concat())
    };
    let hard = [greeting(1), ready("PUSH")].concat();
    vec![
        listens(Pull, "pings", "sends PING with a context of no, three and 16 octets")
            .source(HEARTBEATS)
            .shaken([ping(0, b""), ping(0, b"CTX"), ping(0, b"0123456789abcdef")].concat())
            .both([says("PONG"), says("PONG CTX"), says("PONG 0123456789abcdef"), StaysOpen]),
        listens(Push, "pings_who_only_sends", "sends PING to a socket that reads no messages")
            .source(HEARTBEATS)
            .shaken(ping(0, b"CTX"))
            .both([says("PONG CTX"), StaysOpen]),
        listens(Pull, "pings_with_a_long_context", "sends PING with a context of 20 octets: 16 are given back")
            .source(HEARTBEATS)
            .shaken(ping(0, b"0123456789abcdefghij"))
            .both([says("PONG 0123456789abcdef"), StaysOpen]),
        listens(Pull, "pings_without_a_ttl", "sends a PING that ends after its name")
            .source("libzmq reads past the end of the message")
            .shaken(command("PING", b""))
            .ours([Closes])
            .libzmq([says("PONG (16 octets)"), StaysOpen], "libzmq's bug: the answer is 16 octets of whatever lay in its buffer; we always send a ttl"),
        listens(Pull, "pings_with_a_cut_ttl", "sends a PING with one octet of its ttl")
            .source("libzmq reads past the end of the message")
            .shaken(command("PING", b"\0"))
            .ours([Closes])
            .libzmq([says("PONG (16 octets)"), StaysOpen], "libzmq's bug, as above"),
        listens(Pull, "pings_with_a_ttl_of_66_s", "sends PING with a ttl of 656 tenths of a second, and nothing for a while")
            .source("libzmq issue 4226: the ttl in milliseconds overflows 16 bits")
            .shaken(ping(656, b""))
            .steps([Step::Watch(Duration::from_millis(500))])
            .ours([says("PONG"), StaysOpen])
            .libzmq([says("PONG"), Closes], "libzmq's bug: 65,600 ms become 64; we never send a ttl that long"),
        listens(Pull, "pings_and_never_listens", "sends 2,400,000 PINGs and reads none of the answers")
            .source("memory by hostile peers")
            .steps([Step::Send(hard), Step::HearReady, Step::Repeat(600, ping(0, &[7; 16]).repeat(4000)), Step::HangUp])
            .ours([TakesAtMost(24 << 10)])
            .libzmq([TakesAtMost(24 << 10)], ""),
    ]
}
