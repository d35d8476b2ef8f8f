//! `Core`: what all handles and tasks of one socket share: its links, who is next, what it subscribed to, where messages go.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use colugo_zmtp::{SocketType, put_cancel, put_subscribe};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::error::SubscribeError;
use crate::event::{DownReason, Handler, SocketEvent};
use crate::flusher::Flusher;
use crate::gate::{Gate, lock};
use crate::held_topics::HeldTopics;
use crate::inbox::Inbox;
use crate::inproc::Inproc;
use crate::lead::{Bound, Lead};
use crate::link::Link;
use crate::lobby::Lobby;
use crate::names::Names;
use crate::options::{MAX_UNREAD_SUBSCRIPTIONS, Options};
use crate::own_topics::OwnTopics;
use crate::peer::Peer;
use crate::runs::Runs;
use crate::runtime::Runtime;
#[cfg(test)]
use crate::simulator::{self, Sabotage};
use crate::spare::Spare;
use crate::stats::{Counters, PeerStats};
use crate::table::{SharedTable, Slot};
use crate::tasks::Tasks;
use crate::trunk::Trunks;
use crate::writer::Writer;

static NEXT_LINK: AtomicU64 = AtomicU64::new(1);

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
    pub(crate) table: Arc<SharedTable>,
    /// ROUTER and PAIR: who is there, by name.
    pub(crate) names: Mutex<Names>,
    /// XPUB: what its subscribers hold.
    pub(crate) held_topics: Mutex<HeldTopics>,
    topics: Mutex<OwnTopics>,
    pub(crate) runs: Runs,
    /// SUB: everything is wanted, so nothing need be filtered on receipt.
    pub(crate) takes_all: AtomicBool,
    /// Room in a queue, or a link more.
    pub(crate) room: Arc<Gate>,
    /// Peers or their subscriptions changed.
    pub(crate) peers_changed: Gate,
    pub(crate) counters: Counters,
    pub(crate) handle: Handle,
    /// None in the simulator.
    pub(crate) lead: Option<Arc<Lead>>,
    bound: OnceLock<Bound>,
    pub(crate) flusher: Arc<Flusher>,
    pub(crate) inproc: Arc<Inproc>,
    pub(crate) trunks: Arc<Trunks>,
    pub(crate) tasks: Mutex<Tasks>,
    pub(crate) closing: AtomicBool,
    /// What disconnecting had left unsent before the socket was closed.
    pub(crate) unsent_before: AtomicU64,
    /// Accepted connections that have shaken hands.
    pub(crate) connections: AtomicUsize,
    /// Those that have not.
    pub(crate) lobby: Mutex<Lobby<AbortHandle>>,
    pub(crate) spare: Arc<Spare>,
    pub(crate) live_tasks: AtomicUsize,
    pub(crate) task_ended: Gate,
    pub(crate) drops_in_a_row: AtomicU32,
}

