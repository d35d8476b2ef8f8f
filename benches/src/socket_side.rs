//! Ours, one floor down: colugo-socket, as people use it where they use libzmq today.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use colugo_socket::{
    DealerSocket, Handler, MessageRef, Overflow, Peer, PubSocket, ReqSocket, RouterSocket,
    SubSocket,
};

use crate::recycled::Recycler;
use kit::Result;
use kit::Role;
use kit::child::{Link, Spec};
use kit::payload::{Checker, Pace, SMALLEST, is_last, number, stamp, stamp_last};
use kit::report::Report;
use kit::stats::{Latencies, Usage};

/// What colugo-socket can be asked to do.
pub const ROLES: &[(&str, Role)] = &[
    ("socket.pub", publish),
    ("socket.sub", subscribe),
    ("socket.sub-inline", subscribe_inline),
    ("socket.router", route),
    ("socket.req", request),
    ("socket.dealer", deal),
    ("socket.dealer-inline", deal_inline),
];

/// Longer than any run: who waits so long has been forgotten.
const PATIENCE: Duration = Duration::from_secs(30);
const ANYWHERE: &str = "tcp://127.0.0.1:0";

fn publish(spec: &Spec, link: &Link) -> Result<Report> {
    let mut builder = PubSocket::builder().overflow(Overflow::Block(PATIENCE));
    if spec.flag("stamped") {
        builder = builder.stamped(true).property("X-Colugo", "1");
    }
    let socket = builder.build()?;
    link.ready(&socket.bind(ANYWHERE)?.to_string())?;
    if !socket.wait_for_subscribers(spec.count()?, PATIENCE) {
        return Err("nobody subscribed".into());
    }
    let usage = Usage::start();
    let size = spec.size()?;
    let pace = Pace::start(spec.duration()?, size);
    let mut total = 0;
    let mut payload = vec![0; size];
    if spec.flag("lend") {
        let mut buffers = Recycler::new(size);
        while pace.goes_on(total) {
            socket.send(buffers.next(|buffer| stamp(buffer, total)))?;
            total += 1;
        }
    } else {
        while pace.goes_on(total) {
            stamp(&mut payload, total);
            socket.send(&payload[..])?;
            total += 1;
        }
    }
    payload.resize(size.max(SMALLEST), 0);
    stamp_last(&mut payload, total);
    socket.send(&payload[..])?;
    link.wait_for_stop();
    Ok(usage.report())
}

/// `count` sockets with a thread each, one `recv` a message; or in batches.
fn subscribe(spec: &Spec, link: &Link) -> Result<Report> {
    let mut sockets = Vec::new();
    for _ in 0..spec.count()? {
        let mut builder = SubSocket::builder();
        if spec.flag("stamped") {
            builder = builder.property("X-Colugo", "1");
        }
        let socket = builder.build()?;
        socket.subscribe("")?;
        socket.connect(spec.text("addr")?)?;
        sockets.push(socket);
    }
    let batch = spec.flag("batch");
    let usage = Usage::start();
    let receive = move |socket: SubSocket| {
        if batch {
            receive_batches(&socket)
        } else {
            receive_each(&socket)
        }
    };
    let threads: Vec<_> = sockets
        .into_iter()
        .map(|socket| std::thread::spawn(move || receive(socket)))
        .collect();
    link.ready("")?;
    let mut checkers = Vec::new();
    for thread in threads {
        checkers.push(thread.join().map_err(|_| "a receiving thread panicked")??);
    }
    Ok(usage.report().merge(Checker::report(&checkers)))
}

fn receive_each(socket: &SubSocket) -> Result<Checker> {
    let mut checker = Checker::new();
    while !checker.see(socket.recv()?.payload()) {}
    Ok(checker)
}

fn receive_batches(socket: &SubSocket) -> Result<Checker> {
    let mut checker = Checker::new();
    let mut batch = Vec::new();
    loop {
        socket.recv_batch(&mut batch, 256)?;
        for message in batch.drain(..) {
            if checker.see(message.payload()) {
                return Ok(checker);
            }
        }
    }
}

struct Inline {
    checker: Checker,
    over: Sender<Checker>,
}

impl Handler for Inline {
    fn message(&mut self, _peer: &Arc<Peer>, message: MessageRef<'_>) {
        if self.checker.see(message.payload()) {
            let _ = self.over.send(std::mem::take(&mut self.checker));
        }
    }
}

fn subscribe_inline(spec: &Spec, link: &Link) -> Result<Report> {
    let (over, checked) = channel();
    let usage = Usage::start();
    let mut sockets = Vec::new();
    for _ in 0..spec.count()? {
        let socket = SubSocket::builder()
            .handler(Inline {
                checker: Checker::new(),
                over: over.clone(),
            })
            .build()?;
        socket.subscribe("")?;
        socket.connect(spec.text("addr")?)?;
        sockets.push(socket);
    }
    link.ready("")?;
    let checkers: Vec<_> = checked.iter().take(sockets.len()).collect();
    Ok(usage.report().merge(Checker::report(&checkers)))
}

