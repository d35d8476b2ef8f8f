//! `Connected`: calls `on_connect` where callbacks run. Knows peers by what it is told, and nothing of links.

use std::sync::{Arc, Mutex, OnceLock, Weak};

use crate::core::Core;
use crate::executor::{Task, Work};
use crate::peer::Peer;
use crate::sync::{Queue, lock};

pub(crate) type ConnectCallback = Box<dyn FnMut(&Peer) + Send>;

/// Peers not yet told to `on_connect`; more than these at once are not all told.
const CONNECTED_MAX: usize = 1024;

/// Calls `on_connect` where callbacks run.
pub(crate) struct Connected {
    core: Weak<Core>,
    label: Arc<str>,
    peers: Queue<Arc<Peer>>,
    callback: Mutex<ConnectCallback>,
    task: OnceLock<Arc<Task>>,
}

impl Connected {
    pub(crate) fn new(core: &Arc<Core>, label: Arc<str>, callback: ConnectCallback) -> Arc<Self> {
        let this = Arc::new(Self {
            core: Arc::downgrade(core),
            label: label.clone(),
            peers: Queue::new(CONNECTED_MAX),
            callback: Mutex::new(callback),
            task: OnceLock::new(),
        });
        let work: Weak<Self> = Arc::downgrade(&this);
        let _ = this.task.set(Task::new(&core.executor, label, work));
        this
    }

    pub(crate) fn push(&self, peer: Arc<Peer>) {
        self.peers.push(peer);
        if let Some(task) = self.task.get() {
            task.schedule();
        }
    }
}

impl Work for Connected {
    fn run(&self, budget: usize) -> bool {
        let Some(core) = self.core.upgrade() else {
            return false;
        };
        for _ in 0..budget {
            let Some(peer) = self.peers.pop() else {
                return false;
            };
            core.contain(&self.label, None, || lock(&self.callback)(&peer));
        }
        true
    }
}
