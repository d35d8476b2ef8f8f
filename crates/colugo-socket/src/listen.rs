//! Listening: binds, accepts up to the limits, and gives each connection a link and a task. Who has to make room is the lobby's decision.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::core::Core;
use crate::dial::{Origin, run_connection};
use crate::endpoint::{Endpoint, Place};
use crate::error::BindError;
use crate::event::{HandshakeFault, RefusedWhy, SocketEvent};
use crate::gate::lock;
use crate::greet::Passed;
use crate::inproc::{Inproc, InprocListener};
#[cfg(unix)]
use crate::ipc::{self, IpcListener};
use crate::link::Link;
use crate::lobby::{Spoke, Waiting};
use crate::options::{ACCEPT_PAUSE, SHORTAGE};
use crate::peer::Peer;
use crate::stream::Stream;
use crate::tasks::TaskGuard;
use crate::tcp;

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
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
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
    let mut failing: Option<Instant> = None;
    loop {
        let accepted = match turn_out(&core) {
            Some(next) => match tokio::time::timeout_at(next, listener.accept()).await {
                Ok(accepted) => accepted,
                Err(_) => continue,
            },
            None => listener.accept().await,
        };
        match accepted {
            Ok(stream) => {
                failing = None;
                take(&core, stream, Passed::default());
            }
            // The listener was shut down, and this task is about to be ended.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(error) => {
                let now = Instant::now();
                let since = *failing.get_or_insert_with(|| {
                    core.emit(SocketEvent::AcceptFailed(error.kind()));
                    now
                });
                if is_out_of_descriptors(&error) && now.duration_since(since) >= SHORTAGE {
                    refuse_one(&core, &listener).await;
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Turns out who has to make room for others that shake hands. Gives when to look again.
fn turn_out(core: &Core) -> Option<Instant> {
    loop {
        let mut lobby = lock(&core.lobby);
        let Some(guest) = lobby.turn_out(Instant::now()) else {
            return lobby.next();
        };
        drop(lobby);
        guest.with.abort();
        core.counters
            .handshakes_failed
            .fetch_add(1, Ordering::Relaxed);
        core.emit(SocketEvent::HandshakeFailed(
            guest.addr,
            HandshakeFault::Crowded,
        ));
    }
}

/// Accepts one that waits, with the descriptor that is held for this, and closes it.
async fn refuse_one(core: &Arc<Core>, listener: &Listener) {
    let one = poll_fn(|cx| {
        // Accepted and closed while the descriptor is lent.
        let accept = || match pin!(listener.accept()).poll(cx) {
            Poll::Ready(Ok(stream)) => Some(stream.remote()),
            _ => None,
        };
        Poll::Ready(core.spare.lend(accept).flatten())
    });
    if let Some(addr) = one.await {
        refuse(core, addr, RefusedWhy::NoDescriptors);
    }
}

fn refuse(core: &Core, addr: Option<SocketAddr>, why: RefusedWhy) {
    core.counters
        .refused_connections
        .fetch_add(1, Ordering::Relaxed);
    core.emit(SocketEvent::Refused(addr, why));
}

/// Takes a connection in, or refuses it.
pub(crate) fn take(core: &Arc<Core>, stream: Stream, passed: Passed) {
    let addr = stream.remote();
    // One more would take the place of what is kept back.
    if !matches!(stream, Stream::Pipe(_)) && !core.spare.is_whole() {
        drop(stream);
        core.spare.is_whole();
        refuse(core, addr, RefusedWhy::NoDescriptors);
        return;
    }
    if core.connections.load(Ordering::SeqCst) >= core.options.max_connections {
        drop(stream);
        refuse(core, addr, RefusedWhy::TooManyConnections);
        return;
    }
    let link = core.new_link(false);
    let id = link.id;
    let guard = Accepted {
        core: core.clone(),
        link: link.clone(),
        _task: core.guard(),
    };
    let ticket = lock(&core.lobby).ticket();
    let spoke = Spoke::default();
    let waiting = Waiting {
        core: core.clone(),
        ticket,
        spoke: spoke.clone(),
    };
    let task_core = core.clone();
    let task = core.handle.spawn(async move {
        let guard = guard;
        let never = AtomicBool::new(false);
        let origin = Origin::Accepted(waiting, passed);
        run_connection(&task_core, &link, stream, origin, &never).await;
        drop(guard);
    });
    // The task has not run yet: it has this thread.
    lock(&core.lobby).enter(ticket, addr, Instant::now(), spoke, task.abort_handle());
    core.add_accepted(id, task.abort_handle());
    if task.is_finished() {
        core.remove_accepted(id);
    }
}

/// Takes an accepted connection out when it has ended.
struct Accepted {
    core: Arc<Core>,
    link: Arc<Link>,
    _task: TaskGuard,
}

impl Drop for Accepted {
    fn drop(&mut self) {
        self.core.remove_accepted(self.link.id);
        self.core.forget(&self.link);
    }
}

/// Counts an accepted connection that has shaken hands, for as long as it lives; a dialled one is not counted.
pub(crate) struct Counted(Option<Arc<Core>>);

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(core) = &self.0 {
            core.connections.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Core {
    /// Counts a peer that has introduced itself. None, counted and told: there are as many as there may be.
    pub(crate) fn count_in(self: &Arc<Self>, peer: &Arc<Peer>) -> Option<Counted> {
        if peer.outgoing() {
            return Some(Counted(None));
        }
        let before = self.connections.fetch_add(1, Ordering::SeqCst);
        let counted = Counted(Some(self.clone()));
        if before >= self.options.max_connections {
            self.counters.refused_peers.fetch_add(1, Ordering::Relaxed);
            let why = RefusedWhy::TooManyConnections;
            self.emit(SocketEvent::PeerRefused(peer.clone(), why));
            return None;
        }
        Some(counted)
    }
}
