//! Messages as a newer node may send them: each kind, with keys that nobody knows yet in every map within.

use colugo_graph::Message;
use proptest::prelude::*;

use crate::messages::message;

/// A key and a value of a shape that no message has today: `"colour": [{"a": nil}, 2.5, "é"]`.
const NEWER: &[u8] = b"\xa6colour\x93\x81\xa1a\xc0\xcb\x40\x04\x00\x00\x00\x00\x00\x00\xa2\xc3\xa9";

/// Copies one MessagePack value, with a pair more in each map, in front of the others or after them.
fn renew(frame: &mut &[u8], in_front: bool, out: &mut Vec<u8>) {
    let head = take(frame, 1, out)[0];
    let count = |octets: &[u8]| {
        octets
            .iter()
            .fold(0, |sum, octet| sum * 256 + usize::from(*octet))
    };
    match head {
        0x80..=0x8f => {
            let pairs = usize::from(head & 0x0f);
            assert!(pairs < 15, "there is room for one more");
            *out.last_mut().unwrap() += 1;
            if in_front {
                out.extend_from_slice(NEWER);
            }
            for _ in 0..2 * pairs {
                renew(frame, in_front, out);
            }
            if !in_front {
                out.extend_from_slice(NEWER);
            }
        }
        0x90..=0x9f => {
            for _ in 0..head & 0x0f {
                renew(frame, in_front, out);
            }
        }
        0xdc => {
            let items = count(&take(frame, 2, out));
            for _ in 0..items {
                renew(frame, in_front, out);
            }
        }
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => {}
        0xa0..=0xbf => {
            take(frame, usize::from(head & 0x1f), out);
        }
        0xc4 | 0xd9 => {
            let len = count(&take(frame, 1, out));
            take(frame, len, out);
        }
        0xc5 => {
            let len = count(&take(frame, 2, out));
            take(frame, len, out);
        }
        0xcc => drop(take(frame, 1, out)),
        0xcd => drop(take(frame, 2, out)),
        0xce => drop(take(frame, 4, out)),
        0xcf => drop(take(frame, 8, out)),
        other => panic!("no message has a value that begins with {other:#x}"),
    }
}

fn take(frame: &mut &[u8], count: usize, out: &mut Vec<u8>) -> Vec<u8> {
    let (taken, rest) = frame.split_at(count);
    *frame = rest;
    out.extend_from_slice(taken);
    taken.to_vec()
}

proptest! {
    #[test]
    fn keys_of_the_future_are_ignored_in_every_message(message in message(), in_front in any::<bool>()) {
        let frame = message.encode();
        let (mut rest, mut newer) = (frame.as_slice(), Vec::new());
        renew(&mut rest, in_front, &mut newer);
        prop_assert!(rest.is_empty());
        prop_assert!(newer.len() >= frame.len() + NEWER.len());
        prop_assert_eq!(Message::decode(&newer), Ok(message));
    }
}
