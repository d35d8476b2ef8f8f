//! PUB and SUB.

use std::time::Duration;

use super::super::case::{Act, Case, Step, dials, listens};
use super::super::fact::Fact::{Closes, StaysOpen, TakesAtMost, TakesOver};
use super::super::target::Kind::{Pub, Sub, XPub, XSub};
use super::{UNBOUNDED, delivers, says};
use crate::wire::{COMMAND, LONG, command, frame, header};

const PUBSUB: &str = "RFC 29, PUB";
/// Longer than libzmq needs for anything it does by itself.
const WHILE: Duration = Duration::from_millis(500);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = subscribing();
    cases.extend(flooding());
    cases.extend(hearing());
    cases.extend(handed_up());
    cases
}

fn subscribe(topic: &[u8]) -> Vec<u8> {
    command("SUBSCRIBE", topic)
}

fn cancel(topic: &[u8]) -> Vec<u8> {
    command("CANCEL", topic)
}

/// Says what it wants, and hears what it then gets of a1, b1 and the message that marks the end.
fn hears(name: &'static str, does: &'static str, minor: u8, octets: Vec<u8>) -> Case {
    listens(Pub, name, does).source(PUBSUB).steps([
        Step::Shake { minor },
        Step::Send([octets, subscribe(b"end")].concat()),
        Step::Until(b"end"),
        Step::Have(Act::Send(b"a1")),
        Step::Have(Act::Send(b"b1")),
        Step::Until(b"end"),
    ])
}

fn subscribing() -> Vec<Case> {
    let a1 = || {
        [
            says("message end"),
            says("message a1"),
            says("message end"),
            StaysOpen,
        ]
    };
    let nothing = || [says("message end"), StaysOpen];
    let twice = [subscribe(b"a"), subscribe(b"a"), cancel(b"a")].concat();
    let junk = [frame(0, b"junk"), frame(0, b""), subscribe(b"a")].concat();
    let binary = [subscribe(&[0]), subscribe(&[0xff; 512])].concat();
    vec![
        hears(
            "subscribes_by_command",
            "sends SUBSCRIBE a",
            1,
            subscribe(b"a"),
        )
        .both(a1()),
        hears(
            "subscribes_by_message_as_3_0_does",
            "speaks 3.0 and sends the message 01 `a`",
            0,
            frame(0, b"\x01a"),
        )
        .both(a1()),
        hears(
            "subscribes_by_message_though_3_1",
            "speaks 3.1 and sends the message 01 `a`",
            1,
            frame(0, b"\x01a"),
        )
        .both(a1()),
        hears(
            "cancels_once_what_it_subscribed_to_twice",
            "sends SUBSCRIBE a twice and CANCEL a once, as libzmq's SUB does",
            1,
            twice,
        )
        .both(nothing()),
        hears(
            "cancels_what_it_never_subscribed_to",
            "sends CANCEL b before anything",
            1,
            [cancel(b"b"), subscribe(b"a")].concat(),
        )
        .both(a1()),
        hears(
            "sends_messages_to_a_pub",
            "sends messages that are no subscriptions",
            1,
            junk,
        )
        .both(a1()),
        hears(
            "subscribes_to_any_octets",
            "subscribes to 00 and to 512 times ff",
            1,
            binary,
        )
        .both(nothing()),
    ]
}

fn flooding() -> Vec<Case> {
    let to_pub = |name, does| listens(Pub, name, does).source(PUBSUB);
    let topic = |i: u32| subscribe(&[&i.to_be_bytes()[..], b"robot/joint"].concat());
    // libzmq's PUB takes subscriptions in when its program sends.
    let many = (0..100).flat_map(|i| {
        let thousand = (i * 1000..(i + 1) * 1000).flat_map(topic).collect();
        [Step::Send(thousand), Step::Until(b"end")]
    });
    let chunk = vec![b't'; 1 << 20];
    let pages = vec![b'm'; 10_000];
    vec![
        to_pub("subscribes_to_a_long_topic", "subscribes to 513 octets")
            .shaken(subscribe(&[b't'; 513]))
            .ours([Closes])
            .libzmq([StaysOpen], UNBOUNDED),
        to_pub(
            "subscribes_to_a_long_topic_as_3_0_does",
            "subscribes to 513 octets by a message",
        )
        .shaken(frame(0, &[&[1][..], &[b't'; 513]].concat()))
        .ours([Closes])
        .libzmq([StaysOpen], UNBOUNDED),
        to_pub(
            "subscribes_to_a_topic_of_10_mib",
            "subscribes to a topic of 10 MiB, and cancels it",
        )
        .source("CVE-2021-20236: recursion over a long topic")
        .steps([
            Step::Shake { minor: 1 },
            Step::Send(
                [
                    header(COMMAND | LONG, (10 << 20) + 10),
                    b"\x09SUBSCRIBE".to_vec(),
                ]
                .concat(),
            ),
            Step::Repeat(10, chunk.clone()),
            Step::Send(
                [
                    header(COMMAND | LONG, (10 << 20) + 7),
                    b"\x06CANCEL".to_vec(),
                ]
                .concat(),
            ),
            Step::Repeat(10, chunk),
        ])
        .ours([Closes, TakesAtMost(64)])
        .libzmq([StaysOpen, TakesOver(10 << 10)], UNBOUNDED),
        to_pub(
            "subscribes_to_100_000_topics",
            "subscribes to 100,000 topics",
        )
        .source("memory by hostile peers")
        .shaken(subscribe(b"end"))
        .steps(many)
        .ours([says("message end"), Closes, TakesAtMost(8 << 10)])
        .libzmq(
            [says("message end"), StaysOpen, TakesOver(8 << 10)],
            UNBOUNDED,
        ),
        to_pub(
            "subscribes_and_never_listens",
            "subscribes to everything and reads nothing of 100 MB",
        )
        .source("RFC 29: a full queue drops, and no other subscriber notices")
        .queue(100)
        .steps([
            Step::Shake { minor: 1 },
            Step::Send([subscribe(b""), command("PING", b"\0\0")].concat()),
            Step::Hear(1),
        ])
        .steps(vec![Step::Have(Act::Send(leaked(pages))); 10_000])
        .steps([Step::HangUp])
        .both([TakesAtMost(16 << 10)]),
    ]
}

