//! `Handle`: the part that publishers, subscribers, clients and servers have in common: a socket, its links, and its place in discovery.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use colugo_graph::{Kind, MatchKind, NodeId, Topic};
use colugo_socket::{BindError, ConnectError, LinkId};

use crate::connected::Connected;
use crate::core::{Closable, Core, DROP_WAIT, LINGER};
use crate::error::{BuildError, WaitError};
use crate::event::Event;
use crate::executor::in_inline;
use crate::handle_options::HandleOptions;
use crate::losses::{Due, Losses};
use crate::peer::{Links, Peer};
use crate::ports;
use crate::stats::{Counters, Stats};
use crate::sync::lock;
use crate::timers::Timed;
use crate::transport::{DataSocket, Found, LinkObserver, Receive, Role, SocketSpec, Trouble};

pub(crate) struct Handle {
    pub(crate) core: Arc<Core>,
    pub(crate) topic: Topic,
    pub(crate) label: Arc<str>,
    pub(crate) links: Links,
    pub(crate) counters: Counters,
    kind: Kind,
    socket: OnceLock<Arc<dyn DataSocket>>,
    endpoints: Mutex<Vec<String>>,
    place: Mutex<Place>,
    /// The control ports of those that were found, by the endpoints where they were.
    ways: Mutex<HashMap<String, String>>,
    /// Publishers that were withdrawn, and when to hang up on them.
    leaving: Mutex<Vec<(String, Instant)>>,
    /// What the user had it dial.
    dialled: OnceLock<Vec<String>>,
    connected: Option<Arc<Connected>>,
    losses: Losses,
    on_lost: OnceLock<LostCallback>,
    closed: AtomicBool,
}

/// How many ports of other topics the system may offer before one of them is taken.
const OTHER_PORTS: usize = 64;

type LostCallback = Box<dyn Fn(&Found) + Send + Sync>;

/// Where the handle stands in discovery.
#[derive(Debug, Default)]
struct Place {
    owned: bool,
    announcement: Option<u64>,
    want: Option<u64>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("label", &self.label)
            .field("node", &self.core.name)
            .field("links", &self.links.len())
            .finish()
    }
}

impl Handle {
    /// A handle without a socket yet: what receives needs it to exist first.
    pub(crate) fn new(
        core: &Arc<Core>,
        kind: Kind,
        topic: &str,
        options: &mut HandleOptions,
    ) -> Result<Arc<Self>, BuildError> {
        core.check()?;
        let topic = core.topic(topic)?;
        let owned = matches!(kind, Kind::Publisher | Kind::Server);
        if owned {
            core.own(kind, &topic)?;
        }
        let label: Arc<str> = format!("{} {:?}", word(kind), topic.as_str()).into();
        let connected = options
            .on_connect
            .take()
            .map(|callback| Connected::new(core, label.clone(), callback));
        Ok(Arc::new(Self {
            core: core.clone(),
            topic,
            label,
            links: Links::default(),
            counters: Counters::default(),
            kind,
            socket: OnceLock::new(),
            endpoints: Mutex::default(),
            dialled: OnceLock::new(),
            leaving: Mutex::default(),
            place: Mutex::new(Place {
                owned,
                ..Place::default()
            }),
            connected,
            losses: Losses::default(),
            ways: Mutex::default(),
            on_lost: OnceLock::new(),
            closed: AtomicBool::new(false),
        }))
    }

