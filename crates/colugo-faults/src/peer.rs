//! A peer process: one socket that does what its standard input says, an order a line, and answers `{"ok": …}` or `{"error": TEXT}`; events of
//! the socket come in between. It ends when its input does.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use colugo_socket::{
    Builder, Endpoint, PubSocket, PullSocket, PushSocket, Socket, SocketEvent, SubSocket, kind,
};
use serde_json::{Value, json};

use crate::order::{Order, Setup};
use crate::parcel::now_ns;
use crate::sink::Sink;
use crate::source::{Out, Source};
use crate::tally::Tally;

type Done<T> = Result<T, Box<dyn std::error::Error>>;

/// How long anything is waited for, a little less than the scenarios wait for the answer.
const PATIENCE: Duration = Duration::from_secs(55);
/// How often a receiver that is held looks whether it may go on.
const HELD: Duration = Duration::from_millis(5);

type Events = Arc<Tally<BTreeMap<&'static str, u64>>>;

/// The process.
pub(crate) fn run(setup: &str) -> Done<()> {
    let mut peer = Peer::start(&serde_json::from_str(setup)?)?;
    say(&json!({"ready": null}));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let answer = serde_json::from_str::<Order>(&line)
            .map_err(Into::into)
            .and_then(|order| peer.obey(order));
        say(&match answer {
            Ok(value) => json!({"ok": value}),
            Err(error) => json!({"error": error.to_string()}),
        });
    }
    Ok(())
}

/// Nobody listening is no error: the end of the input will follow.
fn say(value: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{value}").and_then(|()| out.flush());
}

enum Socketed {
    Out(Arc<Out>),
    Sub(Arc<SubSocket>),
    Pull(Arc<PullSocket>),
}

/// The same call of whatever socket it is.
macro_rules! with {
    ($peer:expr, $socket:ident => $call:expr) => {
        match &$peer.socket {
            Socketed::Out(out) => match &**out {
                Out::Pub($socket) => $call,
                Out::Push($socket) => $call,
            },
            Socketed::Sub($socket) => $call,
            Socketed::Pull($socket) => $call,
        }
    };
}

struct Peer {
    socket: Socketed,
    source: Source,
    sink: Sink,
    held: Arc<AtomicBool>,
    events: Events,
    files: Vec<File>,
}

impl Peer {
    fn start(setup: &Setup) -> Done<Self> {
        let (sink, source, events) = (Sink::default(), Source::new(), Events::default());
        let held = Arc::new(AtomicBool::new(setup.queued));
        let socket = match setup.kind.as_str() {
            "pub" => {
                let builder = configure(PubSocket::builder(), setup, &events);
                let builder = match &setup.topic {
                    Some(_) => builder
                        .property("X-Colugo-Run", source.run().to_be_bytes().repeat(2))
                        .stamped(true),
                    None => builder,
                };
                Socketed::Out(Arc::new(Out::Pub(builder.build()?)))
            }
            "push" => {
                let builder = configure(PushSocket::builder(), setup, &events);
                Socketed::Out(Arc::new(Out::Push(builder.build()?)))
            }
            "sub" => {
                let builder = configure(SubSocket::builder(), setup, &events);
                let socket = Arc::new(receiving(builder, setup, &sink).build()?);
                socket.subscribe("")?;
                if setup.queued {
                    take_from(socket.clone(), sink.clone(), held.clone())?;
                }
                Socketed::Sub(socket)
            }
            "pull" => {
                let builder = configure(PullSocket::builder(), setup, &events);
                let socket = Arc::new(receiving(builder, setup, &sink).build()?);
                if setup.queued {
                    take_from(socket.clone(), sink.clone(), held.clone())?;
                }
                Socketed::Pull(socket)
            }
            other => return Err(format!("there is no kind {other}").into()),
        };
        Ok(Self {
            socket,
            source,
            sink,
            held,
            events,
            files: Vec::new(),
        })
    }

    fn obey(&mut self, order: Order) -> Done<Value> {
        Ok(match order {
            Order::Bind { to } => with!(self, socket => socket.bind(&to)?).to_string().into(),
            Order::Unbind { to } => with!(self, socket => socket.unbind(&to)).into(),
            Order::Connect { to } => {
                with!(self, socket => socket.connect(&to)?);
                Value::Null
            }
            Order::Disconnect { to } => with!(self, socket => socket.disconnect(&to)).into(),
            Order::Wait { n } => self.wait(n)?,
            Order::WaitGone { n } => self.wait_gone(n)?,
            Order::Flow { rate, size, count } => {
                let Socketed::Out(out) = &self.socket else {
                    return Err("a receiver sends nothing".into());
                };
                self.source.flow(out.clone(), rate, size, count)?
            }
            Order::Halt { wait } => self.source.halt(wait)?,
            Order::Watch { sent_after_ns } => {
                self.sink.watch(sent_after_ns);
                Value::Null
            }
            Order::Found { within_ms } => self.sink.found(Duration::from_millis(within_ms))?,
            Order::Reached { run, number } => self.sink.reached(run, number, PATIENCE)?,
            Order::Received { n } => self.sink.received(n, PATIENCE)?,
            Order::GoOn => {
                self.held.store(false, Ordering::SeqCst);
                Value::Null
            }
            Order::Hold => {
                self.held.store(true, Ordering::SeqCst);
                Value::Null
            }
            Order::Report => self.sink.report(),
            Order::Stats => self.stats(),
            Order::Exhaust { but } => {
                let files = std::iter::from_fn(|| File::open("/dev/null").ok());
                self.files.extend(files);
                let left = self.files.len().saturating_sub(but);
                self.files.truncate(left);
                left.into()
            }
            Order::Release => {
                self.files = Vec::new();
                Value::Null
            }
        })
    }

