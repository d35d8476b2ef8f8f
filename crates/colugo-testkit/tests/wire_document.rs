//! Holds the octets in docs/wire.md to what the crates write.

use std::collections::BTreeMap;

use colugo_graph::{Announcement, AnnouncementId, Bye, Entry, Introduction, Kind, Message, NodeId};
use colugo_zmtp::{Cause, Losses, Stamp, TrunkFrame, put_command};

/// The octets of the document, by the line above them.
fn documented() -> BTreeMap<String, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/wire.md");
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```octets\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    let mut found = BTreeMap::new();
    for example in blocks.flat_map(|block| block.split("\n\n")) {
        let (title, octets) = example.split_once('\n').unwrap();
        found.insert(title.to_owned(), octets.trim().to_owned());
    }
    found
}

fn hex(octets: &[u8]) -> String {
    let words: Vec<_> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    words.join(" ")
}

fn trunk(frame: TrunkFrame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out);
    out
}

#[test]
fn the_octets_in_the_document_are_those_on_the_wire() {
    let mut losses = Losses::default();
    losses.add(Cause::Full, 3);
    let stamp = Stamp {
        seq: 258,
        time_ns: 772,
        losses,
        ..Stamp::default()
    };
    let mut stamped = Vec::new();
    stamp.encode(&mut stamped);
    let mut status = Vec::new();
    put_command(&mut status, "STATUS", b"\0\0\0\0\0\0\0\x01\0\x03no");
    let entry = Entry {
        id: AnnouncementId(7),
        announcement: Announcement {
            topic: "pose".parse().unwrap(),
            kind: Kind::Publisher,
            port: 5555,
            encoding: "json".to_owned(),
        },
    };
    let delta = Message::Delta {
        from: 1,
        to: 2,
        added: vec![entry],
        removed: vec![AnnouncementId(3)],
    };
    let nodes = Message::Nodes {
        all: false,
        known: vec![Introduction {
            node: NodeId([0x11; 16]),
            name: "n".to_owned(),
            host: "m".to_owned(),
            hub: false,
            addresses: vec!["10.0.0.1:4747".parse().unwrap()],
            listing: None,
        }],
        gone: Vec::new(),
        changed: Vec::new(),
    };
    let written = [
        (
            "STAMP, number 258, time 772 ns, 3 lost for a full queue",
            stamped,
        ),
        ("STATUS, id 1, code 3, \"no\"", status),
        (
            "OPEN of lane 7 to the publisher of pose",
            trunk(TrunkFrame::Open {
                lane: 7,
                address: b"publisher pose",
            }),
        ),
        (
            "CREDIT of 131,072 octets for lane 7",
            trunk(TrunkFrame::Credit {
                lane: 7,
                octets: 131_072,
            }),
        ),
        ("ping, t 5", Message::Ping { sent_ns: 5 }.encode()),
        ("bye, leaving", Message::Bye(Bye::Leaving).encode()),
        (
            "delta, from 1 to 2: entry 7, publisher of \"pose\" at port 5555, JSON; entry 3 is withdrawn",
            delta.encode(),
        ),
        (
            "nodes, the node 11…11 has come, n at 10.0.0.1:4747 on the machine m",
            nodes.encode(),
        ),
    ];
    let written = written.map(|(title, octets)| (title.to_owned(), hex(&octets)));
    assert_eq!(documented(), BTreeMap::from(written));
}
