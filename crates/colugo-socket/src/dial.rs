//! Dialling: connects, shakes hands, runs the session, and does it again, with a growing pause with jitter, until it is told to stop.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use bytes::{Bytes, BytesMut};
use colugo_zmtp::{PeerHello, SocketType};

use crate::core::Core;
use crate::endpoint::{Endpoint, Place};
use crate::event::SocketEvent;
use crate::gate::lock;
use crate::greet::{Greeted, Passed, greet, part};
#[cfg(unix)]
use crate::ipc;
use crate::link::{CLOSE, Link};
use crate::listen::is_out_of_descriptors;
use crate::lobby::Waiting;
use crate::options::{CLOSING_PAUSE, HEALTHY_AFTER};
use crate::peer::Peer;
use crate::random;
use crate::sealed::seal;
use crate::session::Session;
use crate::stream::Stream;
use crate::tasks::TaskGuard;
use crate::tcp;
use crate::writer::Writer;

/// The pauses between attempts.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    cap: Duration,
}

impl Backoff {
    pub(crate) fn new((min, max): (Duration, Duration)) -> Self {
        let min = min.max(Duration::from_millis(1));
        Self {
            min,
            max: max.max(min),
            cap: min,
        }
    }

    /// The next pause: anything from nothing to the cap, which then doubles. `random` is uniform over all values.
    pub(crate) fn next(&mut self, random: u32) -> Duration {
        let pause = self.cap.mul_f64(f64::from(random) / f64::from(u32::MAX));
        self.cap = (self.cap * 2).min(self.max);
        pause
    }

    pub(crate) fn reset(&mut self) {
        self.cap = self.min;
    }
}

/// The link of an endpoint that is dialled: the same for all connections, but for who answers peers by their link (ROUTER and REP). What
/// waits for one asker must not reach the one who has taken its place at the same endpoint.
#[derive(Clone, Debug)]
pub(crate) struct DialledLink(Arc<Mutex<Arc<Link>>>);

impl DialledLink {
    pub(crate) fn now(&self) -> Arc<Link> {
        lock(&self.0).clone()
    }
}

/// What the task of an endpoint that is dialled holds: however it ends, its link is taken out, after its connection.
pub(crate) struct Dialled {
    core: Arc<Core>,
    link: DialledLink,
    _task: TaskGuard,
}

impl Dialled {
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        Self {
            core: core.clone(),
            link: DialledLink(Arc::new(Mutex::new(core.new_link(true)))),
            _task: core.guard(),
        }
    }

    pub(crate) fn link(&self) -> DialledLink {
        self.link.clone()
    }

    /// A connection has ended, and another one is to follow.
    fn renew(&self) {
        if self.core.is_router() {
            let new = self.core.new_link(true);
            let old = std::mem::replace(&mut *lock(&self.link.0), new);
            self.core.forget(&old);
        }
    }
}

impl Drop for Dialled {
    fn drop(&mut self) {
        self.core.forget(&self.link.now());
    }
}

/// Where a peer is, and how else it can be reached.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    /// What it is known by.
    pub(crate) endpoint: Endpoint,
    /// Tried where that fails or takes long.
    pub(crate) other: Option<Endpoint>,
    /// The address of a lane to it on a trunk to `other`, which is asked for first.
    pub(crate) lane: Option<Bytes>,
}

/// How long an endpoint is waited for before the other way to the same peer is tried beside it.
const HEAD_START: Duration = Duration::from_millis(300);

/// How a connection came to be.
pub(crate) enum Origin {
    /// By dialling this endpoint.
    Dialled(Endpoint),
    /// It was accepted, here or by who handed it on, and comes out of the lobby.
    Accepted(Waiting, Passed),
}

