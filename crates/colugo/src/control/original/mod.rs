//! `Original`: the original's records, for all nodes of the process together: shows their sockets to the original's nodes and to plain
//! ZeroMQ programs that look for them, and finds theirs.
//!
//! Knows the nodes and what they offer; when to announce, ask and answer is in `engine`, what records mean in `record`. Has
//! sockets of its own beside the daemon of `mdns`, which cannot have names with dots.

mod engine;
mod heard;
mod ports;
mod record;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use colugo_graph::{Announcement, Kind, NodeId, Outsider};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};

use super::GraphEvent;
use super::choice::Choice;
use super::node::NodeControl;
#[cfg(fuzzing)]
pub use heard::outsiders_from_packets;
use heard::{Change, Heard};
use record::OwnSocket;

/// Sockets of one node that are shown.
const SHOWN_MAX: usize = 64;

/// Who sends what the engine fails at may do so again and again.
const RESTART_AFTER: Duration = Duration::from_secs(1);

pub(super) struct Original {
    runtime: Handle,
    state: Mutex<State>,
    /// What is to be shown has changed.
    stirred: Notify,
    /// Goodbyes are out.
    said: Notify,
    #[cfg(test)]
    breaks: std::sync::atomic::AtomicBool,
}

/// Starts the engine, and again should it panic: a packet of somebody's may not end for good what others see of us and we of them.
async fn keep_running(original: Arc<Original>) {
    loop {
        // Ends with this task.
        let mut engine = JoinSet::new();
        engine.spawn(engine::run(original.clone()));
        let why = match engine.join_next().await {
            Some(Err(error)) => error.to_string(),
            _ => "it ended".to_owned(),
        };
        tracing::error!(
            why,
            "the original's records are not shown or read for a moment"
        );
        original.failed(format!("the task of the original's records ended: {why}"));
        tokio::time::sleep(RESTART_AFTER).await;
        for node in original.nodes() {
            node.tell(GraphEvent::DiscoveryRestored);
        }
    }
}

#[derive(Default)]
struct State {
    members: HashMap<NodeId, Member>,
    /// What others show: for nodes that start later.
    known: Vec<Outsider>,
    /// Sockets that are closed and were shown, with the address that was.
    leaving: Vec<(OwnSocket, Shown)>,
    /// Nodes that offer something else than they did.
    changed: BTreeSet<NodeId>,
    task: Option<AbortHandle>,
}

struct Member {
    node: Weak<NodeControl>,
    shown: Shown,
    sockets: BTreeSet<OwnSocket>,
    too_many_told: bool,
    unfit_told: bool,
}

/// Where and with which address a node's sockets are shown.
#[derive(Clone, Default)]
pub(super) struct Shown {
    pub(super) interfaces: Choice,
    /// Instead of the interface's own.
    pub(super) advertise: Vec<IpAddr>,
}

impl Shown {
    /// The one address of a packet on this interface.
    fn address(&self, interface: &str, own: Ipv4Addr) -> Option<Ipv4Addr> {
        if !self.interfaces.takes(interface, own.into()) {
            return None;
        }
        let advertised = self.advertise.iter().find_map(|ip| match ip {
            IpAddr::V4(ip) => Some(*ip),
            IpAddr::V6(_) => None,
        });
        advertised.or(Some(own))
    }
}

