//! `Inbox`: received messages until somebody takes them. Connections put whole batches in, under one short lock; consumers take a
//! batch out and then its messages one by one without touching what the connections touch.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::batch::{Batch, Cursor};
use crate::clock::since_start_ns;
use crate::error::RecvError;
use crate::gate::lock;
use crate::lead::{Lead, may_lead};
use crate::message::Message;
use crate::options::{QueueLimit, READ_BEFORE};
use crate::rhythm::Rhythm;
use crate::runtime;

/// A bounded queue of received messages.
///
/// Every receiving socket has one; one that is made by hand can be handed to a socket's builder, or fed by [`push`](Self::push). The bound
/// holds per link: a link whose messages fill its share is not read until some are taken, so that TCP slows the sender down.
///
/// ```
/// use colugo_socket::{Inbox, Message};
/// let inbox = Inbox::new(2, 1 << 20);
/// inbox.push(Message::from("a")).ok();
/// inbox.push(Message::from("b")).ok();
/// assert!(inbox.push(Message::from("c")).is_err(), "full");
/// assert_eq!(inbox.recv()?.payload(), "a");
/// # Ok::<(), colugo_socket::RecvError>(())
/// ```
pub struct Inbox {
    front: Mutex<Front>,
    state: Mutex<State>,
    arrived: Condvar,
    limit: QueueLimit,
    notify: OnceLock<Notify>,
    /// Batches in the queue, without its lock.
    waiting: AtomicUsize,
    /// The last batch taken had many messages.
    many: AtomicBool,
    rhythm: Rhythm,
    /// The consumer was offered the lead: it is to read the network by itself while it waits.
    reading: AtomicBool,
    pub(crate) losses: Losses,
}

/// From so many messages in a batch on it is part of a stream, and the next one is looked for so often before the consumer sleeps.
const MANY: usize = 4;
const LOOKS: usize = 32;
/// Nor for longer than this: where other threads want the processor, a look takes as long as they do.
const LOOK_NS: u64 = 20_000;

type Notify = Box<dyn Fn() -> Option<Waker> + Send + Sync>;

#[derive(Default)]
enum Front {
    #[default]
    Empty,
    Batch(Cursor),
}

#[derive(Default)]
struct State {
    queue: VecDeque<Queued>,
    messages: usize,
    octets: usize,
    sleepers: usize,
    wakers: Vec<Waker>,
    closed: bool,
    /// What the consumer may take while it waits, and who knows what else comes.
    lead: Option<Arc<Lead>>,
}

enum Queued {
    Batch(Batch),
    One(Message),
}

/// What publishers' stamps said about messages that did not come.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    pub(crate) explained: AtomicU64,
    pub(crate) unexplained: AtomicU64,
    pub(crate) filtered: AtomicU64,
}

impl Inbox {
    /// An empty inbox that holds `messages` messages and `octets` octets per link; one message of any size when it is empty.
    pub fn new(messages: usize, octets: usize) -> Self {
        Self::with_limit(QueueLimit {
            messages: messages.max(1),
            octets: octets.max(1),
        })
    }

    pub(crate) fn with_limit(limit: QueueLimit) -> Self {
        Self {
            front: Mutex::default(),
            state: Mutex::default(),
            arrived: Condvar::new(),
            limit,
            notify: OnceLock::new(),
            waiting: AtomicUsize::new(0),
            many: AtomicBool::new(false),
            rhythm: Rhythm::default(),
            reading: AtomicBool::new(false),
            losses: Losses::default(),
        }
    }

    pub(crate) fn limit(&self) -> QueueLimit {
        self.limit
    }

    /// Calls `notify` when the inbox has gone from empty to not empty, on the thread that made it so, with no lock held; it gives whom to wake for that,
    /// if anybody. Who is to be woken for several inboxes is woken once. Only the first call has an effect. False: there was one already.
    pub fn set_notify(&self, notify: Box<dyn Fn() -> Option<Waker> + Send + Sync>) -> bool {
        self.notify.set(notify).is_ok()
    }

    /// Puts a message in. Gives it back when the inbox is full or closed.
    pub fn push(&self, message: Message) -> Result<(), Message> {
        let octets = message.octets();
        let mut state = lock(&self.state);
        let full = state.messages >= self.limit.messages
            || state.octets.saturating_add(octets) > self.limit.octets;
        if state.closed || (full && state.messages > 0) {
            return Err(message);
        }
        state.messages += 1;
        state.octets += octets;
        if self.enqueue(state, Queued::One(message), None)
            && let Some(sleeper) = self.notify()
        {
            sleeper.wake();
        }
        Ok(())
    }

    /// Takes a batch, whole. The caller has accounted for it with the link's flow. True: somebody is to be [notified](Self::notify).
    pub(crate) fn deliver(&self, batch: Batch, lead: Option<&Arc<Lead>>) -> bool {
        let state = lock(&self.state);
        if state.closed {
            return false;
        }
        self.enqueue(state, Queued::Batch(batch), lead) && self.notify.get().is_some()
    }

