//! Listening: binds, accepts up to the limit, and gives each connection a link and a task.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::core::Core;
use crate::dial::run_connection;
use crate::endpoint::{Endpoint, Host};
use crate::error::BindError;
use crate::event::{RefusedWhy, SocketEvent};
use crate::link::Link;
use crate::tasks::TaskGuard;

const BACKLOG: i32 = 1024;
/// Pause after a failed accept: without descriptors it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Binds a listening socket. Gives it with the endpoint that names its real port.
pub(crate) fn bind(endpoint: &Endpoint) -> Result<(std::net::TcpListener, Endpoint), BindError> {
    let addrs: Vec<SocketAddr> = match (&endpoint.host, endpoint.socket_addr()) {
        (Host::Any, _) => vec![
            (Ipv6Addr::UNSPECIFIED, endpoint.port).into(),
            (Ipv4Addr::UNSPECIFIED, endpoint.port).into(),
        ],
        (Host::Name(name), _) => {
            let found = (name.as_str(), endpoint.port).to_socket_addrs();
            found
                .map_err(|error| BindError::Resolve(endpoint.to_string(), error))?
                .collect()
        }
        (_, Some(addr)) => vec![addr],
        _ => Vec::new(),
    };
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for addr in addrs {
        match listen(addr, endpoint.host == Host::Any) {
            Ok(listener) => {
                let port = listener
                    .local_addr()
                    .map(|a| a.port())
                    .map_err(|e| explain(endpoint, e))?;
                return Ok((listener, endpoint.with_port(port)));
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
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn explain(endpoint: &Endpoint, error: io::Error) -> BindError {
    let name = endpoint.to_string();
    match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(name),
        io::ErrorKind::AddrNotAvailable => BindError::NoInterface(name),
        io::ErrorKind::PermissionDenied => BindError::NotAllowed(name),
        _ if is_out_of_descriptors(&error) => BindError::NoDescriptors(name),
        _ => BindError::Io(name, error),
    }
}

/// EMFILE and ENFILE have no stable `ErrorKind`; their numbers are the same on every Unix.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

/// A listening socket and the task that accepts on it.
pub(crate) struct Listening {
    pub(crate) endpoint: Endpoint,
    pub(crate) listener: Arc<TcpListener>,
    pub(crate) task: AbortHandle,
}

impl Drop for Listening {
    /// Frees the port at once, where the system can (Linux); else it is free when the data thread has dropped the task.
    fn drop(&mut self) {
        let _ = SockRef::from(&*self.listener).shutdown(Shutdown::Both);
        self.task.abort();
    }
}

pub(crate) async fn accept(core: Arc<Core>, listener: Arc<TcpListener>, _guard: TaskGuard) {
    loop {
        match listener.accept().await {
            Ok((stream, addr)) => take(&core, stream, addr),
            // The listener was shut down, and this task is about to be ended.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(error) => {
                core.emit(SocketEvent::AcceptFailed(error.kind()));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn take(core: &Arc<Core>, stream: TcpStream, addr: SocketAddr) {
    if core.connections.fetch_add(1, Ordering::SeqCst) >= core.options.max_connections {
        core.connections.fetch_sub(1, Ordering::SeqCst);
        core.emit(SocketEvent::Refused(addr, RefusedWhy::TooManyConnections));
        return;
    }
    let link = core.new_link(false);
    let id = link.id;
    let guard = Accepted {
        core: core.clone(),
        link: link.clone(),
        _task: core.guard(),
    };
    let task_core = core.clone();
    let task = core.handle.spawn(async move {
        let guard = guard;
        run_connection(&task_core, &link, stream, false, &AtomicBool::new(false)).await;
        drop(guard);
    });
    core.add_accepted(id, task.abort_handle());
    if task.is_finished() {
        core.remove_accepted(id);
    }
}

/// Counts an accepted connection for as long as it lives.
struct Accepted {
    core: Arc<Core>,
    link: Arc<Link>,
    _task: TaskGuard,
}

impl Drop for Accepted {
    fn drop(&mut self) {
        self.core.connections.fetch_sub(1, Ordering::SeqCst);
        self.core.remove_accepted(self.link.id);
        self.core.forget(&self.link);
    }
}
