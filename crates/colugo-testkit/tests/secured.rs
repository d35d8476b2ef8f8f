//! Sockets with a mechanism that asks, proves and seals: what PLAIN and CURVE need of their place. The mechanism is the toy of colugo-zmtp's tests.

#[path = "../../colugo-zmtp/tests/mechanisms/toy.rs"]
#[allow(dead_code, reason = "its own tests use more of it")]
mod toy;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use colugo_socket::{
    DealerSocket, Decision, HandshakeError, HandshakeFault, Mechanism, PubSocket, Question,
    RepSocket, ReqSocket, RouterSocket, Security, SocketEvent, SubSocket,
};

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: u64 = 42;

/// The server's side: asks about names, and tells of them.
#[derive(Debug)]
struct Server {
    challenges: AtomicU64,
    asked: Sender<(String, Option<SocketAddr>)>,
}

impl Security for Server {
    fn mechanism(&self) -> Box<dyn Mechanism> {
        let challenge = self.challenges.fetch_add(1, Ordering::Relaxed);
        Box::new(toy::Server::new(SECRET, challenge))
    }

    fn decide(&self, question: &Question, from: Option<SocketAddr>) -> Decision {
        let name = String::from_utf8_lossy(&question.credentials[0]).into_owned();
        let decision = if name == "mallory" {
            Decision::Deny
        } else {
            Decision::Allow
        };
        let _ = self.asked.send((name, from));
        decision
    }
}

#[derive(Debug)]
struct Client(&'static str, u64);

impl Security for Client {
    fn mechanism(&self) -> Box<dyn Mechanism> {
        Box::new(toy::Client::new(self.0, self.1))
    }
}

fn server() -> Server {
    Server {
        challenges: AtomicU64::new(7),
        asked: channel().0,
    }
}

#[test]
fn messages_of_any_size_pass_a_sealed_connection() {
    let publisher = PubSocket::builder().security(server()).build().unwrap();
    let at = publisher.bind("tcp://127.0.0.1:0").unwrap();
    let subscriber = SubSocket::builder()
        .security(Client("alice", SECRET))
        .build()
        .unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect(at).unwrap();
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    for len in [0_usize, 1, 254, 255, 256, 65_535, 300_000, 3_000_000] {
        let message: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        publisher.send(&message[..]).unwrap();
        let got = subscriber.recv_timeout(PATIENCE).unwrap();
        assert!(got.payload() == &message[..], "{len}");
    }
    for n in 0..900 {
        publisher.send(format!("{n}").as_str()).unwrap();
    }
    for n in 0..900 {
        let got = subscriber.recv_timeout(PATIENCE).unwrap();
        assert_eq!(got.payload(), format!("{n}").as_str());
    }
    // What is queued is sent before the end.
    for n in 0..900 {
        publisher.send(format!("last {n}").as_str()).unwrap();
    }
    assert!(publisher.close());
    for n in 0..900 {
        let got = subscriber.recv_timeout(PATIENCE).unwrap();
        assert_eq!(got.payload(), format!("last {n}").as_str());
    }
}

#[test]
fn the_server_may_be_the_one_that_dials_and_routers_take_part() {
    let router = RouterSocket::builder()
        .security(Client("bob", SECRET))
        .build()
        .unwrap();
    let at = router.bind("tcp://127.0.0.1:0").unwrap();
    let dealer = DealerSocket::builder().security(server()).build().unwrap();
    dealer.connect(at).unwrap();
    dealer.send("hello").unwrap();
    let asked = router.recv_timeout(PATIENCE).unwrap();
    router.send_to(asked.link(), "world").unwrap();
    assert_eq!(dealer.recv_timeout(PATIENCE).unwrap().payload(), "world");
}

#[test]
fn who_is_asked_about_shows_a_name_and_where_from() {
    let (tell, told) = channel();
    let asked = Server {
        challenges: AtomicU64::new(1),
        asked: tell,
    };
    let (fail, failed) = channel();
    let rep = RepSocket::builder()
        .security(asked)
        .on_event(move |event: &SocketEvent| {
            if let SocketEvent::HandshakeFailed(_, fault) = event {
                let _ = fail.send(fault.clone());
            }
        })
        .build()
        .unwrap();
    let at = rep.bind("tcp://127.0.0.1:0").unwrap();
    let mallory = ReqSocket::builder()
        .security(Client("mallory", SECRET))
        .build()
        .unwrap();
    mallory.connect(&at).unwrap();
    let (name, from) = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(name, "mallory");
    assert!(from.is_some_and(|from| from.ip().is_loopback()));
    let denied = HandshakeFault::Peer(HandshakeError::Denied { again: false });
    assert_eq!(failed.recv_timeout(PATIENCE).unwrap(), denied);
    drop(mallory);
    assert!(rep.peers().is_empty());
}

/// Another secret, another mechanism, none at all: nobody gets in, and nobody is harmed.
#[test]
fn who_proves_nothing_does_not_get_in() {
    let (fail, failed) = channel();
    let publisher = PubSocket::builder()
        .security(server())
        .on_event(move |event: &SocketEvent| {
            if matches!(event, SocketEvent::HandshakeFailed(..)) {
                let _ = fail.send(());
            }
        })
        .build()
        .unwrap();
    let at = publisher.bind("tcp://127.0.0.1:0").unwrap();
    let wrong = SubSocket::builder().security(Client("alice", SECRET + 1));
    let open = SubSocket::builder();
    for builder in [wrong, open] {
        let outsider = builder.build().unwrap();
        outsider.subscribe("").unwrap();
        outsider.connect(&at).unwrap();
        failed.recv_timeout(PATIENCE).unwrap();
        assert!(publisher.peers().is_empty());
    }
    let alice = SubSocket::builder()
        .security(Client("alice", SECRET))
        .build()
        .unwrap();
    alice.subscribe("").unwrap();
    alice.connect(&at).unwrap();
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
}
