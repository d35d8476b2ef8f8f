//! `Node`: one real socket of ours on a host of the network, and what the run knows of it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use colugo_zmtp::SocketType;
use tokio::time::Instant;

use super::dice::Dice;
use super::history::{Account, Life};
use super::network::Network;
use crate::builder::Builder;
use crate::core::{Core, Sink};
use crate::event::{DownReason, Handler, SocketEvent};
use crate::gate::lock;
use crate::kind::{Dealer, Kind, Pub, Pull, Push, Rep, Req, Router, Sub};
use crate::message::{LinkId, MessageRef};
use crate::peer::Peer;
use crate::request::Turns;
use crate::runtime::Runtime;
use crate::socket::Socket;

pub(super) const LINGER: Duration = Duration::from_millis(300);
pub(super) const HANDSHAKE: Duration = Duration::from_secs(1);
pub(super) const BACKOFF: (Duration, Duration) =
    (Duration::from_millis(20), Duration::from_secs(2));
/// Octets of the largest message a run sends.
pub(super) const LARGEST: usize = 40 << 10;
pub(super) const QUEUE_OCTETS: usize = 128 << 10;

/// A socket of any kind.
pub(super) trait AnySocket: Send {
    fn core(&self) -> &Arc<Core>;
    fn turns(&self) -> &Turns;
    fn bind(&self, endpoint: &str) -> Result<(), String>;
    fn connect(&self, endpoint: &str);
    fn disconnect(&self, endpoint: &str);
    fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl<K: Kind> AnySocket for Socket<K> {
    fn core(&self) -> &Arc<Core> {
        &self.core
    }

    fn turns(&self) -> &Turns {
        &self.turns
    }

    fn bind(&self, endpoint: &str) -> Result<(), String> {
        Self::bind(self, endpoint)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    fn connect(&self, endpoint: &str) {
        let _ = Self::connect(self, endpoint);
    }

    fn disconnect(&self, endpoint: &str) {
        Self::disconnect(self, endpoint);
    }

    fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.close_async())
    }
}

/// What a socket said about its links, until the world looks.
pub(super) type Notes = Arc<Mutex<Vec<(Life, LinkId, Option<DownReason>)>>>;

type Delivered = Arc<Mutex<VecDeque<(LinkId, Vec<Bytes>)>>>;

struct Collect(Delivered);

impl Handler for Collect {
    fn message(&mut self, peer: &Arc<Peer>, message: MessageRef<'_>) {
        let frames = message.frames().map(Bytes::copy_from_slice).collect();
        lock(&self.0).push_back((peer.id(), frames));
    }
}

/// How its socket is set, in every life.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) kind: SocketType,
    send_queue: usize,
    receive_queue: usize,
    handler: bool,
    stamped: bool,
    pub(super) named: bool,
}

impl Settings {
    pub(super) fn new(kind: SocketType, dice: &mut Dice) -> Self {
        Self {
            kind,
            send_queue: *dice.pick(&[1, 3, 20, 1000]),
            receive_queue: *dice.pick(&[1, 4, 1000]),
            handler: dice.percent(30) && !matches!(kind, SocketType::Req | SocketType::Rep),
            stamped: dice.percent(70),
            named: dice.percent(30),
        }
    }
}

pub(super) struct Node {
    pub(super) host: usize,
    pub(super) life: Life,
    pub(super) settings: Settings,
    pub(super) socket: Box<dyn AnySocket>,
    delivered: Option<Delivered>,
    /// Where it listens, if it is one that listens.
    pub(super) endpoint: Option<String>,
    pub(super) next_number: u32,
    /// It takes nothing before.
    pub(super) slow_until: Instant,
    pub(super) topics: Vec<&'static str>,
    /// REQ: when it asked, and the number of its question. REP: who asked it, and the number.
    pub(super) asked: Option<(Instant, u32)>,
    pub(super) asker: Option<(Life, u32)>,
}

impl Node {
    pub(super) fn new(
        life: Life,
        settings: Settings,
        network: &Arc<Network>,
        notes: &Notes,
    ) -> Self {
        let runtime = Runtime::simulated();
        let host = life.0;
        network.add_host(host, runtime.inproc());
        runtime.inproc().join(network.clone(), host);
        let delivered: Option<Delivered> = settings.handler.then(Arc::default);
        let build = Build {
            life,
            settings,
            runtime,
            notes: notes.clone(),
            delivered: delivered.clone(),
        };
        let socket = match settings.kind {
            SocketType::Push => build.socket::<Push>(),
            SocketType::Pull => build.socket::<Pull>(),
            SocketType::Pub => build.socket::<Pub>(),
            SocketType::Sub => build.socket::<Sub>(),
            SocketType::Dealer => build.socket::<Dealer>(),
            SocketType::Router => build.socket::<Router>(),
            SocketType::Req => build.socket::<Req>(),
            _ => build.socket::<Rep>(),
        };
        Self {
            host,
            life,
            settings,
            socket,
            delivered: delivered.filter(|_| receives(settings.kind)),
            endpoint: None,
            next_number: 0,
            slow_until: Instant::now(),
            topics: Vec::new(),
            asked: None,
            asker: None,
        }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        self.socket.core()
    }

