//! `Proxy`: passes messages on between two sockets, on the data thread: XSUB and XPUB, ROUTER and DEALER, PULL and PUSH. Knows what comes out
//! of an inbox and where it goes; queues, limits and back-pressure are those of the sockets.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use colugo_zmtp::SocketType;

use crate::core::{Core, Sink};
use crate::error::{ProxyError, SendError};
use crate::gate::{Gate, lock};
use crate::kind::{Dealer, Kind, Pull, Push, Router, XPub, XSub};
use crate::message::{Message, Outgoing};
use crate::options::{DROP_WAIT, Overflow};
use crate::runtime::on_data_thread;
use crate::socket::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RouterSocket, Socket, XPubSocket, XSubSocket,
};

/// Messages, and octets, that a proxy passes on before the other work of the data thread gets its turn.
const TURN_MESSAGES: usize = 256;
const TURN_OCTETS: u64 = 1 << 20;

/// Which way a message goes through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the front socket to the back socket: news, questions, work.
    ToBack,
    /// From the back socket to the front socket: subscriptions, answers.
    ToFront,
}

/// What went one way through a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Messages that came in on this way.
    pub messages: u64,
    /// Their octets, framing not included.
    pub octets: u64,
    /// Not passed on: the peer they are for is gone or has no room, or the proxy was stopped. At an XPUB once per subscriber without room.
    pub dropped: u64,
}

/// Counters of a proxy since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyStats {
    /// From front to back.
    pub to_back: Traffic,
    /// From back to front.
    pub to_front: Traffic,
    /// How often the capturing closure panicked.
    pub capture_panics: u64,
}

type Capture = Box<dyn FnMut(Way, &Message) + Send>;

/// A running proxy between two sockets, which it owns. It is stopped by [`stop`](Self::stop) or by being dropped.
///
/// Messages are passed on as they came, frame by frame; large ones are not copied. Nothing is queued but in the two sockets, by their own
/// bounds: a PUSH or DEALER without room has the front socket read no more, so that senders are slowed down; an XPUB drops for a subscriber
/// that is too slow, unless it was built with [`Overflow::Block`], and a ROUTER for a client that is; both are counted.
///
/// ```
/// use colugo_socket::{PubSocket, SubSocket, XPubSocket, XSubSocket, proxy};
/// use std::time::Duration;
///
/// let (front, back) = (XSubSocket::new()?, XPubSocket::new()?);
/// let (publish_here, subscribe_here) = (front.bind("tcp://127.0.0.1:0")?, back.bind("tcp://127.0.0.1:0")?);
/// let forwarder = proxy::forwarder(front, back).start()?; // that is all: three lines
///
/// let (publisher, subscriber) = (PubSocket::new()?, SubSocket::new()?);
/// publisher.connect(publish_here)?;
/// subscriber.subscribe("pose")?;
/// subscriber.connect(subscribe_here)?;
/// assert!(publisher.wait_for_subscribers(1, Duration::from_secs(10)), "the subscription came through");
/// publisher.send("pose 1 2")?;
/// assert_eq!(subscriber.recv()?.payload(), "pose 1 2");
/// assert_eq!(forwarder.stats().to_back.messages, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "zmq_proxy")]
pub struct Proxy<F: Kind, B: Kind> {
    front: Socket<F>,
    back: Socket<B>,
    shared: Arc<Shared>,
}

/// A proxy to be started.
#[must_use = "nothing is passed on until start()"]
pub struct Setup<F: Kind, B: Kind> {
    front: Socket<F>,
    back: Socket<B>,
    capture: Option<Capture>,
}

/// Between publishers, which meet the XSUB, and subscribers, which meet the XPUB. Publishers are asked only for what somebody wants.
pub fn forwarder(front: XSubSocket, back: XPubSocket) -> Setup<XSub, XPub> {
    Setup::new(front, back)
}

/// Between clients, which meet the ROUTER, and servers, which meet the DEALER and are asked in turn.
pub fn queue(front: RouterSocket, back: DealerSocket) -> Setup<Router, Dealer> {
    Setup::new(front, back)
}

/// Between those who hand out work, which meet the PULL, and those who do it, which meet the PUSH and get it in turn.
pub fn streamer(front: PullSocket, back: PushSocket) -> Setup<Pull, Push> {
    Setup::new(front, back)
}

impl<F: Kind, B: Kind> Setup<F, B> {
    fn new(front: Socket<F>, back: Socket<B>) -> Self {
        Self {
            front,
            back,
            capture: None,
        }
    }

    /// Shows each message to `capture` before it is passed on. It runs on the data thread: it must be quick and must not wait.
    pub fn capture(mut self, capture: impl FnMut(Way, &Message) + Send + 'static) -> Self {
        self.capture = Some(Box::new(capture));
        self
    }

