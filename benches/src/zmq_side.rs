//! The yardstick: libzmq, driven as a C program would drive it. One context with one I/O thread, which is its best on two cores.

use std::time::{Duration, Instant};

use zmq::{Context, Message, Socket, SocketType};

use crate::lent::Lender;
use kit::Result;
use kit::Role;
use kit::child::{Link, Spec};
use kit::payload::{Checker, Pace, SMALLEST, is_last, number, stamp, stamp_last};
use kit::report::Report;
use kit::stats::{Latencies, Usage};

/// What libzmq can be asked to do.
pub const ROLES: &[(&str, Role)] = &[
    ("zmq.push", |spec, link| send_stream(spec, link, zmq::PUSH)),
    ("zmq.pub", |spec, link| send_stream(spec, link, zmq::XPUB)),
    ("zmq.pull", |spec, link| {
        receive_streams(spec, link, zmq::PULL)
    }),
    ("zmq.sub", |spec, link| {
        receive_streams(spec, link, zmq::SUB)
    }),
    ("zmq.rep", reply),
    ("zmq.req", request),
    ("zmq.router", route),
    ("zmq.dealer", deal),
];

/// A word on the library for the head of the table: its version, and whether it wakes its threads through eventfd (its best).
pub fn version() -> String {
    let (major, minor, patch) = zmq::version();
    let context = Context::new();
    let socket = context.socket(zmq::PAIR);
    let descriptors = std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    let eventfd = descriptors
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|target| target.to_string_lossy().contains("eventfd"));
    drop(socket);
    format!(
        "libzmq {major}.{minor}.{patch}{}",
        if eventfd { "" } else { " (without eventfd)" }
    )
}

/// A socket with the queues that were asked for.
pub fn socket(context: &Context, kind: SocketType, spec: &Spec) -> Result<Socket> {
    let socket = context.socket(kind)?;
    let hwm = spec.number("hwm", 1000)?;
    socket.set_sndhwm(hwm)?;
    socket.set_rcvhwm(hwm)?;
    socket.set_linger(0)?;
    Ok(socket)
}

fn bind(socket: &Socket) -> Result<String> {
    socket.bind("tcp://127.0.0.1:*")?;
    endpoint(socket)
}

/// Where a socket that is bound can be dialled.
pub fn endpoint(socket: &Socket) -> Result<String> {
    socket
        .get_last_endpoint()?
        .map_err(|_| "libzmq's endpoint is not text".into())
}

/// Sets an option that the `zmq` crate does not know.
pub fn set(socket: &mut Socket, option: u32, value: i32) -> Result<()> {
    // SAFETY: the socket is alive, and libzmq copies the four octets before the call returns.
    let code = unsafe {
        zmq_sys::zmq_setsockopt(
            socket.as_mut_ptr(),
            option.try_into()?,
            (&raw const value).cast(),
            size_of::<i32>(),
        )
    };
    if code == 0 {
        Ok(())
    } else {
        Err(format!("libzmq refuses option {option}").into())
    }
}

/// PUSH or XPUB (a PUB that tells when it is subscribed to), never dropping, until the time is over.
fn send_stream(spec: &Spec, link: &Link, kind: SocketType) -> Result<Report> {
    let context = Context::new();
    let mut socket = socket(&context, kind, spec)?;
    if kind == zmq::XPUB {
        set(&mut socket, zmq_sys::ZMQ_XPUB_NODROP, 1)?;
        set(&mut socket, zmq_sys::ZMQ_XPUB_VERBOSE, 1)?;
    }
    link.ready(&bind(&socket)?)?;
    if kind == zmq::XPUB {
        for _ in 0..spec.count()? {
            socket.recv_msg(0)?;
        }
    }
    let usage = Usage::start();
    let total = if spec.flag("lend") {
        send_lent(spec, &mut socket)?
    } else {
        send_copied(spec, &socket)?
    };
    let mut payload = vec![0; spec.size()?.max(SMALLEST)];
    stamp_last(&mut payload, total);
    socket.send(&payload[..], 0)?;
    link.wait_for_stop();
    Ok(usage.report())
}

fn send_copied(spec: &Spec, socket: &Socket) -> Result<u64> {
    let size = spec.size()?;
    let mut payload = vec![0; size];
    let pace = Pace::start(spec.duration()?, size);
    let mut total = 0;
    while pace.goes_on(total) {
        stamp(&mut payload, total);
        socket.send(&payload[..], 0)?;
        total += 1;
    }
    Ok(total)
}

fn send_lent(spec: &Spec, socket: &mut Socket) -> Result<u64> {
    let size = spec.size()?;
    let lender = Lender::new(size);
    let pace = Pace::start(spec.duration()?, size);
    let mut total = 0;
    while pace.goes_on(total) {
        let mut buffer = lender.take();
        stamp(&mut buffer, total);
        lender.send(socket, buffer)?;
        total += 1;
    }
    Ok(total)
}

