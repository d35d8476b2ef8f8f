//! Listening: binds, accepts up to the limit, and gives each connection a link and a task.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::core::Core;
use crate::dial::run_connection;
use crate::endpoint::{Endpoint, Place};
use crate::error::BindError;
use crate::event::{RefusedWhy, SocketEvent};
use crate::inproc::{Inproc, InprocListener};
#[cfg(unix)]
use crate::ipc::{self, IpcListener};
use crate::link::Link;
use crate::stream::Stream;
use crate::tasks::TaskGuard;
use crate::tcp;

/// Pause after a failed accept: without descriptors it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a socket listens on.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Ipc(IpcListener),
    Inproc(InprocListener),
}

impl Listener {
    /// Listens. Gives the endpoint with what the system chose. Within the data thread's runtime.
    pub(crate) fn bind(
        endpoint: &Endpoint,
        names: &Arc<Inproc>,
    ) -> Result<(Self, Endpoint), BindError> {
        match &endpoint.place {
            Place::Tcp(host, port) => {
                let (listener, bound) = tcp::bind(endpoint, host, *port)?;
                let listener =
                    TcpListener::from_std(listener).map_err(|error| explain(endpoint, error))?;
                Ok((Self::Tcp(listener), bound))
            }
            #[cfg(unix)]
            Place::Ipc(name) => {
                let (listener, bound) = ipc::bind(endpoint, name)?;
                Ok((Self::Ipc(listener), bound))
            }
            #[cfg(not(unix))]
            Place::Ipc(_) => Err(explain(endpoint, io::ErrorKind::Unsupported.into())),
            Place::Inproc(name) => match names.bind(name) {
                Some(listener) => Ok((Self::Inproc(listener), endpoint.clone())),
                None => Err(BindError::InUse(endpoint.to_string())),
            },
        }
    }

    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(s, _)| Stream::Tcp(s)),
            #[cfg(unix)]
            Self::Ipc(ipc) => ipc.listener.accept().await.map(|(s, _)| Stream::Unix(s)),
            Self::Inproc(listener) => listener.accept().await.map(Stream::Pipe),
        }
    }

    /// Frees the address at once, where the system can (Linux); else it is free when the data thread has dropped the task.
    fn stop(&self) {
        match self {
            Self::Tcp(listener) => {
                let _ = SockRef::from(listener).shutdown(Shutdown::Both);
            }
            #[cfg(unix)]
            Self::Ipc(listener) => listener.stop(),
            Self::Inproc(listener) => listener.stop(),
        }
    }
}

pub(crate) fn explain(endpoint: &Endpoint, error: io::Error) -> BindError {
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
    pub(crate) listener: Arc<Listener>,
    pub(crate) task: AbortHandle,
}

impl Drop for Listening {
    fn drop(&mut self) {
        // In this order: a Unix listener that was shut down is always ready and never gives anything. Its task, polled once more, would
        // look for ever, and the data thread with it.
        self.task.abort();
        self.listener.stop();
    }
}

pub(crate) async fn accept(core: Arc<Core>, listener: Arc<Listener>, _guard: TaskGuard) {
    loop {
        match listener.accept().await {
            Ok(stream) => take(&core, stream),
            // The listener was shut down, and this task is about to be ended.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(error) => {
                core.emit(SocketEvent::AcceptFailed(error.kind()));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn take(core: &Arc<Core>, stream: Stream) {
    if core.connections.fetch_add(1, Ordering::SeqCst) >= core.options.max_connections {
        core.connections.fetch_sub(1, Ordering::SeqCst);
        let why = RefusedWhy::TooManyConnections;
        core.emit(SocketEvent::Refused(stream.remote(), why));
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
