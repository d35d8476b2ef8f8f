//! A whole connection after its handshake: colugo-socket's parser and delivery, with a scripted peer and no transport.

use bytes::Bytes;
use colugo_socket::fuzzing::{Output, Scripted, Setup, State};
use colugo_zmtp::{
    Command, SocketType, parse_header, put_cancel, put_command, put_frame, put_header,
    put_subscribe,
};

use crate::input::Input;
use crate::memory::within;
use crate::stamp;

const PAIRS: [(SocketType, SocketType); 12] = [
    (SocketType::Pub, SocketType::Sub),
    (SocketType::Sub, SocketType::Pub),
    (SocketType::Pull, SocketType::Push),
    (SocketType::Push, SocketType::Pull),
    (SocketType::Router, SocketType::Dealer),
    (SocketType::Dealer, SocketType::Router),
    (SocketType::Rep, SocketType::Req),
    (SocketType::Req, SocketType::Rep),
    (SocketType::Dealer, SocketType::Dealer),
    (SocketType::XPub, SocketType::XSub),
    (SocketType::XSub, SocketType::XPub),
    (SocketType::Pair, SocketType::Pair),
];

/// Largest message that the socket takes.
const MAX_MESSAGE: usize = 4096;

fn setup(input: &mut Input<'_>) -> Setup {
    let (ours, theirs) = input.choose(&PAIRS);
    let flags = input.octet();
    let topics = match ours {
        SocketType::Sub | SocketType::XSub => (0..flags >> 4 & 3)
            .map(|_| {
                let len = usize::from(input.octet() & 3);
                input.take(len).to_vec()
            })
            .collect(),
        _ => Vec::new(),
    };
    Setup {
        ours,
        theirs,
        colugo: flags & 1 != 0,
        handler: flags & 2 != 0,
        topics,
        max_message: MAX_MESSAGE,
    }
}

/// What the peer says: frames and commands that are well formed, and octets that need not be.
fn script(input: &mut Input<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    while !input.is_empty() {
        let what = input.octet();
        match what & 15 {
            0..=3 => put_frame(&mut out, input.octets(), what & 1 != 0),
            // Large ones, and more than fits.
            4 => put_frame(
                &mut out,
                &vec![what; usize::from(input.octet()) * 20],
                what & 16 != 0,
            ),
            5 => put_header(
                &mut out,
                input.number() as usize,
                what & 16 != 0,
                what & 32 != 0,
            ),
            6 => put_subscribe(&mut out, input.octets(), what >> 4 & 1),
            7 => put_cancel(&mut out, input.octets(), what >> 4 & 1),
            8 => {
                let (ttl_ds, context) = (0, input.octets());
                Command::Ping { ttl_ds, context }.encode(&mut out);
            }
            9 => Command::Pong {
                context: input.octets(),
            }
            .encode(&mut out),
            10 | 11 => stamp::read(input).encode(&mut out),
            12 => put_command(&mut out, "HISTORY", input.octets()),
            13 => Command::Error {
                reason: input.octets(),
            }
            .encode(&mut out),
            14 => put_command(&mut out, "READY", input.octets()),
            _ => out.extend_from_slice(input.octets()),
        }
    }
    out
}

type Outcome = (Vec<Output>, State, Result<(), String>);

fn run<'a>(setup: &Setup, pieces: &[&'a [u8]]) -> Option<Outcome> {
    let octets: usize = pieces.iter().map(|piece| piece.len()).sum();
    // A message of two octets is a structure of a hundred or two by the time it is kept; what is claimed and did not come is nothing.
    within((256 << 10) + 512 * octets, || {
        let mut connection = Scripted::new(setup)?;
        let mut result = Ok(());
        for piece in pieces {
            result = connection.receive(piece);
        }
        Some((connection.take_output(), connection.state(), result))
    })
}

/// The messages of a stream, read in the plainest way, up to the first broken rule.
fn messages(mut stream: &[u8]) -> Vec<Vec<Bytes>> {
    let (mut all, mut frames) = (Vec::new(), Vec::new());
    while let Ok(Some(header)) = parse_header(stream) {
        let Ok(body_len) = usize::try_from(header.body_len) else {
            break;
        };
        let whole = header.header_len.saturating_add(body_len);
        let Some(frame) = stream.get(header.header_len..whole) else {
            break;
        };
        if !header.command {
            frames.push(Bytes::copy_from_slice(frame));
            if !header.more {
                all.push(std::mem::take(&mut frames));
            }
        }
        stream = &stream[whole..];
    }
    all
}

/// However the stream is cut, the same messages, commands, replies, subscriptions and counts come of it, and the same end; what a socket
/// takes that neither filters nor answers is every message of the stream, in order.
pub fn connection(data: &[u8]) {
    let mut input = Input::new(data);
    let setup = setup(&mut input);
    let cuts = input.cuts();
    let stream = script(&mut input);
    let Some(whole) = run(&setup, &[&stream]) else {
        return;
    };
    same(&run(&setup, &cuts.pieces(&stream)), &whole);
    if stream.len() < 100 {
        let octets: Vec<_> = stream.chunks(1).collect();
        same(&run(&setup, &octets), &whole);
    }
    let (output, state, result) = whole;
    replies(&state.replies);
    if matches!(
        setup.ours,
        SocketType::Pull | SocketType::Dealer | SocketType::Pair
    ) {
        let got = output.into_iter().filter_map(|output| match output {
            Output::Message(frames, _) => Some(frames),
            Output::Command(..) => None,
        });
        let got: Vec<_> = got.collect();
        let all = messages(&stream);
        match result {
            Ok(()) => assert_eq!(got, all),
            Err(_) => assert!(all.starts_with(&got)),
        }
    }
}

/// Says what differs first: all of it would fill a screen with one frame.
#[track_caller]
fn same(cut: &Option<Outcome>, whole: &Outcome) {
    let Some(cut) = cut else {
        panic!("no connection for the pieces");
    };
    for (n, (cut, whole)) in cut.0.iter().zip(&whole.0).enumerate() {
        assert_eq!(cut, whole, "output {n}");
    }
    assert_eq!(cut.0.len(), whole.0.len(), "outputs");
    assert_eq!(cut.1, whole.1);
    assert_eq!(cut.2, whole.2);
}

/// What a peer is sent unasked and in answer is well formed.
fn replies(mut octets: &[u8]) {
    while let Some(header) = parse_header(octets).unwrap() {
        let whole = header.header_len + header.body_len as usize;
        if header.command {
            Command::parse(&octets[header.header_len..whole]).unwrap();
        }
        octets = &octets[whole..];
    }
    assert!(octets.is_empty());
}
