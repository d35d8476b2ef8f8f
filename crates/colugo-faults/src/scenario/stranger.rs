//! F11: where a publisher was, something else listens now: a web server, one that says nothing, an SSH server, a ZeroMQ socket of another type, a
//! publisher of another topic. The subscriber refuses each with its reason, hears nothing from it, and goes on until the publisher is back.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use colugo_socket::{PubSocket, PullSocket, RepSocket};
use serde_json::json;

use crate::actor::Actor;
use crate::parcel::now_ns;
use crate::report::{Report, Spread};
use crate::scenario::{Plan, and, colugo, each_once, number};

/// How it is called, what stands there, what the reason must speak of: one of these.
type Stranger = (&'static str, fn(&str) -> Standing, &'static [&'static str]);

/// Whichever side is the first to see it.
const WRONG_TYPE: &[&str] = &["is of the wrong type", "Invalid socket type"];

const STRANGERS: [Stranger; 6] = [
    (
        "a web server",
        |at| tcp(at, web_server),
        &["does not speak ZeroMQ"],
    ),
    (
        "a server that says nothing",
        |at| tcp(at, silence),
        &["in time"],
    ),
    (
        "an SSH server",
        |at| tcp(at, ssh_server),
        &["does not speak ZeroMQ"],
    ),
    ("a PULL", pull, WRONG_TYPE),
    ("a REP", rep, WRONG_TYPE),
    ("another topic", other_topic, &["\"other\""]),
];

pub(super) fn run(plan: &Plan) -> Option<Report> {
    let hold = Duration::from_secs(plan.secs.into());
    let cases: Vec<Found> = std::thread::scope(|scope| {
        let rounds = (0..plan.rounds).flat_map(|_| STRANGERS);
        let threads: Vec<_> = rounds
            .map(|it| scope.spawn(move || meet(it, hold)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| panic!("a case failed")))
            .collect()
    });
    let mut report = Report::default();
    let (mut back, mut dials) = (Spread::default(), 0.0_f64);
    for case in &cases {
        // From the accepted connection on; a handshake may take five seconds, and its end is heard of a moment later.
        report.at_most(
            5100.0,
            format!("{} refused", case.name),
            case.refused_ms,
            "ms",
        );
        back.add(case.back_ns);
        dials = dials.max(case.dials_a_second);
    }
    report.at_most(10.0, "dials a second", dials, "");
    report.times(5000.0, "the publisher is heard again", &back);
    for case in cases {
        report.remark(format!("{}: “{}”", case.name, case.reason));
    }
    Some(report)
}

struct Found {
    name: &'static str,
    reason: String,
    refused_ms: f64,
    dials_a_second: f64,
    back_ns: u64,
}

fn meet((name, stand, speaks_of): Stranger, hold: Duration) -> Found {
    let mut subscriber = Actor::start("subscriber", and(colugo("sub"), "only_topic", true));
    let endpoint = format!("tcp://127.0.0.1:{}", colugo_testkit::free_port());
    let mut publisher = publisher(&endpoint);
    subscriber.connect(&endpoint);
    subscriber.watch(0);
    subscriber.found();
    publisher.kill();
    subscriber.sees("disconnected");
    let (before, _) = each_once(&subscriber.report());
    let began = Instant::now();
    let stranger = stand(&endpoint);
    // Dials that found nobody are over; the next one meets the stranger.
    let (refused, reason) = subscriber.sees("handshake_failed");
    let refused_ms = refused.saturating_sub(stranger.since_ns()) as f64 / 1e6;
    assert!(
        speaks_of.iter().any(|it| reason.contains(it)),
        "{name} was refused: {reason}"
    );
    // It is dialled again, and refused again.
    subscriber.sees("handshake_failed");
    std::thread::sleep(hold.saturating_sub(began.elapsed()));
    let events = subscriber.stats()["events"].take();
    let failed = number(&events["handshake_failed"]) + number(&events["dial_failed"]);
    let dials_a_second = failed as f64 / began.elapsed().as_secs_f64().max(1.0);
    assert_eq!(
        number(&events["connected"]),
        1,
        "{name} was taken for the publisher"
    );
    assert_eq!(
        each_once(&subscriber.report()).0,
        before,
        "{name} was heard"
    );
    drop(stranger);
    subscriber.watch(now_ns());
    let back = now_ns();
    let _publisher = self::publisher(&endpoint);
    let back_ns = subscriber.found().saturating_sub(back);
    Found {
        name,
        reason,
        refused_ms,
        dials_a_second,
        back_ns,
    }
}

fn publisher(at: &str) -> Actor {
    let mut publisher = Actor::start("publisher", colugo("pub"));
    // Who was there before may still be letting go of the port.
    let bind = json!({"do": "bind", "to": at});
    colugo_testkit::wait_until("the port to be free", || {
        publisher.try_ask(bind.clone()).ok()
    });
    publisher.flow(1000, 100);
    publisher
}

/// A stranger at its place, until it is dropped.
struct Standing {
    began_ns: u64,
    /// When it was first dialled, where it tells.
    dialled_ns: Arc<AtomicU64>,
    _holds: Box<dyn Send>,
}

impl Standing {
    fn new(holds: impl Send + 'static) -> Self {
        Self {
            began_ns: now_ns(),
            dialled_ns: Arc::default(),
            _holds: Box::new(holds),
        }
    }

    fn since_ns(&self) -> u64 {
        self.began_ns.max(self.dialled_ns.load(Ordering::SeqCst))
    }
}

/// Something that treats each connection in its own way. The connections end with it.
fn tcp(at: &str, treat: fn(&mut TcpStream)) -> Standing {
    let place = at.trim_start_matches("tcp://").to_owned();
    let listener = TcpListener::bind(&place).unwrap_or_else(|error| panic!("{place}: {error}"));
    let guard = Knock(place, Arc::default());
    let over = guard.1.clone();
    let standing = Standing::new(guard);
    let dialled = standing.dialled_ns.clone();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept() {
            if over.load(Ordering::SeqCst) {
                return;
            }
            let _ = dialled.compare_exchange(0, now_ns(), Ordering::SeqCst, Ordering::SeqCst);
            treat(&mut stream);
            held.push(stream);
        }
    });
    standing
}

