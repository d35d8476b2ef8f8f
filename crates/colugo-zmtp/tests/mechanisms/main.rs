//! The place of a security mechanism: whoever drives a connection does the same for NULL and for a
//! mechanism with a challenge, a question to the server and sealed traffic.

mod toy;
mod wire;

use colugo_zmtp::{
    Decision, Handshake, HandshakeConfig, HandshakeError, HandshakeFault, MechanismName, Null,
    OpenError, SocketType, put_frame,
};
use proptest::prelude::*;

use toy::{Client, Server};
use wire::{Received, Wire};

const SECRET: u64 = 0x5eed;

fn config(socket_type: SocketType) -> HandshakeConfig {
    let mut config = HandshakeConfig::new(socket_type);
    config.properties.push(("X-Colugo".into(), "1".into()));
    config
}

fn null_pair() -> (Wire, Wire) {
    let side = |socket_type| Handshake::with_mechanism(config(socket_type), Box::new(Null));
    (
        Wire::new(side(SocketType::Dealer)),
        Wire::new(side(SocketType::Router)),
    )
}

fn client(secret: u64) -> Handshake {
    Handshake::with_mechanism(
        config(SocketType::Dealer),
        Box::new(Client::new("ann", secret)),
    )
}

fn server() -> Handshake {
    Handshake::with_mechanism(config(SocketType::Router), Box::new(Server::new(SECRET, 9)))
}

fn toy_pair() -> (Wire, Wire) {
    (Wire::new(client(SECRET)), Wire::new(server()))
}

/// Carries octets both ways until nothing moves any more; whoever is asked says yes.
fn shake(a: &mut Wire, b: &mut Wire) {
    loop {
        let (to_b, to_a) = (a.take_output(), b.take_output());
        if to_a.is_empty() && to_b.is_empty() {
            return;
        }
        for (side, octets) in [(&mut *b, to_b), (&mut *a, to_a)] {
            assert_eq!(side.receive(&octets), Ok(vec![]));
            if side.question().is_some() {
                assert_eq!(side.answer(Decision::Allow), Ok(vec![]));
            }
        }
    }
}

fn message(body: &[u8], more: bool) -> Received {
    Received {
        body: body.to_vec(),
        more,
        command: false,
    }
}

#[test]
fn the_same_driver_carries_messages_and_commands_for_every_mechanism() {
    for ((mut a, mut b), sealed) in [(null_pair(), false), (toy_pair(), true)] {
        shake(&mut a, &mut b);
        assert_eq!(a.hello().socket_type, SocketType::Router);
        assert_eq!(b.hello().socket_type, SocketType::Dealer);
        assert!(a.hello().colugo && b.hello().colugo);
        assert_eq!((a.is_sealed(), b.is_sealed()), (sealed, sealed));

        a.send(b"a request", true);
        a.send(&[7; 300], false);
        a.send_command(b"\x04PING\x00\x00");
        let wire = a.take_output();
        assert_eq!(
            wire.windows(9).any(|octets| octets == b"a request"),
            !sealed,
            "what is sealed can't be read on its way"
        );
        let expected = vec![
            message(b"a request", true),
            message(&[7; 300], false),
            Received {
                body: b"\x04PING\x00\x00".to_vec(),
                more: false,
                command: true,
            },
        ];
        assert_eq!(b.receive(&wire), Ok(expected));

        b.send(b"", false);
        let wire = b.take_output();
        assert_eq!(a.receive(&wire), Ok(vec![message(b"", false)]));
    }
}

#[test]
fn null_is_to_the_octet_what_it_is_without_a_word_about_mechanisms() {
    let mut plain = Handshake::new(config(SocketType::Dealer));
    let mut given = Handshake::with_mechanism(config(SocketType::Dealer), Box::new(Null));
    let mut peer = Vec::new();
    Handshake::new(config(SocketType::Router)).transmit(&mut peer);
    let outputs = [&mut plain, &mut given].map(|side| {
        let mut out = Vec::new();
        side.transmit(&mut out);
        side.receive(&peer).unwrap();
        side.transmit(&mut out);
        out
    });
    assert_eq!(outputs[0], outputs[1]);
    assert!(plain.question().is_none() && given.into_sealing().is_none());
}

/// A server that has been asked for `ann`, and her client.
fn asked() -> (Handshake, Handshake) {
    let (mut client, mut server) = (client(SECRET), server());
    let mut octets = Vec::new();
    server.transmit(&mut octets);
    client.receive(&octets).unwrap();
    octets.clear();
    client.transmit(&mut octets);
    server.receive(&octets).unwrap();
    assert!(server.question().is_some());
    (client, server)
}

#[test]
fn a_server_waits_for_the_answer_as_long_as_it_takes() {
    let (mut client, mut server) = asked();
    let question = server.question().unwrap().clone();
    assert_eq!(question.credentials, ["ann"]);
    assert_eq!(question.mechanism, toy::NAME);
    for _ in 0..3 {
        let mut out = Vec::new();
        server.transmit(&mut out);
        assert_eq!(out, b"", "the peer hears nothing meanwhile");
        let early = b"\x04\x06\x05READY";
        assert_eq!(server.receive(early), Ok((0, None)), "nothing is taken");
        assert_eq!(server.question(), Some(&question));
    }
    assert_eq!(server.answer(Decision::Allow), Ok(None));
    assert!(server.question().is_none());
    assert_eq!(server.answer(Decision::Deny), Ok(None), "nothing is asked");

    let mut octets = Vec::new();
    server.transmit(&mut octets);
    assert_eq!(client.receive(&octets), Ok((octets.len(), None)));
    octets.clear();
    client.transmit(&mut octets);
    let (taken, hello) = server.receive(&octets).unwrap();
    assert_eq!(taken, octets.len());
    assert_eq!(hello.unwrap().socket_type, SocketType::Dealer);
}

