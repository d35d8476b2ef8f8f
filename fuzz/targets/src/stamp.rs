//! Stamps: the command, and what publisher and subscriber together make of it.

use colugo_socket::fuzzing::Stamps;
use colugo_zmtp::{Cause, Command, Losses, Stamp, parse_header};

use crate::input::Input;

/// A stamp with all that one can say.
pub fn read(input: &mut Input<'_>) -> Stamp {
    let flags = input.octet();
    let mut losses = Losses::default();
    for _ in 0..flags >> 4 {
        let code = input.octet();
        let count = if code & 0x80 != 0 {
            input.number()
        } else {
            code.into()
        };
        losses.add(Cause::from_code(code & 0x0f), count);
    }
    let wide = flags & 4 != 0;
    Stamp {
        seq: if wide {
            input.number()
        } else {
            input.octet().into()
        },
        time_ns: if wide {
            input.number()
        } else {
            input.octet().into()
        },
        retained: flags & 1 != 0,
        finale: flags & 2 != 0,
        losses,
    }
}

/// What is said is understood; and a subscriber that counts by the stamps it gets knows of every message that the publisher did not queue.
pub fn stamp(data: &[u8]) {
    let mut input = Input::new(data);
    let stamp = read(&mut input);
    let mut frame = Vec::new();
    stamp.encode(&mut frame);
    let header = parse_header(&frame).unwrap().unwrap();
    let body = &frame[header.header_len..];
    assert_eq!(body.len() as u64, header.body_len);
    assert_eq!(Command::parse(body), Ok(Command::Stamp(stamp)));
    for len in 6..body.len() {
        assert!(Command::parse(&body[..len]).is_err(), "cut at {len}");
    }
    // With more to say than this version understands, it says the same.
    let longer = [body, input.octets()].concat();
    assert_eq!(Command::parse(&longer), Ok(Command::Stamp(stamp)));
    link(&mut input);
}

/// A publisher that numbers messages, and the subscriber of one link.
fn link(input: &mut Input<'_>) {
    let mut stamps = Stamps::default();
    let (mut seq, mut now) = (u64::from(input.octet()), 1);
    // What the subscriber expects, and has learnt.
    let mut expected = None;
    let (mut learnt_lost, mut learnt_filtered) = (0, 0);
    // What the publisher did, from the first stamp on.
    let (mut lost, mut filtered) = (0, 0);
    let mut learn = |stamp: &Stamp, expected: &mut Option<u64>| {
        let (explained, filtered, unexplained) = Stamps::learnt(*expected, stamp);
        assert_eq!(unexplained, 0, "{stamp:?} where {expected:?} was expected");
        learnt_lost += explained;
        learnt_filtered += filtered;
        *expected = Some(stamp.seq);
    };
    while !input.is_empty() {
        let what = input.octet();
        now += u64::from(what >> 4) * 20_000;
        match what & 7 {
            0..=3 => {
                if let Some(stamp) = stamps.before(seq, what & 8 != 0, now) {
                    assert_eq!(stamp.seq, seq);
                    learn(&stamp, &mut expected);
                }
                assert_eq!(expected, Some(seq), "the subscriber counts along");
                expected = Some(seq + 1);
                seq += 1;
            }
            4 | 5 => {
                stamps.lost(seq);
                lost += u64::from(expected.is_some());
                seq += 1;
            }
            6 => {
                stamps.filtered(seq);
                filtered += u64::from(expected.is_some());
                seq += 1;
            }
            _ => {
                if let Some(stamp) = stamps.drained() {
                    learn(&stamp, &mut expected);
                }
            }
        }
    }
    match stamps.close() {
        Some(stamp) => {
            learn(&stamp, &mut expected);
            assert!(stamp.finale && expected == Some(seq));
        }
        None => assert_eq!(expected, None, "nothing was ever sent"),
    }
    assert_eq!((learnt_lost, learnt_filtered), (lost, filtered));
}
