//! `Session`: the node that a command is while it runs, and its end: by itself, or by Ctrl-C, which closes the node, so that whatever
//! waits for it goes on. Used by all commands that meet others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use colugo::{Event, Events, Network, Node, NodeBuilder};

use crate::args::NetworkArgs;
use crate::exit::Failure;
use crate::interrupt::{Interrupt, LOOK_EVERY};
use crate::output::say;
use crate::target::Target;

/// A node, watched for Ctrl-C.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) node: Node,
    pub(crate) interrupt: Interrupt,
    events: Events,
    watch: Option<Watch>,
}

/// The thread that closes the node at Ctrl-C, and how to end it.
#[derive(Debug)]
struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Session {
    /// A node that finds others.
    pub(crate) fn discover(network: &NetworkArgs, what: &str) -> Result<Self, Failure> {
        Self::start(network, what, Network::Lan)
    }

    /// A node for a target: one that finds others if the target has to be found.
    pub(crate) fn for_target(
        network: &NetworkArgs,
        what: &str,
        target: &Target,
    ) -> Result<Self, Failure> {
        let reach = if target.address().is_some() {
            Network::Peers
        } else {
            Network::Lan
        };
        Self::start(network, what, reach)
    }

    fn start(network: &NetworkArgs, what: &str, reach: Network) -> Result<Self, Failure> {
        Self::start_with(network, what, reach, |builder| builder)
    }

    /// A node that finds others, with more settings than the user's.
    pub(crate) fn start_with(
        network: &NetworkArgs,
        what: &str,
        reach: Network,
        set: impl FnOnce(NodeBuilder) -> NodeBuilder,
    ) -> Result<Self, Failure> {
        let interrupt = Interrupt::watch()?;
        let name = format!("colugo-{what}-{}", std::process::id());
        let node = set(builder(network, &name).network(reach)).build()?;
        let events = node.events();
        if reach == Network::Lan {
            warn_if_open(&node);
        }
        let watch = watch(node.clone(), interrupt.clone())?;
        Ok(Self {
            node,
            interrupt,
            events,
            watch: Some(watch),
        })
    }

    /// Whether Ctrl-C ended what was going on.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupt.is_set()
    }

    /// The next thing that happened to the node, if one comes soon.
    pub(crate) fn next_event(&self) -> Option<Event> {
        self.events.recv_timeout(LOOK_EVERY)
    }

    /// Why peers were refused since the last call, each reason once: for those who wait in vain.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        while let Some(event) = self.events.try_recv() {
            if let Event::PeerRefused { reason, .. } = event
                && !reasons.contains(&reason)
                && reasons.len() < REFUSALS_MAX
            {
                reasons.push(reason);
            }
        }
        reasons
    }

    /// Says goodbye and sends what is queued. False: some of that was not sent.
    pub(crate) fn close(&mut self) -> bool {
        let drained = self.node.close().wait().is_ok();
        if let Some(Watch { over, thread }) = self.watch.take() {
            over.store(true, Ordering::Release);
            thread.thread().unpark();
            let _ = thread.join();
        }
        drained
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

/// Closes the node at Ctrl-C. `Node::run_until_signal` would miss a signal that comes before it is called.
fn watch(node: Node, interrupt: Interrupt) -> Result<Watch, Failure> {
    let over = Arc::new(AtomicBool::new(false));
    let ended = over.clone();
    let look = move || {
        while !ended.load(Ordering::Acquire) {
            if interrupt.is_set() {
                let _ = node.close().wait();
                return;
            }
            std::thread::park_timeout(LOOK_EVERY);
        }
    };
    let thread = std::thread::Builder::new()
        .name("colugo-signals".into())
        .spawn(look)
        .map_err(|error| Failure::new(format!("can't start a thread: {error}")))?;
    Ok(Watch { over, thread })
}

/// More reasons than these are not shown.
const REFUSALS_MAX: usize = 5;

/// Nothing is encrypted or authenticated: said by every command that others on the network can join.
fn warn_if_open(node: &Node) {
    let interfaces = node.graph().interfaces;
    if interfaces
        .iter()
        .any(|interface| interface.used && !interface.address.is_loopback())
    {
        say("open to every program on the local network (--interface lo: only to this machine)");
    }
}

/// A node of this name with the user's options.
pub(crate) fn builder(network: &NetworkArgs, name: &str) -> NodeBuilder {
    let mut builder = Node::builder(name).interfaces(network.interface.iter().cloned());
    if let Some(namespace) = &network.namespace {
        builder = builder.namespace(namespace);
    }
    if let Some(listen) = &network.listen {
        builder = builder.listen(listen);
    }
    network
        .peer
        .iter()
        .fold(builder, |builder, peer| builder.peer(peer))
}