impl Core {
    pub(crate) fn new(
        kind: SocketType,
        options: Options,
        sink: Sink,
        on_event: Option<OnEvent>,
        runtime: &Runtime,
    ) -> Self {
        let (all, per_address) = options.max_handshakes;
        let lobby = Lobby::new(all, per_address);
        Self {
            kind,
            sink,
            on_event,
            table: Arc::new(SharedTable::new(options.send_queue)),
            options,
            names: Mutex::default(),
            held_topics: Mutex::default(),
            topics: Mutex::default(),
            runs: Runs::default(),
            takes_all: AtomicBool::new(false),
            room: Arc::default(),
            peers_changed: Gate::default(),
            counters: Counters::default(),
            handle: runtime.handle().clone(),
            lead: runtime.lead().cloned(),
            bound: OnceLock::new(),
            flusher: runtime.flusher().clone(),
            inproc: runtime.inproc().clone(),
            trunks: runtime.trunks().clone(),
            tasks: Mutex::default(),
            closing: AtomicBool::new(false),
            unsent_before: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            lobby: Mutex::new(lobby),
            spare: runtime.spare().clone(),
            live_tasks: AtomicUsize::new(0),
            task_ended: Gate::default(),
            drops_in_a_row: AtomicU32::new(0),
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// While this socket lives, the data thread alone runs its tasks, and those of all others.
    pub(crate) fn keep_to_data_thread(&self) {
        if let Some(lead) = &self.lead {
            self.bound.get_or_init(|| lead.bind());
        }
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
            && matches!(
                self.kind,
                SocketType::Push | SocketType::Dealer | SocketType::Pair
            );
        let (table, room, flusher) = (self.table.clone(), self.room.clone(), self.flusher.clone());
        let count = NEXT_LINK.fetch_add(1, Ordering::Relaxed);
        self.table
            .insert(count, |id| Link::new(id, keeps, table, room, flusher))
    }

    pub(crate) fn is_router(&self) -> bool {
        matches!(self.kind, SocketType::Router | SocketType::Rep)
    }

    /// Waits until `there`, which asks about peers, at most `timeout`. False: it is not so, or the socket closes.
    pub(crate) fn wait_for(&self, timeout: Duration, there: impl Fn() -> bool) -> bool {
        let answer = || {
            let there = there();
            (there || self.is_closing()).then_some(there)
        };
        let deadline = Instant::now().checked_add(timeout);
        self.peers_changed
            .wait_until(deadline, answer)
            .unwrap_or(false)
    }

    /// A connection has shaken hands. True: something waits to be written, and the caller has the writer's role.
    pub(crate) fn link_up(
        &self,
        link: &Arc<Link>,
        peer: &Arc<Peer>,
        writer: Writer,
        stamped: bool,
    ) -> bool {
        // Opened under this lock: a subscription made meanwhile is told once, by this or by `tell_all`.
        let topics = lock(&self.topics);
        let waiting = link.open(writer, stamped, peer.clone());
        #[cfg(test)]
        let forgets = simulator::is_sabotaged_one_in(Sabotage::NoResubscribe, 2);
        for topic in topics.iter() {
            #[cfg(test)]
            if forgets {
                break;
            }
            self.control(link, |out| put_subscribe(out, topic, peer.minor()));
        }
        drop(topics);
        if let Sink::Handler(handler) = &self.sink {
            lock(handler).up(peer);
        }
        self.room.notify();
        self.peers_changed.notify();
        self.emit(SocketEvent::Connected(peer.clone()));
        waiting
    }

    /// The connection is gone.
    pub(crate) fn link_down(&self, link: &Arc<Link>, peer: &Arc<Peer>, why: DownReason) {
        if self.kind == SocketType::XPub {
            self.end_subscriptions(link, peer);
        }
        let lost = link.shut();
        #[cfg(test)]
        let lost = if simulator::is_sabotaged(Sabotage::CountsNoLoss) {
            0
        } else {
            lost
        };
        let counter = if why == DownReason::Local {
            &self.counters.dropped_linger
        } else {
            &self.counters.dropped_disconnect
        };
        counter.fetch_add(lost as u64, Ordering::Relaxed);
        if let Sink::Handler(handler) = &self.sink {
            lock(handler).down(peer, &why);
        }
        self.room.notify();
        self.peers_changed.notify();
        self.emit(SocketEvent::Disconnected(peer.clone(), why));
    }

    /// Takes a link out that will not be used again, and keeps its counts. What is queued still is dropped, and counted.
    pub(crate) fn forget(&self, link: &Link) {
        let slot = self.table.lock().remove(link.id);
        self.runs.forget(link.id);
        let Some(slot) = slot else {
            return;
        };
        let lost = slot.outbox.messages() as u64;
        let counters = &self.counters;
        let add = |counter: &AtomicU64, count| counter.fetch_add(count, Ordering::Relaxed);
        add(&counters.dropped_linger, lost);
        add(&counters.sent, link.sent.load(Ordering::Relaxed));
        let dropped = link.dropped.load(Ordering::Relaxed);
        add(&counters.dropped, dropped.saturating_add(lost));
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

    pub(crate) fn peer_stats(&self) -> Vec<PeerStats> {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let of = |slot: &Slot| {
            let link = &slot.link;
            Some(PeerStats {
                peer: slot.peer.clone()?,
                sent: get(&link.sent),
                queued: slot.outbox.messages() as u64,
                queued_octets: slot.outbox.octets() as u64,
                dropped: get(&link.dropped),
                received: get(&link.received),
                received_octets: get(&link.received_octets),
            })
        };
        self.table.lock().slots().filter_map(of).collect()
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

    /// Gives how many peers were told: none if that was asked for already.
    pub(crate) fn subscribe(&self, prefix: &[u8]) -> Result<usize, SubscribeError> {
        let mut topics = lock(&self.topics);
        if !topics.add(prefix)? {
            return Ok(0);
        }
        self.takes_all.store(topics.has_all(), Ordering::Release);
        Ok(self.tell_all(|out, minor| put_subscribe(out, prefix, minor)))
    }

    /// Gives how many peers were told: none while it is asked for more than once. None: it was not asked for.
    pub(crate) fn unsubscribe(&self, prefix: &[u8]) -> Option<usize> {
        let mut topics = lock(&self.topics);
        if !topics.remove(prefix)? {
            return Some(0);
        }
        self.takes_all.store(topics.has_all(), Ordering::Release);
        Some(self.tell_all(|out, minor| put_cancel(out, prefix, minor)))
    }

    pub(crate) fn wants_own(&self, topic: &[u8]) -> bool {
        lock(&self.topics).matches(topic)
    }

    fn tell_all(&self, write: impl Fn(&mut Vec<u8>, u8)) -> usize {
        let links: Vec<_> = self
            .table
            .lock()
            .up()
            .map(|(link, peer)| (link.clone(), peer.clone()))
            .collect();
        for (link, peer) in &links {
            self.control(link, |out| write(out, peer.minor()));
            // Who reads nothing would have them pile up. After a reconnect it is told what is wanted then, and no more.
            if link.waiting_octets() > self.options.send_queue.octets + MAX_UNREAD_SUBSCRIPTIONS {
                link.end(DownReason::Unread);
            }
        }
        links.len()
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