    fn wait(&self, n: usize) -> Done<Value> {
        let there = match &self.socket {
            Socketed::Out(out) => match &**out {
                Out::Pub(socket) => socket.wait_for_subscribers(n, PATIENCE),
                Out::Push(socket) => socket.wait_for_peers(n, PATIENCE),
            },
            Socketed::Sub(socket) => socket.wait_for_peers(n, PATIENCE),
            Socketed::Pull(socket) => socket.wait_for_peers(n, PATIENCE),
        };
        if there {
            return Ok(Value::Null);
        }
        let count = with!(self, socket => socket.peers().len());
        Err(format!("{count} peers are there, not {n}").into())
    }

    fn wait_gone(&self, n: usize) -> Done<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let count = with!(self, socket => socket.peers().len());
            if count <= n {
                return Ok(Value::Null);
            }
            if Instant::now() >= deadline {
                return Err(format!("{count} peers are still there").into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn stats(&self) -> Value {
        let stats = with!(self, socket => socket.stats());
        let peers = with!(self, socket => socket.peers().len());
        json!({
            "sent": stats.sent,
            "received": stats.received,
            "dropped_full": stats.dropped_full,
            "dropped_disconnect": stats.dropped_disconnect,
            "lost": stats.lost,
            "lost_unexplained": stats.lost_unexplained,
            "lost_disconnected": stats.lost_disconnected,
            "handshakes_failed": stats.handshakes_failed,
            "protocol_errors": stats.protocol_errors,
            "peers": peers,
            "events": self.events.look(|events| json!(*events)),
        })
    }
}

fn configure<K: kind::Kind>(builder: Builder<K>, setup: &Setup, events: &Events) -> Builder<K> {
    let ms = Duration::from_millis;
    let mut builder = builder;
    if let Some((messages, octets)) = setup.send_queue {
        builder = builder.send_queue(messages, octets);
    }
    if let Some((messages, octets)) = setup.receive_queue {
        builder = builder.receive_queue(messages, octets);
    }
    if let Some((first, longest)) = setup.reconnect_ms {
        builder = builder.reconnect(ms(first), ms(longest));
    }
    if let Some((interval, timeout)) = setup.heartbeat_ms {
        builder = builder.heartbeat(ms(interval), ms(timeout));
    }
    if let Some(most) = setup.max_connections {
        builder = builder.max_connections(most);
    }
    if let Some(topic) = &setup.topic {
        builder = builder
            .property("X-Colugo", "1")
            .property("X-Colugo-Topic", topic.clone());
        if setup.only_topic {
            builder = builder.expect_property("X-Colugo-Topic", topic.clone());
        }
    }
    let events = events.clone();
    builder.on_event(move |event| {
        let (name, why) = told(event);
        events.update(|counts| *counts.entry(name).or_default() += 1);
        say(&json!({"event": name, "why": why, "at_ns": now_ns()}));
    })
}

fn receiving<K: kind::Receives>(builder: Builder<K>, setup: &Setup, sink: &Sink) -> Builder<K> {
    if setup.queued {
        builder
    } else {
        builder.handler(sink.clone())
    }
}

/// A thread that takes what is in a socket's queue, unless it is held.
fn take_from<K: kind::Receives>(
    socket: Arc<Socket<K>>,
    sink: Sink,
    held: Arc<AtomicBool>,
) -> std::io::Result<()> {
    std::thread::Builder::new().spawn(move || {
        loop {
            if held.load(Ordering::SeqCst) {
                std::thread::sleep(HELD);
                continue;
            }
            match socket.recv_timeout(HELD) {
                Ok(message) => sink.take(message.link(), message.payload()),
                Err(colugo_socket::RecvError::TimedOut) => {}
                Err(_) => return,
            }
        }
    })?;
    Ok(())
}

fn told(event: &SocketEvent) -> (&'static str, String) {
    let endpoint = |endpoint: &Endpoint| endpoint.to_string();
    match event {
        SocketEvent::Listening(at) => ("listening", endpoint(at)),
        SocketEvent::Connected(peer) => ("connected", peer.socket_type().to_string()),
        SocketEvent::Disconnected(_, why) => ("disconnected", why.to_string()),
        SocketEvent::DialFailed(_, error) => ("dial_failed", error.to_string()),
        SocketEvent::HandshakeFailed(_, fault) => ("handshake_failed", fault.to_string()),
        SocketEvent::Refused(_, why) => ("refused", format!("{why:?}")),
        SocketEvent::Stalled(_) => ("stalled", String::new()),
        SocketEvent::Resumed(_, after) => ("resumed", format!("{after:?}")),
        SocketEvent::AcceptFailed(error) => ("accept_failed", error.to_string()),
        other => ("other", format!("{other:?}")),
    }
}
