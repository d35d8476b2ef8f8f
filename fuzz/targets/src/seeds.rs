//! Inputs to begin with: what real peers have said, in the form each target reads. The corpus in the repository began with them;
//! the tests run them in any case.

use colugo_zmtp::{Command, Greeting, Handshake, HandshakeConfig, SocketType, Stamp, put_frame};

/// What libzmq 4.3.5 sends: READY of PUB, SUB, DEALER and ROUTER, subscriptions in both forms, a request, an error, a heartbeat.
const FROM_LIBZMQ: [&[u8]; 9] = [
    b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB",
    b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB",
    b"\x04\x29\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0",
    b"\x04\x29\x05READY\x0bSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\0",
    b"\x04\x0d\x09SUBSCRIBEabc",
    b"\x00\x04\x01abc",
    b"\x01\x00\x00\x01q",
    b"\x04\x0a\x05ERROR\x03400",
    b"\x04\x07\x04PING\0\0",
];

/// Target and input.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut all: Vec<(&'static str, Vec<u8>)> = Vec::new();
    let greeting = Greeting::null().encode();
    all.push(("greeting", greeting.to_vec()));
    all.push(("greeting", b"\x01\x00".to_vec()));
    all.push((
        "greeting",
        b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x02\0\0".to_vec(),
    ));
    all.push(("greeting", b"GET / HTTP/1.1\r\n\r\n".to_vec()));
    let mut curve = greeting;
    curve[12..17].copy_from_slice(b"CURVE");
    all.push(("greeting", curve.to_vec()));
    let mut traffic = Vec::new();
    for octets in FROM_LIBZMQ {
        traffic.extend_from_slice(octets);
        // After the two octets of a short header.
        all.push(("commands", octets[2..].to_vec()));
        if octets.get(3..8) == Some(b"READY") {
            all.push(("metadata", octets[8..].to_vec()));
            for ours in 0..SocketType::ALL.len() as u8 {
                // Greeted, in pieces of one and seven octets.
                let input = [&[ours, 1, 2, 1, 7], octets].concat();
                all.push(("handshake_server", input));
            }
        }
    }
    put_frame(&mut traffic, &[7; 300], false);
    all.push(("frames", [&[2, 1, 7][..], &traffic].concat()));
    all.push(("frames", [&[0][..], &traffic].concat()));
    for kind in 0..12_u8 {
        for flags in [0, 3, 0x33] {
            let mut input = vec![kind, flags, 1, b'a', 1, b'b', 1, b'c', 1, 3];
            for part in FROM_LIBZMQ {
                input.push(15);
                input.push(part.len() as u8);
                input.extend_from_slice(part);
            }
            input.extend_from_slice(&[10, 0, 5, 6, 0, 3, b'a', b'b', b'c', 12, 2, 1, 2, 8, 1, 9]);
            all.push(("connection", input));
        }
    }
    let mut stamp = Vec::new();
    Stamp::default().encode(&mut stamp);
    all.push(("commands", stamp[2..].to_vec()));
    all.push((
        "stamp",
        vec![0x21, 1, 3, 2, 5, 9, 9, 0, 0, 8, 0x10, 4, 4, 6, 0, 7, 0x70],
    ));
    all.push((
        "subscriptions",
        b"\x10a\x20ab\x23abc\x12a\xf0b\x80\x01\x82\x01".to_vec(),
    ));
    for word in ["pose", "arm/left.pose", "a..b", "höhe", ""] {
        all.push(("topic_names", word.as_bytes().to_vec()));
    }
    all.push(("dns_record", b"\x03\x01\0\0\0\0\x7f\0\0\x01\x50\x05v=1.0\x0ans=default\x0aname=robot\x08host=box\x05hub=1".to_vec()));
    all.push((
        "dns_record",
        b"\x01\x50v=1\0ns=lab\0name=x\0host=y\0".to_vec(),
    ));
    let shown = original_record();
    let asks = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x07_colugo\x04_tcp\x05local\0\0\x0c\0\x01";
    let packets = [shown.as_slice(), asks, &shown[..shown.len() / 2]];
    let framed = packets.iter().flat_map(|packet| {
        let len = (packet.len() as u16).to_be_bytes();
        len.into_iter().chain(packet.iter().copied())
    });
    all.push(("dns_packets", framed.collect()));
    for kind in 0..8_u8 {
        let mut input = vec![1, kind];
        input.extend((0..60_u16).map(|i| (i * 7 % 11) as u8));
        all.push(("control_messages", input));
    }
    // Lanes that are opened, written to, read from, given room, and ended, by both sides.
    for lane in [0, 7] {
        let course = [
            0, lane, 1, lane, 9, 14, lane, 6, lane, 3, lane, 4, 0x0e, lane, 0xf6, lane, 4, lane,
            30, lane,
        ];
        all.push(("trunk", course.to_vec()));
        all.push((
            "trunk",
            [&course[..], &course, &[5, 0, 7, 0, 5, 99, 0, 0, 0, 1]].concat(),
        ));
    }
    all.push(("control_messages", b"\x00\x81\xa1m\xa6resync".to_vec()));
    all.push((
        "control_messages",
        b"\x00\x82\xa1m\xa3bye\xa3why\xa7leaving".to_vec(),
    ));
    all.push((
        "handshake_client",
        two(SocketType::Dealer, SocketType::Router),
    ));
    all.push(("handshake_client", two(SocketType::Pub, SocketType::Req)));
    all.push(("handshake_server", [&[0, 0, 0][..], &spoken()].concat()));
    all
}

