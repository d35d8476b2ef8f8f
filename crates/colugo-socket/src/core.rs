//! `Core`: what all handles and tasks of one socket share: its links, who is next, what it subscribed to, where messages go.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use colugo_zmtp::{SocketType, put_cancel, put_subscribe};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::endpoint::Endpoint;
use crate::error::{SendError, SubscribeError};
use crate::event::{DownReason, Handler, SocketEvent};
use crate::flusher::Flusher;
use crate::gate::{Gate, lock};
use crate::inbox::Inbox;
use crate::link::{CLOSE, INLINE_FROM, Link, Pushed};
use crate::message::{LinkId, Outgoing};
use crate::options::{Options, Overflow};
use crate::own_topics::OwnTopics;
use crate::peer::Peer;
use crate::runtime::{self, Runtime};
use crate::stamping::SendClock;
use crate::stats::{Counters, Sent};

static NEXT_LINK: AtomicU64 = AtomicU64::new(1);
/// A sender that drops so many messages in a row gives its processor away once: the writer may need it.
const YIELD_AFTER_DROPS: u32 = 64;

/// Where received messages go.
pub(crate) enum Sink {
    Inbox(Arc<Inbox>),
    Handler(Mutex<Box<dyn Handler>>),
    /// Sockets that only send.
    Nowhere,
}

pub(crate) type OnEvent = Box<dyn Fn(&SocketEvent) + Send + Sync>;

pub(crate) struct Core {
    pub(crate) kind: SocketType,
    pub(crate) options: Options,
    pub(crate) sink: Sink,
    on_event: Option<OnEvent>,
    routing: Mutex<Routing>,
    topics: Mutex<OwnTopics>,
    /// SUB: everything is wanted, so nothing need be filtered on receipt.
    pub(crate) takes_all: AtomicBool,
    /// Room in a queue, or a link more.
    pub(crate) room: Arc<Gate>,
    /// Peers or their subscriptions changed.
    pub(crate) peers_changed: Gate,
    pub(crate) counters: Counters,
    pub(crate) handle: Handle,
    pub(crate) flusher: Arc<Flusher>,
    tasks: Mutex<Tasks>,
    pub(crate) closing: AtomicBool,
    pub(crate) connections: AtomicUsize,
    live_tasks: AtomicUsize,
    task_ended: Gate,
    drops_in_a_row: AtomicU32,
}

#[derive(Default)]
struct Routing {
    /// Who can be sent to: shaken hands, or dialled with a queue that waits for the peer.
    targets: Vec<Arc<Link>>,
    up: HashMap<LinkId, (Arc<Link>, Arc<Peer>)>,
    by_identity: HashMap<Bytes, LinkId>,
    next: usize,
    seq: u64,
}

#[derive(Default)]
struct Tasks {
    listeners: Vec<(Endpoint, AbortHandle)>,
    dialers: Vec<Dialer>,
    accepted: HashMap<LinkId, AbortHandle>,
}

struct Dialer {
    endpoint: Endpoint,
    link: Arc<Link>,
    stop: Arc<AtomicBool>,
    task: AbortHandle,
}

/// Counts a task of the socket for as long as it lives.
pub(crate) struct TaskGuard(Arc<Core>);

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.live_tasks.fetch_sub(1, Ordering::SeqCst);
        self.0.task_ended.notify();
    }
}

