//! Holds the golden vectors in `conformance` to what the crates write and read. What the control messages mean as maps is checked by
//! `conformance/check.py`, which knows nothing of the crates. A vector that has to change: `COLUGO_CONFORMANCE_WRITE=1 cargo test --test conformance`,
//! then `python3 conformance/check.py --write`.

use std::path::PathBuf;

use colugo_graph::{
    Announcement, AnnouncementId, Bye, Change, Entry, HUB, Hello, Introduction, Kind, Listing,
    Message, Namespace, NodeId, NodeRecord, Version,
};
use colugo_zmtp::{
    Cause, Command, Greeting, Handshake, HandshakeConfig, Losses, SocketType, Stamp, TrunkFrame,
    put_command, put_frame,
};
use serde_json::{Value, json};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../conformance")
        .join(name)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn trunk(frame: TrunkFrame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out);
    out
}

/// Compares what is written with the file's vectors, of which these keys count; or makes the file.
fn hold(name: &str, written: &[Value]) {
    let file = path(name);
    if std::env::var_os("COLUGO_CONFORMANCE_WRITE").is_some() {
        let lines: Vec<_> = written.iter().map(|vector| format!("  {vector}")).collect();
        return std::fs::write(&file, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    let text = std::fs::read_to_string(&file).unwrap();
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(vectors.len(), written.len(), "{name}");
    for (vector, written) in vectors.iter().zip(written) {
        for (key, value) in written.as_object().unwrap() {
            assert_eq!(vector.get(key), Some(value), "{name}: {}", written["about"]);
        }
    }
}

fn entry(id: u64, topic: &str, kind: Kind, port: u16, encoding: &str) -> Entry {
    Entry {
        id: AnnouncementId(id),
        announcement: Announcement {
            topic: topic.parse().unwrap(),
            kind,
            port,
            encoding: encoding.to_owned(),
        },
    }
}

fn listing(generation: u64, entries: &[Entry]) -> Listing {
    let entries = entries.iter().map(|entry| (entry.id, &entry.announcement));
    Listing::new(generation, entries)
}

fn messages() -> Vec<(&'static str, Message)> {
    let pose = entry(7, "pose", Kind::Publisher, 5555, "json");
    let add = entry(8, "arm/left.add", Kind::Server, 5556, "");
    let uses = entry(9, "height_2.raw-1", Kind::Subscriber, 0, "msgpack");
    let calls = entry(300, "add", Kind::Client, 0, "");
    let all = vec![pose.clone(), add.clone(), uses, calls];
    let hello = Hello {
        node: NodeId([0x11; 16]),
        version: Version::OURS,
        namespace: "default".to_owned(),
        name: "robot".to_owned(),
        host: "box".to_owned(),
        port: 4747,
        addresses: vec!["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()],
        capabilities: Vec::new(),
    };
    let hub = Hello {
        capabilities: vec![HUB.to_owned()],
        port: 0,
        addresses: Vec::new(),
        ..hello.clone()
    };
    let known = |listing| Introduction {
        node: NodeId([0x22; 16]),
        name: "n".to_owned(),
        host: "m".to_owned(),
        hub: false,
        addresses: vec![
            "10.0.0.1:4747".parse().unwrap(),
            "[fd00::1]:4747".parse().unwrap(),
        ],
        listing,
    };
    let other_hub = Introduction {
        hub: true,
        listing: None,
        ..known(None)
    };
    let change = Change {
        node: NodeId([0x22; 16]),
        from: 4,
        to: 6,
        added: vec![pose.clone()],
        removed: vec![AnnouncementId(3)],
    };
    let nodes = |all, known, gone, changed| Message::Nodes {
        all,
        known,
        gone,
        changed,
    };
    vec![
        ("hello", Message::Hello(hello)),
        ("hello of a hub that accepts no links", Message::Hello(hub)),
        (
            "snapshot of nothing",
            Message::Snapshot {
                generation: 0,
                entries: Vec::new(),
            },
        ),
        (
            "snapshot of a publisher, a server, a subscriber and a client",
            Message::Snapshot {
                generation: 70_000,
                entries: all,
            },
        ),
        (
            "delta: a publisher more, one thing less",
            Message::Delta {
                from: 1,
                to: 2,
                added: vec![pose.clone()],
                removed: vec![AnnouncementId(3)],
            },
        ),
        ("resync, of who is asked", Message::Resync { of: None }),
        (
            "resync, of another node",
            Message::Resync {
                of: Some(NodeId([0x22; 16])),
            },
        ),
        (
            "ping",
            Message::Ping {
                sent_ns: 1_800_000_000_000_000_000,
            },
        ),
        (
            "pong",
            Message::Pong {
                sent_ns: 5,
                answered_ns: 1_800_000_000_000_000_000,
            },
        ),
        (
            "nodes: all there are, with what one announces",
            nodes(
                true,
                vec![known(Some(listing(5, &[pose, add]))), other_hub],
                Vec::new(),
                Vec::new(),
            ),
        ),
        (
            "nodes: one has come, of which another message will say what it announces; one is gone",
            nodes(
                false,
                vec![known(None)],
                vec![NodeId([0x33; 16])],
                Vec::new(),
            ),
        ),
        (
            "nodes: one announces something else",
            nodes(false, Vec::new(), Vec::new(), vec![change]),
        ),
        ("bye, leaving", Message::Bye(Bye::Leaving)),
        ("bye, duplicate", Message::Bye(Bye::Duplicate)),
        (
            "bye, a word of a later version",
            Message::Bye(Bye::Other("tired".to_owned())),
        ),
    ]
}

#[test]
fn control_messages_are_written_and_read_as_the_vectors_say() {
    let messages = messages();
    for (about, message) in &messages {
        let again = Message::decode(&message.encode());
        assert_eq!(again.as_ref(), Ok(message), "{about}");
    }
    let written = messages
        .iter()
        .map(|(about, message)| json!({"about": about, "octets": hex(&message.encode())}));
    hold("control.json", &written.collect::<Vec<_>>());
}

#[test]
fn what_is_refused_is_refused_and_what_is_ignored_is_ignored() {
    let ping = Message::Ping { sent_ns: 5 };
    let refused: [(&str, &[u8]); 6] = [
        ("no octets", b""),
        ("no map", b"\x91\x01"),
        ("a map without m", b"\x81\xa1t\x05"),
        ("a ping without t", b"\x81\xa1m\xa4ping"),
        ("a ping whose t is text", b"\x82\xa1m\xa4ping\xa1t\xa15"),
        ("a ping that breaks off", b"\x82\xa1m\xa4ping\xa1t"),
    ];
    let taken: [(&str, &[u8], Message); 3] = [
        (
            "a ping with a key that nobody knows",
            b"\x83\xa1m\xa4ping\xa1t\x05\xa3new\x92\x01\xc0",
            ping.clone(),
        ),
        (
            "a ping whose keys come in another order",
            b"\x82\xa1t\x05\xa1m\xa4ping",
            ping,
        ),
        (
            "a message that nobody knows",
            b"\x82\xa1m\xa4sing\xa1x\x05",
            Message::Unknown,
        ),
    ];
    let mut vectors = Vec::new();
    for (about, octets) in refused {
        assert!(Message::decode(octets).is_err(), "{about}");
        vectors.push(json!({"about": about, "octets": hex(octets), "refused": true}));
    }
    for (about, octets, message) in taken {
        assert_eq!(Message::decode(octets), Ok(message), "{about}");
        vectors.push(json!({"about": about, "octets": hex(octets), "refused": false}));
    }
    hold("odd.json", &vectors);
}

fn ready(kind: SocketType, properties: &[(&str, &[u8])]) -> Vec<u8> {
    let mut config = HandshakeConfig::new(kind);
    for (name, value) in properties {
        let value = value.to_vec().into();
        config.properties.push(((*name).to_owned(), value));
    }
    let mut handshake = Handshake::new(config);
    let mut greeting = Vec::new();
    handshake.transmit(&mut greeting);
    handshake.receive(&Greeting::null().encode()).unwrap();
    let mut ready = Vec::new();
    handshake.transmit(&mut ready);
    ready
}

#[test]
fn data_links_say_what_the_vectors_say() {
    let command = |command: &Command<'_>| {
        let mut out = Vec::new();
        command.encode(&mut out);
        out
    };
    let mut losses = Losses::default();
    losses.add(Cause::Full, 3);
    let mut stamp = Vec::new();
    let stamped = Stamp {
        seq: 258,
        time_ns: 772,
        losses,
        ..Stamp::default()
    };
    stamped.encode(&mut stamp);
    let mut status = Vec::new();
    put_command(&mut status, "STATUS", b"\0\0\0\0\0\0\0\x01\0\x03no");
    let mut message = Vec::new();
    put_frame(&mut message, b"{\"x\": 1}", false);
    let mut request = Vec::new();
    put_frame(&mut request, b"\0\0\0\0\0\0\0\x01", true);
    put_frame(&mut request, b"", true);
    put_frame(&mut request, b"3", false);
    let id = [0x11; 16];
    let about: [(&str, &[u8]); 3] = [
        ("X-Colugo", b"1"),
        ("X-Colugo-Node", &id),
        ("X-Colugo-Topic", b"pose"),
    ];
    let run = [0x44; 16];
    let publisher = [&about[..], &[("X-Colugo-Run", &run)]].concat();
    let vectors = [
        (
            "greeting, of all sockets",
            Greeting::null().encode().to_vec(),
        ),
        (
            "READY of a publisher of pose",
            ready(SocketType::Pub, &publisher),
        ),
        (
            "READY of a subscriber of pose",
            ready(SocketType::Sub, &about),
        ),
        (
            "READY of a control link, from who dials",
            ready(SocketType::Dealer, &about[..2]),
        ),
        ("SUBSCRIBE to everything", command(&Command::Subscribe(b""))),
        ("a message of one frame", message),
        (
            "STAMP: number 258, time 772 ns, 3 lost for a full queue",
            stamp,
        ),
        ("a request: id 1, an empty frame, the body", request),
        ("STATUS: id 1, code 3, \"no\"", status),
        (
            "READY of a trunk, from who dials",
            ready(
                SocketType::Dealer,
                &[("X-Colugo", b"1"), ("X-Colugo-Lanes", b"1")],
            ),
        ),
        (
            "trunk: OPEN of lane 7 to the server of arm/left.add",
            trunk(TrunkFrame::Open {
                lane: 7,
                address: b"server arm/left.add",
            }),
        ),
        (
            "trunk: ACCEPT of lane 7",
            trunk(TrunkFrame::Accept { lane: 7 }),
        ),
        (
            "trunk: DATA of lane 7, a message of one frame",
            trunk(TrunkFrame::Data {
                lane: 7,
                octets: b"\0\x08{\"x\": 1}",
            }),
        ),
        (
            "trunk: CREDIT of 131072 octets for lane 7",
            trunk(TrunkFrame::Credit {
                lane: 7,
                octets: 131_072,
            }),
        ),
        ("trunk: END of lane 7", trunk(TrunkFrame::End { lane: 7 })),
    ];
    let vectors = vectors.map(|(about, octets)| json!({"about": about, "octets": hex(&octets)}));
    hold("data.json", &vectors);
}

#[test]
fn records_say_what_the_vectors_say() {
    let txt = |hub| {
        let namespace = Namespace::new("lab").unwrap();
        let pairs = NodeRecord::txt(Version::OURS, &namespace, "robot", "box", hub);
        let pairs = pairs.iter().map(|(key, value)| format!("{key}={value}"));
        pairs.collect::<Vec<_>>()
    };
    let id = NodeId([0x1a; 16]).to_string();
    let vectors = [false, true].map(|hub| {
        let about = if hub { "a hub" } else { "a node" };
        let txt = txt(hub);
        let pairs = txt.iter().map(|pair| pair.split_once('=').unwrap());
        let pairs = pairs.map(|(key, value)| (key, value.as_bytes()));
        let record = NodeRecord::parse(&id, pairs, ["10.0.0.2:4747".parse().unwrap()]).unwrap();
        assert_eq!((record.namespace.as_str(), record.hub), ("lab", hub));
        json!({"about": about, "type": "_colugo-node._tcp.local.", "instance": id, "txt": txt})
    });
    hold("records.json", &vectors);
}
