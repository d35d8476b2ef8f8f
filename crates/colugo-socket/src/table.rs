//! `Table`: the links of one socket with all that senders touch: queues, subscriptions, whose turn it is. One lock guards the whole of it, so
//! that a message costs one lock however many peers it goes to; no system call happens under it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use colugo_zmtp::SubscriptionSet;

use crate::gate::lock;
use crate::link::{Link, Pushed};
use crate::message::{LinkId, Outgoing};
use crate::options::QueueLimit;
use crate::outbox::Outbox;
use crate::peer::Peer;
use crate::stamping::SendClock;

/// A link's number holds its place in the table: this many bits of it.
const PLACE_BITS: u32 = 24;
const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;

/// A sender that drops so many messages in a row gives its processor away once.
const MANY_SKIPPED: u64 = 64;

/// Tries of the writer before it sleeps.
const POLITE_TRIES: usize = 64;

/// The lock around a [`Table`].
#[derive(Debug)]
pub(crate) struct SharedTable {
    table: Mutex<Table>,
    /// While every subscriber wants everything and has a full queue: how many they are, above [`SKIPPED_BITS`], and below how many messages
    /// were dropped for all of them since, without the lock. Whoever takes the lock settles that first: what is behind it is exact.
    stuffed: AtomicU64,
}

const SKIPPED_BITS: u32 = 44;
const SKIPPED_MASK: u64 = (1 << SKIPPED_BITS) - 1;

#[derive(Debug)]
pub(crate) struct Table {
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    limit: QueueLimit,
    /// Links with a connection that has shaken hands.
    pub(crate) sessions: usize,
    /// PUSH and the like: the place after the one served last.
    next: usize,
    /// PUB: the number of the next message.
    pub(crate) seq: u64,
}

/// One link's part of the table.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) link: Arc<Link>,
    pub(crate) outbox: Outbox,
    /// Who is there, while somebody is.
    pub(crate) peer: Option<Arc<Peer>>,
    pub(crate) subscriptions: SubscriptionSet,
    /// While messages are dropped for want of room: how many had been dropped before that.
    pub(crate) slow: Option<u64>,
    /// It is dialled no more, and ends once what is queued has been written.
    pub(crate) leaving: bool,
}

impl Slot {
    /// Counts a message that was dropped for want of room. True: the first one for a while, of which the session is to be told.
    #[cold]
    pub(crate) fn drop_one(&mut self) -> bool {
        let before = self.link.dropped.fetch_add(1, Ordering::Relaxed);
        let first = self.slow.is_none();
        self.slow.get_or_insert(before);
        first
    }

    #[inline]
    pub(crate) fn wants(&self, topic: &[u8]) -> bool {
        self.subscriptions.matches(topic)
    }

    /// Queues a message, which `queue` puts into the outbox; with a number, stamped as the rules want it.
    #[inline]
    pub(crate) fn push(
        &mut self,
        limit: QueueLimit,
        stamp: Option<(u64, &mut SendClock)>,
        queue: impl FnOnce(&mut Outbox),
    ) -> Pushed {
        let outbox = &mut self.outbox;
        if !outbox.takes {
            return Pushed::Gone;
        }
        if outbox.is_full(limit) {
            return Pushed::Full;
        }
        if let Some((seq, clock)) = stamp {
            let empty = outbox.is_empty();
            if let Some(stamping) = &mut outbox.stamping
                && let Some(stamp) = stamping.before(seq, empty, clock)
            {
                outbox.push_stamp(stamp);
            }
        }
        let before = outbox.octets();
        queue(outbox);
        self.link.queued.store(outbox.octets(), Ordering::Relaxed);
        outbox.claim(before)
    }
}

