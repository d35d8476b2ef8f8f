//! `Node`: what everything is made from, and where its callbacks are run. Knows nothing of how handles work.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use colugo_graph::{GraphSize, NodeId};

use crate::builder::NodeBuilder;
use crate::core::{Alive, Core};
use crate::error::{BuildError, CloseError, NodeError, RunError};
use crate::event::Events;
use crate::executor::Ended;
use crate::graph::Graph;
use crate::guard::Guard;
use crate::publisher::PublisherBuilder;
use crate::repeater::{self, RepeaterBuilder};
use crate::reply_server::ReplyServerBuilder;
use crate::request_client::RequestClientBuilder;
use crate::settings::Setting;
use crate::subscriber::SubscriberBuilder;

/// A participant: it finds other nodes of its namespace, and publishers, subscribers, clients and servers are made from it.
///
/// Cheap to clone. When the last clone is dropped, the node says goodbye, and its handles report that they are closed; see
/// [`close`](Self::close) for an orderly end. A clone inside one of the node's own callbacks keeps it alive until `close`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::time::Duration;
/// // Node::new("talker")? outside of tests.
/// let net = colugo::testing::Net::new();
/// let node = net.node("talker")?;
/// let chatter = node.publisher("chatter").text().build()?;
/// let _hello = node.repeater(Duration::from_secs(1)).on_tick(move || {
///     chatter.send("hello").ok();
/// })?;
/// let heard = net.node("listener")?.subscriber("chatter").text().build();
/// node.run_for(Duration::from_secs(3))?;
/// # drop(heard);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Node {
    alive: Arc<Alive>,
}

impl Node {
    /// A node with the settings of the environment and the configuration file.
    ///
    /// # Errors
    /// The name or a setting is not usable, or the control port can't be had.
    pub fn new(name: &str) -> Result<Self, NodeError> {
        NodeBuilder::new(name).build()
    }

    /// A node with settings of its own.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = colugo::Node::builder("demo").namespace("lab").peer("tcp://10.0.0.2:4747").build()?;
    /// # Ok(()) }
    /// ```
    pub fn builder(name: &str) -> NodeBuilder {
        NodeBuilder::new(name)
    }

    pub(crate) fn from_core(core: Arc<Core>) -> Self {
        Self {
            alive: Arc::new(Alive(core)),
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.alive.0
    }

    /// Its id: random, new with each start.
    pub fn id(&self) -> NodeId {
        self.core().id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.core().name
    }

    /// The namespace it is in.
    pub fn namespace(&self) -> &str {
        self.core().parsed.namespace.as_str()
    }

    /// Its control port, which other nodes can name as their peer; with an unspecified IP if it listens on all interfaces. `None` on a virtual
    /// network.
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.core().world.address()
    }

    /// The settings in effect, and where each came from.
    pub fn settings(&self) -> &[Setting] {
        self.core().settings.rows()
    }

    /// Sends values of a topic: raw octets unless a codec is chosen.
    #[doc(alias = "add_publisher")]
    #[doc(alias = "create_publisher")]
    #[doc(alias = "advertise")]
    pub fn publisher(&self, topic: &str) -> PublisherBuilder {
        PublisherBuilder::new(self.core().clone(), topic)
    }

    /// Receives values of a topic: raw octets unless a codec is chosen.
    #[doc(alias = "add_subscriber")]
    #[doc(alias = "create_subscription")]
    pub fn subscriber(&self, topic: &str) -> SubscriberBuilder {
        SubscriberBuilder::new(self.core().clone(), topic)
    }

    /// Asks the reply servers of a topic.
    #[doc(alias = "add_request_client")]
    #[doc(alias = "create_client")]
    pub fn request_client(&self, topic: &str) -> RequestClientBuilder {
        RequestClientBuilder::new(self.core().clone(), topic)
    }

    /// Answers requests of a topic.
    #[doc(alias = "add_reply_server")]
    #[doc(alias = "create_service")]
    pub fn reply_server(&self, topic: &str) -> ReplyServerBuilder {
        ReplyServerBuilder::new(self.core().clone(), topic)
    }

