//! `Pending`: the requests of one client that are in flight, and the links they may go by. No I/O, no clock, no callbacks: it is told what happens
//! and says what to do. Used by [`ClientCore`](crate::client_core::ClientCore) under its one lock.
//!
//! An id is `generation << 32 | slot`; a slot's generation moves on whenever it is freed, so that a late reply matches nothing.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::thread::Thread;
use std::time::Instant;

use bytes::Bytes;
use colugo_graph::NodeId;
use colugo_socket::{LinkId, Message as RawMessage};

use crate::codec::EncodeError;
use crate::peer::Peer;

/// How a request ended without a reply.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    Encode(EncodeError),
    NoServer,
    TimedOut,
    Refused { code: u16, text: String },
    Busy,
    Disconnected,
    TooLarge { octets: usize, limit: usize },
    WouldDeadlock,
    Closed,
    Forked,
}

pub(crate) type Outcome = Result<RawMessage, Failure>;
pub(crate) type ReplyCallback = Box<dyn FnOnce(Outcome) + Send>;

/// Who wants to know the outcome.
#[derive(Default)]
pub(crate) enum Waiter {
    /// Somebody will ask.
    #[default]
    Nobody,
    Thread(Thread),
    Task(Waker),
    /// To be called where callbacks run.
    Callback(ReplyCallback),
    /// To be called at once.
    Inline(ReplyCallback),
}

/// What is to be done, without the lock, after something has ended.
pub(crate) enum Notice {
    Nothing,
    Unpark(Thread),
    Wake(Waker),
    Call(ReplyCallback, Outcome),
    CallInline(ReplyCallback, Outcome),
}

enum State {
    Free,
    /// No server yet: the body waits for one until `give_up`.
    Unsent {
        body: Vec<Bytes>,
        give_up: Instant,
    },
    Sent {
        link: LinkId,
    },
    Done(Outcome),
}

struct Slot {
    generation: u32,
    state: State,
    deadline: Instant,
    waiter: Waiter,
}

struct Link {
    id: LinkId,
    peer: Arc<Peer>,
    /// To a ROUTER or DEALER that is not ours: no ids, one request at a time.
    plain: bool,
    in_flight: usize,
    /// The request a plain link is busy with; after its end the link must be dialled again, or a late reply would be taken for the next one's.
    plain_id: Option<u64>,
    stale: bool,
    /// Its server goes: nothing new, and it is hung up when nothing is in flight.
    leaving: bool,
}

/// A request that should go out.
#[derive(Debug)]
pub(crate) struct Assigned {
    pub(crate) id: u64,
    pub(crate) link: LinkId,
    pub(crate) plain: bool,
}

/// A request to begin.
pub(crate) struct Start {
    pub(crate) now: Instant,
    pub(crate) deadline: Instant,
    /// When to stop waiting for a server.
    pub(crate) give_up: Instant,
    /// A node whose servers could not answer while the caller waits.
    pub(crate) avoid: Option<NodeId>,
    pub(crate) waiter: Waiter,
    /// Whether `expire` is to end it in time; else the caller does.
    pub(crate) watch: bool,
}

/// What became of a request that was asked for.
pub(crate) enum Begun {
    Send(Assigned),
    /// No server is there; keep the body.
    Wait(u64),
    Failed(Failure, Waiter),
}

pub(crate) struct Pending {
    slots: Vec<Slot>,
    free: Vec<u32>,
    live: usize,
    limit: usize,
    links: Vec<Link>,
    next: usize,
    unsent: VecDeque<u64>,
    deadlines: BinaryHeap<Reverse<(Instant, u64)>>,
    /// The earliest time somebody was asked to call [`Pending::expire`] at.
    armed: Option<Instant>,
    closed: bool,
}

