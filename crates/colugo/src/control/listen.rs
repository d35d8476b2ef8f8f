//! The control port: accepts connections and makes links of them.
//!
//! Knows how to listen on both address families at once, and to go on when the system has run out of something; does not
//! know who calls.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use colugo_graph::limits;
use colugo_zmtp::SocketType;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::door::{self, Wants};
use super::link::{Established, establish};
use super::node::NodeControl;
use crate::transport::{Accepted, Knock};

const BACKLOG: i32 = 256;

/// How long the other side may take for the ZMTP handshake, from the first octet to the last.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(3);

/// The pause after an error of accept: usually there are no file descriptors left, and trying at once would burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Opens the control port: where the user wants it, else at a free port of all interfaces.
pub(super) fn listen(wanted: Option<SocketAddr>) -> io::Result<std::net::TcpListener> {
    match wanted {
        Some(address) if address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED) => open(address),
        _ => {
            let port = wanted.map_or(0, |address| address.port());
            // One socket for both families; a machine without IPv6 gets one for the other.
            open((Ipv6Addr::UNSPECIFIED, port).into())
                .or_else(|_| open((Ipv4Addr::UNSPECIFIED, port).into()))
        }
    }
}

fn open(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // On Windows this would let two programs share a port.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts until the node is gone.
pub(super) async fn accept(node: Arc<NodeControl>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(limits::STRANGERS));
    let mut told = false;
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => {
                told = false;
                accepted
            }
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "can't accept control links at the moment");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = room.clone().try_acquire_owned() else {
            tracing::debug!(%remote, "too many connections wait for their handshake");
            continue;
        };
        let node = node.clone();
        tokio::spawn(async move {
            let remote = plain(remote);
            let established = tokio::time::timeout(HANDSHAKE_WITHIN, meet(&node, stream, remote));
            let established = established.await;
            drop(place);
            match established {
                Ok(Ok(Some(established))) => node.accepted(established).await,
                Ok(Ok(None)) => tracing::debug!(%remote, "a connection for topics was handed on"),
                Ok(Err(error)) => tracing::debug!(%remote, %error, "no control link"),
                Err(_) => tracing::debug!(%remote, "no control link: the handshake took too long"),
            }
        });
    }
}

/// Hears who calls. A node gets its link; what is for topics is handed to their sockets.
async fn meet(
    node: &Arc<NodeControl>,
    stream: TcpStream,
    remote: SocketAddr,
) -> io::Result<Option<Established>> {
    let (opened, wants) = door::hear(stream).await?;
    if wants == Wants::Link {
        let established = establish(opened, remote, node.id(), SocketType::Router);
        return established.await.map(Some);
    }
    let accepted = Accepted {
        stream: opened.stream.into_std()?,
        sent: opened.sent,
        heard: opened.heard,
    };
    match wants {
        Wants::Topic(kind, topic) => {
            node.knocked(kind, &topic, Knock::Connection(accepted))?;
        }
        Wants::Trunk | Wants::Link => node.take_trunk(accepted)?,
    }
    Ok(None)
}

/// An IPv4 address that came through an IPv6 socket is an IPv4 address.
fn plain(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}
