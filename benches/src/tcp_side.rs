//! The other yardstick: raw TCP with std threads, no messages and no library.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use kit::Result;
use kit::Role;
use kit::child::{Link, Spec};
use kit::payload::{Checker, Pace, is_last, number, stamp, stamp_last};
use kit::report::Report;
use kit::stats::{Latencies, Usage};

/// What raw TCP can be asked to do.
pub const ROLES: &[(&str, Role)] = &[
    ("tcp.write", write),
    ("tcp.read", read),
    ("tcp.echo", echo),
    ("tcp.ping", ping),
];

fn accept(link: &Link) -> Result<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    link.ready(&format!("tcp://{address}"))?;
    let (stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn dial(spec: &Spec) -> Result<TcpStream> {
    let stream = TcpStream::connect(spec.text("addr")?.trim_start_matches("tcp://"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Writes blocks of `size` octets, a counter at the head of each.
fn write(spec: &Spec, link: &Link) -> Result<Report> {
    let mut stream = accept(link)?;
    let mut block = vec![0; spec.size()?];
    let pace = Pace::start(spec.duration()?, block.len());
    let usage = Usage::start();
    let mut total = 0;
    while pace.goes_on(total) {
        stamp(&mut block, total);
        stream.write_all(&block)?;
        total += 1;
    }
    stamp_last(&mut block, total);
    stream.write_all(&block)?;
    link.wait_for_stop();
    Ok(usage.report())
}

fn read(spec: &Spec, link: &Link) -> Result<Report> {
    let mut stream = dial(spec)?;
    let mut block = vec![0; spec.size()?];
    let usage = Usage::start();
    link.ready("")?;
    let mut checker = Checker::new();
    loop {
        stream.read_exact(&mut block)?;
        if checker.see(&block) {
            return Ok(usage.report().merge(Checker::report(&[checker])));
        }
    }
}

fn echo(spec: &Spec, link: &Link) -> Result<Report> {
    let mut stream = accept(link)?;
    let mut block = vec![0; spec.size()?];
    let usage = Usage::start();
    while !is_last(&block) {
        stream.read_exact(&mut block)?;
        stream.write_all(&block)?;
    }
    link.wait_for_stop();
    Ok(usage.report())
}

fn ping(spec: &Spec, link: &Link) -> Result<Report> {
    let mut stream = dial(spec)?;
    link.ready("")?;
    let mut block = vec![0; spec.size()?];
    let mut call = |count: u64| -> Result<Duration> {
        stamp(&mut block, count);
        let start = Instant::now();
        stream.write_all(&block)?;
        stream.read_exact(&mut block)?;
        let taken = start.elapsed();
        if number(&block) == count {
            Ok(taken)
        } else {
            Err("an echo of something else".into())
        }
    };
    let latencies = Latencies::of_calls(spec.duration()?, &mut call)?;
    call(u64::MAX)?;
    Ok(latencies.report())
}
