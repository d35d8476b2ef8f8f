//! READY, and what comes in its place.

use std::time::Duration;

use super::super::case::{Case, Step, listens};
use super::super::fact::Fact::{self, Closes, ClosesAtDeadline, StaysOpen, TakesAtMost};
use super::super::target::Kind::{Pull, Router};
use super::{LOOSE, TOLD, UNBOUNDED, delivers, says};
use crate::wire::{COMMAND, LONG, MORE, command, frame, greeting, header, property, ready};

/// For handshakes that are to run into it.
const DEADLINE: Duration = Duration::from_millis(500);
const METADATA: &str = "RFC 37, metadata";
const TYPES: &str = "RFC 37, socket types";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = framing();
    cases.extend(instead_of_ready());
    cases.extend(types());
    cases.extend(properties());
    cases.extend(identities());
    cases
}

fn after_greeting(octets: &[u8]) -> Vec<u8> {
    [&greeting(1), octets].concat()
}

fn with(properties: &[Vec<u8>]) -> Vec<u8> {
    after_greeting(&command("READY", &properties.concat()))
}

fn push() -> Vec<u8> {
    property("Socket-Type", b"PUSH")
}

fn framing() -> Vec<Case> {
    let ready_body = ready("PUSH").split_off(2);
    let work = frame(0, b"work");
    let says_ready = |name, does, flags| {
        let ready = after_greeting(&frame(flags, &ready_body));
        listens(Pull, name, does)
            .source("RFC 37, commands")
            .greets(ready, &work)
    };
    vec![
        says_ready(
            "sends_ready_in_a_long_frame",
            "sends READY with a length of eight octets",
            COMMAND | LONG,
        )
        .both([StaysOpen, delivers("work")]),
        says_ready(
            "sends_ready_as_a_message",
            "sends READY without the COMMAND flag",
            0,
        )
        .ours([Closes])
        .libzmq([StaysOpen, delivers("work")], LOOSE),
        says_ready(
            "sends_ready_with_more",
            "sends READY with the MORE flag",
            COMMAND | MORE,
        )
        .ours([Closes])
        .libzmq([StaysOpen, delivers("work")], LOOSE),
    ]
}

fn instead_of_ready() -> Vec<Case> {
    let instead = |name, does, octets: Vec<u8>| {
        listens(Pull, name, does)
            .source("RFC 37, NULL")
            .opens(after_greeting(&octets))
            .unfinished()
    };
    vec![
        instead(
            "sends_a_message_before_ready",
            "sends a message where READY is due",
            frame(0, b"work"),
        )
        .both([Closes]),
        instead(
            "pings_before_ready",
            "sends PING where READY is due",
            command("PING", b"\0\0"),
        )
        .both([Closes]),
        instead(
            "says_hello_of_another_mechanism",
            "sends HELLO, as PLAIN and CURVE begin",
            command("HELLO", &[0; 194]),
        )
        .both([Closes]),
        instead(
            "sends_an_empty_command_before_ready",
            "sends a command of no octets where READY is due",
            frame(COMMAND, b""),
        )
        .both([Closes]),
        instead(
            "refuses_with_an_error",
            "sends ERROR where READY is due",
            command("ERROR", b"\x03400"),
        )
        .deadline(DEADLINE)
        .ours([Closes])
        .libzmq(
            [ClosesAtDeadline],
            "an ERROR is the end of a connection (RFC 37)",
        ),
        instead(
            "sends_an_error_that_is_cut",
            "sends an ERROR whose reason is shorter than it says",
            command("ERROR", b"\x09400"),
        )
        .both([Closes]),
        instead(
            "claims_a_long_ready",
            "claims 2^40 octets of READY and sends none",
            header(COMMAND | LONG, 1 << 40),
        )
        .both([Closes, TakesAtMost(64)]),
        instead(
            "claims_a_ready_over_its_bound",
            "claims 8193 octets of READY and sends none",
            header(COMMAND | LONG, 8193),
        )
        .deadline(DEADLINE)
        .ours([Closes])
        .libzmq([ClosesAtDeadline], UNBOUNDED),
    ]
}

fn types() -> Vec<Case> {
    let wrong = |name, does, properties: &[Vec<u8>]| {
        listens(Pull, name, does)
            .source(TYPES)
            .opens(with(properties))
            .unfinished()
    };
    let error = || says("ERROR Invalid socket type");
    vec![
        wrong(
            "is_of_the_wrong_type",
            "says it is a SUB to a PULL",
            &[property("Socket-Type", b"SUB")],
        )
        .ours([error(), Closes])
        .libzmq([Closes], TOLD),
        wrong(
            "is_of_an_unknown_type",
            "says it is a NONSENSE",
            &[property("Socket-Type", b"NONSENSE")],
        )
        .ours([error(), Closes])
        .libzmq([Closes], TOLD),
        listens(Pull, "tells_no_type", "tells no Socket-Type")
            .source(TYPES)
            .greets(with(&[]), frame(0, b"work"))
            .ours([error(), Closes])
            .libzmq([StaysOpen, delivers("work")], LOOSE),
        listens(
            Pull,
            "tells_its_type_in_lower_case",
            "tells the right type under the name `socket-type`: names have no case",
        )
        .source(METADATA)
        .greets(with(&[property("socket-type", b"PUSH")]), frame(0, b"work"))
        .both([StaysOpen, delivers("work")]),
        listens(
            Pull,
            "tells_a_wrong_type_in_lower_case",
            "tells a wrong type under the name `socket-type`",
        )
        .source(METADATA)
        .greets(with(&[property("socket-type", b"SUB")]), frame(0, b"work"))
        .ours([error(), Closes])
        .libzmq(
            [StaysOpen, delivers("work")],
            "libzmq tells names apart by case, takes this one for unknown and checks nothing",
        ),
    ]
}

