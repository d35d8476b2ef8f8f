//! Lanes of a trunk behave as connections of their own, and there is one connection.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use colugo_socket::{
    DealerSocket, Lane, Overflow, PubSocket, RouterSocket, SocketEvent, SubSocket, Trunk,
};

use crate::PATIENCE;

type Takes = Box<dyn Fn(Lane) -> bool + Send>;

/// A port at which trunks are taken, and what lanes may be asked for there.
struct Door {
    at: SocketAddr,
    takes: Arc<Mutex<HashMap<String, Takes>>>,
    accepted: Arc<AtomicUsize>,
    /// The connections, and what was accepted of them.
    trunks: Arc<Mutex<Vec<(TcpStream, Trunk)>>>,
}

impl Door {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = Self {
            at: listener.local_addr().unwrap(),
            takes: Arc::default(),
            accepted: Arc::default(),
            trunks: Arc::default(),
        };
        let (takes, trunks) = (door.takes.clone(), Arc::downgrade(&door.trunks));
        let accepted = door.accepted.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), Some(trunks)) = (stream, trunks.upgrade()) else {
                    return;
                };
                accepted.fetch_add(1, Ordering::SeqCst);
                let takes = takes.clone();
                let on_lane = move |address: &[u8], lane| {
                    let takes = takes.lock().unwrap();
                    let address = std::str::from_utf8(address).unwrap_or_default();
                    takes.get(address).is_some_and(|takes| takes(lane))
                };
                let copy = stream.try_clone().unwrap();
                // Messages may come by it before it is in the list: who looks then waits.
                let mut trunks = trunks.lock().unwrap();
                // A socket may be gone already.
                if let Ok(trunk) = Trunk::adopt(stream, 0, b"", on_lane) {
                    trunks.push((copy, trunk));
                }
            }
        });
        door
    }

    fn publisher(&self, name: &str) -> Arc<PubSocket> {
        self.publishes(name, PubSocket::new().unwrap())
    }

    fn publishes(&self, name: &str, publisher: PubSocket) -> Arc<PubSocket> {
        let publisher = Arc::new(publisher);
        let weak = Arc::downgrade(&publisher);
        let takes = move |lane| weak.upgrade().is_some_and(|it| it.take_lane(lane).is_ok());
        let mut all = self.takes.lock().unwrap();
        all.insert(name.to_owned(), Box::new(takes));
        publisher
    }

    fn subscriber(&self, name: &str) -> SubSocket {
        self.subscribes(name, SubSocket::new().unwrap())
    }

    fn subscribes(&self, name: &str, subscriber: SubSocket) -> SubSocket {
        subscriber.subscribe("").unwrap();
        // Nobody listens there.
        let nowhere = "tcp://127.0.0.1:1";
        let shares = subscriber.connect_sharing(nowhere, self.at, name.to_owned());
        shares.unwrap();
        subscriber
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.trunks.lock().unwrap().clear();
        // Wakes the thread, which then ends.
        let trunks = std::mem::take(&mut self.trunks);
        drop(trunks);
        let _ = TcpStream::connect(self.at);
    }
}

#[test]
fn a_hundred_topics_share_one_connection_and_each_has_its_own_messages() {
    let door = Door::new();
    let names: Vec<_> = (0..100).map(|n| format!("topic-{n}")).collect();
    let publishers: Vec<_> = names.iter().map(|name| door.publisher(name)).collect();
    let subscribers: Vec<_> = names.iter().map(|name| door.subscriber(name)).collect();
    for publisher in &publishers {
        assert!(publisher.wait_for_subscribers(1, PATIENCE));
    }
    for n in 0..100 {
        for (publisher, name) in publishers.iter().zip(&names) {
            publisher.send(format!("{name} {n}").as_str()).unwrap();
        }
    }
    for (subscriber, name) in subscribers.iter().zip(&names) {
        for n in 0..100 {
            let message = subscriber.recv_timeout(PATIENCE).unwrap();
            assert_eq!(message.payload(), format!("{name} {n}").as_str());
        }
    }
    assert_eq!(door.accepted.load(Ordering::SeqCst), 1);
    let peer = subscribers[0].peers().remove(0);
    assert_eq!(peer.addr(), Some(door.at));
}

#[test]
fn requests_go_by_lanes_too() {
    let door = Door::new();
    let router = Arc::new(RouterSocket::new().unwrap());
    let takes = router.clone();
    let mut all = door.takes.lock().unwrap();
    all.insert(
        "service".into(),
        Box::new(move |lane| takes.take_lane(lane).is_ok()),
    );
    drop(all);
    let dealer = DealerSocket::new().unwrap();
    let nowhere = "tcp://127.0.0.1:1";
    dealer.connect_sharing(nowhere, door.at, "service").unwrap();
    for n in 0..1000 {
        dealer.send(n.to_string().as_str()).unwrap();
        let asked = router.recv_timeout(PATIENCE).unwrap();
        let question = &asked.frames()[1];
        assert_eq!(question, n.to_string().as_str());
        router.send_to(asked.link(), &question[..]).unwrap();
        assert_eq!(
            dealer.recv_timeout(PATIENCE).unwrap().payload(),
            n.to_string().as_str()
        );
    }
    door.takes.lock().unwrap().clear();
}

