//! The first 64 octets.

use std::time::Duration;

use super::super::case::{Case, Step, listens};
use super::super::fact::Fact::{Closes, ClosesAtDeadline, StaysOpen, Tells};
use super::super::target::Kind::Pull;
use super::delivers;
use crate::wire::{COMMAND, GREETING, frame, greeting, ready};

/// For handshakes that are to run into it.
const DEADLINE: Duration = Duration::from_millis(500);
const GREETING_RFC: &str = "RFC 37, greeting";
const OLD: &str = "ZMTP 1.0 and 2.0 have no mechanisms and a decoder of their own (GHSA-fc3w); nothing since libzmq 3 speaks them";
const FOREIGN: &str =
    "libzmq takes it for a peer of version 1.0, for which no deadline of a handshake holds";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = in_pieces();
    cases.extend(odd());
    cases.extend(versions());
    cases.extend(foreign());
    cases.extend(slow());
    cases
}

/// A whole conversation that begins with this greeting.
fn work(case: Case, greeting: Vec<u8>) -> Case {
    case.greets([greeting, ready("PUSH")].concat(), frame(0, b"work"))
}

fn changed(change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut octets = greeting(1);
    change(&mut octets);
    octets
}

fn in_pieces() -> Vec<Case> {
    let handshake = [greeting(1), ready("PUSH")].concat();
    let whole = [&handshake[..], &frame(0, b"work")].concat();
    let (signature, rest) = handshake.split_at(10);
    let (major, rest) = rest.split_at(1);
    vec![
        listens(Pull, "greets_in_three_steps", "greets as libzmq does: 10 octets, then 1, then 53, each after it has seen as much of the other's")
            .source(GREETING_RFC)
            .steps([
                Step::Send(signature.to_vec()),
                Step::Read(11),
                Step::Send(major.to_vec()),
                Step::Read(GREETING),
            ])
            .greets(rest, frame(0, b"work"))
            .both([StaysOpen, delivers("work")]),
        listens(Pull, "speaks_octet_by_octet", "sends greeting, READY and a message an octet at a time")
            .source("RFC 37, a stream has no packets")
            .steps([
                Step::Pieces(1, handshake.clone()),
                Step::HearReady,
                Step::Pieces(1, frame(0, b"work")),
            ])
            .both([StaysOpen, delivers("work")]),
        listens(Pull, "says_all_at_once", "sends greeting, READY and a message in one segment, before it has read anything")
            .source("RFC 37, NULL")
            .opens(whole)
            .ours([StaysOpen, delivers("work")])
            .libzmq([Closes], "libzmq takes traffic only once it has said READY itself: we send none before we have heard it"),
    ]
}

fn odd() -> Vec<Case> {
    let fine = |name, does, octets| {
        work(listens(Pull, name, does), octets)
            .source(GREETING_RFC)
            .both([StaysOpen, delivers("work")])
    };
    let refused = |name, does, mechanism: &[u8]| {
        let octets = changed(|it| it[12..12 + mechanism.len()].copy_from_slice(mechanism));
        listens(Pull, name, does)
            .source("RFC 37, security mechanism")
            .opens(octets)
            .unfinished()
            .both([Closes])
    };
    vec![
        fine(
            "pads_its_greeting_with_noise",
            "has noise in the padding of its signature, as libzmq has a length there",
            changed(|it| it[1..9].copy_from_slice(b"\x9anoise\xff\x01")),
        ),
        fine(
            "fills_its_greeting_with_noise",
            "has noise in the last 31 octets of its greeting",
            changed(|it| it[33..].fill(0xa5)),
        ),
        fine(
            "claims_to_be_a_server",
            "sets as-server, which means nothing with NULL",
            changed(|it| it[32] = 1),
        ),
        refused(
            "wants_another_mechanism",
            "wants CURVE where NULL is set up",
            b"CURVE",
        ),
        refused(
            "wants_a_mechanism_in_lower_case",
            "wants the mechanism `null`",
            b"null",
        ),
        refused(
            "hides_octets_behind_the_mechanism",
            "has octets after the name NULL and its first zero",
            b"NULL\0X",
        ),
    ]
}

