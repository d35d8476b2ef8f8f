//! Ours, as programs use it: nodes with publishers, subscribers, request clients and reply servers. Streams and calls go to addresses, so
//! that what is measured does not begin with finding each other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use colugo::{Bytes, Network, Node, Overflow, RequestClient, Subscriber};

use crate::recycled::Recycler;
use kit::Result;
use kit::Role;
use kit::child::{Link, Spec};
use kit::payload::{Checker, Pace, SMALLEST, is_last, number, stamp, stamp_last};
use kit::report::Report;
use kit::stats::{Latencies, Usage};

/// What nodes can be asked to do.
pub const ROLES: &[(&str, Role)] = &[
    ("node.pub", publish),
    ("node.sub", subscribe),
    ("node.sub-inline", subscribe_inline),
    ("node.server", serve),
    ("node.call", call),
    ("node.calls", calls),
    ("node.calls-inline", calls_inline),
];

/// Longer than any run: who waits so long has been forgotten.
const PATIENCE: Duration = Duration::from_secs(30);
const ANYWHERE: &str = "tcp://127.0.0.1:0";
const TOPIC: &str = "bench";

fn node(name: &str) -> Result<Node> {
    Ok(Node::builder(name).network(Network::Peers).build()?)
}

fn endpoint(of: Vec<String>) -> Result<String> {
    of.into_iter()
        .next()
        .ok_or_else(|| "it listens nowhere".into())
}

fn publish(spec: &Spec, link: &Link) -> Result<Report> {
    let node = node("publisher")?;
    let publisher = node
        .publisher(TOPIC)
        .bind(ANYWHERE)
        .overflow(Overflow::Block(PATIENCE))
        .build()?;
    link.ready(&endpoint(publisher.endpoints())?)?;
    publisher.wait_for_subscribers(spec.count()?, PATIENCE)?;
    let usage = Usage::start();
    let size = spec.size()?;
    let pace = Pace::start(spec.duration()?, size);
    let mut total = 0;
    let mut payload = vec![0; size];
    if spec.flag("lend") {
        let mut buffers = Recycler::new(size);
        while pace.goes_on(total) {
            publisher.send_bytes(buffers.next(|buffer| stamp(buffer, total)))?;
            total += 1;
        }
    } else {
        while pace.goes_on(total) {
            stamp(&mut payload, total);
            publisher.send(&payload[..])?;
            total += 1;
        }
    }
    payload.resize(size.max(SMALLEST), 0);
    stamp_last(&mut payload, total);
    publisher.send(&payload[..])?;
    link.wait_for_stop();
    Ok(usage.report())
}

/// `count` subscribers with a thread each, one `recv` a message; or in batches.
fn subscribe(spec: &Spec, link: &Link) -> Result<Report> {
    let mut nodes = Vec::new();
    let mut subscribers = Vec::new();
    for _ in 0..spec.count()? {
        let node = node("subscriber")?;
        subscribers.push(node.subscriber(TOPIC).connect(spec.text("addr")?).build()?);
        nodes.push(node);
    }
    let receive = if spec.flag("batch") {
        receive_batches
    } else {
        receive_each
    };
    let usage = Usage::start();
    let threads: Vec<_> = subscribers
        .into_iter()
        .map(|one| std::thread::spawn(move || receive(&one)))
        .collect();
    link.ready("")?;
    let mut checkers = Vec::new();
    for thread in threads {
        checkers.push(thread.join().map_err(|_| "a receiving thread panicked")??);
    }
    Ok(usage.report().merge(Checker::report(&checkers)))
}

fn receive_each(subscriber: &Subscriber) -> Result<Checker> {
    let mut checker = Checker::new();
    while !checker.see(&subscriber.recv()?.value) {}
    Ok(checker)
}

fn receive_batches(subscriber: &Subscriber) -> Result<Checker> {
    let mut checker = Checker::new();
    let mut batch = Vec::new();
    loop {
        subscriber.recv_batch(&mut batch, 256)?;
        for message in batch.drain(..) {
            if checker.see(&message.value) {
                return Ok(checker);
            }
        }
    }
}

fn subscribe_inline(spec: &Spec, link: &Link) -> Result<Report> {
    let node = node("subscriber")?;
    let (over, checked) = channel();
    let mut checker = Checker::new();
    let usage = Usage::start();
    let _subscriber = node
        .subscriber(TOPIC)
        .connect(spec.text("addr")?)
        .on_message_inline(move |message| {
            if checker.see(message.payload()) {
                let _ = over.send(std::mem::take(&mut checker));
            }
        })?;
    link.ready("")?;
    let checker = checked.recv()?;
    Ok(usage.report().merge(Checker::report(&[checker])))
}

/// Gives back what it gets, on the data thread.
fn serve(_spec: &Spec, link: &Link) -> Result<Report> {
    let node = node("server")?;
    let (over, ended) = channel();
    let server =
        node.reply_server(TOPIC)
            .bind(ANYWHERE)
            .on_request_inline(move |request, responder| {
                let last = is_last(request.payload());
                if responder.reply(request.payload()).is_err() || last {
                    let _ = over.send(());
                }
            })?;
    link.ready(&endpoint(server.endpoints())?)?;
    let usage = Usage::start();
    ended.recv()?;
    link.wait_for_stop();
    Ok(usage.report())
}

