//! `ClientCore`: drives [`Pending`] for one request client: sends what it assigns, tells it what the data thread sees, and calls back.
//! Knows the frames of requests and replies; not the types of either.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use colugo_graph::{MatchKind, NodeId};
use colugo_socket::{LinkId, MessageRef, Outgoing, SendError as RawSendError};

use crate::core::Closable;
use crate::executor::{InlineGuard, Task, Work};
use crate::handle::Handle;
use crate::peer::Peer;
use crate::pending::{
    Assigned, Begun, Failure, Notice, Outcome, Pending, ReplyCallback, Start, Waiter,
};
use crate::stats::count;
use crate::sync::lock;
use crate::timers::Timed;
use crate::transport::{Found, Receiver};
use crate::wire;

/// A request's body, before it is known whether it must be kept.
pub(crate) enum Body<'a> {
    Slice(&'a [u8]),
    Parts(&'a [Bytes]),
}

impl Body<'_> {
    fn to_frames(&self) -> Vec<Bytes> {
        match self {
            Self::Slice(octets) => vec![Bytes::copy_from_slice(octets)],
            Self::Parts([]) => vec![Bytes::new()],
            Self::Parts(parts) => parts.to_vec(),
        }
    }
}

/// Asking for the process id costs as much as the rest of a request: only waits that take longer than this look whether the process was forked.
const FORK_CHECK: Duration = Duration::from_millis(100);

/// Longer times than clocks can tell are as good as this one.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long a request may take, from now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) timeout: Duration,
    pub(crate) server_wait: Duration,
}

pub(crate) struct ClientCore {
    pub(crate) handle: Arc<Handle>,
    pending: Mutex<Pending>,
    /// Replies for callbacks, until the node's callbacks are run. As many as requests in flight at most.
    ready: Mutex<VecDeque<(ReplyCallback, Outcome)>>,
    task: OnceLock<Arc<Task>>,
    me: Weak<Self>,
}

impl ClientCore {
    pub(crate) fn new(handle: Arc<Handle>, limit: usize) -> Arc<Self> {
        let this = Arc::new_cyclic(|me: &Weak<Self>| Self {
            handle,
            pending: Mutex::new(Pending::new(limit)),
            ready: Mutex::default(),
            task: OnceLock::new(),
            me: me.clone(),
        });
        let work: Weak<Self> = Arc::downgrade(&this);
        let _ = this.task.set(Task::new(
            &this.handle.core.executor,
            this.handle.label.clone(),
            work,
        ));
        let closable: Weak<Self> = Arc::downgrade(&this);
        this.handle.core.adopt(closable);
        this
    }

    /// Sends a request, or keeps it until a server is there. `watch`: the timer ends it in time. If it can't even begin, the waiter comes
    /// back.
    pub(crate) fn begin(
        &self,
        body: &Body<'_>,
        limits: Limits,
        avoid: Option<NodeId>,
        waiter: Waiter,
        watch: bool,
    ) -> Result<u64, (Failure, Waiter)> {
        let now = self.handle.core.world.now();
        let at = |time: Duration| now.checked_add(time).unwrap_or(now + FOREVER);
        let (deadline, give_up) = (at(limits.timeout), at(limits.server_wait));
        let start = Start {
            now,
            deadline,
            give_up,
            avoid,
            waiter,
            watch,
        };
        let (begun, due) = {
            let mut pending = lock(&self.pending);
            let (begun, due) = pending.begin(start);
            if let Begun::Wait(id) = begun {
                pending.keep_body(id, body.to_frames());
            }
            (begun, due)
        };
        self.arm(due);
        match begun {
            Begun::Failed(failure, waiter) => Err((failure, waiter)),
            Begun::Wait(id) => Ok(id),
            Begun::Send(assigned) => {
                let id = assigned.id;
                count(&self.handle.counters.sent);
                self.transmit(assigned, body);
                Ok(id)
            }
        }
    }