    /// Makes the socket, and takes its place in discovery.
    pub(crate) fn open(
        self: &Arc<Self>,
        options: &HandleOptions,
        run: Option<[u8; 16]>,
        encoding: &str,
        receive: Receive,
    ) -> Result<(), BuildError> {
        let weak: Weak<Self> = Arc::downgrade(self);
        let socket = self.core.world.open(SocketSpec {
            role: self.role(),
            topic: self.topic.to_string(),
            by_name: matches!(self.kind, Kind::Subscriber | Kind::Client)
                && options.connects.is_empty(),
            run,
            queue: options.queue,
            queue_octets: options.queue_octets,
            max_message: options.max_message,
            overflow: options.overflow,
            prefix: options.prefix.clone(),
            receive,
            on_trouble: Arc::new(move |trouble| {
                if let Some(handle) = weak.upgrade() {
                    handle.tell_trouble(trouble);
                }
            }),
        })?;
        let _ = self.socket.set(socket.clone());
        let weak: Weak<Self> = Arc::downgrade(self);
        self.core.adopt(weak);
        for endpoint in &options.binds {
            let real = socket
                .bind(endpoint)
                .map_err(|source| self.bind_failed(source))?;
            lock(&self.endpoints).push(real);
        }
        for endpoint in &options.connects {
            socket.connect(endpoint)?;
        }
        let _ = self.dialled.set(options.connects.clone());
        let by_address = !options.binds.is_empty() || !options.connects.is_empty();
        if options.discover.unwrap_or(!by_address) {
            self.take_place(&socket, encoding)?;
        }
        // The node may have been closed meanwhile, without knowing of this handle.
        if self.core.is_closing() {
            self.shut(Duration::ZERO, Duration::ZERO);
        }
        self.core.check()
    }

    fn take_place(
        self: &Arc<Self>,
        socket: &Arc<dyn DataSocket>,
        encoding: &str,
    ) -> Result<(), BuildError> {
        let world = &self.core.world;
        let port = if matches!(self.kind, Kind::Publisher | Kind::Server) {
            self.listen(socket)?
        } else {
            0
        };
        let announcement = world.announce(&self.topic, self.kind, port, encoding, socket);
        lock(&self.place).announcement = Some(announcement);
        let wanted = match self.kind {
            Kind::Subscriber => Kind::Publisher,
            Kind::Client => Kind::Server,
            Kind::Publisher | Kind::Server => return Ok(()),
        };
        let weak = Arc::downgrade(self);
        let on_match = move |found| {
            if let Some(handle) = weak.upgrade() {
                handle.found(&found);
            }
        };
        let want = world.want(&self.topic, wanted, Arc::new(on_match));
        lock(&self.place).want = Some(want);
        Ok(())
    }

    /// What the socket says of its peers, on the data thread.
    fn tell_trouble(self: &Arc<Self>, trouble: Trouble) {
        let handle = self.label.clone();
        match trouble {
            Trouble::Refused(reason) => {
                tracing::warn!(handle = &*handle, reason, "a peer was refused");
                self.core.events.emit(Event::PeerRefused { handle, reason });
            }
            Trouble::Lost(count) => {
                let now = self.core.world.now();
                match self.losses.add(count, now) {
                    Due::Now(count) => self.tell_lost(count),
                    Due::At(due) => {
                        let weak: Weak<Self> = Arc::downgrade(self);
                        self.core.world.at(due, weak);
                    }
                    Due::Later => {}
                }
            }
        }
    }

    fn tell_lost(&self, count: u64) {
        let handle = self.label.clone();
        tracing::warn!(
            handle = &*handle,
            count,
            "messages of a publisher were lost"
        );
        self.core.events.emit(Event::Lost { handle, count });
    }

    /// A publisher or server is there, or is gone.
    fn found(self: &Arc<Self>, found: &Found) {
        let Some(socket) = self.socket() else { return };
        if found.kind == MatchKind::Found {
            lock(&self.leaving).retain(|(endpoint, _)| *endpoint != found.endpoint);
            if let Some(control) = &found.control {
                lock(&self.ways).insert(found.endpoint.clone(), control.clone());
            }
            if let Err(error) = self.dial(socket, &found.endpoint) {
                tracing::debug!(handle = &*self.label, endpoint = found.endpoint, %error, "what was found can't be dialled");
            }
            return;
        }
        lock(&self.ways).remove(&found.endpoint);
        if let Some(on_lost) = self.on_lost.get() {
            on_lost(found);
        } else if found.kind == MatchKind::Dead {
            lock(&self.leaving).retain(|(endpoint, _)| *endpoint != found.endpoint);
            socket.disconnect(&found.endpoint);
        } else {
            self.lose(&found.endpoint);
        }
    }

    /// Dials what was found there, or what the user named.
    pub(crate) fn dial(
        &self,
        socket: &Arc<dyn DataSocket>,
        endpoint: &str,
    ) -> Result<(), ConnectError> {
        let control = lock(&self.ways).get(endpoint).cloned();
        match control {
            Some(control) => socket.connect_or(endpoint, &control),
            None => socket.connect(endpoint),
        }
    }