#[test]
fn a_peer_that_may_not_come_in_is_told_so_and_one_that_may_later_is_not() {
    let (mut client, mut server) = asked();
    let denied = HandshakeError::Denied { again: false };
    assert_eq!(server.answer(Decision::Deny), Err(denied.clone()));
    assert_eq!(server.receive(b""), Err(denied.clone()));
    assert_eq!(server.answer(Decision::Allow), Err(denied.clone()));
    let reason = "400".to_owned();
    assert_eq!(
        client.receive(&denied.farewell().unwrap()),
        Err(HandshakeError::PeerError { reason })
    );

    let (_, mut server) = asked();
    let error = server.answer(Decision::Later).unwrap_err();
    assert_eq!(error, HandshakeError::Denied { again: true });
    assert_eq!(error.farewell(), None);
    let mut out = Vec::new();
    server.transmit(&mut out);
    assert_eq!(out, b"");
}

#[test]
fn who_can_not_prove_the_secret_does_not_come_in() {
    let (mut a, mut b) = (Wire::new(client(SECRET + 1)), Wire::new(server()));
    let greeting = b.take_output();
    a.receive(&greeting).unwrap();
    let hello = a.take_output();
    b.receive(&hello).unwrap();
    b.answer(Decision::Allow).unwrap();
    let challenge = b.take_output();
    a.receive(&challenge).unwrap();
    let proof = a.take_output();
    let expected = HandshakeError::Malformed(HandshakeFault::NotProven);
    assert_eq!(b.receive(&proof), Err(wire::Broken::Handshake(expected)));
    assert_eq!(b.take_output(), b"", "no READY for a stranger");
}

#[test]
fn the_role_is_the_mechanisms_own_whatever_the_peers_as_server_bit_says() {
    for bit in [0, 1] {
        let (mut a, mut b) = toy_pair();
        let (mut to_b, mut to_a) = (a.take_output(), b.take_output());
        assert_eq!((to_b[32], to_a[32]), (0, 1));
        to_b[32] = bit;
        to_a[32] = bit;
        a.receive(&to_a).unwrap();
        b.receive(&to_b).unwrap();
        let hello = a.take_output();
        b.receive(&hello).unwrap();
        assert!(b.question().is_some());
    }
}

#[test]
fn different_mechanisms_do_not_talk() {
    let mut null = Handshake::new(config(SocketType::Router));
    let mut greeting = Vec::new();
    client(SECRET).transmit(&mut greeting);
    let expected = HandshakeError::MechanismMismatch {
        ours: MechanismName::NULL,
        theirs: toy::NAME,
    };
    assert_eq!(null.receive(&greeting), Err(expected));
}

#[test]
fn a_frame_that_was_changed_repeated_or_not_sealed_ends_the_connection() {
    let ready = || {
        let (mut a, mut b) = toy_pair();
        shake(&mut a, &mut b);
        a.send(b"pay 10", false);
        (a.take_output(), b)
    };
    let broken = |error| Err(wire::Broken::Traffic(error));

    let (frame, _) = ready();
    for at in 2..frame.len() {
        let (mut frame, mut b) = ready();
        frame[at] ^= 1;
        let result = b.receive(&frame);
        assert!(result.is_err(), "octet {at} was changed: {result:?}");
    }
    let (frame, mut b) = ready();
    assert_eq!(b.receive(&frame), Ok(vec![message(b"pay 10", false)]));
    assert_eq!(b.receive(&frame), broken(OpenError::Replayed));

    let (_, mut b) = ready();
    let mut clear = Vec::new();
    put_frame(&mut clear, b"pay 10", false);
    assert_eq!(b.receive(&clear), broken(OpenError::Clear));
}

#[test]
fn what_seals_is_there_only_once_the_handshake_is_done() {
    assert!(client(SECRET).into_sealing().is_none());
    assert!(asked().1.into_sealing().is_none());
}

proptest! {
    #[test]
    fn however_it_is_cut_a_sealed_connection_carries_the_same(
        pieces in prop::collection::vec(1..40_usize, 1..40),
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
    ) {
        for (mut a, mut b) in [null_pair(), toy_pair()] {
            let mut sizes = pieces.iter().copied().cycle();
            let (mut to_a, mut to_b) = (Vec::new(), Vec::new());
            let mut got = Vec::new();
            let mut sent = false;
            for _ in 0..4000 {
                to_b.extend(a.take_output());
                to_a.extend(b.take_output());
                if a.is_up() && b.is_up() && !sent {
                    sent = true;
                    for body in &messages {
                        a.send(body, false);
                    }
                }
                for (side, octets) in [(&mut b, &mut to_b), (&mut a, &mut to_a)] {
                    let len = sizes.next().unwrap().min(octets.len());
                    let piece: Vec<u8> = octets.drain(..len).collect();
                    got.extend(side.receive(&piece).unwrap());
                    if side.question().is_some() {
                        got.extend(side.answer(Decision::Allow).unwrap());
                    }
                }
            }
            let expected: Vec<_> = messages.iter().map(|body| message(body, false)).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
