//! Frames and messages after the handshake.

use super::super::case::{Case, Step, listens};
use super::super::fact::Fact::{Closes, StaysOpen, TakesAtMost, TakesOver};
use super::super::target::Kind::Pull;
use super::{LOOSE, UNBOUNDED, delivers};
use crate::wire::{COMMAND, LONG, MORE, command, frame, greeting, header, ready};

const SIZE: &str = "CVE-2019-6250: the size of a frame overflows";
const FRAMING: &str = "RFC 37, framing";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = odd();
    cases.extend(broken());
    cases.extend(sizes());
    cases
}

fn odd() -> Vec<Case> {
    let message = [frame(MORE, b"one"), frame(0, b"two")].concat();
    vec![
        listens(
            Pull,
            "sends_short_bodies_in_long_frames",
            "sends two frames of 0 and 1 octets with lengths of eight",
        )
        .source(FRAMING)
        .shaken([frame(LONG | MORE, b""), frame(LONG, b"x")].concat())
        .both([StaysOpen, delivers("|x")]),
        listens(
            Pull,
            "sends_empty_messages",
            "sends messages of no octets, in one frame and in three",
        )
        .source(FRAMING)
        .shaken([frame(0, b""), frame(MORE, b"").repeat(2), frame(0, b"")].concat())
        .both([StaysOpen, delivers(""), delivers("||")]),
        listens(
            Pull,
            "has_a_command_between_the_frames_of_a_message",
            "sends PING between the two frames of a message",
        )
        .source("RFC 37, traffic")
        .shaken(
            [
                frame(MORE, b"one"),
                command("PING", b"\0\0mid"),
                frame(0, b"two"),
            ]
            .concat(),
        )
        .both([super::says("PONG mid"), StaysOpen, delivers("one|two")]),
        listens(
            Pull,
            "hangs_up_within_a_message",
            "sends a message, then a half one, and hangs up: all of a message or none",
        )
        .source("RFC 37, messages")
        .shaken([frame(0, b"whole"), message[..8].to_vec()].concat())
        .steps([Step::HangUp])
        .both([delivers("whole")]),
        listens(
            Pull,
            "resets_within_a_frame",
            "sends a half frame and resets the connection",
        )
        .source("RFC 37, messages")
        .shaken(&message[..3])
        .steps([Step::Reset])
        .both([]),
    ]
}

fn broken() -> Vec<Case> {
    vec![
        listens(
            Pull,
            "sets_a_reserved_flag",
            "sends a frame with a flag that no version defines",
        )
        .source(FRAMING)
        .shaken(frame(0x80, b"work"))
        .ours([Closes])
        .libzmq([StaysOpen, delivers("work")], LOOSE),
        listens(
            Pull,
            "sends_a_command_with_more",
            "sends a command with the MORE flag",
        )
        .source("RFC 37, commands")
        .shaken([frame(COMMAND | MORE, b"\x04PING\0\0x"), frame(0, b"work")].concat())
        .ours([Closes])
        .libzmq([super::says("PONG x"), StaysOpen, delivers("work")], LOOSE),
        listens(
            Pull,
            "sends_a_message_of_many_frames",
            "sends a message of 1,025 empty frames",
        )
        .source("no ZeroMQ program has that many")
        .shaken([frame(MORE, b"").repeat(1024), frame(0, b"")].concat())
        .ours([Closes])
        .libzmq([StaysOpen, delivers(&"|".repeat(1024))], UNBOUNDED),
        listens(Pull, "speaks_http_after_the_handshake", "goes on in HTTP")
            .source(FRAMING)
            .shaken(b"GET / HTTP/1.1\r\n\r\n")
            .both([Closes]),
    ]
}

fn sizes() -> Vec<Case> {
    let claims = |name, does, len: u64| {
        listens(Pull, name, does)
            .source(SIZE)
            .shaken([header(LONG, len), b"a little".to_vec()].concat())
    };
    let endless: Vec<u8> = frame(MORE, &[1; 1 << 20]);
    vec![
        claims("claims_2_31", "claims a frame of 2^31 octets and sends eight", 1 << 31)
            .unfinished()
            .ours([Closes, TakesAtMost(64)])
            .libzmq([StaysOpen, TakesAtMost(1024)], UNBOUNDED),
        claims("claims_2_33", "claims a frame of 2^33 octets and sends eight", 1 << 33)
            .unfinished()
            .ours([Closes, TakesAtMost(64)])
            .libzmq([StaysOpen, TakesAtMost(1024)], "libzmq reserves 8 GiB of addresses, of which it uses what comes"),
        claims("claims_2_40", "claims a frame of 2^40 octets and sends eight", 1 << 40)
            .both([Closes, TakesAtMost(64)]),
        claims("claims_2_63", "claims a frame of 2^63 octets, one more than there can be", 1 << 63)
            .both([Closes, TakesAtMost(64)]),
        claims("claims_2_64", "claims a frame of 2^64 - 1 octets", u64::MAX)
            .both([Closes, TakesAtMost(64)]),
        claims("claims_what_its_header_overflows", "claims a frame of 2^64 - 9 octets, which with its header is nothing", u64::MAX - 8)
            .both([Closes, TakesAtMost(64)]),
        listens(Pull, "claims_a_long_second_frame", "claims 2^63 - 1 octets for the second frame of a message: together they overflow")
            .source(SIZE)
            .shaken([frame(MORE, &[1; 300]), header(LONG, u64::MAX >> 1)].concat())
            .both([Closes, TakesAtMost(64)]),
        listens(Pull, "claims_a_long_command", "claims a command of 64 KiB and one octet")
            .source("no command comes near")
            .shaken(header(COMMAND | LONG, (64 << 10) + 1))
            .unfinished()
            .ours([Closes])
            .libzmq([StaysOpen], UNBOUNDED),
        listens(Pull, "sends_a_message_without_end", "sends 200 frames of 1 MiB, all with MORE")
            .source("GHSA-4p5v: memory by hostile peers")
            .steps([Step::Shake { minor: 1 }, Step::Repeat(200, endless)])
            .ours([Closes, TakesAtMost(136 << 10)])
            .libzmq([StaysOpen, TakesOver(180 << 10)], UNBOUNDED),
        listens(Pull, "is_cut_at_every_octet", "sends a conversation up to each of its octets and hangs up, one connection after the other")
            .source("zmq.rs issue 286: panics on short values")
            .steps(cut_everywhere())
            .both(std::iter::empty()),
    ]
}

/// A conversation with all commands, and each of its beginnings. It holds no whole message, so that nothing is delivered.
fn cut_everywhere() -> Vec<Step> {
    let all = [
        greeting(1),
        ready("PUSH"),
        command("SUBSCRIBE", b"topic"),
        command("CANCEL", b"topic"),
        command("PING", b"\0\0context"),
        command("PONG", b"context"),
        command("STAMP", &[0; 17]),
        frame(MORE, b"first"),
    ]
    .concat();
    let cut = |len: usize| [Step::Send(all[..len].to_vec()), Step::HangUp, Step::Second];
    let mut steps: Vec<Step> = (0..all.len()).flat_map(cut).collect();
    steps.push(Step::HangUp);
    steps
}