impl Pending {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            live: 0,
            limit,
            links: Vec::new(),
            next: 0,
            unsent: VecDeque::new(),
            deadlines: BinaryHeap::new(),
            armed: None,
            closed: false,
        }
    }

    /// A new request. Also returns a time to call `expire` at, unless an earlier one is asked for already.
    pub(crate) fn begin(&mut self, start: Start) -> (Begun, Option<Instant>) {
        if self.closed {
            return (Begun::Failed(Failure::Closed, start.waiter), None);
        }
        if self.live >= self.limit {
            return (Begun::Failed(Failure::Busy, start.waiter), None);
        }
        let watch = start.watch;
        let begun = match self.pick(start.avoid) {
            Some(at) => {
                let link = self.links.get(at).map_or(LinkId::NONE, |link| link.id);
                let id = self.occupy(State::Sent { link }, start.deadline, start.waiter);
                Begun::Send(self.assign(at, id))
            }
            None => match self.why_not_wait(&start) {
                Some(failure) => Begun::Failed(failure, start.waiter),
                None => {
                    let (body, give_up) = (Vec::new(), start.give_up);
                    let id = self.occupy(
                        State::Unsent { body, give_up },
                        start.deadline,
                        start.waiter,
                    );
                    self.unsent.push_back(id);
                    Begun::Wait(id)
                }
            },
        };
        let due = match &begun {
            Begun::Send(Assigned { id, .. }) | Begun::Wait(id) if watch => self.watch(*id),
            _ => None,
        };
        (begun, due)
    }

    /// Why a request for which no link is free should not wait for another server.
    fn why_not_wait(&self, start: &Start) -> Option<Failure> {
        let usable = || self.links.iter().filter(|link| !link.leaving);
        if start.avoid.is_some() && usable().any(|link| link.peer.node == start.avoid) {
            return Some(Failure::WouldDeadlock);
        }
        if usable().next().is_some() {
            return Some(Failure::Busy);
        }
        (start.give_up <= start.now).then_some(Failure::NoServer)
    }

    /// Keeps the body of a request that waits for a server.
    pub(crate) fn keep_body(&mut self, id: u64, frames: Vec<Bytes>) {
        if let Some(Slot {
            state: State::Unsent { body, .. },
            ..
        }) = self.slot(id)
        {
            *body = frames;
        }
    }

    /// A link to try after sending by the last one failed; the failed one is out until it comes up again.
    pub(crate) fn reassign(&mut self, id: u64, failed: LinkId) -> Option<Assigned> {
        self.forget_link(failed);
        self.slot(id)?;
        let at = self.pick(None)?;
        let link = self.links.get(at)?.id;
        if let Some(slot) = self.slot(id) {
            slot.state = State::Sent { link };
        }
        Some(self.assign(at, id))
    }

    /// A server is there. Returns what waited for one.
    pub(crate) fn link_up(&mut self, peer: Arc<Peer>) -> Vec<(Assigned, Vec<Bytes>)> {
        let plain = !peer.is_colugo() && peer.socket_type != "REP";
        self.forget_link(peer.link);
        let id = peer.link;
        self.links.push(Link {
            id,
            peer,
            plain,
            in_flight: 0,
            plain_id: None,
            stale: false,
            leaving: false,
        });
        let mut ready = Vec::new();
        while let Some(id) = self.unsent.pop_front() {
            if !matches!(
                self.slot(id),
                Some(Slot {
                    state: State::Unsent { .. },
                    ..
                })
            ) {
                continue;
            }
            let Some(at) = self.pick(None) else {
                self.unsent.push_front(id);
                break;
            };
            let Some(link) = self.links.get(at).map(|link| link.id) else {
                break;
            };
            let Some(slot) = self.slot(id) else { continue };
            if let State::Unsent { body, .. } =
                std::mem::replace(&mut slot.state, State::Sent { link })
            {
                ready.push((self.assign(at, id), body));
            }
        }
        ready
    }

    /// A link ended: what was in flight there ends too.
    pub(crate) fn link_down(&mut self, link: LinkId) -> Vec<Notice> {
        self.forget_link(link);
        self.end_all(
            |state| matches!(state, State::Sent { link: on } if *on == link),
            &Failure::Disconnected,
        )
    }

    /// The server at these links goes. They come out of `take_done_links` when nothing is in flight there.
    pub(crate) fn leave(&mut self, is_it: impl Fn(&Peer) -> bool) {
        self.links
            .iter_mut()
            .filter(|link| is_it(&link.peer))
            .for_each(|link| link.leaving = true);
    }

    /// The server at these links is dead: what was in flight there ends.
    pub(crate) fn die(&mut self, is_it: impl Fn(&Peer) -> bool) -> Vec<Notice> {
        let links = self.links.iter().filter(|link| is_it(&link.peer));
        let dead: Vec<_> = links.map(|link| link.id).collect();
        dead.into_iter()
            .flat_map(|link| self.link_down(link))
            .collect()
    }

    /// The peer of a link whose server goes.
    pub(crate) fn leaver(&self, link: LinkId) -> Option<Arc<Peer>> {
        let link = self.links.iter().find(|known| known.id == link)?;
        link.leaving.then(|| link.peer.clone())
    }

    /// Links to hang up: their server goes and owes nothing, or a late reply may still come on a plain one.
    pub(crate) fn take_done_links(&mut self) -> Vec<(Arc<Peer>, bool)> {
        let done = |link: &Link| link.in_flight == 0 && (link.leaving || link.stale);
        if !self.links.iter().any(done) {
            return Vec::new();
        }
        let gone: Vec<_> = self
            .links
            .iter()
            .filter(|link| done(link))
            .map(|link| (link.peer.clone(), link.stale && !link.leaving))
            .collect();
        for (peer, _) in &gone {
            self.forget_link(peer.link);
        }
        gone
    }

    /// Whether `take_done_links` might find something: asked after each reply.
    pub(crate) fn has_leavers(&self) -> bool {
        self.links.iter().any(|link| link.leaving || link.stale)
    }

    /// Whether replies on this link carry no id.
    pub(crate) fn is_plain(&self, link: LinkId) -> bool {
        self.links
            .iter()
            .any(|known| known.id == link && known.plain)
    }

    /// The request a plain link is busy with.
    pub(crate) fn plain_id(&self, link: LinkId) -> Option<u64> {
        self.links.iter().find(|known| known.id == link)?.plain_id
    }

    /// Whether a reply to `id` would still be taken, if it came by `link`.
    pub(crate) fn expects(&mut self, id: u64, link: LinkId) -> bool {
        matches!(self.slot(id), Some(Slot { state: State::Sent { link: on }, .. }) if *on == link)
    }

    /// A request ended. `None`: it had ended before.
    pub(crate) fn finish(&mut self, id: u64, outcome: Outcome) -> Option<Notice> {
        let slot = self.slot(id)?;
        let link = match &slot.state {
            State::Sent { link } => Some(*link),
            State::Unsent { .. } => None,
            State::Free | State::Done(_) => return None,
        };
        let waiter = std::mem::take(&mut slot.waiter);
        let replied = outcome.is_ok();
        let notice = match waiter {
            Waiter::Callback(callback) => Notice::Call(callback, outcome),
            Waiter::Inline(callback) => Notice::CallInline(callback, outcome),
            waiter => {
                slot.state = State::Done(outcome);
                let notice = match waiter {
                    Waiter::Thread(thread) => Notice::Unpark(thread),
                    Waiter::Task(waker) => Notice::Wake(waker),
                    _ => Notice::Nothing,
                };
                self.settle_link(id, link, replied);
                return Some(notice);
            }
        };
        self.settle_link(id, link, replied);
        self.release(id);
        Some(notice)
    }

    /// The outcome, if there is one; the request is over then.
    pub(crate) fn take(&mut self, id: u64) -> Option<Outcome> {
        let slot = self.slot(id)?;
        if !matches!(slot.state, State::Done(_)) {
            return None;
        }
        let State::Done(outcome) = std::mem::replace(&mut slot.state, State::Free) else {
            return None;
        };
        self.release(id);
        Some(outcome)
    }

    pub(crate) fn is_done(&mut self, id: u64) -> bool {
        self.slot(id)
            .is_none_or(|slot| matches!(slot.state, State::Done(_)))
    }

    /// Sets who is told of the outcome.
    pub(crate) fn wait(&mut self, id: u64, waiter: Waiter) {
        if let Some(slot) = self.slot(id) {
            slot.waiter = waiter;
        }
    }

    /// When the request ends by itself, and why: for want of a server, or of a reply.
    pub(crate) fn due(&mut self, id: u64) -> Option<(Instant, Failure)> {
        let slot = self.slot(id)?;
        match &slot.state {
            State::Unsent { give_up, .. } => {
                Some(((*give_up).min(slot.deadline), Failure::NoServer))
            }
            State::Sent { .. } => Some((slot.deadline, Failure::TimedOut)),
            State::Free | State::Done(_) => None,
        }
    }

    /// Nobody wants the reply any more.
    pub(crate) fn cancel(&mut self, id: u64) {
        let Some(slot) = self.slot(id) else { return };
        let link = match &slot.state {
            State::Sent { link } => Some(*link),
            _ => None,
        };
        self.settle_link(id, link, false);
        self.release(id);
    }

    /// Has `expire` end this request in time. Returns a time to call it at, unless an earlier one is asked for already.
    fn watch(&mut self, id: u64) -> Option<Instant> {
        let (due, _) = self.due(id)?;
        // Entries of requests that have ended are swept when they are the majority.
        if self.deadlines.len() > 2 * self.live + 64 {
            let mut deadlines = std::mem::take(&mut self.deadlines);
            deadlines.retain(|Reverse((_, id))| self.due_of(*id).is_some());
            self.deadlines = deadlines;
        }
        self.deadlines.push(Reverse((due, id)));
        self.arm(due)
    }

    /// Ends everything whose time has come. Returns what to do, and when to call again.
    pub(crate) fn expire(&mut self, now: Instant) -> (Vec<Notice>, Option<Instant>) {
        if self.armed.is_some_and(|armed| armed <= now) {
            self.armed = None;
        }
        let mut notices = Vec::new();
        while let Some(Reverse((at, id))) = self.deadlines.peek().copied() {
            let due = self.due(id);
            match due {
                None => drop(self.deadlines.pop()),
                Some(_) if at > now => break,
                Some((due, failure)) => {
                    self.deadlines.pop();
                    if due <= now {
                        notices.extend(self.finish(id, Err(failure)));
                    } else {
                        self.deadlines.push(Reverse((due, id)));
                    }
                }
            }
        }
        let again = self
            .deadlines
            .peek()
            .map(|Reverse((at, _))| *at)
            .and_then(|at| self.arm(at));
        (notices, again)
    }

    /// Ends everything; nothing new begins.
    pub(crate) fn close(&mut self) -> Vec<Notice> {
        self.closed = true;
        self.end_all(|_| true, &Failure::Closed)
    }

    pub(crate) fn ready_links(&self) -> usize {
        self.links.iter().filter(|link| !link.leaving).count()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.live
    }

    fn arm(&mut self, due: Instant) -> Option<Instant> {
        if self.armed.is_some_and(|armed| armed <= due) {
            return None;
        }
        self.armed = Some(due);
        Some(due)
    }

    /// The next link that can take a request, in turn.
    fn pick(&self, avoid: Option<NodeId>) -> Option<usize> {
        let n = self.links.len();
        (0..n).map(|i| (self.next + i) % n).find(|at| {
            self.links.get(*at).is_some_and(|link| {
                !(link.leaving
                    || link.stale
                    || (link.plain && link.in_flight > 0)
                    || (avoid.is_some() && link.peer.node == avoid))
            })
        })
    }

    fn assign(&mut self, at: usize, id: u64) -> Assigned {
        self.next = at + 1;
        match self.links.get_mut(at) {
            Some(link) => {
                link.in_flight += 1;
                link.plain_id = link.plain.then_some(id);
                Assigned {
                    id,
                    link: link.id,
                    plain: link.plain,
                }
            }
            None => Assigned {
                id,
                link: LinkId::NONE,
                plain: false,
            },
        }
    }

    /// `replied`: nothing more will come for it.
    fn settle_link(&mut self, id: u64, link: Option<LinkId>, replied: bool) {
        let Some(link) = link else { return };
        if let Some(link) = self.links.iter_mut().find(|known| known.id == link) {
            link.in_flight = link.in_flight.saturating_sub(1);
            if link.plain_id == Some(id) {
                link.plain_id = None;
                link.stale |= !replied;
            }
        }
    }

    /// The link of a request that is in flight.
    pub(crate) fn link_of(&mut self, id: u64) -> Option<LinkId> {
        match self.slot(id)?.state {
            State::Sent { link } => Some(link),
            _ => None,
        }
    }

    fn forget_link(&mut self, link: LinkId) {
        if let Some(at) = self.links.iter().position(|known| known.id == link) {
            self.links.remove(at);
            if at < self.next {
                self.next -= 1;
            }
        }
    }

    fn end_all(&mut self, which: impl Fn(&State) -> bool, why: &Failure) -> Vec<Notice> {
        let live = |slot: &Slot| {
            matches!(slot.state, State::Unsent { .. } | State::Sent { .. }) && which(&slot.state)
        };
        let ids: Vec<u64> = (0_u32..)
            .zip(&self.slots)
            .filter(|(_, slot)| live(slot))
            .map(|(index, slot)| id_of(slot.generation, index))
            .collect();
        ids.into_iter()
            .filter_map(|id| self.finish(id, Err(why.clone())))
            .collect()
    }

    fn occupy(&mut self, state: State, deadline: Instant, waiter: Waiter) -> u64 {
        self.live += 1;
        if let Some(index) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(index as usize)
        {
            slot.state = state;
            slot.deadline = deadline;
            slot.waiter = waiter;
            return id_of(slot.generation, index);
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot {
            generation: 1,
            state,
            deadline,
            waiter,
        });
        id_of(1, index)
    }

    fn release(&mut self, id: u64) {
        if let Some(slot) = self.slot(id) {
            slot.state = State::Free;
            slot.waiter = Waiter::Nobody;
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(id as u32);
            self.live -= 1;
        }
    }

    /// The slot of a request that is not over.
    fn slot(&mut self, id: u64) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(id as u32 as usize)?;
        (slot.generation == (id >> 32) as u32).then_some(slot)
    }

    fn due_of(&self, id: u64) -> Option<Instant> {
        let slot = self.slots.get(id as u32 as usize)?;
        let live = slot.generation == (id >> 32) as u32
            && matches!(slot.state, State::Unsent { .. } | State::Sent { .. });
        live.then_some(slot.deadline)
    }
}

fn id_of(generation: u32, index: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(index)
}

#[cfg(test)]
mod tests;
