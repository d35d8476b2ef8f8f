//! Peers that are dialled: what they do wrong, and whether they are dialled again.

use std::time::Duration;

use super::super::case::{Case, Step, dials};
use super::super::fact::Fact::{Closes, ClosesAtDeadline, DialsAgain, GivesUp, StaysOpen, Tells};
use super::super::target::Kind::{Dealer, Pull, Sub};
use super::{delivers, says};
use crate::wire::{
    COMMAND, GREETING, LONG, MORE, command, frame, greeting, header, property, ready,
};

/// For handshakes that are to run into it.
const DEADLINE: Duration = Duration::from_millis(500);
const RECONNECT: &str = "RFC 37, error handling";
pub(super) const FOR_GOOD: &str = "libzmq gives a peer up for good that broke the protocol, though a restart of that peer, or one flipped bit, is all it may be; we dial again, with back-off";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = ends();
    cases.extend(faults());
    cases
}

fn ends() -> Vec<Case> {
    let pull = |name, does| dials(Pull, name, does).source(RECONNECT);
    vec![
        pull("hangs_up_when_dialled", "accepts and hangs up")
            .steps([Step::HangUp])
            .both([DialsAgain]),
        pull("resets_when_dialled", "accepts and resets the connection")
            .steps([Step::Reset])
            .both([DialsAgain]),
        pull(
            "hangs_up_after_the_handshake",
            "shakes hands, sends a message and hangs up",
        )
        .shaken(frame(0, b"work"))
        .steps([Step::HangUp])
        .both([delivers("work"), DialsAgain]),
        pull(
            "resets_after_the_handshake",
            "shakes hands and resets the connection",
        )
        .steps([Step::Shake { minor: 1 }, Step::Reset])
        .both([DialsAgain]),
        pull("says_nothing_when_dialled", "accepts and says nothing")
            .unfinished()
            .deadline(DEADLINE)
            .ours([Tells(GREETING), ClosesAtDeadline, DialsAgain])
            .libzmq(
                [Tells(10), ClosesAtDeadline, DialsAgain],
                "libzmq greets in steps, to go back to 1.0 or 2.0",
            ),
    ]
}

fn faults() -> Vec<Case> {
    let fault = |case: Case, octets: &[u8]| {
        case.source(RECONNECT)
            .shaken(octets)
            .ours([Closes, DialsAgain])
            .libzmq([Closes, GivesUp], FOR_GOOD)
    };
    let early = |name, does, octets: Vec<u8>| {
        dials(Pull, name, does)
            .source(RECONNECT)
            .opens(octets)
            .unfinished()
    };
    vec![
        fault(
            dials(
                Pull,
                "claims_2_63_when_dialled",
                "claims a frame of 2^63 octets",
            ),
            &header(LONG, 1 << 63),
        ),
        fault(
            dials(
                Sub,
                "publishes_2_63",
                "claims a frame of 2^63 octets to a subscriber",
            ),
            &header(LONG, 1 << 63),
        ),
        fault(
            dials(
                Dealer,
                "answers_with_2_63",
                "claims a frame of 2^63 octets to a DEALER",
            ),
            &header(LONG, 1 << 63),
        ),
        dials(
            Pull,
            "sends_a_command_with_more_when_dialled",
            "sends a command with the MORE flag",
        )
        .source(RECONNECT)
        .shaken(frame(COMMAND | MORE, b"\x04JOINx"))
        .ours([Closes, DialsAgain])
        .libzmq([StaysOpen], super::LOOSE),
        early(
            "speaks_http_when_dialled",
            "answers in HTTP",
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        )
        .deadline(DEADLINE)
        .ours([Closes, DialsAgain])
        .libzmq(
            [StaysOpen],
            "libzmq takes it for a peer of version 1.0, and keeps it",
        ),
        early("wants_another_mechanism_when_dialled", "wants CURVE", {
            let mut octets = greeting(1);
            octets[12..17].copy_from_slice(b"CURVE");
            octets
        })
        .ours([Closes, DialsAgain])
        .libzmq([Closes, GivesUp], FOR_GOOD),
        early(
            "is_of_the_wrong_type_when_dialled",
            "is a PUB where a PUSH is wanted: another service on the old port",
            [greeting(1), ready("PUB")].concat(),
        )
        .ours([says("ERROR Invalid socket type"), Closes, DialsAgain])
        .libzmq([Closes, GivesUp], FOR_GOOD),
        early(
            "refuses_when_dialled",
            "sends ERROR in place of READY",
            [greeting(1), command("ERROR", b"\x03400")].concat(),
        )
        .deadline(DEADLINE)
        .ours([Closes, DialsAgain])
        .libzmq(
            [ClosesAtDeadline, DialsAgain],
            "an ERROR is the end of a connection (RFC 37)",
        ),
        early(
            "has_broken_metadata_when_dialled",
            "ends its READY within a property",
            [
                greeting(1),
                command(
                    "READY",
                    &[property("Socket-Type", b"PUSH"), vec![5]].concat(),
                ),
            ]
            .concat(),
        )
        .ours([says("ERROR Invalid metadata"), Closes, DialsAgain])
        .libzmq([Closes, GivesUp], FOR_GOOD),
    ]
}
