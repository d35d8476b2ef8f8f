//! What two nodes tell each other on a control link.

use colugo_graph::{
    Announcement, AnnouncementId, Bye, Change, Entry, Hello, Introduction, Kind, Listing, Message,
    NodeId, Topic, Version, limits,
};

use crate::input::Input;
use crate::memory::within;

/// Any octets; and messages with all that one can say: what is understood is said again in the same words.
pub fn control_messages(data: &[u8]) {
    let mut input = Input::new(data);
    let made = input.bit();
    let octets = match made {
        false => input.rest().to_vec(),
        true => {
            let message = message(&mut input);
            let octets = message.encode();
            let read = Message::decode(&octets).expect("one of ours");
            assert_eq!(read, message);
            octets
        }
    };
    let most = (16 << 10) + 64 * octets.len();
    let Ok(message) = within(most, || Message::decode(&octets)) else {
        assert!(!made);
        return;
    };
    bounded(&message);
    let written = message.encode();
    assert!(!made || written == octets);
    assert_eq!(Message::decode(&written).as_ref(), Ok(&message));
    if !made {
        // A message that is cut short is none.
        let cut = written.len() - 1;
        assert!(Message::decode(&written[..cut]).is_err());
    }
}

fn shown(text: &str, max: usize) {
    assert!(text.len() <= max && !text.chars().any(char::is_control));
}

fn bounded(message: &Message) {
    match message {
        Message::Hello(hello) => {
            shown(&hello.namespace, limits::NAME_LEN);
            shown(&hello.name, limits::NAME_LEN);
            shown(&hello.host, limits::NAME_LEN);
            assert!(hello.addresses.len() <= limits::ADDRESSES);
            assert!(hello.capabilities.len() <= limits::ADDRESSES);
        }
        Message::Snapshot { entries, .. } | Message::Delta { added: entries, .. } => {
            assert!(entries.len() <= limits::ENTRIES);
            for entry in entries {
                shown(&entry.announcement.encoding, limits::ENCODING_LEN);
            }
        }
        Message::Bye(bye) => shown(bye.as_str(), limits::REASON_LEN),
        _ => {}
    }
}

fn text(input: &mut Input<'_>, max: usize) -> String {
    let text = String::from_utf8_lossy(input.octets()).into_owned();
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    let mut end = clean.len().min(max);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    clean[..end].to_owned()
}

fn number(input: &mut Input<'_>) -> u64 {
    let wide = input.octet();
    input.number() >> (wide & 63)
}

fn entries(input: &mut Input<'_>) -> Vec<Entry> {
    const KINDS: [Kind; 4] = [
        Kind::Publisher,
        Kind::Server,
        Kind::Subscriber,
        Kind::Client,
    ];
    let mut all = Vec::new();
    for _ in 0..input.octet() & 31 {
        let kind = input.choose(&KINDS);
        let Ok(topic) = Topic::new(&text(input, 255)) else {
            continue;
        };
        all.push(Entry {
            id: AnnouncementId(number(input)),
            announcement: Announcement {
                topic,
                kind,
                port: number(input) as u16,
                encoding: text(input, limits::ENCODING_LEN),
            },
        });
    }
    all
}

fn message(input: &mut Input<'_>) -> Message {
    match input.octet() % 9 {
        0 => Message::Hello(Hello {
            node: NodeId::try_from(&u128::from(input.number()).to_be_bytes()[..]).unwrap(),
            version: Version {
                major: number(input) as u16,
                minor: number(input) as u16,
            },
            namespace: text(input, limits::NAME_LEN),
            name: text(input, limits::NAME_LEN),
            host: text(input, limits::NAME_LEN),
            port: number(input) as u16,
            addresses: (0..input.octet() & 15)
                .map(|_| match input.bit() {
                    true => std::net::Ipv4Addr::from(input.number() as u32).into(),
                    false => std::net::Ipv6Addr::from(u128::from(input.number()) << 32).into(),
                })
                .collect(),
            capabilities: (0..input.octet() & 15)
                .map(|_| text(input, limits::NAME_LEN))
                .collect(),
        }),
        1 => Message::Snapshot {
            generation: number(input),
            entries: entries(input),
        },
        2 => Message::Delta {
            from: number(input),
            to: number(input),
            added: entries(input),
            removed: (0..input.octet())
                .map(|_| AnnouncementId(number(input)))
                .collect(),
        },
        3 => Message::Resync {
            of: (input.octet() & 1 == 1).then(|| NodeId([input.octet(); 16])),
        },
        4 => Message::Ping {
            sent_ns: number(input),
        },
        5 => Message::Pong {
            sent_ns: number(input),
            answered_ns: number(input),
        },
        6 => Message::Bye(match input.octet() % 7 {
            0 => Bye::Leaving,
            1 => Bye::Duplicate,
            2 => Bye::Namespace,
            3 => Bye::Version,
            4 => Bye::Full,
            5 => Bye::Own,
            _ => Bye::Leaving,
        }),
        7 => Message::Nodes {
            all: input.octet() & 1 == 1,
            known: (0..input.octet() & 7)
                .map(|_| introduction(input))
                .collect(),
            gone: vec![NodeId([input.octet(); 16])],
            changed: (0..input.octet() & 7)
                .map(|_| Change {
                    node: NodeId([input.octet(); 16]),
                    from: number(input),
                    to: number(input),
                    added: entries(input),
                    removed: vec![AnnouncementId(number(input))],
                })
                .collect(),
        },
        _ => Message::Unknown,
    }
}

fn introduction(input: &mut Input<'_>) -> Introduction {
    let announced = entries(input);
    let announced = announced.iter().map(|it| (it.id, &it.announcement));
    Introduction {
        node: NodeId([input.octet(); 16]),
        name: text(input, limits::NAME_LEN),
        host: text(input, limits::NAME_LEN),
        hub: input.octet() & 1 == 1,
        addresses: vec![([10, 0, 0, input.octet()], number(input) as u16).into()],
        listing: (input.octet() & 1 == 1).then(|| Listing::new(number(input), announced)),
    }
}
