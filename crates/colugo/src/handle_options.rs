//! `HandleOptions` and the `handle_options!` methods: what the builders of publishers, subscribers, clients and servers have in common.

use bytes::Bytes;
use colugo_socket::Overflow;

use crate::connected::ConnectCallback;

/// What the builders of all handles can be told.
#[derive(Default)]
pub(crate) struct HandleOptions {
    pub(crate) binds: Vec<String>,
    pub(crate) connects: Vec<String>,
    pub(crate) discover: Option<bool>,
    pub(crate) queue: Option<usize>,
    pub(crate) queue_octets: Option<usize>,
    pub(crate) max_message: Option<usize>,
    pub(crate) overflow: Option<Overflow>,
    pub(crate) prefix: Bytes,
    pub(crate) on_connect: Option<ConnectCallback>,
}

/// The methods of all four builders. Each has a field `options: HandleOptions`.
macro_rules! handle_options {
    () => {
        /// How many messages a queue holds for each peer. Default 1000.
        #[must_use]
        pub fn queue(mut self, messages: usize) -> Self {
            self.options.queue = Some(messages.max(1));
            self
        }

        /// How many octets a queue holds for each peer; an empty one takes a message of any legal size. Default 16 MiB.
        #[must_use]
        pub fn queue_octets(mut self, octets: usize) -> Self {
            self.options.queue_octets = Some(octets.max(1));
            self
        }

        /// The largest message that is sent or accepted, in octets. Default 64 MiB.
        #[must_use]
        pub fn max_message(mut self, octets: usize) -> Self {
            self.options.max_message = Some(octets);
            self
        }

        /// Dials this ZeroMQ endpoint, e.g. `tcp://robot:5556`, and redials it for ever. The topic is then only a label, and neither
        /// announced nor looked for, unless [`discover(true)`](Self::discover) says otherwise. May be called several times.
        #[must_use]
        pub fn connect(mut self, endpoint: impl Into<String>) -> Self {
            self.options.connects.push(endpoint.into());
            self
        }

        /// Listens at this ZeroMQ endpoint, e.g. `tcp://*:5556`, instead of any free port. As with [`connect`](Self::connect), the topic is
        /// then not announced unless [`discover(true)`](Self::discover) says so.
        #[must_use]
        pub fn bind(mut self, endpoint: impl Into<String>) -> Self {
            self.options.binds.push(endpoint.into());
            self
        }

        /// Whether the topic is announced and looked for. Default: unless an endpoint was given.
        #[must_use]
        pub fn discover(mut self, yes: bool) -> Self {
            self.options.discover = Some(yes);
            self
        }

        /// Calls `callback` with each peer that connects, where the node's callbacks run.
        #[must_use]
        pub fn on_connect(mut self, callback: impl FnMut(&$crate::Peer) + Send + 'static) -> Self {
            self.options.on_connect = Some(Box::new(callback));
            self
        }
    };
}
pub(crate) use handle_options;
