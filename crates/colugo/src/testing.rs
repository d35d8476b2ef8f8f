//! Nodes in one process without sockets, on a virtual clock (feature `testing`): for doctests, for our own tests, and for yours.
//!
//! Everything happens on the thread that causes it: a message is delivered, and callbacks run, before `send` returns. Time stands still until
//! [`Net::advance`], or until a call waits (`recv_timeout`, `wait`, `run_for`…): then it jumps to what is due next, until the call is
//! satisfied or its own time is over. So a test of an hour takes no time, and gives the same result each time. Nodes need neither `run()` nor
//! `spawn()`. Tests with several threads work too, but are no longer repeatable.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::time::Duration;
//! use colugo::{RequestError, testing::Net};
//!
//! let net = Net::new();
//! let (robot, operator) = (net.node("robot")?, net.node("operator")?);
//! let _stop = robot.reply_server("stop").text().on_request(|_, reply| { reply.reply("stopped").ok(); })?;
//! let stop = operator.request_client("stop").text().build()?;
//! assert_eq!(stop.request("now").wait()?, "stopped");
//!
//! net.cut("robot", "operator");
//! let before = net.now();
//! let cut_off = stop.request("now").timeout(Duration::from_secs(3)).wait();
//! assert!(matches!(cut_off, Err(RequestError::NoServer { .. })));
//! assert_eq!(net.now() - before, Duration::from_secs(3));
//!
//! net.heal("robot", "operator");
//! assert_eq!(stop.request("now").wait()?, "stopped");
//! # Ok(()) }
//! ```

mod net;
mod socket;
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use colugo_graph::NodeId;

use crate::builder::NodeBuilder;
use crate::core::Core;
use crate::error::NodeError;
use crate::event::EventHub;
use crate::node::Node;
use net::Shared;
use world::VirtualWorld;

/// A network of nodes on a clock of its own. See the [module](self).
#[derive(Clone, Debug)]
pub struct Net {
    shared: Arc<Shared>,
}

impl Default for Net {
    fn default() -> Self {
        Self::new()
    }
}

impl Net {
    /// An empty network.
    pub fn new() -> Self {
        Self {
            shared: Shared::new(),
        }
    }

    /// A new node, which all others of this network see at once.
    ///
    /// # Errors
    /// The name is not usable.
    pub fn node(&self, name: &str) -> Result<Node, NodeError> {
        self.build(NodeBuilder::new(name))
    }

    /// A new node with settings: namespace and remapped topics count, what concerns real networks does not. Neither the environment nor a
    /// file is looked at.
    ///
    /// # Errors
    /// The name or a setting is not usable.
    pub fn build(&self, builder: NodeBuilder) -> Result<Node, NodeError> {
        let (name, settings) = builder.without_machine()?;
        let parsed = settings.parse()?;
        let events = Arc::new(EventHub::default());
        let (index, octets) = self
            .shared
            .join(&name, parsed.namespace.as_str(), events.clone());
        let world = Arc::new(VirtualWorld::new(self.shared.clone(), index));
        let core = Core::new(NodeId(octets), name, settings, parsed, world, events);
        self.shared.introduce(index);
        Ok(Node::from_core(core))
    }

    /// The time of this network.
    pub fn now(&self) -> Instant {
        self.shared.now()
    }

    /// Lets time pass: whatever is due happens at its time, in order.
    pub fn advance(&self, by: Duration) {
        self.shared.advance(by);
    }

    /// Cuts all nodes of one name off from all of another: links break, and they lose sight of each other.
    pub fn cut(&self, a: &str, b: &str) {
        self.shared.cut(a, b);
    }

    /// The opposite of [`cut`](Self::cut).
    pub fn heal(&self, a: &str, b: &str) {
        self.shared.heal(a, b);
    }
}