    /// A publisher is gone. What it sent may still be on its way: the link ends when the publisher ends it, or after a while.
    fn lose(self: &Arc<Self>, endpoint: &str) {
        let connected = self.links.list().iter().any(|peer| is_at(peer, endpoint));
        if connected && let Some(due) = self.core.world.deadline(LINGER) {
            lock(&self.leaving).push((endpoint.to_owned(), due));
            let weak: Weak<Self> = Arc::downgrade(self);
            self.core.world.at(due, weak);
        } else if let Some(socket) = self.socket() {
            socket.disconnect(endpoint);
        }
    }

    /// Hangs up on those of the leaving that `which` names.
    fn hang_up(&self, which: impl Fn(&str, Instant) -> bool) {
        let gone: Vec<_> = {
            let mut leaving = lock(&self.leaving);
            leaving
                .extract_if(.., |(endpoint, due)| which(endpoint, *due))
                .collect()
        };
        for (endpoint, _) in gone {
            if let Some(socket) = self.socket() {
                socket.disconnect(&endpoint);
            }
        }
    }

    /// The endpoint that was dialled to reach this address: as the user wrote it, or as discovery said.
    pub(crate) fn endpoint_of(&self, addr: SocketAddr) -> String {
        let found = format!("tcp://{addr}");
        let dialled = self.dialled.get().map_or(&[][..], Vec::as_slice);
        if dialled.contains(&found) {
            return found;
        }
        // A name; that it resolves to this address is only known of the port.
        let named = dialled
            .iter()
            .find(|endpoint| port_of(endpoint) == addr.port());
        named.cloned().unwrap_or(found)
    }

    /// Whether the user had it dial there, rather than discovery.
    pub(crate) fn dials_for_user(&self, endpoint: &str) -> bool {
        let dialled = self.dialled.get().map_or(&[][..], Vec::as_slice);
        dialled.iter().any(|known| known == endpoint)
    }

    /// Has `callback` hang up on what is lost, rather than the handle at once.
    pub(crate) fn on_lost(&self, callback: LostCallback) {
        let _ = self.on_lost.set(callback);
    }

    /// Listens where asked, else on a port of the range that was set, else on any. Returns the port.
    fn listen(&self, socket: &Arc<dyn DataSocket>) -> Result<u16, BuildError> {
        if let Some(given) = lock(&self.endpoints).first() {
            return Ok(port_of(given));
        }
        let endpoint = match self.core.parsed.ports.clone() {
            Some(range) => self.listen_within(socket, range),
            None => self.listen_anywhere(socket),
        };
        let endpoint = endpoint.map_err(|source| self.bind_failed(source))?;
        let port = port_of(&endpoint);
        lock(&self.endpoints).push(endpoint);
        Ok(port)
    }

    /// Listens on a port of the range that was set. Those of other topics that are closed come last: better one of them than none.
    fn listen_within(
        &self,
        socket: &Arc<dyn DataSocket>,
        range: RangeInclusive<u16>,
    ) -> Result<String, BindError> {
        let (fresh, used): (Vec<_>, Vec<_>) = range.partition(|port| self.may_have(*port));
        let mut refused = None;
        for port in fresh.into_iter().chain(used) {
            match socket.bind(&self.endpoint_at(port)) {
                Ok(endpoint) => {
                    if !self.may_have(port) {
                        self.warn_reused(port);
                    }
                    return Ok(endpoint);
                }
                Err(BindError::InUse(endpoint)) => refused = Some(BindError::InUse(endpoint)),
                Err(other) => return Err(other),
            }
        }
        Err(refused.unwrap_or_else(|| BindError::InUse(self.endpoint_at(0))))
    }

