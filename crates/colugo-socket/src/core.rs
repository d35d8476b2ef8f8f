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
use crate::table::SharedTable;

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
    table: Arc<SharedTable>,
    /// ROUTER: who is called what.
    identities: Mutex<HashMap<Bytes, LinkId>>,
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
            sink,
            on_event,
            table: Arc::new(SharedTable::new(options.send_queue)),
            options,
            identities: Mutex::default(),
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
        let keeps = dialled
            && !self.options.immediate
            && matches!(self.kind, SocketType::Push | SocketType::Dealer);
        let (table, room, flusher) = (self.table.clone(), self.room.clone(), self.flusher.clone());
        let count = NEXT_LINK.fetch_add(1, Ordering::Relaxed);
        self.table
            .insert(count, |id| Link::new(id, keeps, table, room, flusher))
    }

    pub(crate) fn is_router(&self) -> bool {
        matches!(self.kind, SocketType::Router | SocketType::Rep)
    }

    // ---- links come and go -------------------------------------------------------------------------------------------------------

    /// A connection has shaken hands, and the link is open.
    pub(crate) fn link_up(&self, link: &Arc<Link>, peer: &Arc<Peer>) {
        let topics = lock(&self.topics);
        for topic in topics.iter() {
            self.control(link, |out| put_subscribe(out, topic, peer.minor()));
        }
        drop(topics);
        if !peer.identity().is_empty() {
            lock(&self.identities).insert(peer.identity().clone(), link.id);
        }
        if let Sink::Handler(handler) = &self.sink {
            lock(handler).up(peer);
        }
        self.room.notify();
        self.peers_changed.notify();
        self.emit(SocketEvent::Connected(peer.clone()));
    }

    /// The connection is gone.
    pub(crate) fn link_down(&self, link: &Arc<Link>, peer: &Arc<Peer>, why: DownReason) {
        let mut identities = lock(&self.identities);
        if identities.get(peer.identity()) == Some(&link.id) {
            identities.remove(peer.identity());
        }
        drop(identities);
        let lost = link.shut();
        self.counters
            .dropped_disconnect
            .fetch_add(lost as u64, Ordering::Relaxed);
        if let Sink::Handler(handler) = &self.sink {
            lock(handler).down(peer, &why);
        }
        self.room.notify();
        self.peers_changed.notify();
        self.emit(SocketEvent::Disconnected(peer.clone(), why));
    }

    /// Takes a link out that will not be used again, and keeps its counts.
    pub(crate) fn forget(&self, link: &Link) {
        let slot = self.table.lock().remove(link.id);
        if slot.is_some() {
            self.counters
                .sent
                .fetch_add(link.sent.load(Ordering::Relaxed), Ordering::Relaxed);
            self.counters
                .dropped
                .fetch_add(link.dropped.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    pub(crate) fn peers(&self) -> Vec<Arc<Peer>> {
        self.table
            .lock()
            .up()
            .map(|(_, peer)| peer.clone())
            .collect()
    }

    pub(crate) fn peer_count(&self) -> usize {
        self.table.lock().sessions
    }

    pub(crate) fn subscriber_count(&self) -> usize {
        self.table
            .lock()
            .slots()
            .filter(|slot| !slot.subscriptions.is_empty())
            .count()
    }

    pub(crate) fn sent_and_dropped(&self) -> (u64, u64) {
        let table = self.table.lock();
        let live = table.slots().fold((0, 0), |(sent, dropped), slot| {
            (
                sent + slot.link.sent.load(Ordering::Relaxed),
                dropped + slot.link.dropped.load(Ordering::Relaxed),
            )
        });
        (
            live.0 + self.counters.sent.load(Ordering::Relaxed),
            live.1 + self.counters.dropped.load(Ordering::Relaxed),
        )
    }

    // ---- sending -----------------------------------------------------------------------------------------------------------------

    /// To every subscriber whose subscriptions match.
    #[inline]
    pub(crate) fn publish(&self, out: &Outgoing<'_>) -> Result<Sent, SendError> {
        self.check_size(out)?;
        let drops = self.options.overflow == Overflow::DropNewest;
        match self.publish_now(out, drops) {
            Some(done) => done,
            None => self.publish_patiently(out),
        }
    }

    #[cold]
    fn publish_patiently(&self, out: &Outgoing<'_>) -> Result<Sent, SendError> {
        if runtime::on_data_thread() {
            return Err(SendError::WouldDeadlock);
        }
        self.make_room();
        if let Some(done) = self.publish_now(out, false) {
            return done;
        }
        match self
            .room
            .wait_until(self.patience(), || self.publish_now(out, false))
        {
            Some(done) => done,
            None => self.publish_now(out, true).unwrap_or(Err(SendError::Full)),
        }
    }

    /// Until when a sender waits.
    fn patience(&self) -> Option<Instant> {
        match self.options.overflow {
            Overflow::Block(patience) => Instant::now().checked_add(patience),
            Overflow::DropNewest => Some(Instant::now()),
        }
    }

    /// Writes for the peers whose queue is full: cheaper than to wait until the data thread does.
    fn make_room(&self) {
        let table = self.table.lock();
        let limit = table.limit();
        let full: Vec<_> = table
            .slots()
            .filter(|s| s.outbox.is_full(limit) && s.outbox.session)
            .map(|s| s.link.clone())
            .collect();
        drop(table);
        for link in full {
            link.make_room();
        }
    }

    /// None: a matching subscriber has no room, and `drop_full` does not allow to leave it out.
    #[inline]
    fn publish_now(&self, out: &Outgoing<'_>, drop_full: bool) -> Option<Result<Sent, SendError>> {
        if self.is_closing() {
            return Some(Err(SendError::Closed));
        }
        let topic = out.first();
        let mut table = self.table.lock();
        let limit = table.limit();
        if !drop_full
            && table
                .slots()
                .any(|s| s.outbox.is_full(limit) && s.wants(topic))
        {
            return None;
        }
        let seq = table.seq;
        table.seq = seq.wrapping_add(1);
        let stamped = self.options.stamped;
        let mut clock = SendClock::default();
        let mut sent = Sent::default();
        let mut kicks = Kicks::default();
        for slot in table.slots_mut() {
            if !slot.wants(topic) {
                if stamped {
                    slot.outbox.count_filtered(seq);
                }
                continue;
            }
            match slot.push(limit, &[], out, stamped.then_some((seq, &mut clock))) {
                Pushed::Queued => sent.queued += 1,
                pushed @ (Pushed::Writer | Pushed::Plenty) => {
                    sent.queued += 1;
                    kicks.add(&slot.link, pushed);
                }
                Pushed::Full => {
                    sent.dropped += 1;
                    slot.link.dropped.fetch_add(1, Ordering::Relaxed);
                    slot.outbox.count_lost(seq);
                }
                Pushed::Gone => {}
            }
        }
        let alone = table.sessions == 1;
        drop(table);
        kicks.kick(alone, out);
        if sent.dropped > 0 {
            self.on_drop();
        }
        Some(Ok(sent))
    }

    #[cold]
    fn on_drop(&self) {
        if self.drops_in_a_row.fetch_add(1, Ordering::Relaxed) >= YIELD_AFTER_DROPS {
            self.drops_in_a_row.store(0, Ordering::Relaxed);
            std::thread::yield_now();
        }
    }

    /// To the next peer with room, in turn.
    #[inline]
    pub(crate) fn distribute(
        &self,
        head: &[&[u8]],
        out: &Outgoing<'_>,
        wait: bool,
    ) -> Result<LinkId, SendError> {
        self.check_size(out)?;
        match self.distribute_now(head, out) {
            Some(done) => done,
            None => self.distribute_patiently(head, out, wait),
        }
    }

    #[cold]
    fn distribute_patiently(
        &self,
        head: &[&[u8]],
        out: &Outgoing<'_>,
        wait: bool,
    ) -> Result<LinkId, SendError> {
        let refused = || {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
            Err(SendError::Full)
        };
        if !wait {
            return refused();
        }
        if runtime::on_data_thread() {
            return Err(SendError::WouldDeadlock);
        }
        self.make_room();
        let now = || self.distribute_now(head, out);
        self.room
            .wait_until(self.patience(), now)
            .unwrap_or_else(refused)
    }

    #[inline]
    pub(crate) fn distribute_now(
        &self,
        head: &[&[u8]],
        out: &Outgoing<'_>,
    ) -> Option<Result<LinkId, SendError>> {
        if self.is_closing() {
            return Some(Err(SendError::Closed));
        }
        let mut table = self.table.lock();
        let alone = table.sessions == 1;
        let (link, pushed) = table.push_in_turn(head, out)?;
        let id = link.id;
        if pushed != Pushed::Queued {
            let link = link.clone();
            drop(table);
            kick(&link, pushed, alone, out);
        }
        Some(Ok(id))
    }

    /// To one link.
    #[inline]
    pub(crate) fn send_to(
        &self,
        to: LinkId,
        head: &[&[u8]],
        out: &Outgoing<'_>,
    ) -> Result<(), SendError> {
        self.check_size(out)?;
        match self.send_to_now(to, head, out) {
            Some(done) => done,
            None => self.send_to_patiently(to, head, out),
        }
    }

    fn send_to_now(
        &self,
        to: LinkId,
        head: &[&[u8]],
        out: &Outgoing<'_>,
    ) -> Option<Result<(), SendError>> {
        if self.is_closing() {
            return Some(Err(SendError::Closed));
        }
        let mut table = self.table.lock();
        let limit = table.limit();
        let Some(slot) = table.get(to).filter(|slot| slot.peer.is_some()) else {
            return Some(Err(SendError::NoPeer));
        };
        match slot.push(limit, head, out, None) {
            Pushed::Queued => Some(Ok(())),
            pushed @ (Pushed::Writer | Pushed::Plenty) => {
                let link = slot.link.clone();
                drop(table);
                kick(&link, pushed, true, out);
                Some(Ok(()))
            }
            Pushed::Full => None,
            Pushed::Gone => Some(Err(SendError::NoPeer)),
        }
    }

    #[cold]
    fn send_to_patiently(
        &self,
        to: LinkId,
        head: &[&[u8]],
        out: &Outgoing<'_>,
    ) -> Result<(), SendError> {
        let on_data_thread = runtime::on_data_thread();
        let waits = self.options.overflow != Overflow::DropNewest;
        if waits && on_data_thread {
            return Err(SendError::WouldDeadlock);
        }
        if waits {
            self.make_room();
        }
        let now = || self.send_to_now(to, head, out);
        let done = if waits {
            self.room.wait_until(self.patience(), now)
        } else {
            None
        };
        done.unwrap_or_else(|| {
            if let Some(slot) = self.table.lock().get(to) {
                slot.link.dropped.fetch_add(1, Ordering::Relaxed);
            }
            Err(SendError::Full)
        })
    }

    pub(crate) fn link_named(&self, identity: &[u8]) -> Option<LinkId> {
        lock(&self.identities).get(identity).copied()
    }

    pub(crate) fn send_command_to(
        &self,
        to: LinkId,
        name: &str,
        data: &[u8],
    ) -> Result<(), SendError> {
        let mut table = self.table.lock();
        let slot = table.get(to).ok_or(SendError::NoPeer)?;
        let link = slot.link.clone();
        if !slot.peer.as_ref().is_some_and(|peer| peer.is_colugo()) {
            return Err(SendError::NoPeer);
        }
        drop(table);
        self.control(&link, |out| colugo_zmtp::put_command(out, name, data));
        Ok(())
    }

    /// Queues a command for a link and has it written.
    pub(crate) fn control(&self, link: &Arc<Link>, write: impl FnOnce(&mut Vec<u8>)) {
        if link.push_control(write) == Pushed::Writer {
            link.kick(true, false);
        }
    }

    #[inline]
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
        let links: Vec<_> = self
            .table
            .lock()
            .up()
            .map(|(link, peer)| (link.clone(), peer.clone()))
            .collect();
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
        let up = self
            .table
            .lock()
            .get(dialer.link.id)
            .is_some_and(|slot| slot.peer.is_some());
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
        let up: Vec<_> = self
            .table
            .lock()
            .up()
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

/// Does what a push asks of the sender.
fn kick(link: &Arc<Link>, pushed: Pushed, alone: bool, out: &Outgoing<'_>) {
    match pushed {
        Pushed::Writer => link.kick(
            alone,
            matches!(out, Outgoing::Owned(b) if b.len() >= INLINE_FROM),
        ),
        Pushed::Plenty => link.help(),
        Pushed::Queued | Pushed::Full | Pushed::Gone => {}
    }
}

/// Links the sender has to do something for after the lock is released.
#[derive(Default)]
struct Kicks {
    first: Option<(Arc<Link>, Pushed)>,
    rest: Vec<(Arc<Link>, Pushed)>,
}

impl Kicks {
    #[cold]
    fn add(&mut self, link: &Arc<Link>, pushed: Pushed) {
        if self.first.is_none() {
            self.first = Some((link.clone(), pushed));
        } else {
            self.rest.push((link.clone(), pushed));
        }
    }

    #[inline]
    fn kick(self, alone: bool, out: &Outgoing<'_>) {
        for (link, pushed) in self.first.into_iter().chain(self.rest) {
            kick(&link, pushed, alone, out);
        }
    }
}

impl Drop for Core {
    /// A dialler that was aborted has not taken its link out.
    fn drop(&mut self) {
        let slots = self.table.lock().take_all();
        drop(slots);
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
