//! However the octets of a connection are cut, and whatever they are, the same comes out of it.

use colugo_zmtp::{Cause, Command, Losses, parse_header, put_cancel, put_frame, put_subscribe};
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const PAIRS: [(SocketType, SocketType); 11] = [
    (SocketType::Pub, SocketType::Sub),
    (SocketType::Sub, SocketType::Pub),
    (SocketType::Pull, SocketType::Push),
    (SocketType::Push, SocketType::Pull),
    (SocketType::Router, SocketType::Dealer),
    (SocketType::Dealer, SocketType::Router),
    (SocketType::Rep, SocketType::Req),
    (SocketType::Req, SocketType::Rep),
    (SocketType::XPub, SocketType::XSub),
    (SocketType::XSub, SocketType::XPub),
    (SocketType::Pair, SocketType::Pair),
];

fn octets(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..8),
        prop::collection::vec(any::<u8>(), 0..max),
    ]
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    (octets(300), any::<bool>()).prop_map(|(body, more)| {
        let mut out = Vec::new();
        put_frame(&mut out, &body, more);
        out
    })
}

fn stamp() -> impl Strategy<Value = Vec<u8>> {
    (0..20_u64, 0..9_u64, 0..4_u64).prop_map(|(seq, time_ns, lost)| {
        let mut losses = Losses::default();
        losses.add(Cause::Full, lost);
        let mut out = Vec::new();
        Stamp {
            seq,
            time_ns,
            losses,
            ..Stamp::default()
        }
        .encode(&mut out);
        out
    })
}

fn command() -> impl Strategy<Value = Vec<u8>> {
    (0..6, octets(30)).prop_map(|(kind, data)| {
        let mut out = Vec::new();
        match kind {
            0 => put_subscribe(&mut out, &data, 1),
            1 => put_cancel(&mut out, &data, 1),
            2 => put_subscribe(&mut out, &data, 0),
            3 => Command::Ping {
                ttl_ds: 0,
                context: &data,
            }
            .encode(&mut out),
            4 => Command::Pong { context: &data }.encode(&mut out),
            _ => colugo_zmtp::put_command(&mut out, "CUSTOM", &data),
        }
        out
    })
}

/// What a peer may say, and now and then what it may not.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        60 => frame(),
        20 => command(),
        20 => stamp(),
        1 => octets(20),
    ];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

fn setup() -> impl Strategy<Value = Setup> {
    let topics = prop::collection::vec(prop::collection::vec(0..4_u8, 0..3), 0..3);
    let pair = prop::sample::select(PAIRS.to_vec());
    (pair, any::<bool>(), any::<bool>(), topics).prop_map(
        |((ours, theirs), colugo, handler, topics)| Setup {
            ours,
            theirs,
            colugo,
            handler,
            topics,
            max_message: 700,
        },
    )
}

type Outcome = (Vec<Output>, State, Result<(), String>);

fn run<'a>(setup: &Setup, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut connection = Scripted::new(setup).expect("a pair that goes together");
    let mut result = Ok(());
    for piece in pieces {
        result = connection.receive(piece);
    }
    (connection.take_output(), connection.state(), result)
}

fn pieces<'a>(stream: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|i| i.index(stream.len() + 1)).collect();
    at.extend([0, stream.len()]);
    at.sort_unstable();
    let windows = at.windows(2);
    windows.map(|pair| &stream[pair[0]..pair[1]]).collect()
}

/// The messages in a stream, read in the plainest way; `None` if it breaks a rule of framing.
fn messages(mut stream: &[u8]) -> Option<Vec<Vec<Vec<u8>>>> {
    let (mut all, mut frames) = (Vec::new(), Vec::new());
    while let Some(header) = parse_header(stream).ok()? {
        let whole = header.header_len + usize::try_from(header.body_len).ok()?;
        let Some(frame) = stream.get(header.header_len..whole) else {
            break;
        };
        if !header.command {
            frames.push(frame.to_vec());
            if !header.more {
                all.push(std::mem::take(&mut frames));
            }
        }
        stream = &stream[whole..];
    }
    Some(all)
}

#[test]
fn a_command_of_ours_within_a_message_is_counted_and_not_handed_on() {
    let setup = Setup {
        ours: SocketType::Pull,
        theirs: SocketType::Push,
        colugo: true,
        handler: true,
        topics: Vec::new(),
        max_message: 700,
    };
    let mut command = Vec::new();
    colugo_zmtp::put_command(&mut command, "CUSTOM", b"data");
    let stream = [b"\x01\x01a", &command[..], b"\x00\x01b", &command[..]].concat();
    let message = Output::Message(vec!["a".into(), "b".into()], None);
    let after = Output::Command(b"CUSTOM".to_vec(), b"data".to_vec());
    for (output, state, result) in [
        run(&setup, [&stream[..]]),
        run(&setup, [&stream[..16], &stream[16..]]),
        run(&setup, stream.chunks(1)),
    ] {
        assert_eq!(output, [message.clone(), after.clone()]);
        assert_eq!((state.counts, result), ([0, 1, 0, 0], Ok(())));
    }
}

#[test]
fn a_publisher_takes_no_stamps() {
    let setup = Setup {
        ours: SocketType::XPub,
        theirs: SocketType::XSub,
        colugo: true,
        handler: false,
        topics: Vec::new(),
        max_message: 700,
    };
    let mut stream = Vec::new();
    Stamp {
        seq: 7,
        time_ns: 1,
        ..Stamp::default()
    }
    .encode(&mut stream);
    // A cancel of nothing is not handed up; numbers would have counted it or not, as reads fall.
    stream.extend_from_slice(b"\x00\x02\x00a\x00\x01x");
    let whole = run(&setup, [&stream[..]]);
    assert_eq!(whole.0, [Output::Message(vec!["x".into()], None)]);
    assert_eq!(whole.1.counts, [0, 1, 0, 0]);
    assert_eq!(run(&setup, stream.chunks(1)), whole);
}

proptest! {
    #[test]
    fn a_connection_cut_anywhere_says_the_same(
        setup in setup(),
        stream in stream(),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let whole = run(&setup, [&stream[..]]);
        prop_assert_eq!(&run(&setup, pieces(&stream, &cuts)), &whole);
        prop_assert_eq!(&run(&setup, stream.chunks(1)), &whole);
    }

    #[test]
    fn a_pull_gets_every_message_of_the_stream_and_no_other(
        stream in stream(),
        handler: bool,
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let setup = Setup {
            ours: SocketType::Pull,
            theirs: SocketType::Push,
            colugo: false,
            handler,
            topics: Vec::new(),
            max_message: 1 << 20,
        };
        let (output, state, result) = run(&setup, pieces(&stream, &cuts));
        if result.is_ok() {
            let got: Vec<_> = output
                .into_iter()
                .map(|output| match output {
                    Output::Message(frames, None) => frames,
                    other => panic!("{other:?}"),
                })
                .collect();
            prop_assert_eq!(Some(got), messages(&stream).map(|all| {
                let owned = |frames: Vec<Vec<u8>>| frames.into_iter().map(Bytes::from).collect();
                all.into_iter().map(owned).collect::<Vec<Vec<Bytes>>>()
            }));
            prop_assert!(state.subscriptions.is_empty());
        }
    }
}