/// Gives back what it gets, on the data thread.
#[derive(Default)]
struct Echo {
    socket: Arc<OnceLock<RouterSocket>>,
    over: Option<Sender<()>>,
}

impl Handler for Echo {
    fn message(&mut self, peer: &Arc<Peer>, message: MessageRef<'_>) {
        let Some(socket) = self.socket.get() else {
            return;
        };
        let sent = match message.len() {
            1 => socket.send_to(peer.id(), message.payload()),
            _ => socket.send_to(peer.id(), message.to_message()),
        };
        let last = message.frames().last().is_some_and(is_last);
        if (last || sent.is_err())
            && let Some(over) = &self.over
        {
            let _ = over.send(());
        }
    }
}

fn route(_spec: &Spec, link: &Link) -> Result<Report> {
    let (over, ended) = channel();
    let socket = Arc::new(OnceLock::new());
    let echo = Echo {
        socket: socket.clone(),
        over: Some(over),
    };
    let router = RouterSocket::builder().handler(echo).build()?;
    let address = router.bind(ANYWHERE)?.to_string();
    let _ = socket.set(router);
    link.ready(&address)?;
    let usage = Usage::start();
    ended.recv()?;
    link.wait_for_stop();
    Ok(usage.report())
}

fn request(spec: &Spec, link: &Link) -> Result<Report> {
    let socket = ReqSocket::new()?;
    socket.connect(spec.text("addr")?)?;
    link.ready("")?;
    if !socket.wait_for_peers(1, PATIENCE) {
        return Err("no server".into());
    }
    let mut payload = vec![0; spec.size()?];
    let mut call = |count: u64| -> Result<Duration> {
        stamp(&mut payload, count);
        let start = Instant::now();
        socket.send(&payload[..])?;
        let reply = socket.recv()?;
        let taken = start.elapsed();
        if number(reply.payload()) == count {
            Ok(taken)
        } else {
            Err("a reply to another request".into())
        }
    };
    let usage = Usage::start();
    let latencies = Latencies::of_calls(spec.duration()?, &mut call)?;
    let report = usage.report().merge(latencies.report());
    call(u64::MAX)?;
    Ok(report)
}

/// Keeps `count` requests in flight: one send a request, one `recv` a reply.
fn deal(spec: &Spec, link: &Link) -> Result<Report> {
    let socket = DealerSocket::new()?;
    socket.connect(spec.text("addr")?)?;
    link.ready("")?;
    if !socket.wait_for_peers(1, PATIENCE) {
        return Err("no server".into());
    }
    let mut payload = vec![0; spec.size()?];
    let mut send = |count: u64| {
        stamp(&mut payload, count);
        socket.send(&payload[..])
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
        let reply = number(socket.recv()?.payload());
        if reply != done {
            return Err(format!("reply {reply} where {done} was due").into());
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

/// Ping-pong on the data thread: the next request leaves from the callback that got the reply.
struct PingPong {
    socket: Arc<OnceLock<DealerSocket>>,
    payload: Vec<u8>,
    latencies: Latencies,
    sent: Instant,
    warm: Instant,
    until: Instant,
    over: Sender<Result<Latencies>>,
}

impl PingPong {
    fn next(&mut self, count: u64) {
        stamp(&mut self.payload, count);
        self.sent = Instant::now();
        if let Some(socket) = self.socket.get()
            && let Err(error) = socket.send(&self.payload[..])
        {
            let _ = self.over.send(Err(error.into()));
        }
    }
}

impl Handler for PingPong {
    fn message(&mut self, _peer: &Arc<Peer>, message: MessageRef<'_>) {
        let now = Instant::now();
        if is_last(message.payload()) {
            let _ = self.over.send(Ok(std::mem::take(&mut self.latencies)));
            return;
        }
        if now > self.warm {
            self.latencies.add(now - self.sent);
        }
        let last = now > self.until;
        self.next(if last {
            u64::MAX
        } else {
            number(message.payload()) + 1
        });
    }
}

fn deal_inline(spec: &Spec, link: &Link) -> Result<Report> {
    let (over, ended) = channel();
    let shared = Arc::new(OnceLock::new());
    let now = Instant::now();
    let duration = spec.duration()?;
    let handler = PingPong {
        socket: shared.clone(),
        payload: vec![0; spec.size()?],
        latencies: Latencies::new(),
        sent: now,
        warm: now + duration / 10,
        until: now + duration,
        over,
    };
    let mut first = vec![0; spec.size()?];
    stamp(&mut first, 0);
    let socket = DealerSocket::builder().handler(handler).build()?;
    socket.connect(spec.text("addr")?)?;
    link.ready("")?;
    if !socket.wait_for_peers(1, PATIENCE) {
        return Err("no server".into());
    }
    let usage = Usage::start();
    let _ = shared.set(socket);
    shared.get().ok_or("no socket")?.send(&first[..])?;
    let latencies = ended.recv()??;
    Ok(usage.report().merge(latencies.report()))
}