    /// Publishes each message on this socket too, as it came. What its subscribers are too slow for is dropped and counted there.
    pub fn capture_to(self, socket: PubSocket) -> Self {
        self.capture(move |_, message| {
            let _ = socket.send(message);
        })
    }

    /// Starts it. The sockets may have been bound and connected before, and can be later.
    ///
    /// # Errors
    /// A socket with a handler has nothing to pass on, and one that announces `X-Colugo` promises what a proxy cannot keep: numbers and
    /// commands go from one connection to the next only.
    pub fn start(self) -> Result<Proxy<F, B>, ProxyError> {
        for core in [&self.front.core, &self.back.core] {
            if matches!(core.sink, Sink::Handler(_)) {
                return Err(ProxyError::Handler(core.kind));
            }
            let properties = &core.options.properties;
            let announces = properties
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("X-Colugo"));
            if announces || core.options.stamped {
                return Err(ProxyError::Colugo(core.kind));
            }
        }
        if self.capture.is_some() {
            self.front.core.keep_to_data_thread();
        }
        let shared = Arc::new(Shared {
            capture: Mutex::new(self.capture),
            ..Shared::default()
        });
        let ends = (self.front.core.clone(), self.back.core.clone());
        Pump::start(&ends.0, &ends.1, Way::ToBack, &shared);
        Pump::start(&ends.1, &ends.0, Way::ToFront, &shared);
        Ok(Proxy {
            front: self.front,
            back: self.back,
            shared,
        })
    }
}

impl<F: Kind, B: Kind> Proxy<F, B> {
    /// The front socket, to bind, connect, or look at its peers and counters.
    pub fn front(&self) -> &Socket<F> {
        &self.front
    }

    /// The back socket.
    pub fn back(&self) -> &Socket<B> {
        &self.back
    }

    /// What it counted so far.
    pub fn stats(&self) -> ProxyStats {
        ProxyStats {
            to_back: self.shared.to_back.traffic(),
            to_front: self.shared.to_front.traffic(),
            capture_panics: self.shared.capture_panics.load(Ordering::Relaxed),
        }
    }

    /// Waits until it is stopped by another thread.
    pub fn wait(&self) {
        let ended = || (self.shared.pumps.load(Ordering::SeqCst) == 0).then_some(());
        self.shared.ended.wait_until(None, ended);
    }

    /// Closes the front socket, passes on what has come in, and closes the back socket; all within the back socket's linger time. True: that
    /// was enough, and nothing was dropped on the way. Later calls wait for the same.
    pub fn stop(&self) -> bool {
        let linger = self.back.core.options.linger;
        self.halt(linger) && {
            let stats = self.stats();
            stats.to_back.dropped == 0 && stats.to_front.dropped == 0
        }
    }

    fn halt(&self, linger: Duration) -> bool {
        let deadline = Instant::now().checked_add(linger);
        let (front, back) = (&self.front.core, &self.back.core);
        front.close(front.options.linger.min(linger));
        let may_wait = !on_data_thread();
        if may_wait {
            let drained = || self.shared.to_back.has_ended().then_some(());
            self.shared.ended.wait_until(deadline, drained);
        }
        let left = deadline.map_or(linger, |at| at.saturating_duration_since(Instant::now()));
        back.close(left);
        let deadline = deadline.and_then(|at| at.checked_add(DROP_WAIT));
        may_wait && back.wait_sent(deadline) && front.wait_sent(deadline) && {
            let ended = || (self.shared.pumps.load(Ordering::SeqCst) == 0).then_some(());
            self.shared.ended.wait_until(deadline, ended).is_some()
        }
    }
}

impl<F: Kind, B: Kind> Drop for Proxy<F, B> {
    /// As [`stop`](Self::stop), but waits 100 ms at most for what has come in.
    fn drop(&mut self) {
        self.halt(DROP_WAIT);
    }
}

impl<F: Kind, B: Kind> fmt::Debug for Proxy<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("front", &self.front)
            .field("back", &self.back)
            .field("stats", &self.stats())
            .finish()
    }
}

impl<F: Kind, B: Kind> fmt::Debug for Setup<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("front", &self.front)
            .field("back", &self.back)
            .finish_non_exhaustive()
    }
}

/// What a proxy and its two pumps share.
#[derive(Default)]
struct Shared {
    to_back: Lane,
    to_front: Lane,
    capture: Mutex<Option<Capture>>,
    capture_panics: AtomicU64,
    pumps: AtomicUsize,
    ended: Gate,
}

/// One way's counters.
#[derive(Default)]
struct Lane {
    messages: AtomicU64,
    octets: AtomicU64,
    dropped: AtomicU64,
    ended: AtomicUsize,
}

