//! What peers can make a publisher hold, and what crowds of them do to who wants in: resident memory of the process itself, without what
//! the kernel holds for its connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use colugo_socket::PubSocket;

use crate::bare;
use crate::catalogue::contender;
use crate::harness::Part;
use crate::row::{Better, Row};
use crate::suite::Suite;
use kit::Result;
use kit::Role;
use kit::child::{Link, Spec};
use kit::report::Report;
use kit::stats::{Latencies, Memory, memory_kib};

/// Publishers that are looked at, and the peers of theirs.
pub const ROLES: &[(&str, Role)] = &[
    ("zmq.hold", hold_zmq),
    ("socket.hold", hold_socket),
    ("bare.mute", mute),
    ("bare.mute-and-live", mute_and_live),
    ("bare.claim", claim),
    ("bare.subscriptions", subscriptions),
    ("bare.among-mute", among_mute),
];

const CONNECTIONS: usize = 1000;
const CLAIMS: usize = 100;
const SUBSCRIPTIONS: usize = 100_000;
const CLIENTS: usize = 300;
/// Mute connections that come while a client does.
const MUTE_A_CLIENT: usize = 5;
const LATER: Duration = Duration::from_secs(600);

fn hold_socket(spec: &Spec, link: &Link) -> Result<Report> {
    let mut builder = PubSocket::builder();
    if spec.flag("unlimited") {
        // To see what each costs: by default most would be turned out.
        builder = builder
            .max_handshakes(CONNECTIONS * 2, CONNECTIONS * 2)
            .max_connections(CONNECTIONS * 2)
            .handshake_timeout(LATER);
    }
    let socket = builder.build()?;
    let endpoint = socket.bind("tcp://127.0.0.1:0")?.to_string();
    look(spec, link, &endpoint)
}

fn hold_zmq(spec: &Spec, link: &Link) -> Result<Report> {
    let context = zmq::Context::new();
    let socket = context.socket(zmq::PUB)?;
    socket.bind("tcp://127.0.0.1:*")?;
    let endpoint = socket
        .get_last_endpoint()?
        .map_err(|_| "libzmq's endpoint is not text")?;
    look(spec, link, &endpoint)
}

/// Lets the other side do what it does, and gives what it has cost: what is held now, and the most that was.
fn look(spec: &Spec, link: &Link, endpoint: &str) -> Result<Report> {
    let (before, peak) = (memory_kib(Memory::Own), memory_kib(Memory::Peak));
    link.ready(endpoint)?;
    let count = spec.count()? as f64;
    if spec.flag("stay") {
        link.wait_for_stop();
    } else {
        // For whatever the engine gives back.
        link.stopped_within(spec.duration()?);
    }
    let held = memory_kib(Memory::Own) - before;
    let most = memory_kib(Memory::Peak) - peak;
    Ok(Report::new()
        .with("kib_each", held / count)
        .with("held_mib", held / 1024.0)
        .with("peak_kib_each", most / count)
        .with("peak_mib", most / 1024.0))
}

fn dial(address: &str) -> Result<TcpStream> {
    Ok(TcpStream::connect(address.trim_start_matches("tcp://"))?)
}

/// Connections that are greeted and say nothing.
fn mutes(address: &str, count: usize) -> Result<Vec<TcpStream>> {
    let greeted = |_| {
        let mut stream = dial(address)?;
        // Of libzmq's greeting the first ten octets come unasked.
        stream.read_exact(&mut [0; 10])?;
        Ok(stream)
    };
    (0..count).map(greeted).collect()
}

fn mute(spec: &Spec, link: &Link) -> Result<Report> {
    let streams = mutes(spec.text("addr")?, spec.count()?)?;
    link.ready("")?;
    link.wait_for_stop();
    drop(streams);
    Ok(Report::new())
}

/// As many of each.
fn mute_and_live(spec: &Spec, link: &Link) -> Result<Report> {
    let (address, count) = (spec.text("addr")?, spec.count()?);
    let mute = mutes(address, count)?;
    let live: Vec<_> = (0..count)
        .map(|_| bare::subscribe(address))
        .collect::<Result<_>>()?;
    link.ready("")?;
    link.wait_for_stop();
    drop((mute, live));
    Ok(Report::new())
}

