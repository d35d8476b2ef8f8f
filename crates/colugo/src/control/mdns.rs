//! `Mdns`: node records over multicast DNS, for all nodes of the process together.
//!
//! Knows the `mdns-sd` daemon and how to start it again when it dies; does not know what a record is good for. The daemon
//! has a thread of its own, which exists only while a node wants to be found.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use colugo_graph::{NodeId, NodeRecord, SERVICE_TYPE, Source, Version, limits};
use mdns_sd::{
    DaemonEvent, IfKind, Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent,
    ServiceInfo, TxtProperties,
};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::choice::Choice;
use super::node::NodeControl;
use super::{ControlConfig, GraphEvent};

/// The pauses between attempts to start a daemon that does not start.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(3));

/// How often addresses that came and went are looked for, in seconds.
const IP_CHECK_S: u32 = 1;

pub(super) struct Mdns {
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    members: HashMap<NodeId, Member>,
    /// Records heard so far: for nodes of this process that start later.
    known: HashMap<NodeId, NodeRecord>,
    daemon: Option<ServiceDaemon>,
    /// The interfaces that the daemon uses.
    chosen: Choice,
    task: Option<AbortHandle>,
}

impl State {
    /// The daemon is one for all nodes: it uses what any of them may use.
    fn choose_interfaces(&mut self) {
        let Some(daemon) = &self.daemon else {
            return;
        };
        let members = self.members.values();
        let chosen = Choice::any_of(members.map(|member| &member.registration.interfaces));
        if chosen == self.chosen {
            return;
        }
        let kinds = |words: &BTreeSet<String>| {
            let kind = |word: &String| {
                word.parse()
                    .map_or_else(|_| IfKind::Name(word.clone()), IfKind::Addr)
            };
            words.iter().map(kind).collect::<Vec<_>>()
        };
        // What is said later counts more.
        let allowed = if chosen.allowed.is_empty() {
            daemon.enable_interface(IfKind::All)
        } else {
            daemon
                .disable_interface(IfKind::All)
                .and_then(|()| daemon.enable_interface(kinds(&chosen.allowed)))
        };
        let applied = allowed.and_then(|()| daemon.disable_interface(kinds(&chosen.denied)));
        if let Err(error) = applied {
            tracing::warn!(%error, "mDNS does not take the choice of interfaces");
        }
        self.chosen = chosen;
    }
}

struct Member {
    node: Weak<NodeControl>,
    registration: Registration,
}

/// What a node wants to be known of it.
pub(super) struct Registration {
    node: NodeId,
    port: u16,
    txt: Vec<(String, String)>,
    /// Empty: those of the interfaces, on each interface its own.
    addresses: Vec<IpAddr>,
    interfaces: Choice,
}

impl Registration {
    pub(super) fn new(config: &ControlConfig, host: &str, listens: SocketAddr) -> Self {
        let bound = (!listens.ip().is_unspecified()).then(|| listens.ip());
        let addresses = if config.advertise.is_empty() {
            bound.into_iter().collect()
        } else {
            config.advertise.clone()
        };
        Self {
            node: config.id,
            port: listens.port(),
            txt: NodeRecord::txt(
                Version::OURS,
                &config.namespace,
                &config.name,
                host,
                config.hub,
            ),
            addresses,
            interfaces: Choice::new(&config.interfaces),
        }
    }

    fn service_info(&self) -> Result<ServiceInfo, mdns_sd::Error> {
        let instance = self.node.to_string();
        let host = format!("{instance}.local.");
        let txt: Vec<_> = self
            .txt
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let mut info = ServiceInfo::new(
            SERVICE_TYPE,
            &instance,
            &host,
            &*self.addresses,
            self.port,
            &*txt,
        )?;
        if self.addresses.is_empty() {
            info = info.enable_addr_auto();
        }
        // The id is random: there is nothing to probe for, and probing would cost most of a second.
        info.set_requires_probe(false);
        Ok(info)
    }
}