impl Original {
    pub(super) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            state: Mutex::default(),
            stirred: Notify::new(),
            said: Notify::new(),
            #[cfg(test)]
            breaks: Default::default(),
        }
    }

    /// Tells a node from now on what others show.
    pub(super) fn join(self: &Arc<Self>, id: NodeId, node: &Arc<NodeControl>, shown: Shown) {
        let mut state = self.state();
        let known = state.known.clone();
        state.members.insert(
            id,
            Member {
                node: Arc::downgrade(node),
                shown,
                sockets: BTreeSet::new(),
                too_many_told: false,
                unfit_told: false,
            },
        );
        if state.task.is_none() {
            state.task = Some(
                self.runtime
                    .spawn(keep_running(self.clone()))
                    .abort_handle(),
            );
        }
        drop(state);
        node.outsiders(known, &[]);
        self.stirred.notify_one();
    }

    /// A node offers something more, or less.
    pub(super) fn changed(&self, id: NodeId) {
        let mut state = self.state();
        if state.members.contains_key(&id) && state.changed.insert(id) {
            drop(state);
            self.stirred.notify_one();
        }
    }

    /// Asks those that have changed what they offer now.
    fn gather(&self) {
        let nodes: Vec<_> = {
            let mut state = self.state();
            let changed = std::mem::take(&mut state.changed);
            let node = |id| {
                let member: &Member = state.members.get(&id)?;
                Some((id, member.node.upgrade()?))
            };
            changed.into_iter().filter_map(node).collect()
        };
        for (id, node) in nodes {
            self.update(id, &node.offers());
        }
    }

    fn update(&self, id: NodeId, offers: &[Announcement]) {
        let mut state = self.state();
        let State {
            members, leaving, ..
        } = &mut *state;
        let Some(member) = members.get_mut(&id) else {
            return;
        };
        let offers = offers
            .iter()
            .filter(|offer| matches!(offer.kind, Kind::Publisher | Kind::Server));
        let own = offers.map(|offer| OwnSocket {
            node: id,
            kind: offer.kind,
            topic: offer.topic.clone(),
            port: offer.port,
        });
        let (fit, unfit): (Vec<_>, Vec<_>) = own.partition(OwnSocket::can_be_shown);
        let mut sockets: BTreeSet<_> = fit.into_iter().collect();
        if let Some(unfit) = unfit.first()
            && !std::mem::replace(&mut member.unfit_told, true)
        {
            tracing::info!(topic = %unfit.topic, "programs that know the original's records alone can't find names with a `_`, or of over 63 characters without a dot");
        }
        if sockets.len() > SHOWN_MAX {
            if !std::mem::replace(&mut member.too_many_told, true) {
                tracing::warn!(
                    "only {SHOWN_MAX} of {} publishers and servers are shown to programs that know the original's records alone",
                    sockets.len()
                );
            }
            // Those that are shown stay so.
            let mut kept: BTreeSet<_> = sockets.intersection(&member.sockets).cloned().collect();
            for socket in sockets {
                if kept.len() < SHOWN_MAX {
                    kept.insert(socket);
                }
            }
            sockets = kept;
        }
        let before = std::mem::replace(&mut member.sockets, sockets);
        let gone = before.difference(&member.sockets);
        leaving.extend(gone.map(|socket| (socket.clone(), member.shown.clone())));
    }

    /// Says goodbye for a node's sockets.
    pub(super) async fn leave(&self, id: NodeId) {
        {
            let mut state = self.state();
            let Some(member) = state.members.remove(&id) else {
                return;
            };
            let Member { sockets, shown, .. } = member;
            let gone = sockets.into_iter().map(|socket| (socket, shown.clone()));
            state.leaving.extend(gone);
        }
        self.stirred.notify_one();
        loop {
            let said = self.said.notified();
            {
                let mut state = self.state();
                if state.leaving.is_empty() {
                    if state.members.is_empty() {
                        state.known.clear();
                        if let Some(task) = state.task.take() {
                            task.abort();
                        }
                    }
                    return;
                }
            }
            said.await;
        }
    }

    /// Its engine has failed: what it has heard is forgotten, and will be asked for again.
    fn failed(&self, reason: String) {
        let known = std::mem::take(&mut self.state().known);
        let gone: Vec<_> = known
            .into_iter()
            .map(|it| (it.node, it.kind, it.topic))
            .collect();
        for node in self.nodes() {
            node.tell(GraphEvent::DiscoveryFailed {
                reason: reason.clone(),
            });
            node.outsiders(Vec::new(), &gone);
        }
    }

    fn nodes(&self) -> Vec<Arc<NodeControl>> {
        let state = self.state();
        let members = state.members.values();
        members.filter_map(|member| member.node.upgrade()).collect()
    }

    /// Has its engine fail the next time it does something.
    #[cfg(test)]
    pub(super) fn break_engine(&self) {
        self.breaks
            .store(true, std::sync::atomic::Ordering::Relaxed);
        self.stirred.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, changes: &[Change], heard: &Heard) {
        if changes.is_empty() {
            return;
        }
        self.state().known = heard.shown();
        for node in self.nodes() {
            let (mut came, mut gone) = (Vec::new(), Vec::new());
            for change in changes {
                match change {
                    Change::Came(outsider) => came.push(outsider.clone()),
                    Change::Gone(id, kind, topic) => gone.push((*id, *kind, topic.clone())),
                }
            }
            node.outsiders(came, &gone);
        }
    }

    /// The interfaces that any member may use.
    fn choice(&self) -> Choice {
        let state = self.state();
        let members = state.members.values();
        Choice::any_of(members.map(|member| &member.shown.interfaces))
    }

    fn own(&self) -> BTreeMap<OwnSocket, Shown> {
        let state = self.state();
        let members = state.members.values();
        let own = members.flat_map(|member| {
            let sockets = member.sockets.iter();
            sockets.map(|socket| (socket.clone(), member.shown.clone()))
        });
        own.collect()
    }
}
