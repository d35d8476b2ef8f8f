//! `NodeControl`: drives the brain of one node.
//!
//! Knows how each effect is carried out and what is fed back; decides nothing by itself. One task per node pumps the
//! brain; every link and every dial is a task of its own. All of them are on the control thread.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use colugo_graph::{
    AnnounceError, Announcement, AnnouncementId, Brain, Config, DialFailure, DialId, Effect,
    FixedId, GraphSize, GraphSnapshot, Kind, LinkId, MatchChange, MatchKind, NodeId, NodeRecord,
    Origin, Outsider, Source, Target, Topic, WantId,
};
use colugo_socket::Trunk;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;

use super::choice::Choice;
use super::door::{self, Provided};
use super::interfaces::{Interfaces, host_name};
use super::link::{self, Established, LinkHandle};
use super::mdns::{Mdns, Registration};
use super::original::{Original, Shown};
use super::rendezvous::Rendezvous;
use super::seed::Seed;
use super::thread::{ControlThread, Presence};
use super::{
    ControlConfig, ControlError, GraphEvent, Match, OnEvent, OnKnock, OnMatch, dial, listen,
};
use crate::transport::{Accepted, Knock};

/// How often the rendezvous directory and the interfaces are read. Newcomers dial those who are there, so this is for the odd case only.
const SCAN_EVERY: Duration = Duration::from_secs(1);

/// Dials at once; a flood of records must not take all file descriptors.
const DIALS_MAX: usize = 64;

/// Connections that others share among their sockets: one of each node, and of some that were just replaced.
const TRUNKS_MAX: usize = 1024;

/// How long goodbyes may take.
const GOODBYE: Duration = Duration::from_millis(90);

pub(super) struct NodeControl {
    id: NodeId,
    runtime: Handle,
    mdns: Arc<Mdns>,
    /// `None`: the original's records are neither shown nor read.
    original: Option<Arc<Original>>,
    address: SocketAddr,
    interfaces: Choice,
    advertise: Vec<IpAddr>,
    /// The addresses of this machine that worked when we looked last.
    working: Mutex<Vec<(String, IpAddr)>>,
    discovery: bool,
    fixed: Vec<Seed>,
    brain: Mutex<Brain>,
    wants: Mutex<HashMap<WantId, OnMatch>>,
    provided: Mutex<Provided>,
    trunks: Mutex<Vec<Trunk>>,
    on_event: OnEvent,
    links: Mutex<HashMap<LinkId, Arc<LinkHandle>>>,
    dials: Mutex<HashMap<DialId, AbortHandle>>,
    dialling: Semaphore,
    rendezvous: Mutex<Option<Rendezvous>>,
    next_link: AtomicU64,
    /// The brain has something to do.
    stirred: Notify,
    stage: Mutex<Stage>,
    ended: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    Leaving,
    Ended,
}

