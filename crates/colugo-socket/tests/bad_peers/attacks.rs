//! The faults that ZeroMQ implementations and their like have had, each as an attack on ours, with a bound on what it may cost. Each runs in
//! a process of its own: a panic anywhere in it, which a task of the data thread would swallow, fails the test.

use std::sync::atomic::{AtomicUsize, Ordering};

use colugo_socket::{PubSocket, PullSocket};
use colugo_testkit::bad_peer::{Role, Step, all};
use colugo_testkit::{Alone, forget_peak, peak_memory_kib};

use crate::PATIENCE;
use crate::garbage::Kinds;
use crate::raw::{LONG, Raw, command, frame, greeting, header, property, serves};

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Runs the test `name` of this module by itself.
fn alone(name: &str, attack: impl FnOnce()) {
    Alone::new().run(&format!("attacks::{name}"), || {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            usual(panic);
        }));
        attack();
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "something panicked");
    });
}

/// How much the peak grows while `attack` runs, in KiB. Where the system does not tell it is 0.
fn growth_kib(attack: impl FnOnce()) -> u64 {
    forget_peak(None);
    let before = peak_memory_kib().unwrap_or_default();
    attack();
    let grown = peak_memory_kib().unwrap_or_default().saturating_sub(before);
    println!("{grown} KiB");
    grown
}

/// CVE-2019-6250, rzmq's `reserve`: the length of a frame overflows where octets are counted. It stands at every offset of the stream: at
/// the start, after little, and across the end of the first read.
#[test]
fn lengths_that_overflow_end_the_connection_wherever_they_stand() {
    alone(
        "lengths_that_overflow_end_the_connection_wherever_they_stand",
        || {
            const FIRST_READ: usize = 8 << 10;
            let pull = PullSocket::new().unwrap();
            let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
            serves(&pull, &endpoint);
            let lengths = [1 << 31, u32::MAX.into(), 1 << 40, u64::MAX >> 1, 1 << 63];
            let overflowing = [u64::MAX - 9, u64::MAX - 8, u64::MAX - 1, u64::MAX];
            let near_the_end = FIRST_READ - 24..FIRST_READ + 4;
            let grown = growth_kib(|| {
                for before in (2..16).chain(near_the_end) {
                    for len in lengths.into_iter().chain(overflowing) {
                        let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
                        let head = if before < 9 { 2 } else { 9 };
                        let flags = if before < 9 { 0 } else { LONG };
                        let mut octets = frame(flags, &vec![7; before - head]);
                        assert_eq!(octets.len(), before);
                        octets.extend(header(LONG, len));
                        raw.try_send(&octets);
                        raw.rest();
                        while pull.try_recv().is_ok() {}
                    }
                }
            });
            assert_eq!(pull.stats().protocol_errors, 42 * 9);
            assert!(grown <= 1 << 10, "{grown} KiB");
            serves(&pull, &endpoint);
        },
    );
}

/// zmq.rs issue 286: a parser that panics on values that are too short. Every command, cut at every octet, in a frame that says so.
#[test]
fn commands_cut_at_every_octet_end_a_connection_or_are_ignored() {
    alone(
        "commands_cut_at_every_octet_end_a_connection_or_are_ignored",
        || {
            let kinds = Kinds::new();
            let whole = [
                command("READY", &property("Socket-Type", b"PUSH")),
                command("ERROR", b"\x03400"),
                command("SUBSCRIBE", b"topic"),
                command("CANCEL", b"topic"),
                command("PING", b"\0\x3ccontext"),
                command("PONG", b"context"),
                command("STAMP", &[1; 40]),
                command("HISTORY", &[1; 28]),
            ];
            for (endpoint, peer) in &kinds.endpoints {
                for body in whole.iter().map(|it| &it[2..]) {
                    for len in 0..=body.len() {
                        let mut raw = if len % 2 == 0 {
                            Raw::shaken(endpoint, peer, 1)
                        } else {
                            colugo(endpoint, peer)
                        };
                        raw.try_send(&frame(4, &body[..len]));
                    }
                }
            }
            kinds.still_serve();
        },
    );
}

/// A peer that says it is one of ours, and so may send STAMP and its like.
fn colugo(endpoint: &colugo_socket::Endpoint, peer: &str) -> Raw {
    let mut raw = Raw::dial(endpoint);
    let properties = [
        property("Socket-Type", peer.as_bytes()),
        property("X-Colugo", b"1"),
    ];
    raw.send(&[greeting(1), command("READY", &properties.concat())].concat());
    raw
}