#[test]
fn messages_larger_than_the_window_come_whole_and_in_order() {
    let door = Door::new();
    let publisher = door.publisher("large");
    let subscriber = door.subscriber("large");
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    for (n, len) in [(1, 16 << 20), (2, 1), (3, 3_000_001)] {
        let message: Vec<u8> = (0..len).map(|at: u32| (at / 251 + n) as u8).collect();
        publisher.send(&message[..]).unwrap();
        let got = subscriber.recv_timeout(PATIENCE).unwrap();
        assert!(got.payload() == &message[..], "{n}");
    }
}

/// What a lane's reader leaves is bounded, and holds up that lane alone.
#[test]
fn a_subscriber_that_does_not_read_holds_up_no_other() {
    let door = Door::new();
    let [stuck, fast] = ["stuck", "fast"].map(|name| door.publisher(name));
    let lazy = SubSocket::builder().receive_queue(1, 1 << 20).build();
    let lazy = door.subscribes("stuck", lazy.unwrap());
    let keen = door.subscriber("fast");
    for publisher in [&stuck, &fast] {
        assert!(publisher.wait_for_subscribers(1, PATIENCE));
    }
    let large = vec![7; 100_000];
    let began = Instant::now();
    while stuck.send(&large[..]).unwrap().dropped == 0 {
        assert!(began.elapsed() < PATIENCE, "its queue never fills");
    }
    for n in 0..10_000 {
        fast.send(n.to_string().as_str()).unwrap();
        let message = keen.recv_timeout(PATIENCE).unwrap();
        assert_eq!(message.payload(), n.to_string().as_str());
    }
    let sent = stuck.stats().sent;
    for _ in 0..sent {
        let message = lazy.recv_timeout(PATIENCE).unwrap();
        assert!(message.payload() == &large[..]);
    }
}

#[test]
fn who_takes_no_trunks_is_dialled_and_not_asked_again_at_once() {
    let publisher = PubSocket::new().unwrap();
    let reached = publisher.bind("tcp://127.0.0.1:0").unwrap();
    // It speaks ZMTP, and knows nothing of trunks.
    let (tell, told) = channel();
    let router = RouterSocket::builder()
        .on_event(move |event: &SocketEvent| {
            if matches!(event, SocketEvent::Connected(_)) {
                let _ = tell.send(());
            }
        })
        .build()
        .unwrap();
    let other = router.bind("tcp://127.0.0.1:0").unwrap();
    for n in 1..=2 {
        let subscriber = SubSocket::new().unwrap();
        subscriber.subscribe("").unwrap();
        let shares = subscriber.connect_sharing(&reached, &other, "poses");
        shares.unwrap();
        assert!(publisher.wait_for_subscribers(n, PATIENCE));
        std::mem::forget(subscriber);
    }
    assert_eq!(told.try_iter().count(), 1);
}

#[test]
fn what_is_not_there_is_refused_and_found_where_it_listens() {
    let door = Door::new();
    let _other = door.publisher("other");
    let publisher = PubSocket::new().unwrap();
    let reached = publisher.bind("tcp://127.0.0.1:0").unwrap();
    let subscriber = SubSocket::new().unwrap();
    subscriber.subscribe("").unwrap();
    let shares = subscriber.connect_sharing(&reached, door.at, "poses");
    shares.unwrap();
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    assert_eq!(subscriber.peers()[0].addr(), reached.socket_addr());
}