    pub(super) fn number(&mut self) -> u32 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// The next message, and the link it came over; without the identity that a ROUTER puts in front.
    pub(super) fn take(&self) -> Option<(LinkId, Vec<Bytes>)> {
        if let Some(delivered) = &self.delivered {
            return lock(delivered).pop_front();
        }
        let Sink::Inbox(inbox) = &self.core().sink else {
            return None;
        };
        let message = inbox.try_recv().ok()?;
        let link = message.link();
        let mut frames = message.into_frames();
        if self.settings.kind == SocketType::Router {
            frames.remove(0);
        }
        Some((link, frames))
    }

    pub(super) fn forget_late_answers(&self) {
        self.socket.turns().forget_late_answers(self.core());
    }

    pub(super) fn has_message(&self) -> bool {
        matches!(&self.core().sink, Sink::Inbox(inbox) if !inbox.is_empty())
    }

    /// Links that end once what is queued has been written.
    pub(super) fn leaving(&self) -> Vec<LinkId> {
        let table = self.core().table.lock();
        let leaving = table.slots().filter(|slot| slot.leaving);
        leaving.map(|slot| slot.link.id).collect()
    }

    /// Whether a link is one that it dialled.
    pub(super) fn dialled(&self, link: LinkId) -> bool {
        let mut table = self.core().table.lock();
        table.get(link).is_some_and(|slot| {
            // Each of a ROUTER's links has one connection.
            !self.core().is_router()
                && (slot.link.persistent || slot.peer.as_ref().is_some_and(|peer| peer.outgoing()))
        })
    }

    /// No queue holds more than its bound.
    pub(super) fn check_bounds(&self) -> Result<(), String> {
        let core = self.core();
        let table = core.table.lock();
        let limit = table.limit();
        for slot in table.slots() {
            // A lost connection gives back what it did not write, once.
            let times = if slot.link.persistent { 2 } else { 1 };
            let (messages, octets) = (slot.outbox.messages(), slot.outbox.octets());
            if messages > limit.messages * times || octets > (limit.octets + LARGEST + 1000) * times
            {
                return Err(format!(
                    "{:?} has {messages} messages, {octets} octets queued for a peer, the limit is {limit:?}",
                    self.life
                ));
            }
        }
        drop(table);
        let Sink::Inbox(inbox) = &core.sink else {
            return Ok(());
        };
        let limit = inbox.limit();
        for (link, batches) in inbox.queued_by_link() {
            // The one that was too much was read before that was known.
            let all_but_last = batches.split_last().map_or(&[][..], |(_, rest)| rest);
            let (messages, octets) = all_but_last
                .iter()
                .fold((0, 0), |(m, o), (messages, octets)| {
                    (m + messages, o + octets)
                });
            if messages >= limit.messages || octets >= limit.octets {
                return Err(format!(
                    "{:?} read on over {link:?} with {messages} messages, {octets} octets in the inbox, the limit is {limit:?}",
                    self.life
                ));
            }
        }
        Ok(())
    }
}

/// What a socket says of its messages.
pub(super) fn account(core: &Core) -> Account {
    let links: Vec<_> = {
        let table = core.table.lock();
        table.slots().map(|slot| slot.link.clone()).collect()
    };
    let waiting: usize = links.iter().map(|link| link.waiting_messages()).sum();
    let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Account {
        sent: core.sent_and_dropped().0
            - links
                .iter()
                .map(|link| link.unwritten_messages() as u64)
                .sum::<u64>(),
        dropped: get(&core.counters.dropped_disconnect) + get(&core.counters.dropped_linger),
        waiting: waiting as u64,
        unexplained: get(&core.counters.lost_unexplained),
    }
}

pub(super) fn receives(kind: SocketType) -> bool {
    !matches!(kind, SocketType::Push | SocketType::Pub)
}

struct Build {
    life: Life,
    settings: Settings,
    runtime: Arc<Runtime>,
    notes: Notes,
    delivered: Option<Delivered>,
}

impl Build {
    fn socket<K: Kind>(self) -> Box<dyn AnySocket> {
        let (life, notes, settings) = (self.life, self.notes, self.settings);
        let mut builder: Builder<K> = Socket::builder()
            .send_queue(settings.send_queue, QUEUE_OCTETS)
            .receive_queue(settings.receive_queue, QUEUE_OCTETS)
            .linger(LINGER)
            .handshake_timeout(HANDSHAKE)
            .reconnect(BACKOFF.0, BACKOFF.1)
            .on_event(move |event| match event {
                SocketEvent::Connected(peer) => lock(&notes).push((life, peer.id(), None)),
                SocketEvent::Disconnected(peer, why) => {
                    lock(&notes).push((life, peer.id(), Some(why.clone())));
                }
                _ => {}
            });
        if settings.stamped {
            builder = builder.property("X-Colugo", "1").stamped(true);
        }
        if settings.named && matches!(settings.kind, SocketType::Dealer | SocketType::Req) {
            builder = builder.identity(format!("node {}", life.0));
        }
        if let Some(delivered) = self.delivered.filter(|_| receives(settings.kind)) {
            builder = builder.handler(Collect(delivered));
        }
        Box::new(builder.build_on(self.runtime))
    }
}