    /// Sends; when the link is just gone, by another. What can't be sent ends.
    fn transmit(&self, mut assigned: Assigned, body: &Body<'_>) {
        loop {
            let id = assigned.id;
            let Err(error) = self.write(&assigned, body) else {
                return;
            };
            let failure = match error {
                RawSendError::TooLarge { octets, limit } => Failure::TooLarge { octets, limit },
                RawSendError::Full => Failure::Busy,
                RawSendError::WouldDeadlock => Failure::WouldDeadlock,
                RawSendError::NoPeer => match lock(&self.pending).reassign(id, assigned.link) {
                    Some(other) => {
                        assigned = other;
                        continue;
                    }
                    None => Failure::Disconnected,
                },
                _ => Failure::Closed,
            };
            return self.end(id, Err(failure));
        }
    }

    fn write(&self, assigned: &Assigned, body: &Body<'_>) -> Result<(), RawSendError> {
        let Some(socket) = self.handle.socket() else {
            return Err(RawSendError::Closed);
        };
        let id = if assigned.plain {
            None
        } else {
            Some(assigned.id)
        };
        let message = match body {
            Body::Slice(octets) => Outgoing::Slice(octets),
            Body::Parts([]) => Outgoing::Slice(&[]),
            Body::Parts([one]) => Outgoing::Owned(one.clone()),
            Body::Parts(parts) => Outgoing::Parts(parts),
        };
        wire::with_head(id, |head| socket.send_to(assigned.link, head, message))
    }