fn client(spec: &Spec, link: &Link) -> Result<(Node, RequestClient)> {
    let node = node("client")?;
    let client = node
        .request_client(TOPIC)
        .connect(spec.text("addr")?)
        .timeout(PATIENCE)
        .build()?;
    link.ready("")?;
    client.wait_for_server(PATIENCE)?;
    Ok((node, client))
}

fn call(spec: &Spec, link: &Link) -> Result<Report> {
    let (_node, client) = client(spec, link)?;
    let mut payload = vec![0; spec.size()?];
    let mut call = |count: u64| -> Result<Duration> {
        stamp(&mut payload, count);
        let start = Instant::now();
        let reply = client.request(&payload[..]).wait()?;
        let taken = start.elapsed();
        if number(&reply) == count {
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

/// Keeps `count` requests in flight: started on this thread, waited for in turn.
fn calls(spec: &Spec, link: &Link) -> Result<Report> {
    let (_node, client) = client(spec, link)?;
    let mut payload = vec![0; spec.size()?];
    let mut start = |count: u64| {
        stamp(&mut payload, count);
        client.request(&payload[..]).start()
    };
    let window = spec.count()? as u64;
    let pace = Pace::start(spec.duration()?, spec.size()?);
    let usage = Usage::start();
    let started = Instant::now();
    let mut pending: VecDeque<_> = (0..window).map(&mut start).collect();
    let mut done = 0;
    while done == 0 || pace.goes_on(done) {
        let oldest = pending.pop_front().ok_or("no request is in flight")?;
        let reply = number(&oldest.wait()?);
        if reply != done {
            return Err(format!("reply {reply} where {done} was due").into());
        }
        pending.push_back(start(done + window));
        done += 1;
    }
    let secs = started.elapsed().as_secs_f64();
    let report = usage.report();
    for left in pending {
        left.wait()?;
    }
    start(u64::MAX).wait()?;
    Ok(report
        .with("msgs", done as f64)
        .with("rate", done as f64 / secs))
}

/// Requests whose replies start the next ones, on the data thread. It does no more per request than libzmq's side does: only a
/// ping-pong is timed one by one.
struct Chain {
    client: RequestClient,
    next: AtomicU64,
    in_flight: AtomicU64,
    stopped: AtomicBool,
    pace: Pace,
    warm: Instant,
    /// Of a ping-pong.
    latencies: Option<Mutex<Latencies>>,
    size: usize,
    over: Sender<Result<()>>,
}

/// Requests of a chain are made on the stack.
const CHAIN_MAX: usize = 256;

impl Chain {
    /// Sends a request; its reply sends another.
    fn ask(self: &Arc<Self>) {
        let mut payload = [0; CHAIN_MAX];
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        stamp(&mut payload, count);
        let chain = self.clone();
        let sent = self.latencies.is_some().then(Instant::now);
        self.client
            .request(&payload[..self.size])
            .on_reply_inline(move |reply| match reply {
                Ok(reply) => chain.answered(count, &reply, sent),
                Err(error) => drop(chain.over.send(Err(error.into()))),
            });
    }

    fn answered(self: &Arc<Self>, count: u64, reply: &Bytes, sent: Option<Instant>) {
        if let (Some(sent), Some(latencies)) = (sent, &self.latencies) {
            let now = Instant::now();
            if now > self.warm {
                let mut latencies = latencies.lock().unwrap_or_else(PoisonError::into_inner);
                latencies.add(now - sent);
            }
        }
        if number(reply) != count {
            let _ = self.over.send(Err("a reply to another request".into()));
            return;
        }
        if !self.stopped.load(Ordering::Relaxed) {
            if self.pace.goes_on(count) {
                return self.ask();
            }
            self.stopped.store(true, Ordering::Relaxed);
        }
        if self.in_flight.fetch_sub(1, Ordering::Relaxed) == 1 {
            let _ = self.over.send(Ok(()));
        }
    }
}

/// Keeps `count` requests in flight: the reply's callback sends the next. One in flight is a ping-pong.
fn calls_inline(spec: &Spec, link: &Link) -> Result<Report> {
    let (size, window, duration) = (spec.size()?, spec.count()?, spec.duration()?);
    if size > CHAIN_MAX {
        return Err(format!("requests of a chain have at most {CHAIN_MAX} octets").into());
    }
    let (_node, client) = client(spec, link)?;
    let (over, ended) = channel();
    let usage = Usage::start();
    let started = Instant::now();
    let chain = Arc::new(Chain {
        client: client.clone(),
        next: AtomicU64::new(0),
        in_flight: AtomicU64::new(window as u64),
        stopped: AtomicBool::new(false),
        pace: Pace::start(duration, size),
        warm: started + duration / 10,
        latencies: (window == 1).then(|| Mutex::new(Latencies::new())),
        size,
        over,
    });
    for _ in 0..window {
        chain.ask();
    }
    ended.recv()??;
    let secs = started.elapsed().as_secs_f64();
    let report = usage.report();
    let done = chain.next.load(Ordering::Relaxed) as f64;
    let mut last = vec![0; size];
    stamp(&mut last, u64::MAX);
    client.request(&last[..]).wait()?;
    let report = report.with("msgs", done).with("rate", done / secs);
    Ok(match &chain.latencies {
        Some(latencies) => {
            let latencies = latencies.lock().unwrap_or_else(PoisonError::into_inner);
            report.merge(latencies.report())
        }
        None => report,
    })
}
