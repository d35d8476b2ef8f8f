//! Poison in multicast: thousands of node records of nobody and of the wrong shape, while nodes talk and another comes.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use colugo_testkit::{Lan, PATIENCE, peak_memory_kib_of, wait_until};

use crate::figure::figure;
use crate::place::Place;

/// Set in the process that throws it: the namespace that the records name.
const VARIABLE: &str = "COLUGO_TEST_POISON";

const NAMES: u32 = 10_000;

/// What a node may need for it beyond what it had, in KiB: some 4,000 were measured.
const MEMORY_MOST: u64 = 16 << 10;

const MULTICAST: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 251), 5353);

#[test]
fn poison_records_change_nothing_and_cost_bounded_memory() {
    let Some(lan) = Lan::new(3) else { return };
    let place = Place::new();
    let start = |host: usize, name| {
        place
            .start(name)
            .on(lan.host(host))
            .by_multicast_only()
            .go()
    };
    let mut publisher = start(0, "publisher");
    publisher.make("publish", "t");
    let mut subscriber = start(1, "subscriber");
    subscriber.make("subscribe", "t");
    publisher.wait_for("t", 1);
    publisher.send("t", 10);
    subscriber.heard("t", 10);
    let before = memory(publisher.process());
    let mut thrower: Command = lan.host(2).command(std::env::current_exe().unwrap());
    let thrown = thrower
        .args(["netns_poison::thrower", "--exact", "--nocapture"])
        .env(VARIABLE, place.namespace())
        .output()
        .unwrap();
    assert!(thrown.status.success(), "{thrown:?}");
    wait_until("the records", || {
        let graph = publisher
            .ask(serde_json::json!({"do": "graph"}))
            .to_string();
        graph.contains("nobody").then_some(())
    });
    publisher.send("t", 100);
    assert_eq!(subscriber.heard("t", 110)["total"], 110);
    let mut late = start(2, "late");
    late.make("subscribe", "t");
    publisher.wait_for("t", 2);
    publisher.send("t", 10);
    late.heard("t", 10);
    for node in [&mut publisher, &mut subscriber, &mut late] {
        let left = |event: &serde_json::Value| event["event"] == "left";
        let events = node.events_so_far();
        assert!(!events.iter().any(left), "{events:?}");
    }
    let grown = memory(publisher.process()).saturating_sub(before);
    figure("10,000 node records of nobody: memory grew by, KiB", grown);
    assert!(grown < MEMORY_MOST, "{grown} KiB");
}

fn memory(process: u32) -> u64 {
    peak_memory_kib_of(process).expect("Linux tells")
}

/// Not a test: what the test above starts on a host of its own.
#[test]
fn thrower() {
    let Ok(namespace) = std::env::var(VARIABLE) else {
        return;
    };
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 5353)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    let good = format!("ns={namespace}");
    for number in 0..NAMES {
        let id = format!("{number:032x}");
        let name = format!("name=nobody{number}");
        let long = "x".repeat(255);
        let txt: Vec<&[u8]> = match number % 5 {
            // Fit to be a node, and nobody is there.
            0 | 1 => vec![b"v=1.0", good.as_bytes(), name.as_bytes(), b"host=h"],
            2 => vec![good.as_bytes()],
            3 => vec![b"v=\xff", b"ns", b"=", b"name=\x00\x1b[2J", b""],
            _ => vec![long.as_bytes(); 4],
        };
        let instance = match number % 7 {
            5 => "not an id".to_owned(),
            6 => id[..31].to_owned(),
            _ => id,
        };
        // Those that are lost on the way are no matter.
        let _ = socket.send_to(&packet(&instance, &txt), MULTICAST);
        if number % 50 == 0 {
            // A name that points at itself, a count that is not true, and half a record.
            let _ = socket.send_to(&[&HEADER[..], &[0xc0, 12, 0, 12, 0, 1]].concat(), MULTICAST);
            let _ = socket.send_to(&HEADER, MULTICAST);
            let whole = packet(&instance, &txt);
            let _ = socket.send_to(&whole[..whole.len() / 2], MULTICAST);
            sleep(Duration::from_millis(2));
        }
    }
}

/// A response with four answers.
const HEADER: [u8; 12] = [0, 0, 0x84, 0, 0, 0, 0, 4, 0, 0, 0, 0];

/// PTR, SRV, TXT and A of a node record.
fn packet(instance: &str, txt: &[&[u8]]) -> Vec<u8> {
    let name = |labels: &[&str]| {
        let mut octets = Vec::new();
        for label in labels {
            octets.push(u8::try_from(label.len()).unwrap());
            octets.extend_from_slice(label.as_bytes());
        }
        octets.push(0);
        octets
    };
    let service = name(&["_colugo-node", "_tcp", "local"]);
    let full = name(&[instance, "_colugo-node", "_tcp", "local"]);
    let host = name(&[instance, "local"]);
    let mut srv = vec![0, 0, 0, 0, 0, 9];
    srv.extend_from_slice(&host);
    let mut strings = Vec::new();
    for string in txt {
        strings.push(u8::try_from(string.len()).unwrap());
        strings.extend_from_slice(string);
    }
    let mut packet = HEADER.to_vec();
    for (owner, kind, data) in [
        (&service, 12_u16, full.as_slice()),
        (&full, 33, &srv),
        (&full, 16, &strings),
        (&host, 1, &[10, 91, 0, 3]),
    ] {
        packet.extend_from_slice(owner);
        packet.extend_from_slice(&kind.to_be_bytes());
        packet.extend_from_slice(&[0, 1, 0, 0, 0x11, 0x94]);
        packet.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        packet.extend_from_slice(data);
    }
    packet
}
