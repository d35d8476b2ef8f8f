//! No octets make a decoder panic, and what is accepted is written back as it was.

use colugo_zmtp::{
    Command, Greeting, Handshake, HandshakeConfig, Metadata, MetadataLimits, SocketType,
    parse_header, parse_subscription_message, put_header,
};
use proptest::prelude::*;

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..300)
}

/// Octets that get past the first checks: a known name, then anything.
fn command_body() -> impl Strategy<Value = Vec<u8>> {
    let names = [
        "READY",
        "ERROR",
        "SUBSCRIBE",
        "CANCEL",
        "PING",
        "PONG",
        "STAMP",
        "OTHER",
    ];
    (prop::sample::select(names.to_vec()), octets()).prop_map(|(name, data)| {
        let mut body = vec![name.len() as u8];
        body.extend_from_slice(name.as_bytes());
        body.extend(data);
        body
    })
}

proptest! {
    #[test]
    fn headers(input in octets()) {
        if let Ok(Some(header)) = parse_header(&input) {
            let mut out = Vec::new();
            put_header(&mut out, header.body_len as usize, header.more, header.command);
            let again = parse_header(&out).unwrap().unwrap();
            prop_assert_eq!(again.body_len, header.body_len);
            prop_assert_eq!((again.more, again.command), (header.more, header.command));
        }
    }

    #[test]
    fn commands(body in prop_oneof![octets(), command_body()]) {
        if let Ok(command) = Command::parse(&body) {
            let mut out = Vec::new();
            command.encode(&mut out);
            let header = parse_header(&out).unwrap().unwrap();
            prop_assert_eq!(Command::parse(&out[header.header_len..]), Ok(command));
        }
    }

    #[test]
    fn metadata(input in octets()) {
        if let Ok(metadata) = Metadata::parse(&input, &MetadataLimits::default()) {
            prop_assert_eq!(metadata.encode(), input);
        }
    }

    #[test]
    fn greetings_and_subscriptions(input in octets()) {
        let _ = Greeting::parse(&input);
        let _ = parse_subscription_message(&input);
    }

    #[test]
    fn handshakes(input in octets(), body in command_body(), greeted: bool) {
        let mut handshake = Handshake::new(HandshakeConfig::new(SocketType::Router));
        if greeted {
            handshake.receive(&Greeting::null().encode()).unwrap();
            let mut frame = Vec::new();
            put_header(&mut frame, body.len(), false, true);
            frame.extend(body);
            let _ = handshake.receive(&frame);
        }
        match handshake.receive(&input) {
            Ok((taken, _)) => prop_assert!(taken <= input.len()),
            Err(error) => prop_assert_eq!(handshake.receive(b""), Err(error)),
        }
    }
}