pub(crate) async fn dial(dialled: Dialled, ways: Ways, stop: Arc<AtomicBool>) {
    let endpoint = &ways.endpoint;
    let core = &dialled.core;
    let mut backoff = Backoff::new(core.options.reconnect);
    loop {
        let began = Instant::now();
        let link = dialled.link.now();
        match reach(core, &ways).await {
            Ok(stream) => {
                let origin = Origin::Dialled(endpoint.clone());
                run_connection(core, &link, stream, origin, &stop).await;
                #[cfg(test)]
                if crate::simulator::gives_up(core) {
                    return;
                }
                if began.elapsed() >= HEALTHY_AFTER {
                    backoff.reset();
                }
            }
            Err(error) => core.emit(SocketEvent::DialFailed(endpoint.clone(), error.kind())),
        }
        if (stop.load(Ordering::SeqCst) || core.is_closing()) && link.is_drained() {
            return;
        }
        dialled.renew();
        let next = backoff.next(random::u32());
        core.emit(SocketEvent::Retrying(endpoint.clone(), next));
        pause(core, next).await;
    }
}

/// The pause between two attempts. A closing socket has no time for long ones.
async fn pause(core: &Core, pause: Duration) {
    if core.is_closing() {
        return tokio::time::sleep(pause.min(CLOSING_PAUSE)).await;
    }
    let mut sleep = pin!(tokio::time::sleep(pause));
    poll_fn(|cx| {
        core.peers_changed.register(cx);
        if core.is_closing() {
            return Poll::Ready(());
        }
        sleep.as_mut().poll(cx)
    })
    .await;
}

/// Connects by a lane, if there is to be one, else by the endpoint or the other way.
async fn reach(core: &Core, ways: &Ways) -> io::Result<Stream> {
    if let (Some(other), Some(lane)) = (&ways.other, &ways.lane) {
        match core.trunks.open(other, lane.clone()).await {
            Ok(lane) => return Ok(Stream::Pipe(lane)),
            Err(error) => tracing::debug!(to = %other, %error, "no lane"),
        }
    }
    connect_either(core, &ways.endpoint, ways.other.as_ref()).await
}

/// Connects by the endpoint, or, where that fails or takes long, by the other way to the same peer. What is said of a failure is of the endpoint.
async fn connect_either(
    core: &Core,
    endpoint: &Endpoint,
    other: Option<&Endpoint>,
) -> io::Result<Stream> {
    let mut straight = pin!(connect(core, endpoint));
    let Some(other) = other else {
        return straight.await;
    };
    match tokio::time::timeout(HEAD_START, &mut straight).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => connect(core, other).await.or(Err(error)),
        Err(_) => {
            let around = pin!(connect(core, other));
            first_of(straight, around).await
        }
    }
}

/// The first to succeed; if neither does, the error of `straight`.
async fn first_of(
    mut straight: Pin<&mut impl Future<Output = io::Result<Stream>>>,
    mut around: Pin<&mut impl Future<Output = io::Result<Stream>>>,
) -> io::Result<Stream> {
    let mut failed = None;
    let mut blocked = false;
    poll_fn(|cx| {
        if failed.is_none() {
            match straight.as_mut().poll(cx) {
                Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                Poll::Ready(Err(error)) => failed = Some(error),
                Poll::Pending => {}
            }
        }
        if !blocked {
            match around.as_mut().poll(cx) {
                Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                Poll::Ready(Err(_)) => blocked = true,
                Poll::Pending => {}
            }
        }
        match failed.take() {
            Some(error) if blocked => Poll::Ready(Err(error)),
            error => {
                failed = error;
                Poll::Pending
            }
        }
    })
    .await
}

/// Connects, if need be with a descriptor that was kept back for it.
async fn connect(core: &Core, endpoint: &Endpoint) -> io::Result<Stream> {
    match connect_once(core, endpoint).await {
        Err(error) if is_out_of_descriptors(&error) && core.spare.spend() => {
            connect_once(core, endpoint).await
        }
        done => done,
    }
}

