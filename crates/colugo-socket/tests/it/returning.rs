//! Who is at the other end when a link is up again: the publisher that was there, another, or something that is not expected at all.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use colugo_socket::{HandshakeFault, PubSocket, SocketEvent, SubSocket};
use colugo_testkit::wait_until;

use crate::PATIENCE;

fn publisher(run: u8, topic: &'static str) -> PubSocket {
    let builder = PubSocket::builder()
        .property("X-Colugo", "1")
        .property("X-Colugo-Topic", topic)
        .property("X-Colugo-Run", vec![run; 16]);
    builder.stamped(true).build().unwrap()
}

/// A subscriber of the topic `t`, and what goes wrong with its peers.
fn subscriber() -> (SubSocket, Receiver<HandshakeFault>) {
    let (tell, told) = channel();
    let subscriber = SubSocket::builder()
        .property("X-Colugo", "1")
        .expect_property("X-Colugo-Topic", "t")
        .reconnect(Duration::from_millis(5), Duration::from_millis(50))
        .on_event(move |event| {
            if let SocketEvent::HandshakeFailed(_, fault) = event {
                let _ = tell.send(fault.clone());
            }
        })
        .build()
        .unwrap();
    subscriber.subscribe("").unwrap();
    (subscriber, told)
}

fn hears(subscriber: &SubSocket, publisher: &PubSocket, payload: &'static str) {
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    publisher.send(payload).unwrap();
    assert_eq!(
        subscriber.recv_timeout(PATIENCE).unwrap().payload(),
        payload
    );
}

/// Lets one connection through to that port. Shut down at both ends, it is cut while the publisher stays.
fn let_through(listener: &TcpListener, to: u16) -> [TcpStream; 2] {
    let (near, _) = listener.accept().unwrap();
    let far = TcpStream::connect(("127.0.0.1", to)).unwrap();
    for (from, to) in [(&near, &far), (&far, &near)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    }
    [near, far]
}

#[test]
fn what_a_publisher_sent_while_its_connection_was_down_is_counted_when_it_is_back() {
    let publisher = publisher(1, "t");
    let real = publisher.bind("tcp://127.0.0.1:0").unwrap();
    let relay = TcpListener::bind("127.0.0.1:0").unwrap();
    let (subscriber, _) = subscriber();
    subscriber
        .connect(format!("tcp://{}", relay.local_addr().unwrap()))
        .unwrap();
    let connection = let_through(&relay, real.port().unwrap());
    hears(&subscriber, &publisher, "before");
    for end in connection {
        end.shutdown(Shutdown::Both).unwrap();
    }
    wait_until("the publisher to know", || {
        publisher.peers().is_empty().then_some(())
    });
    for _ in 0..5 {
        assert_eq!(publisher.send("meanwhile").unwrap().queued, 0);
    }
    let _connection = let_through(&relay, real.port().unwrap());
    hears(&subscriber, &publisher, "after");
    let stats = subscriber.stats();
    assert_eq!((stats.lost_disconnected, stats.received), (5, 2));
    assert_eq!((stats.lost, stats.lost_unexplained), (0, 0));
}

#[test]
fn a_publisher_that_was_not_there_before_owes_nothing() {
    let (subscriber, _) = subscriber();
    let first = publisher(1, "t");
    let endpoint = first.bind("tcp://127.0.0.1:0").unwrap();
    subscriber.connect(&endpoint).unwrap();
    hears(&subscriber, &first, "before");
    drop(first);
    let second = publisher(2, "t");
    for _ in 0..5 {
        second.send("to nobody").unwrap();
    }
    wait_until("the port to be free", || second.bind(&endpoint).ok());
    hears(&subscriber, &second, "after");
    assert_eq!(subscriber.stats().lost_disconnected, 0);
}

#[test]
fn a_publisher_of_another_topic_is_refused_and_the_right_one_found_again() {
    let (subscriber, refused) = subscriber();
    let right = publisher(1, "t");
    let endpoint = right.bind("tcp://127.0.0.1:0").unwrap();
    subscriber.connect(&endpoint).unwrap();
    hears(&subscriber, &right, "before");
    drop(right);
    let wrong = publisher(2, "other");
    wait_until("the port to be free", || wrong.bind(&endpoint).ok());
    let reason = refused.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        reason.to_string(),
        "the peer's X-Colugo-Topic is \"other\", not \"t\""
    );
    assert_eq!(wrong.send("for others").unwrap().queued, 0);
    // It is dialled again, and again.
    refused.recv_timeout(PATIENCE).unwrap();
    drop(wrong);
    let right = publisher(3, "t");
    wait_until("the port to be free", || right.bind(&endpoint).ok());
    hears(&subscriber, &right, "after");
}

#[test]
fn a_peer_that_announces_no_topic_is_welcome_where_one_is_expected() {
    let (subscriber, _) = subscriber();
    let plain = PubSocket::new().unwrap();
    let endpoint = plain.bind("tcp://127.0.0.1:0").unwrap();
    subscriber.connect(&endpoint).unwrap();
    hears(&subscriber, &plain, "welcome");
}
