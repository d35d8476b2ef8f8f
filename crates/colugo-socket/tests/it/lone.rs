//! Messages that come one by one: their receiver reads the network by itself while it waits, and whatever else there is goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use colugo_socket::{Inbox, PubSocket, RecvError, SocketEvent, SubSocket};

use crate::PATIENCE;

/// Longer than the wait that makes a message a lone one.
const LONE: Duration = Duration::from_millis(1);

/// Of the receiver's thread, which runs the engine's tasks: the least that a C library may give one (musl).
const STACK: usize = 128 << 10;

/// A subscriber with a thread that takes its messages, and a publisher that sends to it.
struct Lone {
    publisher: PubSocket,
    subscriber: SubSocket,
    inbox: Arc<Inbox>,
    /// Messages that were taken. To wake another thread for each would keep the receiver from coming back at once.
    taken: Arc<AtomicU64>,
    /// The threads on which the subscriber's events came.
    events: Receiver<ThreadId>,
    thread: JoinHandle<RecvError>,
}

impl Lone {
    fn start(any_thread: bool, wait: Option<Duration>) -> Self {
        let (tell, events) = channel();
        let tell = Mutex::new(tell);
        let inbox = Arc::new(Inbox::default());
        let mut builder = SubSocket::builder()
            .inbox(inbox.clone())
            .on_event(move |event| {
                if matches!(event, SocketEvent::Connected(_)) {
                    let _ = tell.lock().unwrap().send(thread::current().id());
                }
            });
        if any_thread {
            builder = builder.any_thread();
        }
        let subscriber = builder.build().unwrap();
        subscriber.subscribe("").unwrap();
        let publisher = publisher_for(&subscriber);
        events.recv_timeout(PATIENCE).unwrap();
        let taken = Arc::new(AtomicU64::new(0));
        let receiver = thread::Builder::new().stack_size(STACK);
        let work = {
            let (inbox, taken) = (inbox.clone(), taken.clone());
            move || take_all(&inbox, wait, &taken)
        };
        let thread = receiver.spawn(work).unwrap();
        Self {
            publisher,
            subscriber,
            inbox,
            taken,
            events,
            thread,
        }
    }

    /// So many messages, each after a while.
    fn messages(&self, count: usize) {
        for _ in 0..count {
            thread::sleep(LONE);
            let before = self.taken.load(Ordering::SeqCst);
            self.publisher.send("lone").unwrap();
            let end = Instant::now() + PATIENCE;
            while self.taken.load(Ordering::SeqCst) == before {
                assert!(Instant::now() < end, "a message does not come");
                thread::yield_now();
            }
        }
    }

    /// The thread that reads the network now, which a connection more tells.
    fn reader(&self) -> ThreadId {
        let _more = publisher_for(&self.subscriber);
        self.events.recv_timeout(PATIENCE).unwrap()
    }

    /// Messages until the receiver reads by itself.
    fn until_it_reads(&self) {
        // On a machine that is busy with other work it seldom comes back for its next message at once, as one must who reads.
        let end = Instant::now() + 5 * PATIENCE;
        loop {
            self.messages(20);
            if self.reader() == self.thread.thread().id() {
                return;
            }
            assert!(Instant::now() < end, "it never reads by itself");
        }
    }

    fn end(self) {
        drop(self.subscriber);
        assert!(matches!(self.thread.join().unwrap(), RecvError::Closed));
    }
}

/// A publisher that the subscriber is connected to.
fn publisher_for(subscriber: &SubSocket) -> PubSocket {
    let publisher = PubSocket::new().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap().to_string();
    subscriber.connect(endpoint.as_str()).unwrap();
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
    publisher
}

fn take_all(inbox: &Inbox, wait: Option<Duration>, taken: &AtomicU64) -> RecvError {
    loop {
        let start = Instant::now();
        let received = match wait {
            None => inbox.recv(),
            Some(wait) => inbox.recv_timeout(wait),
        };
        match received {
            Ok(_) => drop(taken.fetch_add(1, Ordering::SeqCst)),
            Err(RecvError::TimedOut) => assert!(Some(start.elapsed()) >= wait, "too early"),
            Err(error) => return error,
        }
    }
}

#[test]
fn their_receiver_reads_for_all_while_it_waits_and_ends_with_the_socket() {
    let lone = Lone::start(true, None);
    lone.until_it_reads();
    lone.messages(20);
    lone.end();
}

#[test]
fn so_does_one_that_waits_for_a_time_again_and_again() {
    let lone = Lone::start(true, Some(Duration::from_millis(20)));
    lone.until_it_reads();
    lone.messages(20);
    lone.end();
}

#[test]
fn a_handler_that_wants_the_data_thread_has_it() {
    let lone = Lone::start(false, None);
    for _ in 0..5 {
        lone.messages(20);
        assert_ne!(lone.reader(), lone.thread.thread().id());
    }
    lone.end();
}

#[test]
fn others_go_on_while_it_is_away() {
    let lone = Lone::start(true, None);
    let subscriber = SubSocket::new().unwrap();
    subscriber.subscribe("").unwrap();
    let publisher = publisher_for(&subscriber);
    lone.until_it_reads();
    lone.messages(20);
    // It reads, or has just been away: with its end nobody does, until the data thread takes over.
    lone.inbox.close();
    lone.thread.join().unwrap();
    for count in 0..100 {
        publisher.send(format!("{count}").as_str()).unwrap();
        let message = subscriber.recv_timeout(PATIENCE).unwrap();
        assert_eq!(message.payload(), format!("{count}").as_bytes());
    }
}

#[test]
fn the_last_socket_may_go_while_it_reads() {
    for _ in 0..5 {
        let lone = Lone::start(true, None);
        lone.until_it_reads();
        lone.messages(1);
        drop(lone.publisher);
        drop(lone.subscriber);
        assert!(matches!(lone.thread.join().unwrap(), RecvError::Closed));
    }
}