#[test]
fn a_trunk_that_breaks_is_dialled_again_and_ends_when_nobody_needs_it() {
    let door = Door::new();
    let names = ["a", "b", "c"];
    let publishers = names.map(|name| door.publisher(name));
    let subscribers = names.map(|name| door.subscriber(name));
    for round in 0..3 {
        for (publisher, subscriber) in publishers.iter().zip(&subscribers) {
            assert!(publisher.wait_for_subscribers(1, PATIENCE));
            // Until this round's has come, which only the new connection can bring: who is lost is told of a moment later.
            let said = format!("round {round}");
            let came = || subscriber.recv_timeout(Duration::from_millis(1));
            while !came().is_ok_and(|message| message.payload() == said.as_str()) {
                publisher.send(said.as_str()).unwrap();
            }
        }
        if round < 2 {
            let broken = door.trunks.lock().unwrap().pop().unwrap();
            broken.0.shutdown(Shutdown::Both).unwrap();
        }
    }
    assert!(door.accepted.load(Ordering::SeqCst) >= 3);
    drop(subscribers);
    let began = Instant::now();
    while !door
        .trunks
        .lock()
        .unwrap()
        .iter()
        .all(|(_, it)| it.is_over())
    {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What `close` says was sent has come: also when the process ends with it, which the next test's runtime stands for.
#[test]
fn what_was_sent_before_the_close_arrives() {
    for _ in 0..20 {
        let door = Door::new();
        let queue = PubSocket::builder().overflow(Overflow::Block(PATIENCE));
        let publisher = door.publishes("t", queue.build().unwrap());
        let subscriber = door.subscriber("t");
        assert!(publisher.wait_for_subscribers(1, PATIENCE));
        let sender = std::thread::spawn(move || {
            for n in 0..3000 {
                publisher.send(n.to_string().as_str()).unwrap();
            }
            let publisher = Arc::into_inner(publisher);
            // The door holds it for a moment while it takes a lane.
            assert!(publisher.is_none_or(PubSocket::close));
        });
        for n in 0..3000 {
            let message = subscriber.recv_timeout(PATIENCE).unwrap();
            assert_eq!(message.payload(), n.to_string().as_str());
        }
        sender.join().unwrap();
    }
}

/// READY of who dials a trunk, with its greeting.
fn introduction() -> Vec<u8> {
    let mut said = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
    said.resize(64, 0);
    let mut ready = b"\x05READY".to_vec();
    for (name, value) in [("Socket-Type", "DEALER"), ("X-Colugo-Lanes", "1")] {
        ready.push(name.len() as u8);
        ready.extend_from_slice(name.as_bytes());
        ready.extend_from_slice(&(value.len() as u32).to_be_bytes());
        ready.extend_from_slice(value.as_bytes());
    }
    said.extend_from_slice(&[4, ready.len() as u8]);
    said.extend_from_slice(&ready);
    said
}

fn frame(kind: u8, lane: u32, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![2];
    frame.extend_from_slice(&(data.len() as u64 + 5).to_be_bytes());
    frame.push(kind);
    frame.extend_from_slice(&lane.to_be_bytes());
    frame.extend_from_slice(data);
    frame
}

const OPEN: u8 = 1;
const ACCEPT: u8 = 2;
const DATA: u8 = 3;
const CREDIT: u8 = 4;
const END: u8 = 5;

/// Who breaks the rules is hung up on, and nobody else is harmed.
#[test]
fn who_breaks_the_rules_of_a_trunk_is_hung_up_on() {
    let door = Door::new();
    let publisher = door.publisher("t");
    let subscriber = door.subscriber("t");
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    let open = frame(OPEN, 1, b"t");
    let with = |wrong: Vec<u8>| [&open[..], &wrong].concat();
    for (what, said) in [
        ("octets of no lane", frame(DATA, 7, b"x")),
        ("the end of no lane", frame(END, 7, b"")),
        ("acceptance of what nobody asked for", frame(ACCEPT, 1, b"")),
        ("the same lane twice", with(open.clone())),
        (
            "a frame over the limit",
            with(frame(DATA, 1, &[0; (64 << 10) + 1])),
        ),
        ("a claim of 2^62 octets", b"\x02\x40\0\0\0\0\0\0\0".to_vec()),
        (
            "more credit than there is room",
            with(frame(CREDIT, 1, &[0xff; 4])),
        ),
        (
            "octets after the end",
            with([frame(END, 1, b""), frame(DATA, 1, b"x")].concat()),
        ),
        (
            "two ends",
            with([frame(END, 1, b""), frame(END, 1, b"")].concat()),
        ),
        ("an address too long", frame(OPEN, 1, &[b't'; 513])),
        ("no kind", b"\0\0".to_vec()),
        ("no lane", b"\0\x03\x03\0\0".to_vec()),
    ] {
        let mut bad = TcpStream::connect(door.at).unwrap();
        bad.set_read_timeout(Some(PATIENCE)).unwrap();
        bad.write_all(&introduction()).unwrap();
        // It may be hung up on before all was written.
        let _ = bad.write_all(&said);
        let mut rest = Vec::new();
        match bad.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{what}"),
        }
    }
    publisher.send("still here").unwrap();
    let message = subscriber.recv_timeout(PATIENCE).unwrap();
    assert_eq!(message.payload(), "still here");
    assert_eq!(publisher.stats().handler_panics, 0);
}

/// A later version may say more.
#[test]
fn unknown_kinds_commands_and_long_messages_are_ignored() {
    let door = Door::new();
    let publisher = door.publisher("t");
    let mut later = TcpStream::connect(door.at).unwrap();
    later.set_read_timeout(Some(PATIENCE)).unwrap();
    later.write_all(&introduction()).unwrap();
    later.write_all(&frame(99, 1, b"news")).unwrap();
    later.write_all(b"\x04\x05\x04NEWS").unwrap();
    later.write_all(b"\x01\x01a\0\x01b").unwrap();
    later.write_all(&frame(OPEN, 5, b"none")).unwrap();
    later.write_all(&frame(OPEN, 6, b"t")).unwrap();
    let mut said = vec![0; 64];
    later.read_exact(&mut said).unwrap();
    // READY, the refusal, the acceptance.
    let mut head = [0; 2];
    later.read_exact(&mut head).unwrap();
    let mut ready = vec![0; head[1].into()];
    later.read_exact(&mut ready).unwrap();
    let mut answers = [0; 14];
    later.read_exact(&mut answers).unwrap();
    assert_eq!(answers, *b"\0\x05\x05\0\0\0\x05\0\x05\x02\0\0\0\x06");
    drop(publisher);
}
