//! `ControlThread`: the one thread per process on which the control planes of all its nodes live.
//!
//! Knows when it has to exist; does not know what runs on it. It is the only global of the library: made with the first
//! node, joined with the last.

use std::future::Future;
use std::io;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc as tokio_mpsc, oneshot};

use super::mdns::Mdns;
use super::original::Original;

static SHARED: Mutex<Weak<ControlThread>> = Mutex::new(Weak::new());

/// How long the thread waits for goodbyes that nobody else waits for: of a node that is dropped in its own callback.
const GOODBYE: Duration = Duration::from_millis(90);

/// How long the last node waits for the thread to end.
const JOIN_WITHIN: Duration = Duration::from_millis(100);

/// While one of these exists the thread does not end.
pub(super) type Presence = tokio_mpsc::Sender<()>;

pub(super) struct ControlThread {
    runtime: Handle,
    id: ThreadId,
    mdns: Arc<Mdns>,
    original: Arc<Original>,
    stop: Option<oneshot::Sender<()>>,
    /// Held by every node's task until it has said goodbye.
    presence: Option<Presence>,
    ended: Mutex<mpsc::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ControlThread {
    /// The thread of this process, started if there is none.
    pub(super) fn shared() -> io::Result<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Ok(running);
        }
        let started = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&started);
        Ok(started)
    }

    fn start() -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let (presence, mut absence) = tokio_mpsc::channel(1);
        // The runtime is made and dropped on its own thread, so that no node can be dropped inside another runtime.
        let thread = std::thread::Builder::new()
            .name("colugo-control".into())
            .spawn(move || {
                match spare_descriptors().and_then(|()| make_runtime()) {
                    Ok(runtime) => {
                        let _ = ready.send(Ok(runtime.handle().clone()));
                        runtime.block_on(async {
                            let _ = stopped.await;
                            let _ = tokio::time::timeout(GOODBYE, absence.recv()).await;
                        });
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
                }
                let _ = end.send(());
            })?;
        let runtime = started.recv().map_err(io::Error::other)??;
        let mdns = Arc::new(Mdns::new(runtime.clone()));
        let original = Arc::new(Original::new(runtime.clone()));
        let id = thread.thread().id();
        Ok(Self {
            runtime,
            id,
            mdns,
            original,
            stop: Some(stop),
            presence: Some(presence),
            ended: Mutex::new(ended),
            thread: Some(thread),
        })
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(super) fn presence(&self) -> Option<Presence> {
        self.presence.clone()
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    pub(super) fn mdns(&self) -> &Arc<Mdns> {
        &self.mdns
    }

    pub(super) fn original(&self) -> &Arc<Original> {
        &self.original
    }

    pub(super) fn is_current(&self) -> bool {
        std::thread::current().id() == self.id
    }
}

fn make_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
}

/// Making a runtime panics without descriptors, where some other crate switched tokio's signals on.
fn spare_descriptors() -> io::Result<()> {
    #[cfg(unix)]
    let _spare = [(); 3]
        .map(|()| std::os::unix::net::UnixStream::pair())
        .into_iter()
        .collect::<io::Result<Vec<_>>>()?;
    Ok(())
}

impl Drop for ControlThread {
    fn drop(&mut self) {
        self.presence = None;
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if std::thread::current().id() != self.id
            && ended.recv_timeout(JOIN_WITHIN).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}