fn properties() -> Vec<Case> {
    let odd = |name, does, properties: &[Vec<u8>]| {
        listens(Pull, name, does)
            .source(METADATA)
            .greets(with(properties), frame(0, b"work"))
    };
    let error = || says("ERROR Invalid metadata");
    let served = || [StaysOpen, delivers("work")];
    let refused = |case: Case, reason| case.ours([error(), Closes]).libzmq(served(), reason);
    let cut = |name, does, octets: &[u8]| {
        odd(name, does, &[push(), octets.to_vec()])
            .unfinished()
            .ours([error(), Closes])
            .libzmq([Closes], TOLD)
    };
    vec![
        odd(
            "has_properties_nobody_knows",
            "sends 600 octets of properties of its own",
            &[
                property("X-Own", &[1; 300]),
                push(),
                property("vendor.app+x", &[0; 280]),
            ],
        )
        .both(served()),
        odd(
            "gives_a_property_of_its_own_twice",
            "gives one `X-` property twice",
            &[property("X-Own", b"1"), push(), property("X-Own", b"2")],
        )
        .both(served()),
        refused(
            odd(
                "gives_its_type_twice",
                "tells its type twice",
                &[push(), push()],
            ),
            "of two values one reader takes the first and another the last",
        ),
        refused(
            odd(
                "has_a_property_without_a_name",
                "has a property whose name has no octets",
                &[push(), property("", b"x")],
            ),
            LOOSE,
        ),
        refused(
            odd(
                "has_a_property_with_an_illegal_name",
                "has a property `no spaces`",
                &[push(), property("no spaces", b"x")],
            ),
            LOOSE,
        ),
        refused(
            odd(
                "has_many_properties",
                "sends 33 properties",
                &[push(), property("X", b"").repeat(32)],
            ),
            UNBOUNDED,
        ),
        refused(
            odd(
                "has_long_properties",
                "sends 5,000 octets of properties",
                &[push(), property("X", &[0; 5000])],
            ),
            UNBOUNDED,
        ),
        cut(
            "ends_within_a_property",
            "ends its READY one octet into a property",
            &[5],
        ),
        cut(
            "has_a_value_that_is_cut",
            "has a value of four octets, three of which come",
            b"\x01X\0\0\0\x04abc",
        ),
        cut(
            "claims_a_value_of_4_gib",
            "has a value of 2^32 - 1 octets, three of which come",
            b"\x01X\xff\xff\xff\xffabc",
        ),
    ]
}

fn identities() -> Vec<Case> {
    let dealer = |identity: &[u8]| {
        let properties = [
            property("Socket-Type", b"DEALER"),
            property("Identity", identity),
        ];
        with(&properties)
    };
    let hello = frame(0, b"hello");
    let refused = |name, does, len, error: &str, libzmq: Fact| {
        listens(Router, name, does)
            .source("RFC 37, identity; 255 octets at most")
            .greets(dealer(&vec![b'i'; len]), &hello)
            .ours([says(error), Closes])
            .libzmq([StaysOpen, libzmq], LOOSE)
    };
    let twice = dealer(b"name");
    vec![
        listens(Router, "has_an_identity_that_begins_with_zero", "claims the identity 00 01 02, as programs do that number their peers")
            .source("RFC 37 forbids it, libzmq's users do it")
            .greets(dealer(&[0, 1, 2]), &hello)
            .both([StaysOpen, delivers("\\x00\\x01\\x02|hello")]),
        refused("has_a_long_identity", "claims an identity of 256 octets", 256, "ERROR Invalid identity", delivers("(256 octets)|hello")),
        listens(Router, "has_a_huge_identity", "claims an identity of 70,000 octets")
            .source("RFC 37, identity; 255 octets at most")
            .greets(dealer(&[b'i'; 70_000]), &hello)
            .ours([Closes])
            .libzmq([StaysOpen, delivers("(70000 octets)|hello")], UNBOUNDED),
        listens(Router, "takes_the_identity_of_another", "claims the identity of a peer that is there still")
            .source("RFC 28, ROUTER")
            .greets(&twice, &hello)
            .steps([Step::Second])
            .greets(&twice, &hello)
            .ours([Closes, delivers("name|hello")])
            .libzmq([StaysOpen, delivers("name|hello")], "libzmq keeps the second connected and delivers nothing of it, which its program cannot know; ours tells it by closing, so that it dials again and has the name once the first is gone"),
    ]
}