    /// Tells who wants to know that there is something. Gives whom to wake.
    pub(crate) fn notify(&self) -> Option<Waker> {
        self.notify.get().and_then(|notify| notify())
    }

    /// Wakes who waits for it, and offers it the lead if it waits for one message after the other. True: there was nothing before.
    fn enqueue(
        &self,
        mut state: MutexGuard<'_, State>,
        item: Queued,
        lead: Option<&Arc<Lead>>,
    ) -> bool {
        let was_empty = state.queue.is_empty();
        state.queue.push_back(item);
        self.waiting.store(state.queue.len(), Ordering::Release);
        let sleepers = state.sleepers;
        if let Some(lead) = lead {
            let offered = sleepers == 1 && self.rhythm.is_lone() && lead.offer();
            if offered {
                self.reading.store(true, Ordering::Relaxed);
            }
            if offered || state.lead.is_none() {
                state.lead = Some(lead.clone());
            }
        }
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        if sleepers > 1 {
            self.arrived.notify_all();
        } else if sleepers == 1 {
            self.arrived.notify_one();
        }
        for waker in wakers {
            waker.wake();
        }
        was_empty
    }

    /// The next message; waits for one, and [reads the network](crate#threads) meanwhile if messages come one by one.
    #[inline]
    pub fn recv(&self) -> Result<Message, RecvError> {
        match self.next_at_hand() {
            Some(message) => Ok(message),
            None => self.recv_deadline(None),
        }
    }

    /// The next message of the batch that is being taken, the quickest of all ways: `None` says no more than that this batch is over.
    // Inlined to the end, so that a message goes to its receiver in registers: passed through memory it costs as much again.
    #[inline(always)]
    pub fn next_at_hand(&self) -> Option<Message> {
        match &mut *lock(&self.front) {
            Front::Batch(cursor) => cursor.next_message(),
            Front::Empty => None,
        }
    }