impl Mdns {
    pub(super) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            state: Mutex::default(),
        }
    }

    /// Makes a node known, and tells it of others from now on.
    pub(super) fn join(self: &Arc<Self>, node: &Arc<NodeControl>, registration: Registration) {
        let mut state = self.state();
        let known = state.known.values().cloned().collect();
        if let Some(daemon) = &state.daemon {
            register(daemon, &registration);
        }
        state.members.insert(
            registration.node,
            Member {
                node: Arc::downgrade(node),
                registration,
            },
        );
        state.choose_interfaces();
        if state.task.is_none() {
            state.task = Some(self.runtime.spawn(run(self.clone())).abort_handle());
        }
        drop(state);
        node.records(Source::Mdns, known, &[]);
    }

    /// Says goodbye for a node. The daemon ends with the last one.
    pub(super) async fn leave(&self, node: NodeId) {
        let (daemon, last) = {
            let mut state = self.state();
            if state.members.remove(&node).is_none() {
                return;
            }
            let last = state.members.is_empty();
            if last {
                state.known.clear();
                if let Some(task) = state.task.take() {
                    task.abort();
                }
            }
            (
                if last {
                    state.daemon.take()
                } else {
                    state.daemon.clone()
                },
                last,
            )
        };
        let Some(daemon) = daemon else {
            return;
        };
        // Both before anything is waited for: the wait may be cut short, and a daemon that is not told to end never does.
        let unregistered = daemon.unregister(&format!("{node}.{SERVICE_TYPE}"));
        let down = last.then(|| daemon.shutdown());
        if let Ok(unregistered) = unregistered {
            let _ = unregistered.recv_async().await;
        }
        if let Some(Ok(down)) = down {
            let _ = down.recv_async().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn members(&self) -> Vec<Arc<NodeControl>> {
        self.state()
            .members
            .values()
            .filter_map(|member| member.node.upgrade())
            .collect()
    }

    fn tell(&self, event: &GraphEvent) {
        self.members()
            .iter()
            .for_each(|node| node.tell(event.clone()));
    }

    /// Ends the daemon as if it had died.
    #[cfg(test)]
    pub(super) fn break_daemon(&self) {
        if let Some(daemon) = &self.state().daemon {
            let _ = daemon.shutdown();
        }
    }

    /// Starts the daemon with all that is to be known.
    fn start(&self) -> Result<(Receiver<ServiceEvent>, Receiver<DaemonEvent>), mdns_sd::Error> {
        let daemon = ServiceDaemon::new()?;
        let mut state = self.state();
        daemon.set_ip_check_interval(IP_CHECK_S)?;
        state.chosen = Choice::default();
        state.daemon = Some(daemon.clone());
        state.choose_interfaces();
        // After that: an interface that is not to be used has not gone.
        let monitor = daemon.monitor()?;
        for member in state.members.values() {
            register(&daemon, &member.registration);
        }
        let records = daemon.browse(SERVICE_TYPE)?;
        Ok((records, monitor))
    }

    fn on_record(&self, event: ServiceEvent) {
        tracing::trace!(?event, "mDNS");
        let (came, gone) = match event {
            ServiceEvent::ServiceResolved(service) => match read(&service) {
                Some(record) => (Some(record), None),
                None => return,
            },
            ServiceEvent::ServiceRemoved(_, name) => (None, instance(&name).parse::<NodeId>().ok()),
            _ => return,
        };
        let mut state = self.state();
        if let Some(gone) = &gone {
            state.known.remove(gone);
        }
        if let Some(record) = &came
            && (state.known.len() < limits::PEERS || state.known.contains_key(&record.node))
        {
            state.known.insert(record.node, record.clone());
        }
        drop(state);
        for node in self.members() {
            node.records(
                Source::Mdns,
                came.iter().cloned().collect(),
                gone.as_slice(),
            );
        }
    }

    fn no_interface(&self) -> String {
        let chosen = &self.state().chosen;
        if chosen.allowed.is_empty() {
            "no network interface takes multicast: all are down, or the process has no file descriptors left".to_owned()
        } else {
            let words: Vec<_> = chosen.allowed.iter().map(String::as_str).collect();
            format!(
                "no interface of this machine is one of {}",
                words.join(", ")
            )
        }
    }

    fn on_daemon(&self, event: DaemonEvent) {
        match event {
            DaemonEvent::IpAdd(address) => self.tell(&GraphEvent::InterfaceAdded(address)),
            DaemonEvent::IpDel(address) => self.tell(&GraphEvent::InterfaceRemoved(address)),
            DaemonEvent::Error(error) => tracing::debug!(%error, "mDNS"),
            other => tracing::trace!(event = ?other, "mDNS"),
        }
    }
}

/// Keeps a daemon running and passes on what it hears.
async fn run(mdns: Arc<Mdns>) {
    let mut pause = RETRY.0;
    let mut failed = false;
    loop {
        let reason = match mdns.start() {
            Ok((records, monitor)) => {
                let worked = || {
                    pause = RETRY.0;
                    if std::mem::take(&mut failed) {
                        mdns.tell(&GraphEvent::DiscoveryRestored);
                    }
                };
                listen(&mdns, &records, &monitor, worked).await
            }
            Err(error) => error.to_string(),
        };
        if let Some(daemon) = mdns.state().daemon.take() {
            let _ = daemon.shutdown();
        }
        if !std::mem::replace(&mut failed, true) {
            tracing::debug!(reason, "multicast discovery does not work");
            mdns.tell(&GraphEvent::DiscoveryFailed { reason });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY.1);
    }
}

/// Passes on what a daemon hears until it is of no more use, and returns why. `worked` is called when it is in use.
async fn listen(
    mdns: &Mdns,
    records: &Receiver<ServiceEvent>,
    monitor: &Receiver<DaemonEvent>,
    mut worked: impl FnMut(),
) -> String {
    const ENDED: &str = "the mDNS daemon has ended";
    loop {
        tokio::select! {
            event = records.recv_async() => match event {
                // The only place where the daemon says that it has found no interface, or could open no socket.
                Ok(ServiceEvent::SearchStarted(on)) if on.contains(" on 0 interfaces") => return mdns.no_interface(),
                Ok(ServiceEvent::SearchStarted(_)) => worked(),
                Ok(event) => mdns.on_record(event),
                Err(_) => return ENDED.to_owned(),
            },
            event = monitor.recv_async() => match event {
                Ok(event) => mdns.on_daemon(event),
                Err(_) => return ENDED.to_owned(),
            },
        }
    }
}

fn register(daemon: &ServiceDaemon, registration: &Registration) {
    let registered = registration
        .service_info()
        .and_then(|info| daemon.register(info));
    if let Err(error) = registered {
        tracing::warn!(%error, "the node is not announced by mDNS");
    }
}

fn read(service: &ResolvedService) -> Option<NodeRecord> {
    record(
        service.get_fullname(),
        service.get_port(),
        service.get_addresses(),
        service.get_properties(),
    )
}

fn record<'a>(
    full_name: &str,
    port: u16,
    addresses: impl IntoIterator<Item = &'a ScopedIp>,
    txt: &TxtProperties,
) -> Option<NodeRecord> {
    let addresses = addresses.into_iter().map(|address| match address {
        // Only there an address means nothing without its interface.
        ScopedIp::V6(v6) if v6.addr().is_unicast_link_local() => {
            SocketAddrV6::new(*v6.addr(), port, 0, v6.scope_id().index).into()
        }
        other => SocketAddr::new(other.to_ip_addr(), port),
    });
    let txt = txt
        .iter()
        .map(|pair| (pair.key(), pair.val().unwrap_or_default()));
    NodeRecord::parse(instance(full_name), txt, addresses)
        .inspect_err(|error| tracing::debug!(name = full_name, %error, "not a node record"))
        .ok()
}

/// What becomes of a service whose TXT record has these octets: for a fuzz target.
#[cfg(fuzzing)]
pub fn record_from_octets(
    full_name: &str,
    port: u16,
    addresses: &[IpAddr],
    txt: &[u8],
) -> Option<NodeRecord> {
    let addresses: Vec<ScopedIp> = addresses.iter().map(|address| (*address).into()).collect();
    record(full_name, port, &addresses, &txt.into())
}

fn instance(full_name: &str) -> &str {
    full_name.split('.').next().unwrap_or_default()
}