/// Values of known properties in every length from none on, and READY cut at every octet.
#[test]
fn readys_with_short_values_are_refused_or_taken() {
    alone("readys_with_short_values_are_refused_or_taken", || {
        let kinds = Kinds::new();
        for (endpoint, peer) in &kinds.endpoints {
            for name in [
                "Socket-Type",
                "Identity",
                "X-Colugo",
                "X-Colugo-Node",
                "X-Colugo-Run",
            ] {
                for len in 0..20 {
                    let mut properties = property(name, &b"ROUTER and more than that"[..len]);
                    if name != "Socket-Type" {
                        properties.extend(property("Socket-Type", peer.as_bytes()));
                    }
                    let ready = command("READY", &properties);
                    Raw::dial(endpoint).try_send(&[greeting(1), ready].concat());
                }
            }
            let ready = [
                property("Socket-Type", peer.as_bytes()),
                property("Identity", b"me"),
            ];
            let ready = command("READY", &ready.concat());
            for len in 0..ready.len() - 2 {
                let cut = frame(4, &ready[2..2 + len]);
                Raw::dial(endpoint).try_send(&[greeting(1), cut].concat());
            }
        }
        kinds.still_serve();
    });
}

/// GHSA-4p5v, -wfr2, -fc3w: leaks by hostile peers. All that the scripted peers send, ten thousand connections of it.
#[test]
fn ten_thousand_hostile_connections_leave_memory_flat() {
    alone("ten_thousand_hostile_connections_leave_memory_flat", || {
        let kinds = Kinds::new();
        let mut openings = Vec::new();
        for case in all().iter().filter(|case| case.role == Role::Listens) {
            let said = case.steps.iter().filter_map(|step| match step {
                Step::Send(octets) => Some(octets.clone()),
                Step::Shake { minor } => {
                    let ready = crate::raw::ready(case.settings.kind.peer());
                    Some([greeting(*minor), ready].concat())
                }
                _ => None,
            });
            let said: Vec<u8> = said.flatten().take(100_000).collect();
            let listening = kinds.endpoints.iter();
            let endpoint = listening.filter(|(_, peer)| *peer == case.settings.kind.peer());
            openings.extend(endpoint.map(|(endpoint, _)| (endpoint, said.clone())));
        }
        let attack = |count: usize| {
            for (endpoint, said) in openings.iter().cycle().take(count) {
                Raw::dial(endpoint).try_send(said);
            }
            kinds.still_serve();
        };
        attack(2000);
        let grown = growth_kib(|| attack(8000));
        assert!(grown <= 2 << 10, "{grown} KiB");
    });
}

/// 1,246 octets a topic in libzmq, and recursion over a long one (CVE-2021-20236). Here 4,096 of 512 octets are the most of one peer.
#[test]
fn a_flood_of_the_longest_subscriptions_is_refused_at_its_bound() {
    alone(
        "a_flood_of_the_longest_subscriptions_is_refused_at_its_bound",
        || {
            let publisher = PubSocket::new().unwrap();
            let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap();
            let topic = |i: u32| {
                let mut topic = vec![b't'; 512];
                topic[508..].copy_from_slice(&i.to_be_bytes());
                command("SUBSCRIBE", &topic)
            };
            let grown = growth_kib(|| {
                let mut raw = Raw::shaken(&endpoint, "SUB", 1);
                for thousand in 0..100 {
                    let some: Vec<u8> = (thousand * 1000..(thousand + 1) * 1000)
                        .flat_map(topic)
                        .collect();
                    if !raw.try_send(&some) {
                        break;
                    }
                }
                raw.rest();
            });
            assert_eq!(publisher.stats().protocol_errors, 1);
            assert!(grown <= 8 << 10, "{grown} KiB");
        },
    );
}

/// CVE-2020-15166: who says nothing must not keep others out, nor cost much; nor must those who have said hello and wait.
#[test]
fn a_thousand_mute_and_a_thousand_live_connections_take_32_mib() {
    const EACH: usize = 1000;
    let name = "a_thousand_mute_and_a_thousand_live_connections_take_32_mib";
    let name = format!("attacks::{name}");
    Alone::new().open_files(8192).run(&name, || {
        let pull = PullSocket::builder()
            .max_connections(4 * EACH)
            .handshake_timeout(PATIENCE * 4)
            .no_heartbeat()
            .build()
            .unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
        serves(&pull, &endpoint);
        let mut held = Vec::new();
        let mute = growth_kib(|| held.extend((0..EACH).map(|_| Raw::dial(&endpoint))));
        let live = growth_kib(|| {
            held.extend((0..EACH).map(|_| Raw::shaken(&endpoint, "PUSH", 1)));
            assert!(pull.wait_for_peers(EACH, PATIENCE));
        });
        serves(&pull, &endpoint);
        assert!(mute + live <= 32 << 10, "{mute} and {live} KiB");
    });
}