impl Lane {
    fn traffic(&self) -> Traffic {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            messages: get(&self.messages),
            octets: get(&self.octets),
            dropped: get(&self.dropped),
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst) > 0
    }
}

/// Passes on what comes in on one side.
struct Pump {
    from: Arc<Core>,
    to: Arc<Core>,
    way: Way,
    shared: Arc<Shared>,
    /// Not added to the counters yet.
    turn: Traffic,
}

impl Drop for Pump {
    /// However it ends.
    fn drop(&mut self) {
        self.count();
        self.lane().ended.store(1, Ordering::SeqCst);
        self.shared.pumps.fetch_sub(1, Ordering::SeqCst);
        self.shared.ended.notify();
    }
}

impl Pump {
    fn start(from: &Arc<Core>, to: &Arc<Core>, way: Way, shared: &Arc<Shared>) {
        shared.pumps.fetch_add(1, Ordering::SeqCst);
        let pump = Self {
            from: from.clone(),
            to: to.clone(),
            way,
            shared: shared.clone(),
            turn: Traffic::default(),
        };
        from.handle.spawn(pump.run());
    }

    async fn run(mut self) {
        let from = self.from.clone();
        let Sink::Inbox(inbox) = &from.sink else {
            return;
        };
        let mut open = true;
        while let Ok(message) = inbox.recv_async().await {
            let mut next = Some(message);
            let mut messages = 0;
            while let Some(message) = next {
                if open {
                    open = self.pass(message).await;
                } else {
                    self.turn.messages += 1;
                    self.turn.dropped += 1;
                }
                messages += 1;
                if messages >= TURN_MESSAGES || self.turn.octets >= TURN_OCTETS {
                    messages = TURN_MESSAGES;
                    break;
                }
                next = inbox.try_recv().ok();
            }
            self.count();
            if messages >= TURN_MESSAGES {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Passes one message on, as soon as there is room. False: the socket it goes to is closed.
    async fn pass(&mut self, message: Message) -> bool {
        self.turn.messages += 1;
        self.turn.octets += message.octets() as u64;
        self.show(&message);
        let out = Outgoing::from(message);
        let done = match self.attempt(&out) {
            Some(done) => done,
            None => {
                self.count();
                self.await_room(&out).await
            }
        };
        match done {
            Ok(dropped) => self.turn.dropped += u64::from(dropped),
            Err(error) => {
                self.turn.dropped += 1;
                return error != SendError::Closed;
            }
        }
        true
    }

    /// For as long as the socket lets a sender wait.
    async fn await_room(&self, out: &Outgoing<'_>) -> Result<u32, SendError> {
        let patience = match self.to.options.overflow {
            Overflow::Block(patience) => patience,
            Overflow::DropNewest => Duration::ZERO,
        };
        let passed = poll_fn(|cx| {
            self.to.room.register(cx);
            self.attempt(out).map_or(Poll::Pending, Poll::Ready)
        });
        match tokio::time::timeout(patience, passed).await {
            Ok(done) => done,
            Err(_) if self.to.kind == SocketType::XPub => self.to.publish_anyway(out),
            Err(_) => Err(SendError::Full),
        }
    }

    /// Gives for how many peers the message was dropped. None: there is no room.
    fn attempt(&self, out: &Outgoing<'_>) -> Option<Result<u32, SendError>> {
        let to = &self.to;
        if let Err(error) = to.check_size(out) {
            return Some(Err(error));
        }
        match to.kind {
            SocketType::XSub => Some(to.send_upstream(out).map(|sent| sent.dropped)),
            SocketType::XPub if to.options.overflow == Overflow::DropNewest => {
                Some(to.publish(out).map(|sent| sent.dropped))
            }
            SocketType::XPub => Some(to.publish_now(out, false)?.map(|sent| sent.dropped)),
            SocketType::Router => to.route_now(out).map(|done| done.map(|()| 0)),
            _ => to.distribute_now(out).map(|done| done.map(|_| 0)),
        }
    }

    fn show(&self, message: &Message) {
        if let Some(capture) = &mut *lock(&self.shared.capture) {
            let call = AssertUnwindSafe(|| capture(self.way, message));
            if catch_unwind(call).is_err() {
                self.shared.capture_panics.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn lane(&self) -> &Lane {
        match self.way {
            Way::ToBack => &self.shared.to_back,
            Way::ToFront => &self.shared.to_front,
        }
    }

    fn count(&mut self) {
        let turn = std::mem::take(&mut self.turn);
        let lane = self.lane();
        lane.messages.fetch_add(turn.messages, Ordering::Relaxed);
        lane.octets.fetch_add(turn.octets, Ordering::Relaxed);
        lane.dropped.fetch_add(turn.dropped, Ordering::Relaxed);
    }
}
