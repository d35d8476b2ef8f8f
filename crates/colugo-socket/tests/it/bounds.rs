//! What is refused, and how it is said.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use colugo_socket::{
    BindError, BuildError, ConnectError, HandshakeFault, PullSocket, PushSocket, SendError,
    SocketEvent, SubSocket,
};

use crate::PATIENCE;

#[test]
fn errors_say_what_happened() {
    let first = PullSocket::new().unwrap();
    let endpoint = first.bind("tcp://127.0.0.1:0").unwrap();
    let second = PullSocket::new().unwrap();
    assert!(matches!(second.bind(&endpoint), Err(BindError::InUse(_))));
    assert!(matches!(
        second.bind("tcp://192.0.2.1:0"),
        Err(BindError::NoInterface(_))
    ));
    assert!(matches!(
        second.bind("127.0.0.1:0"),
        Err(BindError::Endpoint(_))
    ));
    assert!(matches!(
        second.connect("tcp://127.0.0.1:0"),
        Err(ConnectError::PortZero(_))
    ));
    assert!(matches!(
        PushSocket::builder().identity(vec![1; 256]).build(),
        Err(BuildError::IdentityTooLong(256))
    ));
    assert!(matches!(
        PushSocket::builder().property("X Y", "").build(),
        Err(BuildError::Property(_))
    ));
    assert!(matches!(
        PushSocket::builder().send_queue(0, 1).build(),
        Err(BuildError::EmptyQueue)
    ));
    let small = PushSocket::builder().max_message(10).build().unwrap();
    assert_eq!(
        small.send("more than ten octets"),
        Err(SendError::TooLarge {
            octets: 20,
            limit: 10
        })
    );
    assert_eq!(
        small.try_send("ten octets"),
        Err(SendError::Full),
        "nobody is connected"
    );
}

#[test]
fn a_message_over_the_limit_ends_the_connection_before_it_is_read() {
    let (tell, told) = mpsc::channel();
    let pull = PullSocket::builder()
        .max_message(1000)
        .on_event(move |event| {
            if let SocketEvent::Disconnected(_, why) = event {
                let _ = tell.send(why.to_string());
            }
        })
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let push = PushSocket::new().unwrap();
    push.connect(&endpoint).unwrap();
    push.send(&[0; 1001]).unwrap();
    let why = told.recv_timeout(PATIENCE).unwrap();
    assert!(why.contains("1001") && why.contains("1000"), "{why}");
    assert_eq!(pull.stats().protocol_errors, 1);
}

#[test]
fn garbage_and_silence_are_refused_and_the_socket_goes_on() {
    let (tell, told) = mpsc::channel();
    let pull = PullSocket::builder()
        .handshake_timeout(Duration::from_millis(200))
        .on_event(move |event| {
            if let SocketEvent::HandshakeFailed(_, fault) = event {
                let _ = tell.send(fault.clone());
            }
        })
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let address = ("127.0.0.1", endpoint.port().unwrap());
    let mut http = TcpStream::connect(address).unwrap();
    http.write_all(b"GET / HTTP/1.1\r\nHost: robot\r\n\r\n")
        .unwrap();
    assert!(matches!(
        told.recv_timeout(PATIENCE).unwrap(),
        HandshakeFault::Peer(_)
    ));
    let mut mute = TcpStream::connect(address).unwrap();
    assert_eq!(
        told.recv_timeout(PATIENCE).unwrap(),
        HandshakeFault::TimedOut
    );
    let mut rest = Vec::new();
    mute.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.first(), Some(&0xff), "we greet without being asked");
    let subscriber = SubSocket::new().unwrap();
    subscriber.connect(&endpoint).unwrap();
    assert!(
        matches!(
            told.recv_timeout(PATIENCE).unwrap(),
            HandshakeFault::Peer(_)
        ),
        "SUB cannot talk to PULL"
    );
    drop(subscriber);
    let push = PushSocket::new().unwrap();
    push.connect(&endpoint).unwrap();
    push.send("still here").unwrap();
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "still here");
}

#[test]
fn connections_over_the_limit_are_closed_at_once() {
    let pull = PullSocket::builder().max_connections(1).build().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let push = PushSocket::new().unwrap();
    push.connect(&endpoint).unwrap();
    assert!(pull.wait_for_peers(1, PATIENCE));
    let mut second = TcpStream::connect(("127.0.0.1", endpoint.port().unwrap())).unwrap();
    let mut rest = Vec::new();
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = second.read_to_end(&mut rest);
    assert!(rest.is_empty());
}
