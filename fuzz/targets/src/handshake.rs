//! From the first octet of a connection to READY, mechanism NULL, on either side.

use bytes::Bytes;
use colugo_zmtp::{
    Command, GREETING_LEN, Greeting, Handshake, HandshakeConfig, HandshakeError, PeerHello,
    SocketType, parse_header,
};

use crate::input::Input;
use crate::memory::within;

/// What a handshake may hold at any time, whatever comes: a greeting or a command with its header, the metadata of both sides, what is to be
/// sent. A `Vec` that grows has twice what it needs, and while it grows the half beside it.
const MOST: usize = 64 << 10;

#[derive(Debug, PartialEq)]
struct Outcome {
    /// Octets taken, and who is there.
    result: Result<(usize, Option<PeerHello>), HandshakeError>,
    sent: Vec<u8>,
}

/// Feeds the pieces, as a caller does: what is not taken is traffic.
fn run<'a>(config: &HandshakeConfig, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    within(MOST, || {
        let mut handshake = Handshake::new(config.clone());
        let (mut sent, mut taken) = (Vec::new(), 0);
        let mut result = Ok((0, None));
        for piece in pieces {
            match handshake.receive(piece) {
                Ok((n, hello)) => {
                    taken += n;
                    let done = n < piece.len() || hello.is_some();
                    result = Ok((taken, hello));
                    if done {
                        break;
                    }
                }
                Err(error) => {
                    assert_eq!(handshake.receive(piece), Err(error.clone()));
                    result = Err(error);
                    break;
                }
            }
        }
        assert!(handshake.question().is_none(), "NULL asks nothing");
        // At the end only: in between, a failure could no longer take READY back.
        handshake.transmit(&mut sent);
        Outcome { result, sent }
    })
}

fn check(config: &HandshakeConfig, stream: &[u8], outcome: &Outcome) {
    let sent = &outcome.sent[..];
    let (greeting, after) = sent.split_at(GREETING_LEN);
    assert_eq!(greeting, Greeting::null().encode());
    if !after.is_empty() {
        let header = parse_header(after).unwrap().unwrap();
        let body = &after[header.header_len..];
        assert_eq!(header.body_len, body.len() as u64);
        assert!(matches!(Command::parse(body), Ok(Command::Ready(_))));
    }
    match &outcome.result {
        Ok((taken, Some(hello))) => {
            assert!(config.socket_type.compatible(hello.socket_type));
            assert!(hello.identity.len() <= 255 && hello.major == 3 && hello.minor <= 1);
            let name = hello.metadata.get("Socket-Type").unwrap();
            assert_eq!(SocketType::parse(name), Some(hello.socket_type));
            let said = hello.metadata.get("X-Colugo");
            assert_eq!(hello.colugo, said.is_some_and(|value| value == "1"));
            assert!(!after.is_empty());
            // Nothing after its READY has a part in it, and without the last octet it is not done.
            let (whole, short) = (&stream[..*taken], &stream[..*taken - 1]);
            assert_eq!(&run(config, [whole]), outcome);
            assert!(matches!(run(config, [short]).result, Ok((_, None))));
        }
        Ok((taken, None)) => assert_eq!(*taken, stream.len()),
        Err(error) => {
            assert_eq!(after, b"", "READY is taken back");
            assert!(!error.to_string().is_empty());
            if let Some(farewell) = error.farewell() {
                let header = parse_header(&farewell).unwrap().unwrap();
                let command = Command::parse(&farewell[header.header_len..]);
                assert!(matches!(command, Ok(Command::Error { .. })));
            }
        }
    }
}

/// Any octets, to a side that waits for a peer: the same however they are cut, and an error is for ever.
pub fn handshake_server(data: &[u8]) {
    let mut input = Input::new(data);
    let config = HandshakeConfig::new(input.choose(&SocketType::ALL));
    let greeted = input.bit();
    let cuts = input.cuts();
    let mut stream = Vec::new();
    if greeted {
        stream.extend_from_slice(&Greeting::null().encode());
    }
    stream.extend_from_slice(input.rest());
    let whole = run(&config, [&stream[..]]);
    assert_eq!(run(&config, cuts.pieces(&stream)), whole);
    if stream.len() < 200 {
        assert_eq!(run(&config, stream.chunks(1)), whole);
    }
    check(&config, &stream, &whole);
}

fn config(input: &mut Input<'_>) -> HandshakeConfig {
    let mut config = HandshakeConfig::new(input.choose(&SocketType::ALL));
    if input.bit() {
        config.identity = Some(Bytes::copy_from_slice(input.octets()));
    }
    for _ in 0..input.octet() & 3 {
        let name = String::from_utf8_lossy(input.octets()).into_owned();
        let value = Bytes::copy_from_slice(input.octets());
        config.properties.push((name, value));
    }
    config
}

/// Two handshakes of this crate talk over a pipe that cuts, and changes octets on their way to the client; unchanged, both end as the two
/// socket types demand, and each knows all that the other told.
pub fn handshake_client(data: &[u8]) {
    let mut input = Input::new(data);
    let (ours, theirs) = (config(&mut input), config(&mut input));
    let cuts = input.cuts();
    let mut peer = Handshake::new(theirs.clone());
    let mut stream = Vec::new();
    peer.transmit(&mut stream);
    peer.receive(&Greeting::null().encode()).unwrap();
    peer.transmit(&mut stream);
    let honest = stream.clone();
    while !input.is_empty() {
        let at = usize::from(input.octet()) | usize::from(input.octet() & 3) << 8;
        let len = stream.len();
        stream[at % len] ^= input.octet();
    }
    let whole = run(&ours, [&stream[..]]);
    assert_eq!(run(&ours, cuts.pieces(&stream)), whole);
    check(&ours, &stream, &whole);
    if stream != honest {
        return;
    }
    assert!(
        peer.receive(&whole.sent[GREETING_LEN..]).is_ok() == whole.result.is_ok()
            || whole.result.is_err()
    );
    let compatible = ours.socket_type.compatible(theirs.socket_type);
    match whole.result {
        Ok((taken, hello)) => {
            let hello = hello.expect("an honest peer's READY is whole");
            assert!(compatible && taken == stream.len());
            told(&theirs, &hello);
        }
        Err(error) => {
            let expected = HandshakeError::IncompatibleSocketType {
                ours: ours.socket_type,
                theirs: theirs.socket_type,
            };
            assert!(!compatible);
            assert_eq!(error, expected);
            let farewell = error.farewell().expect("it is told why");
            let told = peer.receive(&farewell);
            assert!(matches!(told, Err(HandshakeError::PeerError { .. })));
        }
    }
}

fn told(config: &HandshakeConfig, hello: &PeerHello) {
    assert_eq!(hello.socket_type, config.socket_type);
    if config.check().is_err() {
        return;
    }
    let identity = config.identity.clone().unwrap_or_default();
    let announced = config.socket_type.announces_identity();
    if announced {
        assert_eq!(hello.identity, identity);
    }
    for (name, value) in &config.properties {
        assert_eq!(hello.metadata.get(name), Some(value));
    }
}