impl SharedTable {
    pub(crate) fn new(limit: QueueLimit) -> Self {
        let table = Table {
            slots: Vec::new(),
            free: Vec::new(),
            limit,
            sessions: 0,
            next: 0,
            seq: 0,
        };
        Self {
            table: Mutex::new(table),
            stuffed: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Table> {
        self.settled(lock(&self.table))
    }

    #[inline]
    fn settled<'a>(&'a self, table: MutexGuard<'a, Table>) -> MutexGuard<'a, Table> {
        if self.stuffed.load(Ordering::Relaxed) == 0 {
            return table;
        }
        self.settle(table)
    }

    #[cold]
    fn settle<'a>(&'a self, mut table: MutexGuard<'a, Table>) -> MutexGuard<'a, Table> {
        // Nobody has changed the table since: the subscribers are still those that were full then.
        let skipped = self.stuffed.swap(0, Ordering::AcqRel) & SKIPPED_MASK;
        if skipped > 0 {
            table.lose(skipped);
        }
        table
    }

    /// Drops a message for all subscribers, if all of them want everything and are full: gives how many they are, and whether many were
    /// dropped in a row. Takes no lock, so that a publisher that floods does not take the writer's time.
    #[inline]
    pub(crate) fn skip(&self) -> Option<(u32, bool)> {
        let mut stuffed = self.stuffed.load(Ordering::Acquire);
        while stuffed != 0 && stuffed & SKIPPED_MASK != SKIPPED_MASK {
            match self.stuffed.compare_exchange_weak(
                stuffed,
                stuffed + 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    let many = stuffed % MANY_SKIPPED == MANY_SKIPPED - 1;
                    return Some(((stuffed >> SKIPPED_BITS) as u32, many));
                }
                Err(now) => stuffed = now,
            }
        }
        None
    }

    /// After a message that `full` subscribers had no room for and nobody else wanted: lets [`skip`](Self::skip) drop the next ones.
    #[cold]
    pub(crate) fn stuff(&self, table: &Table, full: u32) {
        let all = table
            .slots()
            .all(|slot| !slot.outbox.takes || slot.subscriptions.matches_all());
        if all && full < 1 << (u64::BITS - SKIPPED_BITS) {
            let stuffed = u64::from(full) << SKIPPED_BITS;
            self.stuffed.store(stuffed, Ordering::Release);
        }
    }

    /// For the writer: a lock that it waits for asleep would cost the sender, who holds it most of the time, a system call to wake it.
    pub(crate) fn lock_politely(&self) -> MutexGuard<'_, Table> {
        for _ in 0..POLITE_TRIES {
            if let Ok(table) = self.table.try_lock() {
                return self.settled(table);
            }
            std::thread::yield_now();
        }
        self.lock()
    }

    /// Adds a link that `make` makes from its number; `count` makes numbers unique.
    pub(crate) fn insert(&self, count: u64, make: impl FnOnce(LinkId) -> Link) -> Arc<Link> {
        let mut table = self.lock();
        let place = table.free.pop().unwrap_or(table.slots.len());
        let id = LinkId((count << PLACE_BITS) | (place as u64 & PLACE_MASK));
        let link = Arc::new(make(id));
        let mut outbox = Outbox::default();
        outbox.takes = link.persistent;
        let slot = Slot {
            link: link.clone(),
            outbox,
            peer: None,
            subscriptions: SubscriptionSet::new(),
            slow: None,
            leaving: false,
        };
        match table.slots.get_mut(place) {
            Some(free) => *free = Some(slot),
            None => table.slots.push(Some(slot)),
        }
        link
    }
}

impl Table {
    pub(crate) fn limit(&self) -> QueueLimit {
        self.limit
    }

    #[inline]
    pub(crate) fn get(&mut self, id: LinkId) -> Option<&mut Slot> {
        let place = (id.0 & PLACE_MASK) as usize;
        self.slots
            .get_mut(place)?
            .as_mut()
            .filter(|slot| slot.link.id == id)
    }

    /// Counts the next `count` messages as lost for every subscriber: all of them are full.
    fn lose(&mut self, count: u64) {
        let seq = self.seq;
        self.seq = seq.wrapping_add(count);
        for slot in self.slots_mut().filter(|slot| slot.outbox.takes) {
            slot.link.dropped.fetch_add(count, Ordering::Relaxed);
            slot.outbox.count_lost_all(seq, count);
        }
    }

    /// Takes a link out that will not come back.
    pub(crate) fn remove(&mut self, id: LinkId) -> Option<Slot> {
        self.get(id)?;
        let place = (id.0 & PLACE_MASK) as usize;
        let slot = self.slots.get_mut(place)?.take();
        self.free.push(place);
        slot
    }

    /// Takes all links out: they hold the table, as it holds them.
    pub(crate) fn take_all(&mut self) -> Vec<Option<Slot>> {
        std::mem::take(&mut self.slots)
    }

    #[inline]
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().flatten()
    }

    #[inline]
    pub(crate) fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut().flatten()
    }

    /// Links with a peer, and the peers.
    pub(crate) fn up(&self) -> impl Iterator<Item = (&Arc<Link>, &Arc<Peer>)> {
        self.slots()
            .filter_map(|slot| slot.peer.as_ref().map(|peer| (&slot.link, peer)))
    }

    /// Queues a message for the next link in turn that takes it, behind the frames that `head` gives for it; a link without any is passed over.
    #[inline]
    pub(crate) fn push_in_turn<'a>(
        &mut self,
        head: impl Fn(&Slot) -> Option<&'a [&'a [u8]]>,
        out: &Outgoing<'_>,
    ) -> Option<(&Arc<Link>, Pushed)> {
        let (limit, first) = (self.limit, self.next);
        let places = (first..self.slots.len()).chain(0..first.min(self.slots.len()));
        for place in places {
            let Some(Some(slot)) = self.slots.get_mut(place) else {
                continue;
            };
            let Some(head) = head(slot) else {
                continue;
            };
            let pushed = slot.push(limit, None, |outbox| outbox.push(head, out));
            if !matches!(pushed, Pushed::Full | Pushed::Gone) {
                self.next = place + 1;
                let link = self
                    .slots
                    .get(place)
                    .and_then(Option::as_ref)
                    .map(|slot| &slot.link)?;
                return Some((link, pushed));
            }
        }
        None
    }
}