/// PULL or SUB sockets, a thread each, until the last message.
fn receive_streams(spec: &Spec, link: &Link, kind: SocketType) -> Result<Report> {
    let context = Context::new();
    let mut sockets = Vec::new();
    for _ in 0..spec.count()? {
        let socket = socket(&context, kind, spec)?;
        if kind == zmq::SUB {
            socket.set_subscribe(b"")?;
        }
        socket.connect(spec.text("addr")?)?;
        sockets.push(socket);
    }
    let usage = Usage::start();
    let threads: Vec<_> = sockets
        .into_iter()
        .map(|socket| std::thread::spawn(move || receive(&socket)))
        .collect();
    link.ready("")?;
    let mut checkers = Vec::new();
    for thread in threads {
        checkers.push(thread.join().map_err(|_| "a receiving thread panicked")??);
    }
    Ok(usage.report().merge(Checker::report(&checkers)))
}

fn receive(socket: &Socket) -> zmq::Result<Checker> {
    let mut checker = Checker::new();
    let mut message = Message::new();
    loop {
        socket.recv(&mut message, 0)?;
        if checker.see(&message) {
            return Ok(checker);
        }
    }
}

fn reply(spec: &Spec, link: &Link) -> Result<Report> {
    let context = Context::new();
    let socket = socket(&context, zmq::REP, spec)?;
    link.ready(&bind(&socket)?)?;
    let usage = Usage::start();
    let mut message = Message::new();
    loop {
        socket.recv(&mut message, 0)?;
        let last = is_last(&message);
        socket.send(std::mem::replace(&mut message, Message::new()), 0)?;
        if last {
            break;
        }
    }
    link.wait_for_stop();
    Ok(usage.report())
}

fn request(spec: &Spec, link: &Link) -> Result<Report> {
    let context = Context::new();
    let socket = socket(&context, zmq::REQ, spec)?;
    socket.connect(spec.text("addr")?)?;
    link.ready("")?;
    let mut payload = vec![0; spec.size()?];
    let mut message = Message::new();
    let mut call = |number: u64| -> Result<Duration> {
        stamp(&mut payload, number);
        let start = Instant::now();
        socket.send(&payload[..], 0)?;
        socket.recv(&mut message, 0)?;
        let taken = start.elapsed();
        if kit::payload::number(&message) == number {
            Ok(taken)
        } else {
            Err("a reply to another request".into())
        }
    };
    let latencies = Latencies::of_calls(spec.duration()?, &mut call)?;
    call(u64::MAX)?;
    Ok(latencies.report())
}

fn route(spec: &Spec, link: &Link) -> Result<Report> {
    let context = Context::new();
    let socket = socket(&context, zmq::ROUTER, spec)?;
    link.ready(&bind(&socket)?)?;
    let usage = Usage::start();
    let mut peer = Message::new();
    let mut message = Message::new();
    loop {
        socket.recv(&mut peer, 0)?;
        socket.recv(&mut message, 0)?;
        let last = is_last(&message);
        socket.send(std::mem::replace(&mut peer, Message::new()), zmq::SNDMORE)?;
        socket.send(std::mem::replace(&mut message, Message::new()), 0)?;
        if last {
            break;
        }
    }
    link.wait_for_stop();
    Ok(usage.report())
}

/// Keeps `count` requests in flight. The replies come in the order of the requests: one link, one server.
fn deal(spec: &Spec, link: &Link) -> Result<Report> {
    let context = Context::new();
    let socket = socket(&context, zmq::DEALER, spec)?;
    socket.connect(spec.text("addr")?)?;
    link.ready("")?;
    let mut payload = vec![0; spec.size()?];
    let mut message = Message::new();
    let mut send = |number: u64| {
        stamp(&mut payload, number);
        socket.send(&payload[..], 0)
    };
    let window = spec.count()? as u64;
    let pace = Pace::start(spec.duration()?, spec.size()?);
    let usage = Usage::start();
    let started = Instant::now();
    for sent in 0..window {
        send(sent)?;
    }
    let mut done = 0;
    while done == 0 || pace.goes_on(done) {
        socket.recv(&mut message, 0)?;
        if number(&message) != done {
            return Err(format!("reply {} where {done} was due", number(&message)).into());
        }
        send(done + window)?;
        done += 1;
    }
    let secs = started.elapsed().as_secs_f64();
    let report = usage.report();
    send(u64::MAX)?;
    Ok(report
        .with("msgs", done as f64)
        .with("rate", done as f64 / secs))
}
