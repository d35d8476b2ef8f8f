//! Dialling: connects, shakes hands, runs the session, and does it again, with a growing pause with jitter, until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::core::Core;
use crate::endpoint::{Endpoint, Host};
use crate::event::SocketEvent;
use crate::greet::{greet, part};
use crate::link::{CLOSE, Link};
use crate::options::{CONNECT_TIMEOUT, HEALTHY_AFTER, KEEPALIVE_AFTER, KEEPALIVE_EVERY};
use crate::peer::Peer;
use crate::session::Session;
use crate::tasks::TaskGuard;
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

pub(crate) async fn dial(
    core: Arc<Core>,
    link: Arc<Link>,
    endpoint: Endpoint,
    stop: Arc<AtomicBool>,
    _guard: TaskGuard,
) {
    let mut backoff = Backoff::new(core.options.reconnect);
    loop {
        let began = Instant::now();
        match connect(&endpoint).await {
            Ok(stream) => {
                run_connection(&core, &link, stream, true, &stop).await;
                if began.elapsed() >= HEALTHY_AFTER {
                    backoff.reset();
                }
            }
            Err(error) => core.emit(SocketEvent::DialFailed(endpoint.clone(), error.kind())),
        }
        if (stop.load(Ordering::SeqCst) || core.is_closing()) && link.is_drained() {
            core.forget(&link);
            return;
        }
        let random = getrandom::u32().unwrap_or(u32::MAX / 2);
        tokio::time::sleep(backoff.next(random)).await;
    }
}

async fn connect(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let addrs: Vec<SocketAddr> = match (&endpoint.host, endpoint.dialable().socket_addr()) {
        (Host::Name(name), _) => tokio::net::lookup_host((name.as_str(), endpoint.port))
            .await?
            .collect(),
        (_, Some(addr)) => vec![addr],
        _ => Vec::new(),
    };
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for addr in addrs {
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(addr)).await {
            // A dial to a free local port may meet itself, and then hold the port its peer wants to listen on.
            Ok(Ok(stream)) if stream.local_addr().ok() == stream.peer_addr().ok() => {
                last = io::ErrorKind::ConnectionRefused.into();
            }
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// Within one machine there is no congestion, and pacing, as BBR does it, only costs: timers, and bursts held back. Reno has none, and
/// every system has it.
fn unpace(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(stream).set_tcp_congestion(b"reno");
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
}

/// Shakes hands on a new connection and runs it until it ends.
pub(crate) async fn run_connection(
    core: &Arc<Core>,
    link: &Arc<Link>,
    mut stream: TcpStream,
    outgoing: bool,
    stop: &AtomicBool,
) {
    let _ = stream.set_nodelay(true);
    // A peer whose machine vanished says nothing more; without this the link would wait for it for ever.
    let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive());
    let addr = stream.peer_addr().ok();
    if addr.is_some_and(|addr| addr.ip().to_canonical().is_loopback()) {
        unpace(&stream);
    }
    let (hello, rest) = match greet(
        &mut stream,
        core.kind,
        &core.options,
        core.options.handshake_timeout,
    )
    .await
    {
        Ok(done) => done,
        Err(fault) => {
            core.counters
                .handshakes_failed
                .fetch_add(1, Ordering::Relaxed);
            core.emit(SocketEvent::HandshakeFailed(addr, fault));
            part(&mut stream).await;
            return;
        }
    };
    let stamped = core.options.stamped && hello.colugo;
    let peer = Arc::new(Peer::new(link.id, addr, outgoing, hello, core.is_router()));
    let (read, write) = stream.into_split();
    let waiting = core.link_up(link, &peer, Writer::new(write), stamped);
    // From here on the session's drop takes the link down, however it ends.
    let mut session = Session::new(core.clone(), link.clone(), peer, read, rest);
    if waiting && link.drain(usize::MAX) {
        core.flusher.mark(link.clone());
    }
    if stop.load(Ordering::SeqCst) || core.is_closing() {
        link.signal(CLOSE);
    }
    session.run().await;
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