    /// The next message; waits for one, at most `timeout`.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message, RecvError> {
        match self.next_at_hand() {
            Some(message) => Ok(message),
            None => self.recv_deadline(Instant::now().checked_add(timeout)),
        }
    }

    /// The next message, if one is there. `TimedOut`: none is.
    #[inline]
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        match self.next_at_hand() {
            Some(message) => Ok(message),
            None => self.take(&mut lock(&self.front)),
        }
    }

    /// Hands up to `max` messages that are there to `with`, under one lock: `with` must not use this inbox. Gives how many.
    #[inline]
    pub fn drain(&self, max: usize, mut with: impl FnMut(Message)) -> usize {
        let mut taken = 0;
        let mut front = lock(&self.front);
        while taken < max {
            let next = match &mut *front {
                Front::Batch(cursor) => cursor.next_message(),
                Front::Empty => None,
            };
            match next {
                Some(message) => with(message),
                None => match self.take(&mut front) {
                    Ok(message) => with(message),
                    Err(_) => break,
                },
            }
            taken += 1;
        }
        taken
    }

    /// The next message, as a future. Cancel-safe: a dropped future has taken nothing.
    pub fn recv_async(&self) -> RecvFuture<'_> {
        RecvFuture { inbox: self }
    }

    /// Appends up to `max` messages to `out`; waits for the first, takes the others only if they are there. Gives how many it took.
    pub fn recv_batch(&self, out: &mut Vec<Message>, max: usize) -> Result<usize, RecvError> {
        if max == 0 {
            return Ok(0);
        }
        out.push(self.recv()?);
        Ok(1 + self.drain(max - 1, |message| out.push(message)))
    }

    /// Whether nothing is there to take.
    pub fn is_empty(&self) -> bool {
        let front = lock(&self.front);
        let rest = match &*front {
            Front::Empty => true,
            Front::Batch(cursor) => cursor.is_done(),
        };
        rest && lock(&self.state).queue.is_empty()
    }

    /// Ends the inbox: what is in it can be taken, then receivers get `Closed`.
    pub fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.arrived.notify_all();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Messages that publishers sent and this side did not get, each with its cause known to the publisher (a full queue, for example).
    pub fn lost(&self) -> u64 {
        self.losses.explained.load(Ordering::Relaxed)
    }

    /// Gaps in publishers' numbers that no publisher explained.
    pub fn lost_unexplained(&self) -> u64 {
        self.losses.unexplained.load(Ordering::Relaxed)
    }

    #[cold]
    fn take(&self, front: &mut Front) -> Result<Message, RecvError> {
        if let Front::Batch(cursor) = front
            && let Some(message) = cursor.next_message()
        {
            return Ok(message);
        }
        *front = Front::Empty;
        let mut state = lock(&self.state);
        loop {
            match state.queue.pop_front() {
                Some(Queued::One(message)) => {
                    state.messages = state.messages.saturating_sub(1);
                    state.octets = state.octets.saturating_sub(message.octets());
                    return Ok(message);
                }
                Some(Queued::Batch(batch)) => {
                    self.waiting.store(state.queue.len(), Ordering::Release);
                    drop(state);
                    self.many.store(batch.messages >= MANY, Ordering::Relaxed);
                    batch.flow.taken(batch.messages, batch.buf.len());
                    let mut cursor = Cursor::new(batch);
                    if let Some(message) = cursor.next_message() {
                        *front = Front::Batch(cursor);
                        return Ok(message);
                    }
                    state = lock(&self.state);
                }
                None if state.closed => return Err(RecvError::Closed),
                None => return Err(RecvError::TimedOut),
            }
        }
    }

    #[cold]
    fn recv_deadline(&self, deadline: Option<Instant>) -> Result<Message, RecvError> {
        loop {
            match self.try_recv() {
                Err(RecvError::TimedOut) => {}
                done => return done,
            }
            if runtime::on_data_thread() {
                return Err(RecvError::WouldDeadlock);
            }
            if self.many.swap(false, Ordering::Relaxed) && self.look_again() {
                continue;
            }
            self.wait(deadline)?;
        }
    }

    /// In a stream, waits a little without sleeping: to be woken costs the data thread more than a batch does.
    fn look_again(&self) -> bool {
        let start = since_start_ns();
        for _ in 0..LOOKS {
            std::thread::yield_now();
            if self.waiting.load(Ordering::Acquire) > 0 {
                return true;
            }
            if since_start_ns().saturating_sub(start) > LOOK_NS {
                return false;
            }
        }
        false
    }

    /// Until something is there, or may be.
    fn wait(&self, deadline: Option<Instant>) -> Result<(), RecvError> {
        let since = since_start_ns();
        let in_time = self.rhythm.waits(since);
        let lead = lock(&self.state).lead.clone();
        let before = lead.as_ref().map(|lead| lead.batches());
        let reads = lead.as_ref().is_some_and(|lead| {
            self.reading.load(Ordering::Relaxed) && self.read(lead, deadline, in_time)
        });
        let slept = if reads { Ok(()) } else { self.sleep(deadline) };
        let batches = lead
            .zip(before)
            .map(|(lead, before)| lead.batches().wrapping_sub(before));
        self.rhythm.woke(since, since_start_ns(), batches);
        if !may_lead() {
            self.rhythm.forget();
        }
        slept
    }

    /// Reads the network by itself until something is there, where messages come one by one. False: that is not so, or somebody else reads.
    fn read(&self, lead: &Lead, deadline: Option<Instant>, in_time: bool) -> bool {
        // A runtime's clock is coarse: the rest is slept.
        let until = deadline.map(|end| end.checked_sub(READ_BEFORE).unwrap_or(end));
        let is_soon = until.is_some_and(|until| until <= Instant::now());
        if is_soon || !self.rhythm.is_lone() {
            self.reading.store(false, Ordering::Relaxed);
            lead.recall();
            return false;
        }
        let reads = lead.take(until, |cx| {
            if self.register(cx.waker()) {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        });
        if !reads {
            self.reading.store(false, Ordering::Relaxed);
            // Others read, or the data thread comes too late to let go: not to be tried each time.
            if in_time {
                self.rhythm.forget();
            }
        }
        reads
    }

    fn sleep(&self, deadline: Option<Instant>) -> Result<(), RecvError> {
        let mut state = lock(&self.state);
        while state.queue.is_empty() && !state.closed {
            state.sleepers += 1;
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            state = match left {
                None => self
                    .arrived
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => {
                    state.sleepers -= 1;
                    return Err(RecvError::TimedOut);
                }
                Some(left) => {
                    self.arrived
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            state.sleepers -= 1;
        }
        Ok(())
    }

    /// Links with something in the queue, and the messages and octets of each of their batches.
    #[cfg(test)]
    pub(crate) fn queued_by_link(&self) -> Vec<(crate::message::LinkId, Vec<(usize, usize)>)> {
        let mut links: Vec<(crate::message::LinkId, Vec<(usize, usize)>)> = Vec::new();
        for item in &lock(&self.state).queue {
            let Queued::Batch(batch) = item else {
                continue;
            };
            let sizes = (batch.messages, batch.buf.len());
            match links.iter_mut().find(|(link, _)| *link == batch.peer.id()) {
                Some((_, batches)) => batches.push(sizes),
                None => links.push((batch.peer.id(), vec![sizes])),
            }
        }
        links
    }

    fn register(&self, waker: &Waker) -> bool {
        let mut state = lock(&self.state);
        if !state.queue.is_empty() || state.closed {
            return false;
        }
        if !state.wakers.iter().any(|w| w.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        true
    }

    /// The next message, for a hand-written future or stream: registers the waker where none is there.
    pub fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Message, RecvError>> {
        loop {
            match self.try_recv() {
                Err(RecvError::TimedOut) if self.register(cx.waker()) => return Poll::Pending,
                Err(RecvError::TimedOut) => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::with_limit(QueueLimit::default())
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("limit", &self.limit)
            .field("losses", &self.losses)
            .finish_non_exhaustive()
    }
}

/// The future of [`Inbox::recv_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct RecvFuture<'a> {
    inbox: &'a Inbox,
}

impl Future for RecvFuture<'_> {
    type Output = Result<Message, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inbox.poll_recv(cx)
    }
}
