//! Octets recorded from libzmq 4.3.5, read and written by this crate.

use colugo_zmtp::{
    Command, Greeting, Handshake, HandshakeConfig, SocketType, parse_header,
    parse_subscription_message, put_cancel, put_frame, put_subscribe,
};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter_map(|c| char::from(c).to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn libzmq_greeting() -> Vec<u8> {
    let mut octets = hex("ff00000000000000017f 03 014e554c4c");
    octets.extend([0; 48]);
    octets
}

const READY_PUB: &str = "0419055245414459 0b536f636b65742d54797065 00000003 505542";

/// The one command in these octets of a frame.
fn command(frame: &[u8]) -> Command<'_> {
    let header = parse_header(frame).unwrap().unwrap();
    assert!(header.command);
    let body = &frame[header.header_len..];
    assert_eq!(body.len() as u64, header.body_len);
    Command::parse(body).unwrap()
}

fn check(text: &str, expected: Command<'_>) {
    let octets = hex(text);
    assert_eq!(command(&octets), expected);
    let mut written = Vec::new();
    expected.encode(&mut written);
    assert_eq!(written, octets);
}

#[test]
fn greeting_of_a_libzmq_pub_is_ours_to_the_octet() {
    let octets = libzmq_greeting();
    assert_eq!(octets.len(), 64);
    assert_eq!(Greeting::parse(&octets), Ok(Some(Greeting::null())));
    assert_eq!(Greeting::null().encode().as_slice(), octets);
}

#[test]
fn ready_of_a_libzmq_pub_ends_the_handshake_and_is_ours_to_the_octet() {
    let mut octets = libzmq_greeting();
    octets.extend(hex(READY_PUB));
    let mut subscriber = Handshake::new(HandshakeConfig::new(SocketType::Sub));
    let (taken, hello) = subscriber.receive(&octets).unwrap();
    let hello = hello.unwrap();
    assert_eq!(taken, octets.len());
    assert_eq!((hello.socket_type, hello.minor), (SocketType::Pub, 1));
    assert!(hello.identity.is_empty() && !hello.colugo);

    let mut publisher = Handshake::new(HandshakeConfig::new(SocketType::Pub));
    let mut sent = Vec::new();
    publisher.transmit(&mut sent);
    publisher.receive(&libzmq_greeting()).unwrap();
    publisher.transmit(&mut sent);
    assert_eq!(sent, octets);
}

#[test]
fn subscriptions_of_both_versions() {
    check(
        "040d09 535542534352494245 616263",
        Command::Subscribe(b"abc"),
    );
    check("040a06 43414e43454c 616263", Command::Cancel(b"abc"));

    let messages = [("000401616263", true), ("000400616263", false)];
    for (text, subscribe) in messages {
        let octets = hex(text);
        assert_eq!(
            parse_subscription_message(&octets[2..]),
            Some((subscribe, &b"abc"[..]))
        );
        let mut written = Vec::new();
        let put = if subscribe { put_subscribe } else { put_cancel };
        put(&mut written, b"abc", 0);
        assert_eq!(written, octets);
    }
}

#[test]
fn a_ping_and_its_pong() {
    let ping = hex("04 0a 04 50494e47 0000 435458");
    let Command::Ping { ttl_ds: 0, context } = command(&ping) else {
        panic!("{:?}", command(&ping));
    };
    let mut pong = Vec::new();
    Command::Pong { context }.encode(&mut pong);
    assert_eq!(pong, hex("0408 04504f4e47 435458"));
    check(
        "04 0a 04 50494e47 0000 435458",
        Command::Ping {
            ttl_ds: 0,
            context: b"CTX",
        },
    );
    check("0408 04504f4e47 435458", Command::Pong { context: b"CTX" });
}

#[test]
fn an_error_with_a_zap_code() {
    check(
        "040a 05 4552524f52 03 343030",
        Command::Error { reason: b"400" },
    );
}

#[test]
fn a_request_of_a_req_socket() {
    let mut written = Vec::new();
    put_frame(&mut written, b"", true);
    put_frame(&mut written, b"q", false);
    assert_eq!(written, hex("0100 000171"));
}
