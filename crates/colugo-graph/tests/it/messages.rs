//! Control messages on the wire.

use colugo_graph::{
    Announcement, AnnouncementId, Bye, Change, Entry, Hello, Introduction, Kind, Listing, Message,
    MessageError, NodeId, Version, limits,
};
use proptest::prelude::*;

fn name() -> impl Strategy<Value = String> {
    "[a-z]{1,8}([./][A-Za-z0-9_-]{1,8}){0,4}"
}

fn entry() -> impl Strategy<Value = Entry> {
    (
        any::<u64>(),
        name(),
        0..4_usize,
        any::<u16>(),
        "[a-z]{0,12}",
    )
        .prop_map(|(id, topic, kind, port, encoding)| Entry {
            id: AnnouncementId(id),
            announcement: Announcement {
                topic: topic.parse().unwrap(),
                kind: Kind::ALL[kind],
                port,
                encoding,
            },
        })
}

pub(crate) fn message() -> impl Strategy<Value = Message> {
    let entries = || prop::collection::vec(entry(), 0..20);
    let ids = prop::collection::vec(any::<u64>().prop_map(AnnouncementId), 0..20);
    prop_oneof![
        (
            any::<[u8; 16]>(),
            any::<(u16, u16, u16)>(),
            "\\PC{0,15}",
            any::<[u8; 4]>()
        )
            .prop_map(|(id, (major, minor, port), text, address)| {
                Message::Hello(Hello {
                    node: NodeId(id),
                    version: Version { major, minor },
                    namespace: text.clone(),
                    name: text.clone(),
                    host: text,
                    port,
                    addresses: vec![address.into(), "fe80::1".parse().unwrap()],
                    capabilities: vec!["hub".into()],
                })
            }),
        (any::<u64>(), entries()).prop_map(|(generation, entries)| Message::Snapshot {
            generation,
            entries
        }),
        (any::<(u64, u64)>(), entries(), ids).prop_map(|((from, to), added, removed)| {
            Message::Delta {
                from,
                to,
                added,
                removed,
            }
        }),
        (
            any::<bool>(),
            any::<[u8; 16]>(),
            "[a-z]{0,20}",
            any::<u16>()
        )
            .prop_map(|(yes, id, text, port)| Message::Nodes {
                all: yes,
                known: vec![Introduction {
                    node: NodeId(id),
                    name: text.clone(),
                    host: text,
                    hub: yes,
                    addresses: vec![
                        ([10, 0, 0, 1], port).into(),
                        "[fd00::1]:4747".parse().unwrap()
                    ],
                    listing: None,
                }],
                gone: vec![NodeId(id)],
                changed: Vec::new(),
            }),
        (any::<[u8; 16]>(), any::<(u64, u64)>(), entries(), entries()).prop_map(
            |(id, (from, to), listed, added)| Message::Nodes {
                all: false,
                known: vec![Introduction {
                    node: NodeId(id),
                    name: "n".into(),
                    host: "h".into(),
                    hub: false,
                    addresses: vec![([10, 0, 0, 1], 4747).into()],
                    listing: Some(Listing::new(
                        from,
                        listed.iter().map(|entry| (entry.id, &entry.announcement))
                    )),
                }],
                gone: Vec::new(),
                changed: vec![Change {
                    node: NodeId(id),
                    from,
                    to,
                    removed: added.iter().map(|entry| entry.id).collect(),
                    added,
                }],
            }
        ),
        proptest::option::of(any::<[u8; 16]>())
            .prop_map(|id| Message::Resync { of: id.map(NodeId) }),
        any::<u64>().prop_map(|sent_ns| Message::Ping { sent_ns }),
        any::<(u64, u64)>().prop_map(|(sent_ns, answered_ns)| Message::Pong {
            sent_ns,
            answered_ns
        }),
        Just(Message::Bye(Bye::Leaving)),
        Just(Message::Bye(Bye::Other("tired".into()))),
    ]
}

proptest! {
    #[test]
    fn messages_survive(message in message()) {
        prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn cut_messages_are_refused(message in message(), part in 0.0..1.0_f64) {
        let frame = message.encode();
        let cut = (frame.len() as f64 * part) as usize;
        prop_assert!(Message::decode(&frame[..cut]).is_err());
    }

    #[test]
    fn changed_messages_do_no_harm(message in message(), at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut frame = message.encode();
        let at = at.index(frame.len());
        frame[at] = value;
        let _ = Message::decode(&frame);
    }

    #[test]
    fn any_octets_do_no_harm(octets in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = Message::decode(&octets);
    }
}

#[test]
fn golden_octets() {
    let ping = Message::Ping { sent_ns: 5 };
    assert_eq!(ping.encode(), b"\x82\xa1m\xa4ping\xa1t\x05");
    let bye = Message::Bye(Bye::Leaving);
    assert_eq!(bye.encode(), b"\x82\xa1m\xa3bye\xa3why\xa7leaving");
}

#[test]
fn keys_and_messages_of_the_future_are_ignored() {
    // {"m": "ping", "colour": [1, {"a": 2.5}], "t": 7}
    let mut frame = b"\x83\xa1m\xa4ping\xa6colour\x92\x01\x81\xa1a\xcb".to_vec();
    frame.extend_from_slice(&2.5_f64.to_be_bytes());
    frame.extend_from_slice(b"\xa1t\x07");
    assert_eq!(Message::decode(&frame), Ok(Message::Ping { sent_ns: 7 }));
    assert_eq!(
        Message::decode(b"\x81\xa1m\xa7sparkle"),
        Ok(Message::Unknown)
    );
}

#[test]
fn entries_of_the_future_are_left_out() {
    let mut frame = b"\x83\xa1m\xa8snapshot\xa3gen\x01\xa7entries\x92".to_vec();
    frame.extend_from_slice(b"\x84\xa1i\x01\xa1t\xa1a\xa1k\xa6oracle\xa1p\x05");
    frame.extend_from_slice(b"\x84\xa1i\x02\xa1t\xa1a\xa1k\xa3pub\xa1p\x05");
    let Ok(Message::Snapshot { entries, .. }) = Message::decode(&frame) else {
        panic!("not a snapshot");
    };
    assert_eq!(
        entries.iter().map(|entry| entry.id.0).collect::<Vec<_>>(),
        [2]
    );
}

#[test]
fn announced_sizes_are_not_believed() {
    let many = b"\x83\xa1m\xa8snapshot\xa3gen\x01\xa7entries\xdd\xff\xff\xff\xff";
    assert_eq!(
        Message::decode(many),
        Err(MessageError::Malformed(
            colugo_graph::MsgPackError::Truncated
        ))
    );
    let large = vec![0; limits::MESSAGE_LEN + 1];
    assert!(matches!(
        Message::decode(&large),
        Err(MessageError::TooLarge { .. })
    ));
}