    /// Calls back every `period`, without drift.
    #[doc(alias = "add_repeater")]
    #[doc(alias = "create_timer")]
    pub fn repeater(&self, period: Duration) -> RepeaterBuilder {
        RepeaterBuilder::new(self.core().clone(), period)
    }

    /// Calls `callback` once, `delay` from now, where the node's callbacks run. Dropping the guard before that cancels it.
    ///
    /// # Errors
    /// The node is closed.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// let net = colugo::testing::Net::new();
    /// let node = net.node("a")?;
    /// let (done, called) = std::sync::mpsc::channel();
    /// let _later = node.after(Duration::from_secs(5), move || { done.send(()).ok(); })?;
    /// net.advance(Duration::from_millis(4_999));
    /// assert!(called.try_recv().is_err());
    /// net.advance(Duration::from_millis(1));
    /// assert!(called.try_recv().is_ok());
    /// # Ok(()) }
    /// ```
    #[doc(alias = "add_delayed_callback")]
    pub fn after(
        &self,
        delay: Duration,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<Guard, BuildError> {
        repeater::after(self.core(), delay, Box::new(callback))
    }

    /// Runs callbacks on this thread until [`StopHandle::stop`] is called or the node is closed.
    ///
    /// # Errors
    /// Another thread runs them already, or the process was forked.
    #[doc(alias = "spin")]
    #[doc(alias = "start")]
    pub fn run(&self) -> Result<(), RunError> {
        self.run_until(None)
    }

    /// Runs callbacks on this thread for `duration`, or until stopped or closed.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    #[doc(alias = "spin_once")]
    pub fn run_for(&self, duration: Duration) -> Result<(), RunError> {
        let core = self.core();
        if core.world.is_virtual() {
            core.world.advance(duration);
            return Ok(());
        }
        self.run_until(Instant::now().checked_add(duration))
    }

    /// Runs callbacks on this thread until the process is asked to end by SIGINT (Ctrl-C) or SIGTERM, then closes the node: goodbye to other
    /// nodes, and what is queued is still sent. Also ends when stopped or closed. This is the only thing in Colugo that handles signals.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    #[cfg(feature = "signals")]
    pub fn run_until_signal(&self) -> Result<(), RunError> {
        let watch =
            crate::signals::watch(self.stop_handle()).map_err(|source| RunError::System {
                node: self.name().to_owned(),
                source,
            })?;
        let ended = self.run();
        if watch.finish() {
            let _ = self.close().wait();
        }
        ended
    }

    /// Runs callbacks on a thread of their own, which ends with the node, or when stopped.
    ///
    /// # Errors
    /// The system gives no thread, another thread runs them already, or the process was forked.
    #[doc(alias = "MultiThreadedExecutor")]
    pub fn spawn(&self) -> Result<(), RunError> {
        self.check()?;
        let core = self.core();
        if core.world.is_virtual() {
            return Ok(());
        }
        if !core.executor.reserve() {
            return Err(RunError::AlreadyRunning {
                node: self.name().to_owned(),
            });
        }
        let executor = core.executor.clone();
        let name = format!("colugo-{}", core.name.chars().take(8).collect::<String>());
        let spawned = std::thread::Builder::new().name(name).spawn(move || {
            executor.run_reserved(None);
        });
        match spawned {
            Ok(thread) => {
                core.join_at_close(thread);
                Ok(())
            }
            Err(source) => {
                core.executor.release();
                Err(RunError::System {
                    node: self.name().to_owned(),
                    source,
                })
            }
        }
    }

    /// Ends `run`, `run_for` or the thread of `spawn` from anywhere.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle {
            core: Arc::downgrade(self.core()),
        }
    }

    fn run_until(&self, deadline: Option<Instant>) -> Result<(), RunError> {
        self.check()?;
        let core = self.core();
        let ended = if core.world.is_virtual() {
            core.executor.wait_for_stop()
        } else {
            core.executor.run(deadline)
        };
        match ended {
            Ended::AlreadyRunning => Err(RunError::AlreadyRunning {
                node: self.name().to_owned(),
            }),
            Ended::Closed | Ended::Deadline | Ended::Stopped => Ok(()),
        }
    }

    fn check(&self) -> Result<(), RunError> {
        self.core().check().map_err(|error| match error {
            BuildError::Forked { node } => RunError::Forked { node },
            _ => RunError::Closed {
                node: self.name().to_owned(),
            },
        })
    }

    /// Who is there already, and what happens to this node from now on.
    pub fn events(&self) -> Events {
        self.core().events.subscribe(self.core().world.clone())
    }

    /// Who is out there, as this node knows it now.
    pub fn graph(&self) -> Graph {
        self.core().world.graph()
    }

    /// How much [`graph`](Self::graph) would show, without the cost of making it: for who waits until everybody is there.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let net = colugo::testing::Net::new();
    /// let (a, b) = (net.node("a")?, net.node("b")?);
    /// let _poses = a.publisher("pose").build()?;
    /// let size = b.graph_size();
    /// assert_eq!((size.nodes, size.announcements), (2, 1));
    /// # Ok(()) }
    /// ```
    pub fn graph_size(&self) -> GraphSize {
        self.core().world.graph_size()
    }

    /// Ends the node in order: goodbye to other nodes, then what is queued is sent, then all is closed. To be waited for or awaited.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// let net = colugo::testing::Net::new();
    /// let node = net.node("a")?;
    /// let sub = node.subscriber("pose").build()?;
    /// node.close().timeout(Duration::from_millis(500)).wait()?;
    /// assert!(matches!(sub.recv(), Err(colugo::RecvError::Closed)));
    /// # Ok(()) }
    /// ```
    pub fn close(&self) -> Closing {
        Closing {
            core: self.core().clone(),
            timeout: CLOSE_TIMEOUT,
            begun: false,
        }
    }
}