    /// Listens on a free port, as the system chooses; asks for another when that was of a topic that is closed.
    fn listen_anywhere(&self, socket: &Arc<dyn DataSocket>) -> Result<String, BindError> {
        let mut unwanted = Vec::new();
        let endpoint = loop {
            let endpoint = socket.bind(&self.endpoint_at(0))?;
            let port = port_of(&endpoint);
            if self.may_have(port) {
                break endpoint;
            }
            if unwanted.len() == OTHER_PORTS {
                self.warn_reused(port);
                break endpoint;
            }
            // Held until there is a better one, so that the system does not offer it again.
            unwanted.push(endpoint);
        };
        unwanted.iter().for_each(|port| socket.unbind(port));
        Ok(endpoint)
    }

    fn endpoint_at(&self, port: u16) -> String {
        format!("tcp://{}:{port}", self.core.world.listen_host())
    }

    /// Whether no other topic of this process had that port.
    fn may_have(&self, port: u16) -> bool {
        self.core.world.is_virtual()
            || ports::with(|closed| closed.allow(port, self.kind, &self.topic))
    }

    fn warn_reused(&self, port: u16) {
        let text = format!(
            "{} listens on port {port}, which was another topic's before: plain ZeroMQ programs that still dial that one \
             get this; set a wider range of ports",
            self.label
        );
        tracing::warn!("{text}");
        self.core.events.emit(Event::Notice { text });
    }

    fn bind_failed(&self, source: BindError) -> BuildError {
        BuildError::Bind {
            kind: word(self.kind),
            topic: self.topic.to_string(),
            source,
        }
    }

    fn role(&self) -> Role {
        match self.kind {
            Kind::Publisher => Role::Pub,
            Kind::Subscriber => Role::Sub,
            Kind::Client => Role::Dealer,
            Kind::Server => Role::Router,
        }
    }

    pub(crate) fn socket(&self) -> Option<&Arc<dyn DataSocket>> {
        self.socket.get()
    }

    pub(crate) fn endpoints(&self) -> Vec<String> {
        lock(&self.endpoints).clone()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether it is closed, or its node is about to close it: nobody need wait for anything any more.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_closed() || self.core.is_closing()
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats {
            peers: self.links.len(),
            ..Stats::default()
        };
        if let Some(socket) = self.socket() {
            socket.fill(&mut stats);
        }
        self.counters.fill(&mut stats);
        stats
    }

    /// Waits until `count()` is at least `wanted`.
    pub(crate) fn wait_for(
        &self,
        what: &'static str,
        wanted: usize,
        timeout: Duration,
        count: impl Fn() -> usize,
    ) -> Result<(), WaitError> {
        if self.core.is_forked() {
            return Err(WaitError::Forked);
        }
        if count() >= wanted {
            return Ok(());
        }
        if in_inline() {
            return Err(WaitError::WouldDeadlock);
        }
        let deadline = self.core.world.deadline(timeout);
        self.core.world.wait(&self.links.changed, deadline, &|| {
            count() >= wanted || self.is_ending()
        });
        self.waited(what, wanted, timeout, count())
    }

    /// How a wait has ended.
    pub(crate) fn waited(
        &self,
        what: &'static str,
        wanted: usize,
        timeout: Duration,
        have: usize,
    ) -> Result<(), WaitError> {
        if have >= wanted {
            Ok(())
        } else if self.is_ending() {
            Err(WaitError::Closed)
        } else {
            Err(WaitError::TimedOut {
                what,
                topic: self.topic.to_string(),
                have,
                wanted,
                waited: timeout,
            })
        }
    }

    /// A future that is ready when `count()` is at least `wanted`, or the handle is closed.
    pub(crate) async fn wait_for_async(
        &self,
        wanted: usize,
        count: impl Fn() -> usize,
    ) -> Result<(), WaitError> {
        std::future::poll_fn(|cx| {
            for registered in [false, true] {
                if count() >= wanted {
                    return std::task::Poll::Ready(Ok(()));
                }
                if self.is_ending() {
                    return std::task::Poll::Ready(Err(WaitError::Closed));
                }
                if !registered {
                    self.links.wake_on_change(cx.waker());
                }
            }
            std::task::Poll::Pending
        })
        .await
    }

    /// A link is up.
    pub(crate) fn link_up(&self, peer: Arc<Peer>) {
        tracing::debug!(handle = &*self.label, link = %peer.link, node = ?peer.node, addr = ?peer.addr, "connected");
        self.links.up(peer.clone());
        if let Some(connected) = &self.connected {
            connected.push(peer.clone());
        }
        self.core.events.emit(Event::PeerConnected {
            handle: self.label.clone(),
            peer,
        });
    }

