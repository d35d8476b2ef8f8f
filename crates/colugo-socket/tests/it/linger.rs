//! What becomes of queues when a socket is closed.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::{PATIENCE, Transport};
use colugo_socket::kind::{Dealer, Kind, Push};
use colugo_socket::{
    Builder, DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RouterSocket, Socket,
    SocketEvent, SubSocket,
};

over_every_transport! {
    close_waits_until_a_slow_reader_has_been_sent_everything
    what_is_queued_reaches_peers_that_come_within_the_linger_time
    what_was_not_sent_within_the_linger_time_is_counted
    a_linger_time_of_zero_drops_the_queue_at_once
    disconnecting_sends_what_is_queued_first
    a_publisher_sends_its_last_messages_before_it_closes
}

const MANY: u64 = 300;

/// So many messages of this size are more than a system buffers for a reader who reads nothing.
fn message(number: u64) -> Vec<u8> {
    let mut message = vec![0; 60_000];
    message[..8].copy_from_slice(&number.to_be_bytes());
    message
}

/// Tells how many messages each closed socket has left unsent.
fn watched<K: Kind>(builder: Builder<K>) -> (Socket<K>, Receiver<u64>) {
    let (tell, told) = channel();
    let builder = builder.on_event(move |event| {
        if let SocketEvent::Closed(unsent) = event {
            let _ = tell.send(*unsent);
        }
    });
    (builder.build().unwrap(), told)
}

fn slow_reader() -> PullSocket {
    PullSocket::builder().receive_queue(1, 1).build().unwrap()
}

fn push() -> Builder<Push> {
    PushSocket::builder()
        .linger(PATIENCE)
        .send_queue(1000, 1 << 30)
        .reconnect(Duration::from_millis(5), Duration::from_secs(3600))
}

fn close_waits_until_a_slow_reader_has_been_sent_everything(at: Transport) {
    let pull = slow_reader();
    let endpoint = pull.bind(at.any()).unwrap();
    let (push, closed) = watched(push());
    push.connect(endpoint).unwrap();
    for i in 0..MANY {
        push.send(message(i)).unwrap();
    }
    let closing = std::thread::spawn(move || push.close());
    for i in 0..MANY {
        let message = pull.recv_timeout(PATIENCE).unwrap();
        assert_eq!(message.payload()[..8], i.to_be_bytes());
    }
    assert!(closing.join().unwrap(), "everything was sent");
    assert_eq!(closed.recv_timeout(PATIENCE).unwrap(), 0);
}

fn what_is_queued_reaches_peers_that_come_within_the_linger_time(at: Transport) {
    // Also when the next attempt to dial were long after that.
    let rare = (Duration::from_secs(3600), Duration::from_secs(3600));
    let endpoint = at.certain();
    let (push, closed) = watched(push().reconnect(rare.0, rare.1));
    push.connect(&endpoint).unwrap();
    push.send("work").unwrap();
    drop(push);
    let pull = PullSocket::new().unwrap();
    pull.bind(&endpoint).unwrap();
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "work");
    assert_eq!(closed.recv_timeout(PATIENCE).unwrap(), 0);

    let endpoint = at.certain();
    let builder: Builder<Dealer> = DealerSocket::builder().linger(PATIENCE);
    let (dealer, closed) = watched(builder.reconnect(rare.0, rare.1));
    dealer.connect(&endpoint).unwrap();
    dealer.send("question").unwrap();
    drop(dealer);
    let router = RouterSocket::new().unwrap();
    router.bind(&endpoint).unwrap();
    let question = router.recv_timeout(PATIENCE).unwrap();
    assert_eq!(question.frames()[1], "question");
    assert_eq!(closed.recv_timeout(PATIENCE).unwrap(), 0);

    let endpoint = at.certain();
    let (pair, closed) = watched(PairSocket::builder().linger(PATIENCE));
    pair.connect(&endpoint).unwrap();
    pair.send("hello").unwrap();
    drop(pair);
    let pair = PairSocket::new().unwrap();
    pair.bind(&endpoint).unwrap();
    assert_eq!(pair.recv_timeout(PATIENCE).unwrap().payload(), "hello");
    assert_eq!(closed.recv_timeout(PATIENCE).unwrap(), 0);
}

fn what_was_not_sent_within_the_linger_time_is_counted(at: Transport) {
    let short = Duration::from_millis(20);
    let (push, closed) = watched(push());
    push.connect(at.certain()).unwrap();
    for i in 0..10 {
        push.send(message(i)).unwrap();
    }
    let began = Instant::now();
    assert!(!push.shut(short, PATIENCE), "nobody came");
    assert!(began.elapsed() >= short);
    assert_eq!(push.stats().dropped_linger, 10);
    assert_eq!(closed.recv_timeout(PATIENCE).unwrap(), 10);

    // A peer that is there but reads nothing: what the system has not taken is counted.
    let pull = slow_reader();
    let (push, closed) = watched(self::push());
    push.connect(pull.bind(at.any()).unwrap()).unwrap();
    for i in 0..MANY {
        push.send(message(i)).unwrap();
    }
    assert!(push.wait_for_peers(1, PATIENCE));
    assert!(!push.shut(short, PATIENCE));
    let stats = push.stats();
    assert!(stats.dropped_linger > 0, "{stats:?}");
    assert_eq!(stats.sent + stats.dropped_linger, MANY, "{stats:?}");
    assert_eq!(stats.dropped_full + stats.dropped_disconnect, 0);
    let unsent = closed.recv_timeout(PATIENCE).unwrap();
    assert_eq!(unsent, stats.dropped_linger);
}

fn a_linger_time_of_zero_drops_the_queue_at_once(at: Transport) {
    let pull = slow_reader();
    let endpoint = pull.bind(at.any()).unwrap();
    let (push, closed) = watched(push().linger(Duration::ZERO));
    push.connect(endpoint).unwrap();
    for i in 0..MANY {
        push.send(message(i)).unwrap();
    }
    let (other, other_closed) = watched(self::push().linger(Duration::ZERO));
    other.connect(at.certain()).unwrap();
    other.send("for nobody").unwrap();
    assert!(!push.close());
    assert!(!other.close());
    assert!(closed.recv_timeout(PATIENCE).unwrap() > 0);
    assert_eq!(other_closed.recv_timeout(PATIENCE).unwrap(), 1);
}

fn disconnecting_sends_what_is_queued_first(at: Transport) {
    let pull = slow_reader();
    let endpoint = pull.bind(at.any()).unwrap();
    let push = push().build().unwrap();
    push.connect(&endpoint).unwrap();
    for i in 0..MANY {
        push.send(message(i)).unwrap();
    }
    assert!(push.disconnect(&endpoint));
    for i in 0..MANY {
        let message = pull.recv_timeout(PATIENCE).unwrap();
        assert_eq!(message.payload()[..8], i.to_be_bytes());
    }
    assert_eq!(push.stats().dropped_linger, 0);
}

fn a_publisher_sends_its_last_messages_before_it_closes(at: Transport) {
    let publisher = PubSocket::builder()
        .linger(PATIENCE)
        .send_queue(1000, 1 << 30)
        .build()
        .unwrap();
    let endpoint = publisher.bind(at.any()).unwrap();
    let subscriber = SubSocket::builder().receive_queue(1, 1).build().unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect(endpoint).unwrap();
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    for i in 0..MANY {
        assert_eq!(publisher.send(message(i)).unwrap().queued, 1);
    }
    drop(publisher);
    for i in 0..MANY {
        let message = subscriber.recv_timeout(PATIENCE).unwrap();
        assert_eq!(message.payload()[..8], i.to_be_bytes());
    }
}