/// Messages of a script live as long as the test.
fn leaked(octets: Vec<u8>) -> &'static [u8] {
    Box::leak(octets.into_boxed_slice())
}

fn hearing() -> Vec<Case> {
    let sub = |name, does| dials(Sub, name, does).source("RFC 29, SUB");
    let twice = [
        Act::Subscribe(b"a"),
        Act::Subscribe(b"a"),
        Act::Unsubscribe(b"a"),
        Act::Unsubscribe(b"a"),
        Act::Subscribe(b"end"),
    ];
    let acts = |acts: &[Act]| acts.iter().cloned().map(Step::Have).collect::<Vec<_>>();
    vec![
        sub("publishes_what_was_not_asked_for", "sends `other` to a subscriber of `a`, then `a1`")
            .steps(acts(&[Act::Subscribe(b"a")]))
            .shaken([frame(0, b"other"), frame(0, b"a1"), frame(0, b"")].concat())
            .steps([Step::Hear(2)])
            .both([says("SUBSCRIBE a"), StaysOpen, delivers("a1")]),
        sub("publishes_in_version_3_0", "speaks 3.0: it is subscribed to by a message")
            .steps(acts(&[Act::Subscribe(b"a")]))
            .steps([Step::Shake { minor: 0 }, Step::Hear(2)])
            .both([says("message \\x01a"), StaysOpen]),
        sub("counts_subscriptions", "sees what a program's two subscriptions to `a`, and two cancellations, send")
            .steps([Step::Shake { minor: 1 }, Step::Hear(1)])
            .steps(acts(&twice))
            .steps([Step::Watch(WHILE)])
            .ours([says("SUBSCRIBE a"), says("CANCEL a"), says("SUBSCRIBE end"), StaysOpen])
            .libzmq([says("SUBSCRIBE a"), says("SUBSCRIBE a"), says("CANCEL a"), says("SUBSCRIBE end"), StaysOpen],
                "one CANCEL for two SUBSCRIBEs leaves a publisher that counts sending for ever; one for one is right for all"),
        sub("hangs_up_on_an_idle_subscriber", "hangs up, and waits to be subscribed to again while the program does nothing")
            .steps(acts(&[Act::Subscribe(b"a")]))
            .steps([Step::Shake { minor: 1 }, Step::Hear(2), Step::HangUp, Step::Second, Step::Shake { minor: 1 }, Step::Watch(WHILE)])
            .ours([says("SUBSCRIBE a"), StaysOpen])
            .libzmq([StaysOpen], "libzmq subscribes again when its program next touches the socket; until then a publisher sends it nothing"),
    ]
}

fn handed_up() -> Vec<Case> {
    let said = [subscribe(b"a"), cancel(b"a"), frame(0, b"hello")].concat();
    vec![
        listens(
            XPub,
            "tells_an_xpub_what_it_wants",
            "sends SUBSCRIBE a, CANCEL a and a message to an XPUB, which hands them up",
        )
        .source("RFC 29, XPUB")
        .shaken(said)
        .both([
            StaysOpen,
            delivers("\\x01a"),
            delivers("\\x00a"),
            delivers("hello"),
        ]),
        listens(
            XPub,
            "leaves_an_xpub_with_a_subscription",
            "sends SUBSCRIBE a to an XPUB and hangs up: the end is handed up too",
        )
        .source("RFC 29, XPUB")
        .shaken(subscribe(b"a"))
        .steps([
            Step::Have(Act::Take(1)),
            Step::HangUp,
            Step::Have(Act::Take(1)),
        ])
        .both([]),
        dials(
            XSub,
            "publishes_to_an_xsub",
            "sends `other` to an XSUB whose program asked for a, then `a1`: it does not filter again",
        )
        .source("RFC 29, XSUB")
        .steps([Step::Have(Act::Subscribe(b"a"))])
        .shaken([frame(0, b"other"), frame(0, b"a1")].concat())
        .steps([Step::Hear(2)])
        .ours([says("SUBSCRIBE a"), StaysOpen, delivers("other"), delivers("a1")])
            .libzmq([says("message \\x01a"), StaysOpen, delivers("other"), delivers("a1")], "publishers take both forms; the command is that of 3.1"),
    ]
}
