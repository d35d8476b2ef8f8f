//! F4: a thousand connections that say nothing, made again whenever one is ended; real clients are served beside them.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use colugo_socket::SubSocket;

use crate::actor::{Actor, At, PATIENCE};
use crate::progress::Progress;
use crate::report::{Report, Spread};
use crate::scenario::{Plan, colugo, number};

const MUTE: usize = 1000;
const DESCRIPTORS: u32 = 4096;
/// Between two looks at all of them.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn run(plan: &Plan) -> Option<Report> {
    let mut progress = Progress::new("mute");
    let mut publisher = Actor::start_at("publisher", At::open_files(DESCRIPTORS), colugo("pub"));
    let endpoint = publisher.bind("tcp://127.0.0.1:0");
    let port = endpoint
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    let crowd = Crowd::gather((Ipv4Addr::LOCALHOST, port.unwrap_or(0)).into());
    publisher.flow(1000, 100);
    let (mut connected, mut heard) = (Spread::default(), Spread::default());
    // So that the crowd is cut off for its silence, and comes again, meanwhile.
    let pause = Duration::from_secs(plan.secs.into()) / plan.rounds;
    for round in 0..plan.rounds {
        progress.at(round, plan.rounds);
        std::thread::sleep(pause);
        let client = SubSocket::new().unwrap_or_else(|error| panic!("{error}"));
        assert!(client.subscribe("").is_ok());
        let began = Instant::now();
        client
            .connect(&*endpoint)
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(
            client.wait_for_peers(1, PATIENCE),
            "client {round} got no connection"
        );
        connected.add(ns(began.elapsed()));
        let message = client.recv_timeout(PATIENCE);
        assert!(message.is_ok(), "client {round} heard nothing");
        heard.add(ns(began.elapsed()));
        drop(client);
    }
    let stats = publisher.stats();
    let again = crowd.again.load(Ordering::SeqCst);
    let usage = publisher.usage();
    drop(crowd);
    let mut report = Report::default();
    report.tell("mute connections", MUTE as f64, "");
    report.tell("made again", again as f64, "");
    report.tell("real clients", plan.rounds.into(), "");
    report.tell("connected, p50", connected.ms(0.5), "ms");
    report.at_most(200.0, "p99", connected.ms(0.99), "ms");
    report.tell("heard the first message, p99", heard.ms(0.99), "ms");
    report.tell("publisher's peak", usage.peak_kib as f64, "KiB");
    assert!(
        number(&stats["events"]["connected"]) >= plan.rounds.into(),
        "{stats}"
    );
    Some(report)
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The thousand, and the thread that keeps them up.
struct Crowd {
    stop: Arc<AtomicBool>,
    again: Arc<AtomicU64>,
}

impl Crowd {
    fn gather(at: SocketAddr) -> Self {
        let (stop, again) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let mut streams: Vec<Option<TcpStream>> = (0..MUTE).map(|_| mute(at)).collect();
        let (until, count) = (stop.clone(), again.clone());
        std::thread::spawn(move || {
            while !until.load(Ordering::SeqCst) {
                for place in &mut streams {
                    if place.as_mut().is_none_or(has_ended) {
                        *place = mute(at);
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                }
                std::thread::sleep(PAUSE);
            }
        });
        Self { stop, again }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn mute(at: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect(at).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

/// What the other side says is read and forgotten.
fn has_ended(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 256]) {
        Ok(n) => n == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}