/// Wakes the thread that accepts, for the last time.
struct Knock(String, Arc<AtomicBool>);

impl Drop for Knock {
    fn drop(&mut self) {
        self.1.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.0);
        // It has let go of the port once nobody listens.
        colugo_testkit::wait_until("the stranger's end", || {
            TcpStream::connect(&self.0).is_err().then_some(())
        });
    }
}

fn web_server(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 64]);
    let _ = stream
        .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

fn ssh_server(stream: &mut TcpStream) {
    let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
}

fn silence(_: &mut TcpStream) {}

fn pull(at: &str) -> Standing {
    let socket = PullSocket::new().unwrap_or_else(|error| panic!("{error}"));
    socket.bind(at).unwrap_or_else(|error| panic!("{error}"));
    Standing::new(socket)
}

fn rep(at: &str) -> Standing {
    let socket = RepSocket::new().unwrap_or_else(|error| panic!("{error}"));
    socket.bind(at).unwrap_or_else(|error| panic!("{error}"));
    Standing::new(socket)
}

/// It sends what a subscriber of ours could read.
fn other_topic(at: &str) -> Standing {
    let builder = PubSocket::builder().property("X-Colugo", "1");
    let socket = builder.property("X-Colugo-Topic", "other").build();
    let socket = Arc::new(socket.unwrap_or_else(|error| panic!("{error}")));
    socket.bind(at).unwrap_or_else(|error| panic!("{error}"));
    let sends = Arc::downgrade(&socket);
    std::thread::spawn(move || {
        while let Some(socket) = sends.upgrade() {
            let _ = socket.send(&[7; 100]);
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    Standing::new(socket)
}