impl NodeControl {
    pub(super) fn start(
        config: ControlConfig,
        on_event: OnEvent,
        thread: &ControlThread,
    ) -> Result<Arc<Self>, ControlError> {
        let mut fixed = Vec::new();
        for peer in &config.peers {
            fixed.push(Seed::parse(peer).ok_or_else(|| ControlError::Peer { peer: peer.clone() })?);
        }
        let wanted = config
            .listen
            .unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, 0).into());
        let failed = |source| ControlError::Listen {
            address: wanted,
            source,
        };
        let listener = listen::listen(config.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let listener = {
            let _inside = thread.runtime().enter();
            TcpListener::from_std(listener).map_err(failed)?
        };
        let host = host_name();
        let (brain, own_ip) = brain(&config, &host, address);
        let rendezvous = config.discovery.then(|| {
            let at = SocketAddr::new(own_ip, address.port());
            Rendezvous::enter(&config, &host, at)
                .inspect_err(|error| tracing::debug!(%error, "no rendezvous directory"))
                .ok()
        });
        let node = Arc::new(Self {
            id: config.id,
            runtime: thread.runtime().clone(),
            mdns: thread.mdns().clone(),
            original: (config.discovery && config.original).then(|| thread.original().clone()),
            address,
            interfaces: Choice::new(&config.interfaces),
            advertise: config.advertise.clone(),
            working: Mutex::new(Interfaces::now().working()),
            discovery: config.discovery,
            fixed,
            brain: Mutex::new(brain),
            wants: Mutex::default(),
            provided: Mutex::default(),
            trunks: Mutex::default(),
            on_event,
            links: Mutex::default(),
            dials: Mutex::default(),
            dialling: Semaphore::new(DIALS_MAX),
            rendezvous: Mutex::new(rendezvous.flatten()),
            next_link: AtomicU64::new(0),
            stirred: Notify::new(),
            stage: Mutex::new(Stage::Running),
            ended: Condvar::new(),
        });
        for (index, peer) in (0..).zip(&config.peers) {
            node.with_brain(|brain, now| brain.add_fixed_peer(now, FixedId(index), peer));
        }
        thread.spawn(run(node.clone(), listener, thread.presence()));
        if config.discovery {
            thread
                .mdns()
                .join(&node, Registration::new(&config, &host, address));
        }
        if let Some(original) = &node.original {
            let shown = Shown {
                interfaces: node.interfaces.clone(),
                advertise: node.advertise.clone(),
            };
            original.join(node.id, &node, shown);
        }
        Ok(node)
    }

    pub(super) fn id(&self) -> NodeId {
        self.id
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives the brain an input; what it wants done is done by the node's task.
    pub(super) fn with_brain<T>(&self, input: impl FnOnce(&mut Brain, Instant) -> T) -> T {
        let mut brain = lock(&self.brain);
        // Read under the lock: the brain's time must not go backwards.
        let answer = input(&mut brain, Instant::now());
        drop(brain);
        self.stirred.notify_one();
        answer
    }

    pub(super) fn announce(
        &self,
        what: Announcement,
        on_knock: OnKnock,
    ) -> Result<AnnouncementId, AnnounceError> {
        // Held until it can be handed connections: others may hear of it at once.
        let mut provided = lock(&self.provided);
        let named = (what.kind, what.topic.clone());
        let id = self.with_brain(|brain, now| brain.announce(now, what))?;
        provided.add(id, named, on_knock);
        Ok(id)
    }

    pub(super) fn withdraw(&self, id: AnnouncementId) -> bool {
        let on_knock = lock(&self.provided).remove(id);
        drop(on_knock);
        self.with_brain(|brain, now| brain.withdraw(now, id))
    }

    /// A connection for a topic came to the control port.
    pub(super) fn knocked(&self, kind: Kind, topic: &Topic, knock: Knock) -> io::Result<()> {
        lock(&self.provided).hand_on(kind, topic, knock)
    }

    /// A connection that several sockets share came to the control port.
    pub(super) fn take_trunk(self: &Arc<Self>, accepted: Accepted) -> io::Result<()> {
        let mut trunks = lock(&self.trunks);
        trunks.retain(|trunk| !trunk.is_over());
        if trunks.len() >= TRUNKS_MAX {
            let why = "as many nodes share a connection with this one as may";
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, why));
        }
        let Accepted {
            stream,
            sent,
            heard,
        } = accepted;
        let node = Arc::downgrade(self);
        let trunk = Trunk::adopt(stream, sent, &heard, move |address, lane| {
            let (Some(node), Some((kind, topic))) = (node.upgrade(), door::addressed(address))
            else {
                return false;
            };
            node.knocked(kind, &topic, Knock::Lane(lane)).is_ok()
        })?;
        trunks.push(trunk);
        Ok(())
    }

    pub(super) fn want(&self, topic: Topic, kind: Kind, on_match: OnMatch) -> WantId {
        // Held until the callback is in place: the node's task must not find a match without it.
        let mut wants = lock(&self.wants);
        let want = self.with_brain(|brain, now| brain.want(now, topic, kind));
        wants.insert(want, on_match);
        want
    }

    pub(super) fn unwant(&self, want: WantId) -> bool {
        let known = self.with_brain(|brain, now| brain.unwant(now, want));
        let callback = lock(&self.wants).remove(&want);
        drop(callback);
        known
    }

    pub(super) fn graph_size(&self) -> GraphSize {
        lock(&self.brain).size()
    }

    pub(super) fn graph(&self) -> GraphSnapshot {
        let mut snapshot = lock(&self.brain).snapshot();
        snapshot.interfaces = Interfaces::now().infos(&self.interfaces);
        if !self.discovery {
            snapshot
                .interfaces
                .iter_mut()
                .for_each(|info| info.used = false);
        }
        snapshot
    }

    pub(super) fn tell(&self, event: GraphEvent) {
        contained(|| (self.on_event)(event));
    }

    /// Discovery shows nodes, or no longer does.
    pub(super) fn records(&self, source: Source, came: Vec<NodeRecord>, gone: &[NodeId]) {
        self.with_brain(|brain, now| {
            for record in came {
                brain.handle_record(now, source, record);
            }
            for node in gone {
                brain.handle_record_gone(now, source, *node);
            }
        });
    }

    /// Sockets of programs that are no nodes of ours came, or are shown no longer.
    pub(super) fn outsiders(&self, came: Vec<Outsider>, gone: &[(NodeId, Kind, Topic)]) {
        self.with_brain(|brain, _| {
            for (node, kind, topic) in gone {
                brain.handle_outsider_gone(*node, *kind, topic);
            }
            for outsider in came {
                brain.handle_outsider(outsider);
            }
        });
    }

    /// Has the original's nodes see what this one offers now.
    pub(super) fn offers_changed(&self) {
        if let Some(original) = &self.original {
            original.changed(self.id);
        }
    }

    /// What it offers now.
    pub(super) fn offers(&self) -> Vec<Announcement> {
        lock(&self.brain).announcements()
    }

    pub(super) async fn accepted(self: Arc<Self>, established: Established) {
        self.run_link(established, Origin::Accepted).await;
    }

    pub(super) fn frame(&self, link: LinkId, frame: &[u8]) {
        self.with_brain(|brain, now| brain.handle_message(now, link, frame));
    }

    pub(super) fn link_ended(&self, link: LinkId) {
        lock(&self.links).remove(&link);
        self.with_brain(|brain, now| brain.handle_link_down(now, link));
    }

    pub(super) fn close(&self, wait: Duration) {
        {
            let mut stage = lock(&self.stage);
            if *stage == Stage::Running {
                *stage = Stage::Leaving;
                drop(stage);
                // First of all: who looks there must not find us any more.
                drop(lock(&self.rendezvous).take());
                self.with_brain(|brain, _| brain.leave());
            }
        }
        let stage = lock(&self.stage);
        let waited = self
            .ended
            .wait_timeout_while(stage, wait, |stage| *stage != Stage::Ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Carries out what the brain wants until it wants nothing more; returns when it wants to be called again.
    fn pump(self: &Arc<Self>) -> Option<Instant> {
        loop {
            let mut effects = Vec::new();
            let mut matches = Vec::new();
            let mut events = Vec::new();
            let timeout = {
                let mut brain = lock(&self.brain);
                effects.extend(std::iter::from_fn(|| brain.poll_effect()));
                matches.extend(std::iter::from_fn(|| brain.poll_match()));
                events.extend(std::iter::from_fn(|| brain.poll_event()));
                brain.poll_timeout()
            };
            if effects.is_empty() && matches.is_empty() && events.is_empty() {
                return timeout;
            }
            effects
                .into_iter()
                .for_each(|effect| self.carry_out(effect));
            matches
                .into_iter()
                .for_each(|change| self.tell_match(change));
            events
                .into_iter()
                .for_each(|event| self.tell(GraphEvent::Graph(event)));
        }
    }

    fn carry_out(self: &Arc<Self>, effect: Effect) {
        match effect {
            Effect::Dial { dial, target } => {
                let task = self.runtime.spawn(self.clone().reach(dial, target));
                lock(&self.dials).insert(dial, task.abort_handle());
            }
            Effect::CancelDial(dial) => {
                if let Some(task) = lock(&self.dials).remove(&dial) {
                    task.abort();
                }
            }
            Effect::Send { link, frame } => {
                if let Some(handle) = lock(&self.links).get(&link) {
                    handle.send(&frame);
                }
            }
            Effect::Close(link) => {
                if let Some(handle) = lock(&self.links).get(&link) {
                    handle.close();
                }
            }
        }
    }

    fn tell_match(&self, change: MatchChange) {
        let callback = lock(&self.wants).get(&change.want).cloned();
        let MatchChange {
            kind,
            node,
            node_name,
            endpoint,
            control,
            ..
        } = change;
        if let Some(callback) = callback {
            contained(|| {
                callback(match kind {
                    MatchKind::Found => Match::Found {
                        node,
                        node_name,
                        endpoint,
                        control,
                    },
                    MatchKind::Withdrawn | MatchKind::Dead => Match::Lost {
                        node,
                        endpoint,
                        dead: kind == MatchKind::Dead,
                    },
                });
            });
        }
    }

    async fn reach(self: Arc<Self>, dial: DialId, target: Target) {
        let wanted = match &target {
            Target::Node { node, .. } => Some(*node),
            Target::Fixed(_) => None,
        };
        let reached = match self.candidates(target).await {
            Ok(addresses) => {
                let _place = self.dialling.acquire().await;
                dial::race(self.id, wanted, addresses).await
            }
            Err(failure) => Err(failure),
        };
        // From here on there is nothing to abort.
        lock(&self.dials).remove(&dial);
        match reached {
            Ok(established) => self.run_link(established, Origin::Dialled(dial)).await,
            Err(failure) => {
                self.with_brain(|brain, now| brain.handle_dial_failed(now, dial, failure));
                if let Some(node) = wanted {
                    self.not_there(node, failure);
                }
            }
        }
    }

    async fn candidates(&self, target: Target) -> Result<Vec<SocketAddr>, DialFailure> {
        let addresses = match target {
            Target::Node { addresses, .. } => addresses,
            Target::Fixed(FixedId(index)) => {
                let fixed = usize::try_from(index)
                    .ok()
                    .and_then(|index| self.fixed.get(index));
                let seed = fixed.ok_or(DialFailure::Unresolved)?;
                let addresses = seed.resolve().await?;
                if seed.is_ordered() {
                    return Ok(addresses);
                }
                addresses
            }
        };
        Ok(Interfaces::now().order(&addresses))
    }

    /// Nobody, or somebody else, answers where a node of this machine said it would be: its file is a leftover.
    fn not_there(&self, node: NodeId, failure: DialFailure) {
        if matches!(failure, DialFailure::Refused | DialFailure::OtherNode) {
            let removed = lock(&self.rendezvous)
                .as_mut()
                .is_some_and(|rendezvous| rendezvous.remove_stale(node));
            if removed {
                self.records(Source::Machine, Vec::new(), &[node]);
            }
        }
    }

    async fn run_link(self: Arc<Self>, established: Established, origin: Origin) {
        let link = LinkId(self.next_link.fetch_add(1, Ordering::Relaxed));
        let handle = Arc::new(LinkHandle::default());
        lock(&self.links).insert(link, handle.clone());
        let remote = established.remote;
        self.with_brain(|brain, now| brain.handle_link_up(now, link, origin, remote));
        if !self.is_running() {
            // Nobody carries out what the brain says to it.
            handle.close();
        }
        link::run(self, link, handle, established).await;
    }

    /// Looks whether an interface came or went: others are told other addresses from then on, and who could not be reached may be now.
    fn look_around(&self) {
        let interfaces = Interfaces::now();
        let working = interfaces.working();
        if std::mem::replace(&mut *lock(&self.working), working.clone()) == working {
            return;
        }
        let addresses = tellable(&interfaces, &self.advertise, &self.interfaces, self.address);
        self.with_brain(|brain, now| brain.handle_network_change(now, addresses));
    }

    fn scan(&self) {
        let scanned = lock(&self.rendezvous).as_mut().map(Rendezvous::scan);
        if let Some((came, gone)) = scanned
            && !(came.is_empty() && gone.is_empty())
        {
            self.records(Source::Machine, came, &gone);
        }
    }

    fn is_running(&self) -> bool {
        *lock(&self.stage) == Stage::Running
    }
}

/// The node's task: from its start to its last goodbye.
async fn run(node: Arc<NodeControl>, listener: TcpListener, presence: Option<Presence>) {
    let accepting = tokio::spawn(listen::accept(node.clone(), listener));
    node.scan();
    let mut scans = tokio::time::interval_at(tokio::time::Instant::now() + SCAN_EVERY, SCAN_EVERY);
    scans.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while node.is_running() {
        let due = node.pump();
        tokio::select! {
            () = node.stirred.notified() => {}
            () = until(due) => node.with_brain(Brain::handle_timeout),
            _ = scans.tick() => {
                node.scan();
                node.look_around();
            }
        }
    }
    accepting.abort();
    node.pump();
    let goodbye = async {
        if let Some(original) = &node.original {
            original.leave(node.id).await;
        }
        node.mdns.leave(node.id).await;
        while !lock(&node.links).is_empty() {
            // The brain may be told to leave only after the loop above has seen that the node is leaving.
            node.pump();
            node.stirred.notified().await;
        }
    };
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    for (_, dial) in lock(&node.dials).drain() {
        dial.abort();
    }
    lock(&node.wants).clear();
    *lock(&node.provided) = Provided::default();
    lock(&node.trunks).clear();
    *lock(&node.stage) = Stage::Ended;
    node.ended.notify_all();
    drop(presence);
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

fn brain(config: &ControlConfig, host: &str, address: SocketAddr) -> (Brain, IpAddr) {
    let unix = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let everywhere = address.ip().is_unspecified();
    let own_address = if everywhere {
        Ipv4Addr::LOCALHOST.into()
    } else {
        address.ip()
    };
    let chosen = Choice::new(&config.interfaces);
    let addresses = tellable(&Interfaces::now(), &config.advertise, &chosen, address);
    let brain = Brain::new(
        Config {
            node: config.id,
            name: config.name.clone(),
            host: host.to_owned(),
            namespace: config.namespace.clone(),
            port: address.port(),
            hub: config.hub,
            addresses,
            own_address,
            unix_ns: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX),
        },
        Instant::now(),
    );
    (brain, own_address)
}

/// The addresses that others may be told.
fn tellable(
    interfaces: &Interfaces,
    advertise: &[IpAddr],
    chosen: &Choice,
    listens: SocketAddr,
) -> Vec<IpAddr> {
    match (advertise, listens.ip().is_unspecified()) {
        ([], true) => interfaces.for_others(chosen),
        ([], false) => vec![listens.ip()],
        (advertised, _) => advertised.to_vec(),
    }
}

/// Nothing that the rest of the library does may end the thread of all nodes.
fn contained(call: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(call)).is_err() {
        tracing::error!("a callback of the control plane panicked");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
