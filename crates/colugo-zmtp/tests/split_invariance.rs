//! However the octets of a connection are cut, what comes out is the same.

use bytes::Bytes;
use colugo_zmtp::{
    Command, FrameError, FrameHeader, Greeting, Handshake, HandshakeConfig, HandshakeError,
    Metadata, PeerHello, SocketType, parse_header, put_frame, put_header,
};
use proptest::prelude::*;

/// What a handshake makes of its input: how much it takes, the hello, and all that it sends.
#[derive(Debug, PartialEq)]
struct Outcome {
    result: Result<(usize, Option<PeerHello>), HandshakeError>,
    sent: Vec<u8>,
}

/// Feeds `input` in these pieces, as a caller would: what is not taken is given again.
fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut handshake = Handshake::new(HandshakeConfig::new(SocketType::Dealer));
    let (mut sent, mut taken) = (Vec::new(), 0);
    let mut result = Ok((0, None));
    for piece in pieces {
        match handshake.receive(piece) {
            Ok((n, hello)) => {
                taken += n;
                if n < piece.len() || hello.is_some() {
                    result = Ok((taken, hello));
                    break;
                }
                result = Ok((taken, None));
            }
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    // Fetched at the end only: in between, a failure could no longer take READY back.
    handshake.transmit(&mut sent);
    Outcome { result, sent }
}

fn halves(input: &[u8], at: usize) -> Outcome {
    let (a, b) = input.split_at(at);
    run([a, b])
}

fn honest() -> Vec<u8> {
    let mut metadata = Metadata::default();
    metadata.push("Socket-Type", "ROUTER").unwrap();
    metadata.push("Identity", vec![0, 1, 2]).unwrap();
    metadata.push("X-Colugo", "1").unwrap();
    metadata.push("X-Colugo-Run", vec![7; 16]).unwrap();
    let mut octets = Greeting::null().encode().to_vec();
    metadata.encode_ready(&mut octets);
    octets
}

fn bad_inputs() -> Vec<Vec<u8>> {
    let after_greeting = |octets: &[u8]| {
        let mut input = Greeting::null().encode().to_vec();
        input.extend_from_slice(octets);
        input
    };
    let mut curve = Greeting::null().encode().to_vec();
    curve[12..17].copy_from_slice(b"CURVE");
    let mut large = Vec::new();
    put_header(&mut large, 9000, false, true);
    vec![
        b"\x01\x00".to_vec(),
        b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x02".to_vec(),
        b"\xff\0\0\0\0\0\0\0\x01\x00more".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        curve,
        after_greeting(b"\x04\x0a\x05ERROR\x03400"),
        after_greeting(b"\x04\x07\x04PING\0\0"),
        after_greeting(b"\x04\x06\x05READY"),
        after_greeting(b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PAIR"),
        after_greeting(b"\x00\x05hello"),
        after_greeting(b"\x05\x06\x05READY"),
        after_greeting(b"\xff"),
        after_greeting(b"\x04\x00"),
        after_greeting(&large),
    ]
}

#[test]
fn an_honest_handshake_cut_in_two_anywhere() {
    let mut input = honest();
    let len = input.len();
    put_frame(&mut input, b"traffic", false);
    let whole = run([&input[..]]);
    let (taken, hello) = whole.result.as_ref().unwrap();
    assert_eq!(*taken, len);
    assert!(hello.is_some());
    for at in 0..=input.len() {
        assert_eq!(halves(&input, at), whole, "cut at {at}");
    }
}

#[test]
fn an_honest_handshake_octet_by_octet() {
    let input = honest();
    assert_eq!(run(input.chunks(1)), run([&input[..]]));
}

#[test]
fn an_incomplete_handshake_is_never_done_and_never_fails() {
    let input = honest();
    for len in 0..input.len() {
        assert_eq!(run([&input[..len]]).result, Ok((len, None)), "{len} octets");
    }
}

#[test]
fn every_bad_handshake_fails_alike_wherever_it_is_cut() {
    for input in bad_inputs() {
        let whole = run([&input[..]]);
        assert!(whole.result.is_err(), "{}", input.escape_ascii());
        for at in 0..=input.len() {
            assert_eq!(
                halves(&input, at),
                whole,
                "{} cut at {at}",
                input.escape_ascii()
            );
        }
    }
}

/// All frames in `stream`, read as by a loop that gets it in these pieces; and the error that ended
/// it.
fn frames(pieces: &[&[u8]]) -> (Vec<(FrameHeader, Vec<u8>)>, Option<FrameError>) {
    let (mut buffer, mut read) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match parse_header(&buffer) {
                Ok(None) => break,
                Err(error) => return (read, Some(error)),
                Ok(Some(header)) => {
                    let end = header.header_len as u64 + header.body_len;
                    if (buffer.len() as u64) < end {
                        break;
                    }
                    let rest = buffer.split_off(end as usize);
                    read.push((header, buffer.split_off(header.header_len)));
                    buffer = rest;
                }
            }
        }
    }
    (read, None)
}