    /// Waits on the caller's thread.
    pub(crate) fn wait(&self, id: u64) -> Outcome {
        let world = &self.handle.core.world;
        if world.is_virtual() {
            return self.wait_virtual(id);
        }
        let me = std::thread::current();
        let begun = Instant::now();
        loop {
            let due = {
                let mut pending = lock(&self.pending);
                if let Some(outcome) = pending.take(id) {
                    return outcome;
                }
                let Some(due) = pending.due(id) else {
                    return Err(Failure::Closed);
                };
                pending.wait(id, Waiter::Thread(me.clone()));
                due
            };
            let left = due.0.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.end(id, Err(due.1));
                continue;
            }
            std::thread::park_timeout(left.min(FORK_CHECK));
            if left > FORK_CHECK && begun.elapsed() >= FORK_CHECK && self.handle.core.is_forked() {
                return Err(Failure::Forked);
            }
        }
    }

    fn wait_virtual(&self, id: u64) -> Outcome {
        let world = &self.handle.core.world;
        loop {
            let due = {
                let mut pending = lock(&self.pending);
                if let Some(outcome) = pending.take(id) {
                    return outcome;
                }
                let Some(due) = pending.due(id) else {
                    return Err(Failure::Closed);
                };
                due
            };
            let done = || lock(&self.pending).is_done(id);
            if !world.wait(&self.handle.links.changed, Some(due.0), &done) {
                let due = lock(&self.pending).due(id);
                if let Some((at, failure)) = due
                    && at <= world.now()
                {
                    self.end(id, Err(failure));
                }
            }
        }
    }

    /// The outcome if there is one; else `waiter` is told when there is.
    pub(crate) fn poll(&self, id: u64, waiter: Waiter) -> Option<Outcome> {
        let mut pending = lock(&self.pending);
        if let Some(outcome) = pending.take(id) {
            return Some(outcome);
        }
        if pending.due(id).is_none() {
            return Some(Err(Failure::Closed));
        }
        pending.wait(id, waiter);
        None
    }

    /// Tells the waiter of a request that could not begin.
    pub(crate) fn refuse(&self, waiter: Waiter, failure: Failure) {
        match waiter {
            Waiter::Callback(callback) => self.act(Notice::Call(callback, Err(failure))),
            Waiter::Inline(callback) => self.act(Notice::CallInline(callback, Err(failure))),
            Waiter::Nobody | Waiter::Thread(_) | Waiter::Task(_) => {}
        }
    }

    pub(crate) fn is_done(&self, id: u64) -> bool {
        lock(&self.pending).is_done(id)
    }

    /// Whether the request went to a server of the client's own node.
    pub(crate) fn goes_to_own_node(&self, id: u64) -> bool {
        let link = lock(&self.pending).link_of(id);
        let peer = link.and_then(|link| self.handle.links.get(link));
        peer.is_some_and(|peer| peer.node == Some(self.handle.core.id))
    }

    pub(crate) fn cancel(&self, id: u64) {
        let mut pending = lock(&self.pending);
        pending.cancel(id);
        let leavers = pending.has_leavers();
        drop(pending);
        if leavers {
            self.hang_up();
        }
    }

    pub(crate) fn ready_links(&self) -> usize {
        lock(&self.pending).ready_links()
    }

    pub(crate) fn in_flight(&self) -> usize {
        lock(&self.pending).in_flight()
    }

    /// The server at an endpoint was withdrawn: what is in flight may still be answered. Unless its node is dead.
    pub(crate) fn lost(&self, found: &Found) {
        let addr = found
            .endpoint
            .strip_prefix("tcp://")
            .and_then(|addr| addr.parse().ok());
        if found.kind == MatchKind::Dead {
            let notices = lock(&self.pending).die(|peer| peer.outgoing && peer.addr == addr);
            if let Some(socket) = self.handle.socket() {
                socket.disconnect(&found.endpoint);
            }
            return self.act_all(notices);
        }
        lock(&self.pending).leave(|peer| peer.outgoing && peer.addr == addr);
        let connected = self
            .handle
            .links
            .list()
            .iter()
            .any(|peer| peer.outgoing && peer.addr == addr);
        if connected {
            self.hang_up();
        } else if let Some(socket) = self.handle.socket() {
            socket.disconnect(&found.endpoint);
        }
    }

    fn end(&self, id: u64, outcome: Outcome) {
        let mut pending = lock(&self.pending);
        let notice = pending.finish(id, outcome);
        let leavers = pending.has_leavers();
        drop(pending);
        if let Some(notice) = notice {
            self.act(notice);
        }
        if leavers {
            self.hang_up();
        }
    }

    /// Ends links that are done; those that are only stale are dialled again.
    fn hang_up(&self) {
        let done = lock(&self.pending).take_done_links();
        for (peer, again) in done {
            self.part_from(&peer, again);
        }
    }

    /// Ends a link that was dialled, and dials it again if it should.
    fn part_from(&self, peer: &Peer, again: bool) {
        let socket = self.handle.socket().filter(|_| peer.outgoing);
        let endpoint = peer.addr.map(|addr| self.handle.endpoint_of(addr));
        if let (Some(socket), Some(endpoint)) = (socket, endpoint) {
            tracing::debug!(handle = &*self.handle.label, endpoint, again, "hanging up");
            socket.disconnect(&endpoint);
            // An address that the user gave is dialled for ever: the server may be back there.
            let again = again || self.handle.dials_for_user(&endpoint);
            if again && let Err(error) = self.handle.dial(socket, &endpoint) {
                tracing::warn!(handle = &*self.handle.label, endpoint, %error, "a server can't be dialled again");
            }
        }
    }

    fn arm(&self, due: Option<Instant>) {
        if let Some(due) = due {
            let me: Weak<Self> = self.me.clone();
            self.handle.core.world.at(due, me);
        }
    }

    fn act(&self, notice: Notice) {
        match notice {
            Notice::Nothing => {}
            Notice::Unpark(thread) => thread.unpark(),
            Notice::Wake(waker) => waker.wake(),
            Notice::Call(callback, outcome) => {
                lock(&self.ready).push_back((callback, outcome));
                if let Some(task) = self.task.get() {
                    task.schedule();
                }
            }
            Notice::CallInline(callback, outcome) => {
                let _inline = InlineGuard::enter();
                self.handle
                    .core
                    .contain(&self.handle.label, Some(&self.handle.counters), || {
                        callback(outcome)
                    });
            }
        }
    }

    fn act_all(&self, notices: Vec<Notice>) {
        notices.into_iter().for_each(|notice| self.act(notice));
    }

    /// A reply came. Returns who is to be woken for it.
    fn received(&self, link: LinkId, message: MessageRef<'_>) -> Notice {
        let mut pending = lock(&self.pending);
        let (id, skip) = if pending.is_plain(link) {
            (pending.plain_id(link), wire::plain_body(&message))
        } else {
            wire::parse_reply(&message).map_or((None, 0), |(id, skip)| (Some(id), skip))
        };
        let expected = id.filter(|id| pending.expects(*id, link));
        let Some(id) = expected else {
            drop(pending);
            count(&self.handle.counters.late);
            return Notice::Nothing;
        };
        let notice = pending.finish(id, Ok(wire::body_message(&message, skip)));
        let leavers = pending.has_leavers();
        drop(pending);
        if leavers {
            self.hang_up();
        }
        match notice {
            Some(wake @ (Notice::Unpark(_) | Notice::Wake(_))) => return wake,
            Some(notice) => self.act(notice),
            None => {}
        }
        Notice::Nothing
    }
}