    /// A link is gone.
    pub(crate) fn link_down(&self, link: LinkId, reason: &str) {
        if let Some(peer) = self.links.down(link) {
            self.hang_up(|endpoint, _| is_at(&peer, endpoint));
            tracing::debug!(handle = &*self.label, link = %peer.link, reason, "disconnected");
            self.core.events.emit(Event::PeerDisconnected {
                handle: self.label.clone(),
                peer,
                reason: reason.to_owned(),
            });
        }
    }

    /// Waits for `quiet`, as long as `limit` in real time; virtual time does not pass for it.
    pub(crate) fn wait_quietly(&self, limit: Duration, quiet: &dyn Fn() -> bool) {
        let world = &self.core.world;
        let limit = if world.is_virtual() {
            Duration::ZERO
        } else {
            limit
        };
        world.wait(&self.links.changed, world.deadline(limit), quiet);
    }

    /// Leaves discovery.
    pub(crate) fn withdraw(&self) {
        let place = std::mem::take(&mut *lock(&self.place));
        if let Some(announcement) = place.announcement {
            self.core.world.withdraw(announcement);
        }
        if let Some(want) = place.want {
            self.core.world.unwant(want);
        }
        if place.owned {
            self.core.disown(self.kind, &self.topic);
        }
    }

    /// Withdraws, drains and ends the links. True: all was sent.
    pub(crate) fn shut(&self, linger: Duration, wait: Duration) -> bool {
        self.withdraw();
        // Before the socket is closed: whoever gets the port next must know already.
        if !self.core.world.is_virtual() {
            for endpoint in self.endpoints() {
                ports::with(|closed| closed.close(port_of(&endpoint), self.kind, &self.topic));
            }
        }
        let drained = self
            .socket()
            .is_none_or(|socket| socket.close(linger, wait));
        self.closed.store(true, Ordering::Release);
        self.links.changed.notify();
        drained
    }
}

impl Timed for Handle {
    fn fire(self: Arc<Self>, now: Instant) {
        self.hang_up(|_, due| due <= now);
        if let Some(count) = self.losses.take_due(now) {
            self.tell_lost(count);
        }
    }
}

/// Whether we dialled that peer there.
fn is_at(peer: &Peer, endpoint: &str) -> bool {
    let addr = endpoint
        .strip_prefix("tcp://")
        .and_then(|addr| addr.parse().ok());
    peer.outgoing && addr.is_some() && peer.addr == addr
}

impl Closable for Handle {
    fn close(&self, linger: Duration, wait: Duration) -> bool {
        self.shut(linger, wait)
    }

    fn node_closes(&self) {
        self.links.changed.notify();
    }

    fn node_died(&self, node: NodeId) {
        let Some(socket) = self.socket() else { return };
        for peer in self.links.list() {
            if peer.node == Some(node) {
                socket.hang_up(peer.link);
            }
        }
    }
}

impl LinkObserver for Handle {
    fn up(&self, peer: Arc<Peer>) {
        self.link_up(peer);
    }

    fn down(&self, link: LinkId, reason: &str) {
        self.link_down(link, reason);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.is_closed() {
            self.shut(LINGER, DROP_WAIT);
        }
    }
}

/// Observes links for a handle that it does not keep alive.
pub(crate) struct WeakObserver(pub(crate) Weak<Handle>);

impl LinkObserver for WeakObserver {
    fn up(&self, peer: Arc<Peer>) {
        if let Some(handle) = self.0.upgrade() {
            handle.link_up(peer);
        }
    }

    fn down(&self, link: LinkId, reason: &str) {
        if let Some(handle) = self.0.upgrade() {
            handle.link_down(link, reason);
        }
    }
}

pub(crate) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Publisher => "publisher",
        Kind::Subscriber => "subscriber",
        Kind::Server => "reply server",
        Kind::Client => "request client",
    }
}

fn port_of(endpoint: &str) -> u16 {
    endpoint
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok())
        .unwrap_or(0)
}
