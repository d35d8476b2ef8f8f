//! How figures grow: the same loads over a range of message sizes, subscribers and topics, ours and libzmq's in turn. Each point is a line
//! of JSON; `cargo xtask plot` draws them.

use kit::Result;
use kit::clock::now;
use kit::report::Report;
use kit::stats::median;
use serde::Serialize;

use crate::harness::{Harness, Part};
use crate::machine;
use crate::suite::Options;

/// The first line of a sweep: where and when.
#[derive(Debug, Serialize)]
struct Head {
    machine: String,
    /// Seconds since 1970.
    time: u64,
    runs: usize,
    secs: f64,
}

/// One point.
#[derive(Debug, Default, Serialize)]
struct Point {
    /// What grows: `size`, `peers` or `topics`.
    sweep: &'static str,
    /// Octets, subscribers or topics.
    x: usize,
    who: &'static str,
    /// Messages received a second, all receivers together.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    /// The same in MB/s of payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    mbs: Option<f64>,
    /// Microseconds of CPU time for each message received, both sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_us: Option<f64>,
    /// Peak memory of the larger of the two processes, in MB.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_mb: Option<f64>,
    /// One way, at a steady rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_us: Option<f64>,
    lost: u64,
}

const SIZES: [usize; 8] = [8, 64, 512, 4096, 32_768, 262_144, 2 << 20, 16 << 20];
const PEERS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const TOPICS: [usize; 4] = [1, 10, 100, 1000];
/// Messages a second of a paced run, and octets a second at most.
const RATE: f64 = 1000.0;
const OCTETS: f64 = 200e6;
/// Sizes from here on are lent, not copied, on both sides.
const LENT_FROM: usize = 65_536;

/// An engine with its roles: a stream, a paced stream, topics.
struct Who {
    name: &'static str,
    stream: [&'static str; 2],
    paced: [&'static str; 2],
    topics: [&'static str; 2],
}

const WHO: [Who; 2] = [
    Who {
        name: "colugo",
        stream: ["node.pub", "node.sub"],
        paced: ["node.paced", "node.timed"],
        topics: ["node.topics", "node.all"],
    },
    Who {
        name: "libzmq",
        stream: ["zmq.pub", "zmq.sub"],
        paced: ["zmq.paced", "zmq.timed"],
        topics: ["zmq.topics", "zmq.all"],
    },
];

/// Measures all points, and prints each as a line.
pub fn run(harness: &Harness, options: Options, secs: f64) -> Result<()> {
    let head = Head {
        machine: machine::describe(),
        time: now(),
        runs: options.runs,
        secs,
    };
    println!("{}", serde_json::to_string(&head)?);
    let run = |parts: [Part; 2]| -> Vec<Report> {
        let [binder, dialler] = &parts;
        let runs = (0..options.runs).filter_map(|_| match harness.pair(binder, dialler) {
            Ok(report) => Some(report),
            Err(error) => {
                eprintln!("  {}: {error}", binder.role());
                None
            }
        });
        runs.collect()
    };
    let say = |point: Point| -> Result<()> {
        println!("{}", serde_json::to_string(&point)?);
        Ok(())
    };
    for size in SIZES {
        for who in &WHO {
            let part = |role| Part::new(role).set("size", size);
            // A large message more or less is a lot of memory: both get queues of the same octets.
            let hwm = (16 << 20) / size.max(16 << 10) + 1;
            let stream = who.stream.map(|role| {
                let lent = usize::from(size >= LENT_FROM);
                part(role).set("lend", lent).set("hwm", hwm.min(1000))
            });
            let paced = who
                .paced
                .map(|role| part(role).set("rate", RATE.min(OCTETS / size as f64)));
            say(point("size", size, who.name, &run(stream), &run(paced)))?;
        }
    }
    for count in PEERS {
        for who in &WHO {
            let part = |role| Part::new(role).set("size", 1024).set("count", count);
            let (stream, paced) = (run(who.stream.map(part)), run(who.paced.map(part)));
            say(point("peers", count, who.name, &stream, &paced))?;
        }
    }
    for count in TOPICS {
        for who in &WHO {
            let part = |role| Part::new(role).set("count", count);
            let stream = run(who.topics.map(|role| part(role).set("unpaced", 1)));
            let paced = run(who.topics.map(part));
            say(point("topics", count, who.name, &stream, &paced))?;
        }
    }
    Ok(())
}

/// Throughput, cost and memory from the runs that go as fast as they can, times from those at a steady rate.
fn point(
    sweep: &'static str,
    x: usize,
    who: &'static str,
    fast: &[Report],
    paced: &[Report],
) -> Point {
    let of = |reports: &[Report], name: &str| {
        let figures = reports.iter().filter_map(|report| report.figure(name));
        median(&figures.collect::<Vec<_>>())
    };
    let lost = fast
        .iter()
        .chain(paced)
        .filter_map(|report| report.figure("lost"));
    Point {
        sweep,
        x,
        who,
        rate: of(fast, "rate"),
        mbs: of(fast, "mbs"),
        cpu_us: of(fast, "cpu_per_million"),
        peak_mb: of(fast, "peak_kib").map(|kib| kib * 1024.0 / 1e6),
        p50_us: of(paced, "p50_us"),
        p99_us: of(paced, "p99_us"),
        lost: lost.sum::<f64>() as u64,
    }
}