/// How long closing may take to send what is queued, unless said otherwise.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Ends `run` from anywhere: another thread, a signal handler of your own, a callback. Does not keep the node alive.
#[derive(Clone)]
pub struct StopHandle {
    core: std::sync::Weak<Core>,
}

impl StopHandle {
    /// Ends the current `run`; if none is going on, the next one ends at once.
    pub fn stop(&self) {
        if let Some(core) = self.core.upgrade() {
            core.executor.stop();
        }
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle").finish_non_exhaustive()
    }
}

/// A node that is to be closed: by [`wait`](Self::wait) or `.await`.
#[must_use = "closing begins with .wait() or .await"]
#[derive(Debug)]
pub struct Closing {
    core: Arc<Core>,
    timeout: Duration,
    begun: bool,
}

impl Closing {
    /// How long sending what is queued may take. Default 1 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Closes, and waits until all is sent and ended. On a closed node it does nothing.
    ///
    /// # Errors
    /// Something was still unsent at the deadline, and is lost.
    pub fn wait(self) -> Result<(), CloseError> {
        self.core.close(self.timeout, self.timeout);
        self.result()
    }

    fn result(&self) -> Result<(), CloseError> {
        if self.core.is_drained() {
            return Ok(());
        }
        Err(CloseError::TimedOut {
            node: self.core.name.clone(),
            waited: self.timeout,
        })
    }

    /// Starts closing on a thread of its own; if there is none to be had, closes here.
    fn begin(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let (core, timeout) = (self.core.clone(), self.timeout);
        let spawned = std::thread::Builder::new()
            .name("colugo-close".into())
            .spawn(move || core.close(timeout, timeout));
        if spawned.is_err() {
            self.core.close(self.timeout, self.timeout);
        }
    }
}

impl Future for Closing {
    type Output = Result<(), CloseError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.core.ended.register(cx.waker());
        self.begin();
        if self.core.is_closed() {
            Poll::Ready(self.result())
        } else {
            Poll::Pending
        }
    }
}

/// Octets for when the system has no random numbers: not secret, but different each time.
pub(crate) fn weak_random() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let half = || RandomState::new().hash_one(Instant::now());
    let mut octets = [0; 16];
    octets
        .iter_mut()
        .zip(half().to_be_bytes().into_iter().chain(half().to_be_bytes()))
        .for_each(|(to, from)| *to = from);
    octets
}
