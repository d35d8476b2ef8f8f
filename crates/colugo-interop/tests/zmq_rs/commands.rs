//! zmq.rs knows READY alone: any other command is the end of a connection for it. So it is sent none.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use colugo_socket::{PubSocket, SocketEvent, SubSocket};
use colugo_testkit::wire::{command, frame, greeting, ready};
use zeromq::{Socket as _, SocketRecv};

use crate::{A_MOMENT, PATIENCE, WAYS, join, next, of, send, with_zmq_rs};

/// What we are careful about: a bare peer sends a good message, a command, and another message, which is not delivered any more.
#[test]
fn zmq_rs_dies_of_an_unknown_command() {
    for unknown in [
        command("PING", b"\0\0"),
        command("STAMP", &[0; 17]),
        command("SUBSCRIBE", b""),
    ] {
        with_zmq_rs(async {
            let mut pull = zeromq::PullSocket::new();
            let endpoint = pull.bind("tcp://127.0.0.1:0").await.unwrap().to_string();
            let port = endpoint
                .rsplit(':')
                .next()
                .and_then(|it| it.parse().ok())
                .unwrap();
            let peer = tokio::task::spawn_blocking(move || dies(port, &unknown));
            assert_eq!(next(&mut pull).await, ["before"]);
            // It reads when its program receives.
            while !peer.is_finished() {
                let after = tokio::time::timeout(A_MOMENT, pull.recv()).await;
                assert!(!matches!(after, Ok(Ok(_))), "{after:?}");
            }
            peer.await.unwrap();
        });
    }
}

/// Sends `unknown` between two messages and waits for the end of the connection.
fn dies(port: u16, unknown: &[u8]) {
    let mut peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.write_all(&[greeting(0), ready("PUSH")].concat())
        .unwrap();
    let mut said = vec![0; 64 + 2];
    peer.read_exact(&mut said).unwrap();
    let mut rest = vec![0; usize::from(said[65])];
    peer.read_exact(&mut rest).unwrap();
    peer.write_all(&[frame(0, b"before"), unknown.to_vec(), frame(0, b"after")].concat())
        .unwrap();
    let end = peer.read(&mut [0; 1]);
    assert!(
        matches!(end, Ok(0)) || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    );
}

/// With everything on by which we send commands of our own: stamps, properties, heartbeats.
#[test]
fn zmq_rs_is_sent_no_command_and_lives() {
    with_zmq_rs(async {
        for way in WAYS {
            let publisher: PubSocket = colugo_socket::Socket::builder()
                .property("X-Colugo", "1")
                .property("X-Colugo-Topic", "pose")
                .stamped(true)
                .on_event(ends)
                .build()
                .unwrap();
            let mut subscriber = zeromq::SubSocket::new();
            subscriber.subscribe("").await.unwrap();
            join(way, &publisher, &mut subscriber).await;
            assert!(publisher.wait_for_subscribers(1, PATIENCE), "{way:?}");
            for i in 0..200u32 {
                publisher.send(&i.to_be_bytes()).unwrap();
                assert_eq!(next(&mut subscriber).await[0][..], i.to_be_bytes());
            }

            let subscriber: SubSocket = colugo_socket::Socket::builder()
                .property("X-Colugo", "1")
                .on_event(ends)
                .build()
                .unwrap();
            subscriber.subscribe("pose").unwrap();
            let mut publisher = zeromq::PubSocket::new();
            join(way, &subscriber, &mut publisher).await;
            while subscriber.recv_timeout(A_MOMENT).is_err() {
                send(&mut publisher, of(&[b"pose"])).await;
            }
            subscriber.subscribe("more").unwrap();
            subscriber.unsubscribe("pose");
            loop {
                send(&mut publisher, of(&[b"more"])).await;
                if subscriber
                    .recv_timeout(A_MOMENT)
                    .is_ok_and(|message| message.payload() == "more")
                {
                    break;
                }
            }
        }
    });
}

fn ends(event: &SocketEvent) {
    let ended =
        matches!(event, SocketEvent::Disconnected(_, why) if why.to_string().contains("peer"));
    assert!(!ended, "{event:?}");
}