async fn connect_once(core: &Core, endpoint: &Endpoint) -> io::Result<Stream> {
    match &endpoint.place {
        Place::Tcp(host, port) => tcp::connect(host, *port).await.map(Stream::Tcp),
        #[cfg(unix)]
        Place::Ipc(name) => ipc::connect(name).await.map(Stream::Unix),
        #[cfg(not(unix))]
        Place::Ipc(_) => Err(io::ErrorKind::Unsupported.into()),
        Place::Inproc(name) => core.inproc.connect(name).await.map(Stream::Pipe),
    }
}

/// Shakes hands on a new connection and runs it until it ends.
pub(crate) async fn run_connection(
    core: &Arc<Core>,
    link: &Arc<Link>,
    mut stream: Stream,
    origin: Origin,
    stop: &AtomicBool,
) {
    let (mut dialled, waiting, mut passed) = match origin {
        Origin::Dialled(endpoint) => (Some(endpoint), None, Passed::default()),
        Origin::Accepted(waiting, passed) => (None, Some(waiting), passed),
    };
    let outgoing = dialled.is_some();
    let spoke = waiting
        .as_ref()
        .map(|w| w.spoke.clone())
        .unwrap_or_default();
    stream.tune();
    let addr = stream.remote();
    let seats = matches!(core.kind, SocketType::Router | SocketType::Pair);
    let mut admit = |hello: PeerHello| {
        let colugo = hello.colugo;
        let dialled = dialled.take();
        let peer = Arc::new(Peer::new(link.id, addr, dialled, hello, core.is_router()));
        let counted = core.count_in(&peer)?;
        let seat = core.admit(&peer)?;
        Some((peer, (seat, counted), colugo))
    };
    let greeted = greet(
        &mut stream,
        core.kind,
        &core.options,
        &mut passed,
        seats && !outgoing,
        &spoke,
        &mut admit,
    )
    .await;
    drop(waiting);
    // The seat is dropped after the session.
    let Greeted {
        admitted: (peer, _seat, colugo),
        rest,
        sealing,
    } = match greeted {
        Ok(Some(done)) => done,
        Ok(None) => {
            part(&mut stream).await;
            return;
        }
        Err(fault) => {
            core.counters
                .handshakes_failed
                .fetch_add(1, Ordering::Relaxed);
            core.emit(SocketEvent::HandshakeFailed(addr, fault));
            part(&mut stream).await;
            return;
        }
    };
    let stamped = core.options.stamped && colugo;
    let (stream, rest) = match sealing {
        Some(sealing) => (seal(core, stream, sealing, rest), BytesMut::new()),
        None => (stream, rest),
    };
    let (read, write) = stream.split();
    // With heartbeats a silent peer is found out much sooner; without, keepalive alone finds it, and this would make it slower.
    if core.options.heartbeat.is_some() && peer.minor() >= 1 {
        write.set_untaken_timeout(core.options.untaken_timeout);
    }
    let sent_before = link.sent.load(Ordering::Relaxed);
    let waiting = core.link_up(link, &peer, Writer::new(write), stamped);
    // From here on the session's drop takes the link down, however it ends.
    let session = Session::new(core.clone(), link.clone(), peer, read, rest, sent_before);
    // Apart, so that a connection that has not shaken hands, and may never do, has no room for it.
    let mut session = Box::new(session);
    if waiting && link.drain(usize::MAX) {
        core.flusher.mark(link.clone());
    }
    if stop.load(Ordering::SeqCst) || core.is_closing() {
        link.signal(CLOSE);
    }
    session.run().await;
    session.leave().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_start_again() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new((ms(50), ms(150)));
        assert_eq!(backoff.next(u32::MAX), ms(50));
        assert_eq!(backoff.next(u32::MAX), ms(100));
        assert_eq!(backoff.next(u32::MAX), ms(150));
        assert_eq!(backoff.next(0), ms(0));
        backoff.reset();
        assert_eq!(backoff.next(u32::MAX), ms(50));
    }
}