impl Work for ClientCore {
    fn run(&self, budget: usize) -> bool {
        for _ in 0..budget {
            let Some((callback, outcome)) = lock(&self.ready).pop_front() else {
                return false;
            };
            self.handle
                .core
                .contain(&self.handle.label, Some(&self.handle.counters), || {
                    callback(outcome)
                });
        }
        true
    }
}

impl Timed for ClientCore {
    fn fire(self: Arc<Self>, now: Instant) {
        let (notices, again) = lock(&self.pending).expire(now);
        self.act_all(notices);
        self.arm(again);
        self.hang_up();
    }
}

impl Closable for ClientCore {
    fn close(&self, _: Duration, _: Duration) -> bool {
        let notices = lock(&self.pending).close();
        self.act_all(notices);
        true
    }
}

/// What the data thread tells the client.
pub(crate) struct ClientReceiver {
    client: Weak<ClientCore>,
    /// Who waits for replies of this read. They are woken together at its end: a thread that is woken by the first would only get in the
    /// way of the others.
    to_wake: Vec<Notice>,
    late_start: Arc<OnceLock<Weak<ClientCore>>>,
}

impl ClientReceiver {
    /// The client is made after its handle, which is made after this.
    pub(crate) fn new(late_start: Arc<OnceLock<Weak<ClientCore>>>) -> Self {
        Self {
            client: Weak::new(),
            to_wake: Vec::new(),
            late_start,
        }
    }

    fn client(&mut self) -> Option<Arc<ClientCore>> {
        if let Some(client) = self.client.upgrade() {
            return Some(client);
        }
        self.client = self.late_start.get()?.clone();
        self.client.upgrade()
    }
}

impl Receiver for ClientReceiver {
    fn message(&mut self, link: LinkId, message: MessageRef<'_>) {
        let Some(client) = self.client() else { return };
        match client.received(link, message) {
            Notice::Nothing => {}
            wake => self.to_wake.push(wake),
        }
    }

    fn batch_end(&mut self) {
        if self.to_wake.is_empty() {
            return;
        }
        let Some(client) = self.client() else { return };
        self.to_wake.drain(..).for_each(|wake| client.act(wake));
    }

    fn up(&mut self, peer: Arc<Peer>) {
        let Some(client) = self.client() else { return };
        let ready = lock(&client.pending).link_up(peer.clone());
        for (assigned, body) in ready {
            count(&client.handle.counters.sent);
            client.transmit(assigned, &Body::Parts(&body));
        }
        client.handle.link_up(peer);
    }

    fn down(&mut self, link: LinkId, reason: &str) {
        let Some(client) = self.client() else { return };
        let (notices, left) = {
            let mut pending = lock(&client.pending);
            let left = pending.leaver(link);
            (pending.link_down(link), left)
        };
        client.handle.link_down(link, reason);
        if let Some(peer) = left {
            client.part_from(&peer, false);
        }
        client.act_all(notices);
    }

    fn command(&mut self, link: LinkId, name: &[u8], data: &[u8]) {
        let Some(client) = self.client() else { return };
        match wire::Command::parse(name, data) {
            Some(wire::Command::Status { id, code, text }) => {
                let expected = lock(&client.pending).expects(id, link);
                let failure = if code == wire::BUSY {
                    Failure::Busy
                } else {
                    Failure::Refused {
                        code,
                        text: text.to_owned(),
                    }
                };
                if expected {
                    client.end(id, Err(failure));
                } else {
                    count(&client.handle.counters.late);
                }
            }
            Some(wire::Command::Leaving) => {
                lock(&client.pending).leave(|peer| peer.link == link);
                client.hang_up();
            }
            None => {}
        }
    }
}
