//! The data thread of the process: one thread with a tokio runtime that no API shows, started with the first socket and ended with the last. A
//! receiver that waits may run its tasks in its place: `lead`.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, Weak};
use std::task::Context;
use std::thread;
use std::time::Instant;

use tokio::runtime::Handle;

use crate::error::BuildError;
use crate::flusher::Flusher;
use crate::gate::lock;
use crate::inproc::Inproc;
use crate::lead::Lead;
use crate::options::DROP_WAIT;
use crate::spare::Spare;
use crate::trunk::Trunks;

thread_local! {
    static ON_DATA_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Turns of tasks between two looks for what the system has to say, while there are tasks to be run.
const EVENT_INTERVAL: u32 = 16;

/// Has the caller's task polled again, once the others that are ready have been, and what the system has to say was heard.
pub(crate) fn poll_again(cx: &mut Context<'_>) {
    let poll = pin!(tokio::task::yield_now()).poll(cx);
    debug_assert!(poll.is_pending());
}

/// Whether the caller runs inside an inline callback, where waiting for the network would never end.
pub fn on_data_thread() -> bool {
    ON_DATA_THREAD.with(Cell::get)
}

/// Has the caller's thread pass for the data thread meanwhile.
pub(crate) fn as_data_thread(work: impl FnOnce()) {
    struct Was(bool);

    impl Drop for Was {
        fn drop(&mut self) {
            ON_DATA_THREAD.with(|on| on.set(self.0));
        }
    }

    let _was = Was(ON_DATA_THREAD.replace(true));
    work();
}

/// The one permitted global: the running data thread, and the process it was started in.
static RUNNING: Mutex<(u32, Weak<Runtime>)> = Mutex::new((0, Weak::new()));

/// The data thread. Sockets hold it; the last one to let go ends it.
#[derive(Debug)]
pub(crate) struct Runtime {
    handle: Handle,
    flusher: Arc<Flusher>,
    inproc: Arc<Inproc>,
    spare: Arc<Spare>,
    trunks: Arc<Trunks>,
    lead: Option<Arc<Lead>>,
    ended: Mutex<mpsc::Receiver<()>>,
}

impl Runtime {
    /// The running data thread, or a new one.
    pub(crate) fn acquire() -> Result<Arc<Self>, BuildError> {
        let pid = std::process::id();
        let mut running = lock(&RUNNING);
        if running.0 != 0 && running.0 != pid {
            return Err(BuildError::Forked);
        }
        if let Some(runtime) = running.1.upgrade() {
            return Ok(runtime);
        }
        let runtime = Arc::new(Self::start().map_err(BuildError::Thread)?);
        *running = (pid, Arc::downgrade(&runtime));
        Ok(runtime)
    }

    /// Where tasks of the running data thread are started, and its trunks. None: there is no socket in this process.
    pub(crate) fn running() -> Option<(Handle, Arc<Trunks>)> {
        let running = lock(&RUNNING);
        let runtime = running.1.upgrade()?;
        let found = (runtime.handle.clone(), runtime.trunks.clone());
        drop(running);
        runtime.release(Instant::now() + DROP_WAIT);
        Some(found)
    }

    fn start() -> std::io::Result<Self> {
        let (started, start) = mpsc::sync_channel(1);
        let (end, ended) = mpsc::sync_channel(1);
        let flusher = Arc::new(Flusher::default());
        let trunks = Arc::new(Trunks::default());
        let for_thread = (flusher.clone(), trunks.clone());
        // The runtime is made and dropped on its own thread: dropping one inside another runtime panics.
        thread::Builder::new()
            .name("colugo-data".into())
            .spawn(move || {
                ON_DATA_THREAD.with(|on| on.set(true));
                let built = spare_descriptors().and_then(|()| {
                    tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        // What the system has to say is heard after each turn of a task that stays awake or has more to do (`poll_again`), and
                        // after so many turns of others; a look costs as much as three of them.
                        .event_interval(EVENT_INTERVAL)
                        // Nor is one that another thread has woken to wait while a flood keeps its own task going: tokio's 31 turns
                        // of 256 KiB would be a long time.
                        .global_queue_interval(2)
                        .build()
                });
                match built {
                    Ok(runtime) => {
                        let (flusher, trunks) = for_thread;
                        runtime.spawn(flusher.run());
                        let handle = runtime.handle().clone();
                        let lead = Arc::new(Lead::new(runtime));
                        let _ = started.send(Ok((handle, lead.clone())));
                        if let Some(runtime) = lead.work() {
                            runtime.block_on(trunks.leave());
                            runtime.shutdown_background();
                        }
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                }
                let _ = end.send(());
            })?;
        let (handle, lead) = start
            .recv()
            .map_err(|_| std::io::Error::other("the data thread ended at once"))??;
        Ok(Self {
            handle,
            flusher,
            inproc: Arc::default(),
            spare: Arc::new(Spare::new()),
            trunks,
            lead: Some(lead),
            ended: Mutex::new(ended),
        })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Who runs its tasks. None in the simulator.
    pub(crate) fn lead(&self) -> Option<&Arc<Lead>> {
        self.lead.as_ref()
    }

    pub(crate) fn flusher(&self) -> &Arc<Flusher> {
        &self.flusher
    }

    /// Lets go of it. The last to do so waits until the thread has ended, but not beyond `deadline`.
    pub(crate) fn release(self: Arc<Self>, deadline: Instant) {
        if let Some(mut last) = Arc::into_inner(self) {
            last.end(deadline);
        }
    }

    fn end(&mut self, deadline: Instant) {
        let Some(lead) = self.lead.take() else { return };
        lead.end();
        if !on_data_thread() {
            let left = deadline.saturating_duration_since(Instant::now());
            let _ = lock(&self.ended).recv_timeout(left);
        }
    }

    /// Descriptors to do without.
    pub(crate) fn spare(&self) -> &Arc<Spare> {
        &self.spare
    }

    /// The trunks that sockets have dialled.
    pub(crate) fn trunks(&self) -> &Arc<Trunks> {
        &self.trunks
    }

    /// The names at which the sockets of this process listen for each other.
    pub(crate) fn inproc(&self) -> &Arc<Inproc> {
        &self.inproc
    }
}

#[cfg(test)]
impl Runtime {
    /// The caller's own runtime in the data thread's place, for a host of the simulator.
    pub(crate) fn simulated() -> Arc<Self> {
        let flusher = Arc::new(Flusher::default());
        tokio::spawn(flusher.clone().run());
        Arc::new(Self {
            handle: Handle::current(),
            flusher,
            inproc: Arc::default(),
            spare: Arc::new(Spare::none()),
            trunks: Arc::default(),
            lead: None,
            ended: Mutex::new(mpsc::channel().1),
        })
    }
}

/// Has the caller's thread pass for the data thread, or not.
#[cfg(test)]
pub(crate) fn pretend_data_thread(on: bool) {
    ON_DATA_THREAD.with(|it| it.set(on));
}

/// Making a runtime panics without descriptors, where some other crate switched tokio's signals on.
fn spare_descriptors() -> std::io::Result<()> {
    #[cfg(unix)]
    let _spare = [(); 3]
        .map(|()| std::os::unix::net::UnixStream::pair())
        .into_iter()
        .collect::<std::io::Result<Vec<_>>>()?;
    Ok(())
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.end(Instant::now() + DROP_WAIT);
    }
}