/// Each begins a frame of 2^40 octets and sends a thousand of them.
fn claim(spec: &Spec, link: &Link) -> Result<Report> {
    let address = spec.text("addr")?;
    let mut frame = vec![2, 0, 0, 1, 0, 0, 0, 0, 0];
    frame.extend_from_slice(&[7; 1000]);
    let mut streams = Vec::new();
    for _ in 0..spec.count()? {
        let mut stream = bare::subscribe(address)?;
        stream.write_all(&frame)?;
        streams.push(stream);
    }
    link.ready("")?;
    link.wait_for_stop();
    Ok(Report::new())
}

/// One peer with very many subscriptions. Counts as lost when it is not refused, but with libzmq it never is.
fn subscriptions(spec: &Spec, link: &Link) -> Result<Report> {
    let mut stream = bare::subscribe(spec.text("addr")?)?;
    stream.set_write_timeout(Some(Duration::from_secs(20)))?;
    let mut taken = 0;
    for number in 0..SUBSCRIPTIONS {
        let mut frame = vec![0, 17, 1];
        // No two have much in common.
        let mixed = (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        frame.extend_from_slice(&mixed.to_be_bytes());
        if stream.write_all(&frame).is_err() {
            break;
        }
        taken = number + 1;
    }
    link.ready("")?;
    link.wait_for_stop();
    Ok(Report::new().with("subscriptions", taken as f64))
}

/// Clients, one after the other, from dialling to having shaken hands, among very many that say nothing.
fn among_mute(spec: &Spec, link: &Link) -> Result<Report> {
    let address = spec.text("addr")?;
    let mut mute = mutes(address, spec.count()?)?;
    link.ready("")?;
    let mut latencies = Latencies::new();
    for _ in 0..CLIENTS {
        for _ in 0..MUTE_A_CLIENT {
            mute.push(dial(address)?);
        }
        let start = Instant::now();
        let client = bare::subscribe(address)?;
        latencies.add(start.elapsed());
        drop(client);
    }
    let report = latencies.report();
    let ms = |name| report.figure(name).unwrap_or(f64::NAN) / 1e3;
    Ok(Report::new()
        .with("p50_ms", ms("p50_us"))
        .with("p99_ms", ms("p99_us")))
}

/// `memory-*` and `connect-mute`.
pub fn suites() -> Vec<Suite> {
    let suite = |peers: &'static str, count: usize, unlimited: u8, rows: Vec<Row>| {
        let hold = |role| {
            Part::new(role)
                .set("count", count)
                .set("unlimited", unlimited)
                .set("stay", u8::from(peers == "bare.among-mute"))
        };
        let other = || Part::new(peers).set("count", count);
        Suite {
            contenders: vec![
                contender("ours", "", hold("socket.hold"), other()),
                contender("theirs", "libzmq", hold("zmq.hold"), other()),
            ],
            rows,
        }
    };
    let row = |name, about, unit, metric, must| {
        Row::new(name, about, unit, metric, Better::Less)
            .must(must, must)
            .absolute()
    };
    vec![
        suite(
            "bare.mute",
            CONNECTIONS,
            1,
            vec![row(
                "memory-mute",
                "a publisher's memory for each of 1000 connections that say nothing, turned out by none",
                "KiB",
                "kib_each",
                4.0,
            )],
        ),
        suite(
            "bare.subscribers",
            CONNECTIONS,
            1,
            vec![row(
                "memory-live",
                "the same for each of 1000 subscribers that have shaken hands",
                "KiB",
                "kib_each",
                24.0,
            )],
        ),
        suite(
            "bare.mute-and-live",
            CONNECTIONS,
            1,
            vec![row(
                "memory-both",
                "the same for 1000 of each together",
                "MiB",
                "held_mib",
                32.0,
            )],
        ),
        suite(
            "bare.claim",
            CLAIMS,
            0,
            vec![row(
                "memory-claim",
                "a publisher's peak for each of 100 peers that begin a frame of 2^40 octets",
                "KiB",
                "peak_kib_each",
                64.0,
            )],
        ),
        suite(
            "bare.subscriptions",
            1,
            0,
            vec![row(
                "memory-subscriptions",
                "a publisher's peak for a peer that sends 10^5 subscriptions of 16 octets; ours refuses at 4096",
                "MiB",
                "peak_mib",
                8.0,
            )],
        ),
        suite(
            "bare.among-mute",
            CONNECTIONS,
            0,
            vec![row(
                "connect-mute",
                "dialling and shaking hands among 1000 mute connections and 5 more with each client: p99",
                "ms",
                "p99_ms",
                200.0,
            )],
        ),
    ]
}
