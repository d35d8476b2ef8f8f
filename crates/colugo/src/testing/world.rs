//! `VirtualWorld`: one node's view of a virtual network, behind the trait that handles use.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use colugo_graph::{Kind, MatchKind, Topic};
use colugo_socket::{Inbox, Message as RawMessage, RecvError as RawRecvError};

use super::net::{Announced, Job, Shared, Wanted, endpoint_of};
use super::socket::VirtualSocket;
use crate::error::BuildError;
use crate::executor::Task;
use crate::graph::Graph;
use crate::sync::Signal;
use crate::timers::Timed;
use crate::transport::{DataSocket, Found, SocketSpec, World};

/// When virtual time begins, in nanoseconds since the Unix epoch: some day in 2023.
const EPOCH_NS: u64 = 1_700_000_000_000_000_000;

pub(super) fn wall_ns(net: &Shared) -> u64 {
    EPOCH_NS.saturating_add(u64::try_from(net.passed().as_nanos()).unwrap_or(u64::MAX))
}

#[derive(Debug)]
pub(super) struct VirtualWorld {
    net: Arc<Shared>,
    node: usize,
}

impl VirtualWorld {
    pub(super) fn new(net: Arc<Shared>, node: usize) -> Self {
        Self { net, node }
    }

    /// Tells everybody who wants it of something announced here, or withdrawn.
    fn tell_of(&self, topic: &str, kind: Kind, port: u16, what: MatchKind) {
        let jobs = self.net.with(|state| {
            let who: Vec<usize> = std::iter::once(self.node)
                .chain(state.seen_from(self.node))
                .collect();
            let wants = who
                .iter()
                .filter_map(|at| state.nodes.get(*at))
                .flat_map(|node| &node.wanted);
            let told = wants.filter(|want| want.kind == kind && want.topic == topic);
            told.map(|want| {
                Job::Match(
                    want.on_match.clone(),
                    Found {
                        endpoint: endpoint_of(self.node, port),
                        control: None,
                        kind: what,
                    },
                )
            })
            .collect::<Vec<_>>()
        });
        self.net.happen(jobs);
    }
}

impl World for VirtualWorld {
    fn now(&self) -> Instant {
        self.net.now()
    }

    fn wall_ns(&self) -> u64 {
        wall_ns(&self.net)
    }

    fn at(&self, due: Instant, what: Weak<dyn Timed>) {
        self.net.at(due, what);
    }

    fn wait(&self, _: &Signal, deadline: Option<Instant>, done: &dyn Fn() -> bool) -> bool {
        self.net.pass_until(deadline, done)
    }

    fn recv(&self, inbox: &Inbox, timeout: Option<Duration>) -> Result<RawMessage, RawRecvError> {
        let deadline = timeout.and_then(|timeout| self.deadline(timeout));
        let taken = std::cell::Cell::new(None);
        self.net.pass_until(deadline, &|| match inbox.try_recv() {
            Err(RawRecvError::TimedOut) => false,
            received => {
                taken.set(Some(received));
                true
            }
        });
        taken.take().unwrap_or(Err(RawRecvError::TimedOut))
    }

    fn run_task(&self, task: Arc<Task>) -> Option<Arc<Task>> {
        self.net.happen([Job::Run(task)]);
        None
    }

    fn is_virtual(&self) -> bool {
        true
    }

    fn advance(&self, by: Duration) {
        self.net.advance(by);
    }

    fn open(&self, spec: SocketSpec) -> Result<Arc<dyn DataSocket>, BuildError> {
        Ok(VirtualSocket::open(&self.net, self.node, spec))
    }

    fn listen_host(&self) -> &'static str {
        "*"
    }

    fn announce(
        &self,
        topic: &Topic,
        kind: Kind,
        port: u16,
        encoding: &str,
        _: &Arc<dyn DataSocket>,
    ) -> u64 {
        let id = self.net.fresh_id();
        let announced = Announced {
            id,
            topic: topic.to_string(),
            kind,
            port,
            encoding: encoding.to_owned(),
        };
        self.net.with(|state| {
            if let Some(node) = state.nodes.get_mut(self.node) {
                node.announced.push(announced);
            }
        });
        self.tell_of(topic.as_str(), kind, port, MatchKind::Found);
        id
    }

    fn withdraw(&self, announcement: u64) {
        let gone = self.net.with(|state| {
            let announced = &mut state.nodes.get_mut(self.node)?.announced;
            let at = announced.iter().position(|one| one.id == announcement)?;
            Some(announced.remove(at))
        });
        if let Some(gone) = gone {
            self.tell_of(&gone.topic, gone.kind, gone.port, MatchKind::Withdrawn);
        }
    }

    fn want(&self, topic: &Topic, kind: Kind, on_match: Arc<dyn Fn(Found) + Send + Sync>) -> u64 {
        let id = self.net.fresh_id();
        let jobs = self.net.with(|state| {
            let who: Vec<usize> = std::iter::once(self.node)
                .chain(state.seen_from(self.node))
                .collect();
            let mut jobs = Vec::new();
            for at in who {
                let Some(node) = state.nodes.get(at) else {
                    continue;
                };
                let found = node
                    .announced
                    .iter()
                    .filter(|one| one.kind == kind && one.topic == topic.as_str());
                jobs.extend(found.map(|one| {
                    Job::Match(
                        on_match.clone(),
                        Found {
                            endpoint: endpoint_of(at, one.port),
                            control: None,
                            kind: MatchKind::Found,
                        },
                    )
                }));
            }
            if let Some(node) = state.nodes.get_mut(self.node) {
                node.wanted.push(Wanted {
                    id,
                    topic: topic.to_string(),
                    kind,
                    on_match,
                });
            }
            jobs
        });
        self.net.happen(jobs);
        id
    }

    fn unwant(&self, want: u64) {
        let gone = self.net.with(|state| {
            let wanted = &mut state.nodes.get_mut(self.node)?.wanted;
            let at = wanted.iter().position(|one| one.id == want)?;
            Some(wanted.remove(at))
        });
        drop(gone);
    }

    fn graph(&self) -> Graph {
        self.net.graph(self.node)
    }

    fn address(&self) -> Option<SocketAddr> {
        None
    }

    fn close(&self) {
        self.net.leave(self.node);
    }
}