fn versions() -> Vec<Case> {
    let later = |name, does, major, minor| {
        let octets = changed(|it| it[10..12].copy_from_slice(&[major, minor]));
        work(listens(Pull, name, does), octets)
            .source("RFC 37, version negotiation")
            .both([StaysOpen, delivers("work")])
    };
    let mut version_2 = greeting(0)[..10].to_vec();
    // Revision 1, the type PUSH, an anonymous identity, a message.
    version_2.extend_from_slice(b"\x01\x08\x00\x00\x00\x04work");
    vec![
        later("speaks_3_0", "greets with version 3.0", 3, 0),
        later("speaks_3_2", "greets with version 3.2", 3, 2),
        later("speaks_4_0", "greets with version 4.0", 4, 0),
        listens(
            Pull,
            "speaks_2_0",
            "greets with version 2.0 and sends a message",
        )
        .source("RFC 15")
        .opens(version_2)
        .unfinished()
        .ours([Closes])
        .libzmq([StaysOpen, delivers("work")], OLD),
        listens(
            Pull,
            "speaks_1_0",
            "opens with an anonymous identity and a message of version 1.0",
        )
        .source("RFC 13")
        .opens(b"\x01\x00\x05\x00work")
        .unfinished()
        .ours([Closes])
        .libzmq([StaysOpen, delivers("work")], OLD),
    ]
}

fn foreign() -> Vec<Case> {
    let other = |name, does, octets: &[u8]| {
        listens(Pull, name, does)
            .source("another protocol on the port")
            .opens(octets)
            .unfinished()
            .deadline(DEADLINE)
    };
    vec![
        other(
            "speaks_http",
            "asks for a page by HTTP",
            b"GET / HTTP/1.1\r\nHost: robot\r\n\r\n",
        )
        .ours([Closes])
        .libzmq([StaysOpen], FOREIGN),
        other(
            "speaks_ssh",
            "greets as SSH does",
            b"SSH-2.0-OpenSSH_9.2\r\n",
        )
        .ours([Closes])
        .libzmq([StaysOpen], FOREIGN),
        other(
            "speaks_tls",
            "begins a TLS handshake",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        )
        .ours([Closes])
        .libzmq([StaysOpen], FOREIGN),
        other("sends_ones", "sends 64 octets of ff", &[0xff; GREETING]).both([Closes]),
    ]
}

fn slow() -> Vec<Case> {
    let slow = |name, does| {
        listens(Pull, name, does)
            .source("CVE-2020-15166")
            .unfinished()
            .deadline(DEADLINE)
    };
    vec![
        slow("says_nothing", "connects and says nothing")
            .ours([Tells(GREETING), ClosesAtDeadline])
            .libzmq(
                [Tells(10), ClosesAtDeadline],
                "libzmq waits for the version, to go back to 1.0 or 2.0, which we do not speak",
            ),
        slow(
            "stops_within_its_greeting",
            "sends 63 octets of its greeting",
        )
        .opens(&greeting(1)[..GREETING - 1])
        .both([ClosesAtDeadline]),
        slow(
            "stops_after_its_greeting",
            "sends its greeting and no READY",
        )
        .opens(greeting(1))
        .both([ClosesAtDeadline]),
        slow(
            "drips",
            "sends a greeting and a long READY, an octet every 20 ms: the deadline is not extended by what comes",
        )
        .steps([Step::Drip([greeting(1), frame(COMMAND, &[0; 8000])].concat())])
        .both([ClosesAtDeadline]),
        slow(
            "hangs_up_within_its_greeting",
            "sends half its greeting and hangs up",
        )
        .steps([Step::Send(greeting(1)[..32].to_vec()), Step::HangUp])
        .both([]),
        slow(
            "resets_within_its_greeting",
            "sends half its greeting and resets the connection",
        )
        .steps([Step::Send(greeting(1)[..32].to_vec()), Step::Reset])
        .both([]),
    ]
}