fn cut<'a>(input: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|i| i.index(input.len() + 1)).collect();
    at.extend([0, input.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}

prop_compose! {
    fn frame()(len in prop_oneof![0..4_usize, 250..260_usize], kind in 0..3, octet: u8) -> Vec<u8> {
        let mut out = Vec::new();
        match kind {
            2 => Command::Unknown { name: b"TEST", data: &vec![octet; len] }.encode(&mut out),
            more => put_frame(&mut out, &vec![octet; len], more == 1),
        }
        out
    }
}

proptest! {
    #[test]
    fn handshakes_in_any_pieces(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let mut inputs = bad_inputs();
        inputs.push(honest());
        for input in inputs {
            prop_assert_eq!(run(cut(&input, &cuts)), run([&input[..]]));
        }
    }

    #[test]
    fn handshakes_with_a_changed_octet_in_any_pieces(
        at in any::<prop::sample::Index>(),
        octet: u8,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let mut input = honest();
        let at = at.index(input.len());
        input[at] = octet;
        prop_assert_eq!(run(cut(&input, &cuts)), run([&input[..]]));
    }

    #[test]
    fn frames_in_any_pieces(
        stream in prop::collection::vec(frame(), 0..8),
        end in prop::collection::vec(any::<u8>(), 0..10),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let count = stream.len();
        let mut input = stream.concat();
        input.extend(end);
        let whole = frames(&[&input]);
        prop_assert!(whole.0.len() >= count);
        prop_assert_eq!(frames(&cut(&input, &cuts)), whole);
    }

    #[test]
    fn two_handshakes_over_any_pipe_agree(
        pieces in prop::collection::vec(1..40_usize, 1..50),
        identity in prop::collection::vec(any::<u8>(), 0..=255),
        value in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let config = |socket_type| HandshakeConfig {
            socket_type,
            identity: Some(identity.clone().into()),
            properties: vec![("X-Value".into(), Bytes::from(value.clone()))],
        };
        let mut sides = [SocketType::Dealer, SocketType::Router].map(|t| Handshake::new(config(t)));
        let mut pipes = [Vec::new(), Vec::new()];
        let mut hellos = [None, None];
        for piece in pieces.iter().cycle().take(2000) {
            for to in [0, 1] {
                sides[1 - to].transmit(&mut pipes[to]);
                let part = &pipes[to][..(*piece).min(pipes[to].len())];
                let (taken, hello) = sides[to].receive(part).unwrap();
                pipes[to].drain(..taken);
                hellos[to] = hellos[to].take().or(hello);
            }
        }
        for (hello, theirs) in hellos.into_iter().zip([SocketType::Router, SocketType::Dealer]) {
            let hello = hello.expect("done");
            prop_assert_eq!(hello.socket_type, theirs);
            prop_assert_eq!(&hello.identity, &identity);
            prop_assert_eq!(hello.metadata.get("X-Value").unwrap(), &value);
        }
    }
}