impl Core {
    pub(crate) fn new(
        kind: SocketType,
        options: Options,
        sink: Sink,
        on_event: Option<OnEvent>,
        runtime: &Runtime,
    ) -> Self {
        Self {
            kind,
            options,
            sink,
            on_event,
            routing: Mutex::default(),
            topics: Mutex::default(),
            takes_all: AtomicBool::new(false),
            room: Arc::default(),
            peers_changed: Gate::default(),
            counters: Counters::default(),
            handle: runtime.handle().clone(),
            flusher: runtime.flusher().clone(),
            tasks: Mutex::default(),
            closing: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            live_tasks: AtomicUsize::new(0),
            task_ended: Gate::default(),
            drops_in_a_row: AtomicU32::new(0),
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn emit(&self, event: SocketEvent) {
        tracing::debug!(socket = %self.kind, ?event);
        if let Some(on_event) = &self.on_event {
            on_event(&event);
        }
    }

    pub(crate) fn new_link(&self, dialled: bool) -> Arc<Link> {
        let id = LinkId(NEXT_LINK.fetch_add(1, Ordering::Relaxed));
        let keeps = dialled
            && !self.options.immediate
            && matches!(self.kind, SocketType::Push | SocketType::Dealer);
        Arc::new(Link::new(
            id,
            keeps,
            self.options.send_queue,
            self.room.clone(),
            self.flusher.clone(),
        ))
    }

    pub(crate) fn is_router(&self) -> bool {
        matches!(self.kind, SocketType::Router | SocketType::Rep)
    }

    // ---- links come and go -------------------------------------------------------------------------------------------------------

    /// A connection has shaken hands.
    pub(crate) fn link_up(&self, link: &Arc<Link>, peer: &Arc<Peer>) {
        let topics = lock(&self.topics);
        for topic in topics.iter() {
            self.control(link, |out| put_subscribe(out, topic, peer.minor()));
        }
        let mut routing = lock(&self.routing);
        if !routing.targets.iter().any(|l| l.id == link.id) {
            routing.targets.push(link.clone());
        }
        routing.up.insert(link.id, (link.clone(), peer.clone()));
        if !peer.identity().is_empty() {
            routing.by_identity.insert(peer.identity().clone(), link.id);
        }
        drop(routing);
        drop(topics);
        if let Sink::Handler(handler) = &self.sink {
            lock(handler).up(peer);
        }
        self.room.notify();
        self.peers_changed.notify();
        self.emit(SocketEvent::Connected(peer.clone()));
    }

    /// The connection is gone.
    pub(crate) fn link_down(&self, link: &Arc<Link>, peer: &Arc<Peer>, why: DownReason) {
        let mut routing = lock(&self.routing);
        routing.up.remove(&link.id);
        if routing.by_identity.get(peer.identity()) == Some(&link.id) {
            routing.by_identity.remove(peer.identity());
        }
        if !link.persistent {
            routing.targets.retain(|l| l.id != link.id);
        }
        drop(routing);
        let lost = link.shut();
        self.counters
            .dropped_disconnect
            .fetch_add(lost as u64, Ordering::Relaxed);
        if !link.persistent {
            self.retire(link);
        }
        if let Sink::Handler(handler) = &self.sink {
            lock(handler).down(peer, &why);
        }
        self.room.notify();
        self.peers_changed.notify();
        self.emit(SocketEvent::Disconnected(peer.clone(), why));
    }

    /// Keeps the counts of a link that will not come back.
    fn retire(&self, link: &Link) {
        self.counters
            .sent
            .fetch_add(link.sent.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        self.counters
            .dropped
            .fetch_add(link.dropped.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(crate) fn peers(&self) -> Vec<Arc<Peer>> {
        lock(&self.routing)
            .up
            .values()
            .map(|(_, peer)| peer.clone())
            .collect()
    }

    pub(crate) fn subscriber_count(&self) -> usize {
        lock(&self.routing)
            .up
            .values()
            .filter(|(link, _)| link.is_subscribed())
            .count()
    }

    pub(crate) fn sent_and_dropped(&self) -> (u64, u64) {
        let routing = lock(&self.routing);
        let mut all: Vec<&Arc<Link>> = routing.targets.iter().collect();
        all.dedup_by_key(|l| l.id);
        let live = all.iter().fold((0, 0), |(s, d), l| {
            (
                s + l.sent.load(Ordering::Relaxed),
                d + l.dropped.load(Ordering::Relaxed),
            )
        });
        (
            live.0 + self.counters.sent.load(Ordering::Relaxed),
            live.1 + self.counters.dropped.load(Ordering::Relaxed),
        )
    }

    // ---- sending -----------------------------------------------------------------------------------------------------------------

    /// To every subscriber whose subscriptions match.
    pub(crate) fn publish(&self, out: &Outgoing<'_>) -> Result<Sent, SendError> {
        self.check_size(out)?;
        let Overflow::Block(patience) = self.options.overflow else {
            return self.publish_now(out, true).unwrap_or(Err(SendError::Full));
        };
        if let Some(done) = self.publish_now(out, false) {
            return done;
        }
        if runtime::on_data_thread() {
            return Err(SendError::WouldDeadlock);
        }
        match self
            .room
            .wait_until(Instant::now().checked_add(patience), || {
                self.publish_now(out, false)
            }) {
            Some(done) => done,
            None => self.publish_now(out, true).unwrap_or(Err(SendError::Full)),
        }
    }

    /// None: a matching subscriber has no room, and `drop_full` does not allow to leave it out.
    fn publish_now(&self, out: &Outgoing<'_>, drop_full: bool) -> Option<Result<Sent, SendError>> {
        if self.is_closing() {
            return Some(Err(SendError::Closed));
        }
        let topic = out.first();
        let mut routing = lock(&self.routing);
        if !drop_full
            && routing
                .targets
                .iter()
                .any(|l| l.is_full() && l.wants(topic))
        {
            return None;
        }
        let seq = routing.seq;
        routing.seq = seq.wrapping_add(1);
        let mut clock = SendClock::default();
        let mut sent = Sent::default();
        let mut kicks = Kicks::default();
        for link in &routing.targets {
            if !link.wants(topic) {
                if self.options.stamped && link.is_subscribed() {
                    link.count_filtered(seq);
                }
                continue;
            }
            match link.push(&[], out, self.options.stamped.then_some((seq, &mut clock))) {
                Pushed::Queued => sent.queued += 1,
                Pushed::Writer => {
                    sent.queued += 1;
                    kicks.add(link);
                }
                Pushed::Full => {
                    sent.dropped += 1;
                    link.count_drop(self.options.stamped.then_some(seq));
                }
                Pushed::Gone => {}
            }
        }
        let alone = routing.targets.len() == 1;
        drop(routing);
        kicks.kick(alone, out);
        if sent.dropped > 0
            && self.drops_in_a_row.fetch_add(1, Ordering::Relaxed) >= YIELD_AFTER_DROPS
        {
            self.drops_in_a_row.store(0, Ordering::Relaxed);
            std::thread::yield_now();
        }
        Some(Ok(sent))
    }

    /// To the next peer with room, in turn.
    pub(crate) fn distribute(
        &self,
        head: &[&[u8]],
        out: &Outgoing<'_>,
        wait: bool,
    ) -> Result<LinkId, SendError> {
        self.check_size(out)?;
        let now = || self.distribute_now(head, out);
        if let Some(done) = now() {
            return done;
        }
        let patience = match self.options.overflow {
            Overflow::Block(patience) if wait => patience,
            _ => {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                return Err(SendError::Full);
            }
        };
        if runtime::on_data_thread() {
            return Err(SendError::WouldDeadlock);
        }
        self.room
            .wait_until(Instant::now().checked_add(patience), now)
            .unwrap_or_else(|| {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                Err(SendError::Full)
            })
    }

    pub(crate) fn distribute_now(
        &self,
        head: &[&[u8]],
        out: &Outgoing<'_>,
    ) -> Option<Result<LinkId, SendError>> {
        if self.is_closing() {
            return Some(Err(SendError::Closed));
        }
        let mut routing = lock(&self.routing);
        let count = routing.targets.len();
        let first = routing.next;
        for i in 0..count {
            let at = (first + i) % count;
            let Some(link) = routing.targets.get(at) else {
                break;
            };
            let pushed = link.push(head, out, None);
            if matches!(pushed, Pushed::Full | Pushed::Gone) {
                continue;
            }
            let link = link.clone();
            routing.next = (at + 1) % count;
            drop(routing);
            if pushed == Pushed::Writer {
                link.kick(count == 1, out.octets() >= INLINE_FROM);
            }
            return Some(Ok(link.id));
        }
        None
    }

    /// To one link.
    pub(crate) fn send_to(
        &self,
        to: LinkId,
        head: &[&[u8]],
        out: &Outgoing<'_>,
    ) -> Result<(), SendError> {
        self.check_size(out)?;
        if self.is_closing() {
            return Err(SendError::Closed);
        }
        let link = lock(&self.routing)
            .up
            .get(&to)
            .map(|(link, _)| link.clone())
            .ok_or(SendError::NoPeer)?;
        let push = || match link.push(head, out, None) {
            Pushed::Queued => Some(Ok(())),
            Pushed::Writer => {
                link.kick(true, out.octets() >= INLINE_FROM);
                Some(Ok(()))
            }
            Pushed::Full if self.is_closing() => Some(Err(SendError::Closed)),
            Pushed::Full => None,
            Pushed::Gone => Some(Err(SendError::NoPeer)),
        };
        if let Some(done) = push() {
            return done;
        }
        let Overflow::Block(patience) = self.options.overflow else {
            link.count_drop(None);
            return Err(SendError::Full);
        };
        if runtime::on_data_thread() {
            return Err(SendError::WouldDeadlock);
        }
        self.room
            .wait_until(Instant::now().checked_add(patience), push)
            .unwrap_or_else(|| {
                link.count_drop(None);
                Err(SendError::Full)
            })
    }

    pub(crate) fn link_named(&self, identity: &[u8]) -> Option<LinkId> {
        lock(&self.routing).by_identity.get(identity).copied()
    }

    pub(crate) fn send_command_to(
        &self,
        to: LinkId,
        name: &str,
        data: &[u8],
    ) -> Result<(), SendError> {
        let (link, peer) = lock(&self.routing)
            .up
            .get(&to)
            .cloned()
            .ok_or(SendError::NoPeer)?;
        if !peer.is_colugo() {
            return Err(SendError::NoPeer);
        }
        self.control(&link, |out| colugo_zmtp::put_command(out, name, data));
        Ok(())
    }

    /// Queues a command for a link and has it written.
    pub(crate) fn control(&self, link: &Arc<Link>, write: impl FnOnce(&mut Vec<u8>)) {
        if link.push_control(write) == Pushed::Writer {
            link.kick(true, false);
        }
    }

    fn check_size(&self, out: &Outgoing<'_>) -> Result<(), SendError> {
        let (octets, limit) = (out.octets(), self.options.max_message);
        if octets > limit {
            self.counters.too_large.fetch_add(1, Ordering::Relaxed);
            return Err(SendError::TooLarge { octets, limit });
        }
        Ok(())
    }

    // ---- SUB's topics ------------------------------------------------------------------------------------------------------------

    pub(crate) fn subscribe(&self, prefix: &[u8]) -> Result<(), SubscribeError> {
        let mut topics = lock(&self.topics);
        if topics.add(prefix)? {
            self.takes_all.store(topics.has_all(), Ordering::Release);
            self.tell_all(|out, minor| put_subscribe(out, prefix, minor));
        }
        Ok(())
    }

    pub(crate) fn unsubscribe(&self, prefix: &[u8]) -> bool {
        let mut topics = lock(&self.topics);
        let last = topics.remove(prefix);
        if last == Some(true) {
            self.takes_all.store(topics.has_all(), Ordering::Release);
            self.tell_all(|out, minor| put_cancel(out, prefix, minor));
        }
        last.is_some()
    }

    pub(crate) fn wants_own(&self, topic: &[u8]) -> bool {
        lock(&self.topics).matches(topic)
    }

    fn tell_all(&self, write: impl Fn(&mut Vec<u8>, u8)) {
        let links: Vec<_> = lock(&self.routing).up.values().cloned().collect();
        for (link, peer) in links {
            self.control(&link, |out| write(out, peer.minor()));
        }
    }

    // ---- tasks -------------------------------------------------------------------------------------------------------------------

    pub(crate) fn guard(self: &Arc<Self>) -> TaskGuard {
        self.live_tasks.fetch_add(1, Ordering::SeqCst);
        TaskGuard(self.clone())
    }

    pub(crate) fn add_listener(&self, endpoint: Endpoint, task: AbortHandle) {
        lock(&self.tasks).listeners.push((endpoint, task));
    }

    pub(crate) fn add_dialer(
        &self,
        endpoint: Endpoint,
        link: Arc<Link>,
        stop: Arc<AtomicBool>,
        task: AbortHandle,
    ) {
        lock(&self.tasks).dialers.push(Dialer {
            endpoint,
            link,
            stop,
            task,
        });
    }

    pub(crate) fn add_target(&self, link: Arc<Link>) {
        lock(&self.routing).targets.push(link);
        self.room.notify();
    }

    pub(crate) fn add_accepted(&self, link: LinkId, task: AbortHandle) {
        lock(&self.tasks).accepted.insert(link, task);
    }

    pub(crate) fn remove_accepted(&self, link: LinkId) {
        lock(&self.tasks).accepted.remove(&link);
    }

    pub(crate) fn is_dialling(&self, endpoint: &Endpoint) -> bool {
        lock(&self.tasks)
            .dialers
            .iter()
            .any(|d| d.endpoint == *endpoint)
    }

    pub(crate) fn unbind(&self, endpoint: &Endpoint) -> bool {
        let mut tasks = lock(&self.tasks);
        let before = tasks.listeners.len();
        tasks.listeners.retain(|(bound, task)| {
            if bound == endpoint {
                task.abort();
            }
            bound != endpoint
        });
        tasks.listeners.len() < before
    }

    /// Stops dialling and lets the link finish what is queued.
    pub(crate) fn disconnect(self: &Arc<Self>, endpoint: &Endpoint) -> bool {
        let mut tasks = lock(&self.tasks);
        let Some(at) = tasks.dialers.iter().position(|d| d.endpoint == *endpoint) else {
            return false;
        };
        let dialer = tasks.dialers.swap_remove(at);
        drop(tasks);
        dialer.stop.store(true, Ordering::SeqCst);
        let up = lock(&self.routing).up.contains_key(&dialer.link.id);
        if !up && dialer.link.is_drained() {
            dialer.task.abort();
            self.forget(&dialer.link);
            return true;
        }
        // Also when it is just shaking hands: the connection looks at `stop` once it is up.
        dialer.link.signal(CLOSE);
        let (linger, link) = (self.options.linger, dialer.link);
        let core = self.clone();
        self.handle.spawn(async move {
            tokio::time::sleep(linger).await;
            dialer.task.abort();
            core.forget(&link);
        });
        true
    }

    /// Takes a link that will not be dialled again out of the targets.
    pub(crate) fn forget(&self, link: &Link) {
        lock(&self.routing).targets.retain(|l| l.id != link.id);
        self.retire(link);
    }

    /// Ends the socket: nothing more is accepted or queued; what is queued is written within `linger`. Idempotent.
    pub(crate) fn close(self: &Arc<Self>, linger: Duration) {
        if self.closing.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Sink::Inbox(inbox) = &self.sink {
            inbox.close();
        }
        let mut tasks = lock(&self.tasks);
        for (_, task) in tasks.listeners.drain(..) {
            task.abort();
        }
        let up: Vec<_> = lock(&self.routing)
            .up
            .values()
            .map(|(link, _)| link.clone())
            .collect();
        for dialer in &tasks.dialers {
            let connected = up.iter().any(|l| l.id == dialer.link.id);
            if !connected && dialer.link.is_drained() {
                dialer.task.abort();
            }
        }
        for (link, task) in &tasks.accepted {
            if !up.iter().any(|l| l.id == *link) {
                task.abort();
            }
        }
        drop(tasks);
        for link in up {
            if link.push_final_stamp() == Pushed::Writer {
                link.kick(false, false);
            }
            link.signal(CLOSE);
        }
        self.room.notify();
        self.peers_changed.notify();
        if self.live_tasks.load(Ordering::SeqCst) > 0 {
            self.handle.spawn(abort_after(self.clone(), linger));
        }
    }

    fn abort_all(&self) {
        let tasks = lock(&self.tasks);
        for dialer in &tasks.dialers {
            dialer.task.abort();
        }
        for task in tasks.accepted.values() {
            task.abort();
        }
    }

    /// Waits until all tasks of the socket have ended.
    pub(crate) fn wait_closed(&self, deadline: Option<Instant>) -> bool {
        let ended = || (self.live_tasks.load(Ordering::SeqCst) == 0).then_some(());
        self.task_ended.wait_until(deadline, ended).is_some()
    }

    pub(crate) fn poll_closed(&self, cx: &std::task::Context<'_>) -> bool {
        self.task_ended.register(cx);
        self.live_tasks.load(Ordering::SeqCst) == 0
    }
}

async fn abort_after(core: Arc<Core>, linger: Duration) {
    let ended = std::future::poll_fn(|cx| {
        if core.poll_closed(cx) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    });
    if tokio::time::timeout(linger, ended).await.is_err() {
        core.abort_all();
    }
}

/// Links whose writer's role the sender got; kicked after the locks are released.
#[derive(Default)]
struct Kicks {
    first: Option<Arc<Link>>,
    rest: Vec<Arc<Link>>,
}

impl Kicks {
    fn add(&mut self, link: &Arc<Link>) {
        if self.first.is_none() {
            self.first = Some(link.clone());
        } else {
            self.rest.push(link.clone());
        }
    }

    #[inline]
    fn kick(self, alone: bool, out: &Outgoing<'_>) {
        if let Some(first) = self.first {
            let large = alone && matches!(out, Outgoing::Owned(b) if b.len() >= INLINE_FROM);
            first.kick(alone, large);
            for link in self.rest {
                link.kick(false, false);
            }
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("kind", &self.kind)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