/// A publisher as the original shows it: PTR, SRV, TXT and A, with pointers to the names before.
fn original_record() -> Vec<u8> {
    let mut packet = b"\0\0\x84\0\0\0\0\x04\0\0\0\0".to_vec();
    let service = packet.len() as u8;
    packet.extend(b"\x07_colugo\x04_tcp\x05local\0\0\x0c\0\x01\0\0\x0e\x10");
    let uuid = b"_00010203-0405-0607-0809-0a0b0c0d0e0f";
    let mut instance = b"\x05_pose".to_vec();
    instance.push(uuid.len() as u8);
    instance.extend(uuid);
    instance.extend([0xc0, service]);
    packet.extend((instance.len() as u16).to_be_bytes());
    let name = packet.len() as u8;
    packet.extend(&instance);
    packet.extend([0xc0, name]);
    packet.extend(b"\0\x21\x80\x01\0\0\x0e\x10\0\x0c\0\0\0\0\x15\xb3\x03box\xc0");
    packet.push(service + 13);
    packet.extend([0xc0, name]);
    let mut txt = Vec::new();
    for pair in [
        "topic=pose",
        "socket_type=1",
        "node_uuid=00010203-0405-0607-0809-0a0b0c0d0e0f",
    ] {
        txt.push(pair.len() as u8);
        txt.extend(pair.as_bytes());
    }
    packet.extend(b"\0\x10\x80\x01\0\0\x0e\x10");
    packet.extend((txt.len() as u16).to_be_bytes());
    packet.extend(&txt);
    packet.extend(b"\x03box\xc0");
    packet.push(service + 13);
    packet.extend(b"\0\x01\x80\x01\0\0\x0e\x10\0\x04\x0a\0\0\x02");
    packet
}

fn two(ours: SocketType, theirs: SocketType) -> Vec<u8> {
    let at = |it| {
        SocketType::ALL
            .iter()
            .position(|known| *known == it)
            .unwrap_or(0) as u8
    };
    let mut input = vec![at(ours), 1, 2, b'm', b'e', 1, 8];
    input.extend_from_slice(b"X-Colugo\x011");
    input.extend_from_slice(&[at(theirs), 0, 1, 3]);
    input.extend_from_slice(b"X-A\x02bc\x01\x05");
    input
}

/// What a handshake of ours says to a SUB.
fn spoken() -> Vec<u8> {
    let mut config = HandshakeConfig::new(SocketType::Pub);
    config.properties.push(("X-Colugo".into(), "1".into()));
    config
        .properties
        .push(("X-Colugo-Run".into(), vec![7; 16].into()));
    let mut handshake = Handshake::new(config);
    let mut out = Vec::new();
    handshake.transmit(&mut out);
    if handshake.receive(&Greeting::null().encode()).is_ok() {
        handshake.transmit(&mut out);
    }
    Command::Subscribe(b"abc").encode(&mut out);
    out
}
