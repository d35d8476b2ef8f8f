//! `Session`: the node that a command is while it runs, and its end: by itself, or by Ctrl-C, which closes the node, so that whatever
//! waits for it goes on. Used by all commands that meet others.

use std::thread::JoinHandle;

use colugo::{Network, Node};

use crate::args::NetworkArgs;
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::output::say;
use crate::target::Target;

/// A node, watched for Ctrl-C.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) node: Node,
    pub(crate) interrupt: Interrupt,
    watch: Option<JoinHandle<()>>,
}

impl Session {
    /// A node that finds others.
    pub(crate) fn discover(network: &NetworkArgs, what: &str) -> Result<Self, Failure> {
        Self::start(network, what, Network::Lan)
    }

    /// A node for a target: one that finds others if the target has to be found.
    pub(crate) fn for_target(network: &NetworkArgs, what: &str, target: &Target) -> Result<Self, Failure> {
        let reach = if target.address().is_some() { Network::Peers } else { Network::Lan };
        Self::start(network, what, reach)
    }

    fn start(network: &NetworkArgs, what: &str, reach: Network) -> Result<Self, Failure> {
        let interrupt = Interrupt::watch()?;
        let name = format!("colugo-{what}-{}", std::process::id());
        let node = builder(network, &name).network(reach).build()?;
        let watched = node.clone();
        let signals = move || {
            if let Err(error) = watched.run_until_signal() {
                say(error);
            }
        };
        let watch = std::thread::Builder::new().name("colugo-signals".into()).spawn(signals);
        let watch = watch.map_err(|error| Failure::new(format!("can't start a thread: {error}")))?;
        Ok(Self { node, interrupt, watch: Some(watch) })
    }

    /// Whether Ctrl-C ended what was going on.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupt.is_set()
    }

    /// Says goodbye and sends what is queued. False: some of that was not sent.
    pub(crate) fn close(&mut self) -> bool {
        let drained = self.node.close().wait().is_ok();
        if let Some(watch) = self.watch.take() {
            let _ = watch.join();
        }
        drained
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

/// A node of this name with the user's options.
pub(crate) fn builder(network: &NetworkArgs, name: &str) -> colugo::NodeBuilder {
    let mut builder = Node::builder(name).interfaces(network.interface.iter().cloned());
    if let Some(namespace) = &network.namespace {
        builder = builder.namespace(namespace);
    }
    if let Some(listen) = &network.listen {
        builder = builder.listen(listen);
    }
    network.peer.iter().fold(builder, |builder, peer| builder.peer(peer))
}
