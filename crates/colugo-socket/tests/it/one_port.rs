//! Several sockets behind one port, and two ways to one peer.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::channel;
use std::time::Duration;

use colugo_socket::{DealerSocket, PubSocket, RouterSocket, SocketEvent, SubSocket};

const SOON: Duration = Duration::from_secs(10);

/// The greeting of ZMTP 3.1 with NULL.
fn greeting() -> Vec<u8> {
    let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
    greeting.resize(64, 0);
    greeting
}

/// Wherever who shares the port stops to read, the socket goes on.
#[test]
fn a_connection_is_adopted_after_any_octet() {
    let publisher = PubSocket::new().unwrap();
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    for heard in [0, 1, 10, 11, 63, 64, 65, 66, 70, 80] {
        let subscriber = SubSocket::new().unwrap();
        subscriber.subscribe("").unwrap();
        subscriber.connect(door.local_addr().unwrap()).unwrap();
        let (mut stream, _) = door.accept().unwrap();
        // READY, from octet 64 on, comes only after a greeting.
        let sent = if heard > 64 { 64 } else { heard % 2 * 64 };
        stream.write_all(&greeting()[..sent]).unwrap();
        let mut said = vec![0; heard];
        stream.read_exact(&mut said).unwrap();
        publisher.adopt(stream, sent, &said).unwrap();
        assert!(publisher.wait_for_subscribers(1, SOON), "{heard}");
        publisher.send("hello").unwrap();
        assert_eq!(subscriber.recv_timeout(SOON).unwrap().payload(), "hello");
        let peer = subscriber.peers().remove(0);
        assert_eq!(peer.dialled().and_then(|it| it.socket_addr()), peer.addr());
        drop(subscriber);
        while publisher.subscriber_count() > 0 {
            publisher.send("away").unwrap();
            std::thread::yield_now();
        }
    }
}

/// A ROUTER lets its peer introduce itself first.
#[test]
fn a_router_adopts_too() {
    let router = RouterSocket::new().unwrap();
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let dealer = DealerSocket::builder().identity("d").build().unwrap();
    dealer.connect(door.local_addr().unwrap()).unwrap();
    let (mut stream, _) = door.accept().unwrap();
    stream.write_all(&greeting()).unwrap();
    let mut said = vec![0; 64 + 2];
    stream.read_exact(&mut said).unwrap();
    router.adopt(stream, 64, &said).unwrap();
    dealer.send("ask").unwrap();
    let asked = router.recv_timeout(SOON).unwrap();
    assert_eq!(asked.frames(), ["d", "ask"]);
    router.send_to(asked.link(), "answer").unwrap();
    assert_eq!(dealer.recv_timeout(SOON).unwrap().payload(), "answer");
}

#[test]
fn what_does_not_speak_zmtp_is_told_of_an_adopted_connection_as_of_others() {
    let (tell, told) = channel();
    let publisher = PubSocket::builder()
        .on_event(move |event: &SocketEvent| {
            if matches!(event, SocketEvent::HandshakeFailed(..)) {
                let _ = tell.send(());
            }
        })
        .build()
        .unwrap();
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let _caller = std::net::TcpStream::connect(door.local_addr().unwrap()).unwrap();
    let (stream, _) = door.accept().unwrap();
    publisher
        .adopt(stream, 64, b"GET / HTTP/1.1\r\n\r\n")
        .unwrap();
    told.recv_timeout(SOON).unwrap();
    assert_eq!(publisher.stats().handshakes_failed, 1);
}

#[test]
fn a_closed_socket_adopts_nothing() {
    let publisher = PubSocket::new().unwrap();
    publisher.shut(Duration::ZERO, SOON);
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let _caller = std::net::TcpStream::connect(door.local_addr().unwrap()).unwrap();
    let (stream, _) = door.accept().unwrap();
    let refused = publisher.adopt(stream, 0, b"").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotConnected);
}

#[test]
fn the_other_way_is_not_taken_where_the_first_one_answers() {
    let [first, second] = [PubSocket::new().unwrap(), PubSocket::new().unwrap()];
    let at = |socket: &PubSocket| socket.bind("tcp://127.0.0.1:0").unwrap();
    let (reached, other) = (at(&first), at(&second));
    let subscriber = SubSocket::new().unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect_or(&reached, &other).unwrap();
    assert!(first.wait_for_subscribers(1, SOON));
    assert_eq!(second.peers().len(), 0);
    // Gone there, it is found by the other way, and is still who was dialled.
    drop(first);
    assert!(second.wait_for_subscribers(1, SOON));
    second.send("hello").unwrap();
    assert_eq!(subscriber.recv_timeout(SOON).unwrap().payload(), "hello");
    let peer = subscriber.peers().remove(0);
    assert_eq!(peer.dialled(), Some(&reached));
    assert_eq!(peer.addr(), other.socket_addr());
    assert!(subscriber.disconnect(&reached));
}

#[test]
fn where_neither_way_works_the_failure_is_of_the_first() {
    // Nobody may listen there but the system.
    let [endpoint, other] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let (tell, told) = channel();
    let subscriber = SubSocket::builder()
        .on_event(move |event: &SocketEvent| {
            if let SocketEvent::DialFailed(endpoint, why) = event {
                let _ = tell.send((endpoint.socket_addr(), *why));
            }
        })
        .build()
        .unwrap();
    subscriber.connect_or(endpoint, other).unwrap();
    for _ in 0..3 {
        let failed = told.recv_timeout(SOON).unwrap();
        assert_eq!(failed, (Some(endpoint), ErrorKind::ConnectionRefused));
    }
    assert!(
        subscriber
            .connect_or(endpoint, "tcp://127.0.0.1:0")
            .is_err()
    );
}
