//! Reaching one node at one of several addresses: all are tried, the next one 150 ms after the last, and the first that
//! turns out to be the right node wins.
//!
//! Knows the race; what the addresses are worth is told by `interfaces`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use colugo_graph::{DialFailure, NodeId};
use colugo_zmtp::SocketType;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::link::{Established, Opened, establish};

/// After this the next address is tried beside the one that has not answered yet.
const STAGGER: Duration = Duration::from_millis(150);

/// After this the attempt has failed.
const WITHIN: Duration = Duration::from_secs(2);

/// Dials all addresses, in this order. `wanted` is who must answer; `None`: whoever does.
pub(super) async fn race(
    own: NodeId,
    wanted: Option<NodeId>,
    addresses: Vec<SocketAddr>,
) -> Result<Established, DialFailure> {
    let deadline = Instant::now() + WITHIN;
    let mut failure = None;
    let mut waiting = addresses.into_iter();
    // Dropped with this future, and all attempts with it.
    let mut attempts = JoinSet::new();
    loop {
        let next = waiting.next();
        let more = next.is_some();
        if let Some(address) = next {
            attempts.spawn(attempt(own, wanted, address));
        }
        if attempts.is_empty() {
            return Err(failure.unwrap_or(DialFailure::Unreachable));
        }
        let until = if more {
            (Instant::now() + STAGGER).min(deadline)
        } else {
            deadline
        };
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok(Ok(established))) => return Ok(established),
                Some(Ok(Err(reason))) => failure = Some(more_telling(failure, reason)),
                Some(Err(_)) | None => {}
            },
            () = sleep_until(until) => {}
        }
        if Instant::now() >= deadline {
            return Err(failure.map_or(DialFailure::TimedOut, |failure| {
                more_telling(Some(failure), DialFailure::TimedOut)
            }));
        }
    }
}

/// The name of a fixed peer, resolved now.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, DialFailure> {
    let deadline = Instant::now() + WITHIN;
    match timeout_at(deadline, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(_)) => Err(DialFailure::Unresolved),
        Err(_) => Err(DialFailure::TimedOut),
    }
}

/// The host and port of `tcp://host:port`; the scheme may be missing, an IPv6 address stands in brackets.
pub(super) fn parse(peer: &str) -> Option<(String, u16)> {
    let rest = peer.trim();
    let rest = rest.strip_prefix("tcp://").unwrap_or(rest);
    let (host, port) = rest.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    (!host.is_empty() && host.chars().all(allowed)).then(|| (host.to_owned(), port))
}

async fn attempt(
    own: NodeId,
    wanted: Option<NodeId>,
    address: SocketAddr,
) -> Result<Established, DialFailure> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| unconnected(&error))?;
    let handshake = establish(Opened::new(stream), address, own, SocketType::Dealer).await;
    let established = handshake.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => DialFailure::NotANode,
        _ => DialFailure::Dismissed,
    })?;
    match (wanted, established.node) {
        // The wrong host behind the same private address, or another node at the port of one that is gone.
        (Some(wanted), Some(found)) if wanted != found => Err(DialFailure::OtherNode),
        _ => Ok(established),
    }
}

fn unconnected(error: &io::Error) -> DialFailure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DialFailure::Refused,
        io::ErrorKind::TimedOut => DialFailure::TimedOut,
        _ => DialFailure::Unreachable,
    }
}

/// Of two failures the one that says more: somebody answered there.
fn more_telling(a: Option<DialFailure>, b: DialFailure) -> DialFailure {
    let says = |failure: DialFailure| match failure {
        DialFailure::Unreachable => 0,
        DialFailure::TimedOut => 1,
        DialFailure::Refused => 2,
        _ => 3,
    };
    a.filter(|a| says(*a) >= says(b)).unwrap_or(b)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn peers_are_hosts_and_ports() {
        let good = [
            ("tcp://a.local:47", "a.local", 47),
            ("10.0.0.1:1", "10.0.0.1", 1),
            ("tcp://[::1]:9", "::1", 9),
        ];
        for (peer, host, port) in good {
            assert_eq!(parse(peer), Some((host.to_owned(), port)), "{peer}");
        }
        for peer in [
            "",
            "a",
            "a:",
            ":1",
            "a:0",
            "a:70000",
            "::1:5",
            "tcp://a b:1",
            "udp://a:1",
            "tcp://a:1/x",
            "[::1:5",
        ] {
            assert_eq!(parse(peer), None, "{peer}");
        }
    }
}
