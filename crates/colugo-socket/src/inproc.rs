//! `Inproc`: the names at which sockets of this process listen for each other. One for the process, kept by the data thread's runtime. Who
//! dials a name that nobody listens at waits for it: which of the two comes first does not matter.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, mpsc};

use crate::gate::lock;
use crate::options::BACKLOG;
use crate::pipe::Pipe;

/// Who listens where.
#[derive(Debug, Default)]
pub(crate) struct Inproc {
    names: Mutex<HashMap<String, mpsc::Sender<Pipe>>>,
    bound: Notify,
    /// What is dialled in the simulator goes over its network, from this host.
    #[cfg(test)]
    network: std::sync::OnceLock<(Arc<crate::simulator::Network>, usize)>,
}

/// A name that is listened at, until this is stopped or dropped.
#[derive(Debug)]
pub(crate) struct InprocListener {
    name: String,
    names: Arc<Inproc>,
    arriving: Mutex<mpsc::Receiver<Pipe>>,
}

impl Inproc {
    /// Listens. None: somebody else does.
    pub(crate) fn bind(self: &Arc<Self>, name: &str) -> Option<InprocListener> {
        let mut names = lock(&self.names);
        if names.contains_key(name) {
            return None;
        }
        let (arrive, arriving) = mpsc::channel(BACKLOG);
        names.insert(name.to_owned(), arrive);
        drop(names);
        self.bound.notify_waiters();
        Some(InprocListener {
            name: name.to_owned(),
            names: self.clone(),
            arriving: Mutex::new(arriving),
        })
    }

    /// Where a connection to whoever listens there goes in.
    pub(crate) fn door(&self, name: &str) -> Option<mpsc::Sender<Pipe>> {
        lock(&self.names).get(name).cloned()
    }

    #[cfg(test)]
    pub(crate) fn join(&self, network: Arc<crate::simulator::Network>, host: usize) {
        let _ = self.network.set((network, host));
    }

    /// Dials; waits until somebody listens there and takes it.
    pub(crate) async fn connect(&self, name: &str) -> io::Result<Pipe> {
        #[cfg(test)]
        if let Some((network, host)) = self.network.get() {
            return network.dial(*host, name).await;
        }
        loop {
            let mut bound = pin!(self.bound.notified());
            bound.as_mut().enable();
            let Some(door) = self.door(name) else {
                bound.await;
                continue;
            };
            let (near, far) = Pipe::pair();
            if door.send(far).await.is_ok() {
                return Ok(near);
            }
        }
    }
}

impl InprocListener {
    pub(crate) async fn accept(&self) -> io::Result<Pipe> {
        let arrived = poll_fn(|cx| lock(&self.arriving).poll_recv(cx)).await;
        arrived.ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// Frees the name. Idempotent.
    pub(crate) fn stop(&self) {
        let mut arriving = lock(&self.arriving);
        // Closed already: the name may be another's by now.
        if !arriving.is_closed() {
            lock(&self.names.names).remove(&self.name);
            arriving.close();
        }
    }
}

impl Drop for InprocListener {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_free_again_once_its_listener_has_stopped() {
        let names = Arc::new(Inproc::default());
        let first = names.bind("a").unwrap();
        assert!(names.bind("a").is_none());
        first.stop();
        let second = names.bind("a").unwrap();
        drop(first);
        assert!(
            names.bind("a").is_none(),
            "the second one's, not the first's"
        );
        drop(second);
        assert!(lock(&names.names).is_empty());
    }
}
