//! Namespaces of their own for tests with real nodes, so that tests that run at the same time do not meet.

use std::sync::atomic::{AtomicU32, Ordering};

use colugo::{Network, Node, NodeBuilder};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// One test's part of this machine.
pub(crate) struct Place(String);

impl Place {
    pub(crate) fn new() -> Self {
        Self(format!(
            "t{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ))
    }

    pub(crate) fn builder(&self, name: &str) -> NodeBuilder {
        Node::builder(name)
            .namespace(&*self.0)
            .network(Network::Host)
    }

    pub(crate) fn node(&self, name: &str) -> Result<Node, colugo::NodeError> {
        self.builder(name).build()
    }
}
