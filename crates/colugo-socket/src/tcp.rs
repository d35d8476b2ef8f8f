//! TCP: how it listens, dials, and what its streams are set to. Knows addresses and the system's options; used by `listen` and `dial`.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;

use crate::endpoint::{Endpoint, Host};
use crate::error::BindError;
use crate::listen::explain;
use crate::options::{BACKLOG, CONNECT_TIMEOUT, KEEPALIVE_AFTER, KEEPALIVE_EVERY};

/// Binds a listening socket. Gives it with the endpoint that names its real port.
pub(crate) fn bind(
    endpoint: &Endpoint,
    host: &Host,
    port: u16,
) -> Result<(std::net::TcpListener, Endpoint), BindError> {
    let addrs: Vec<SocketAddr> = match (host, host.socket_addr(port)) {
        (Host::Any, _) => vec![
            (Ipv6Addr::UNSPECIFIED, port).into(),
            (Ipv4Addr::UNSPECIFIED, port).into(),
        ],
        (Host::Name(name), _) => {
            let found = (name.as_str(), port).to_socket_addrs();
            found
                .map_err(|error| BindError::Resolve(endpoint.to_string(), error))?
                .collect()
        }
        (_, Some(addr)) => vec![addr],
        _ => Vec::new(),
    };
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for addr in addrs {
        match listen(addr, *host == Host::Any) {
            Ok(listener) => {
                let port = listener
                    .local_addr()
                    .map(|a| a.port())
                    .map_err(|e| explain(endpoint, e))?;
                return Ok((listener, Endpoint::tcp_at(host.clone(), port)));
            }
            // With every interface meant, a taken port is taken: the IPv4 half alone would be a surprise.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(explain(endpoint, error));
            }
            Err(error) => last = error,
        }
    }
    Err(explain(endpoint, last))
}

fn listen(addr: SocketAddr, dual: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!dual)?;
    }
    // On Unix this only lets a restarted program have its port back; elsewhere it would let two programs share one.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG as i32)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Dials: every address of a name in turn, each within its time.
pub(crate) async fn connect(host: &Host, port: u16) -> io::Result<TcpStream> {
    let addrs: Vec<SocketAddr> = match (host, host.socket_addr(port)) {
        (Host::Name(name), _) => tokio::net::lookup_host((name.as_str(), port))
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

/// Sets what every connection is to have.
pub(crate) fn tune(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    // A peer whose machine vanished says nothing more; without this the link would wait for it for ever.
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive());
    let addr = stream.peer_addr().ok();
    if addr.is_some_and(|addr| addr.ip().to_canonical().is_loopback()) {
        unpace(stream);
    }
}

/// Within one machine there is no congestion, and pacing, as BBR does it, only costs: timers, and bursts held back. Reno has none, and
/// every system has it.
fn unpace(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(stream).set_tcp_congestion(b"reno");
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// Bounds how long octets may wait for the other side's system; it then replaces the number of keepalive probes as well.
pub(crate) fn set_untaken_timeout(stream: &TcpStream, timeout: Option<Duration>) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = SockRef::from(stream).set_tcp_user_timeout(timeout);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (stream, timeout);
}

fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
}
