//! `VirtualSocket`: a ZeroMQ socket of the virtual network. Links are pairs of numbers; a message goes from one side's `send` to the other side's
//! queue or handler with nothing in between.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use colugo_socket::{
    BindError, ConnectError, Endpoint, LinkId, Message as RawMessage, MessageRef, Meta, Outgoing,
    Overflow, SendError, Sent,
};

use super::net::{Job, Shared, address_of, endpoint_of};
use crate::peer::Peer;
use crate::stats::Stats;
use crate::sync::lock;
use crate::transport::{DataSocket, Packed, Receive, Receiver, Role, SocketSpec, Trouble};

const MAX_MESSAGE: usize = 64 << 20;

pub(super) struct VirtualSocket {
    me: Weak<Self>,
    net: Arc<Shared>,
    node: usize,
    role: Role,
    prefix: Bytes,
    max_message: usize,
    /// How long a sender waits for room.
    patience: Option<Duration>,
    on_trouble: Arc<dyn Fn(Trouble) + Send + Sync>,
    receive: Mutex<Option<Inlet>>,
    state: Mutex<State>,
}

enum Inlet {
    Inbox(
        Arc<colugo_socket::Inbox>,
        Arc<dyn crate::transport::LinkObserver>,
    ),
    Inline(Box<dyn Receiver>),
}

#[derive(Default)]
struct State {
    links: Vec<Link>,
    dialling: Vec<String>,
    bound: Vec<u16>,
    closed: bool,
    seq: u64,
    stats: Stats,
}

#[derive(Clone)]
struct Link {
    id: LinkId,
    there: LinkId,
    other: Weak<VirtualSocket>,
    endpoint: Option<String>,
}

impl fmt::Debug for VirtualSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualSocket")
            .field("node", &self.node)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl VirtualSocket {
    pub(super) fn open(net: &Arc<Shared>, node: usize, spec: SocketSpec) -> Arc<Self> {
        let socket = Arc::new_cyclic(|me: &Weak<Self>| Self {
            me: me.clone(),
            net: net.clone(),
            node,
            role: spec.role,
            prefix: spec.prefix,
            max_message: spec.max_message.unwrap_or(MAX_MESSAGE),
            patience: match spec.overflow {
                Some(Overflow::Block(patience)) => Some(patience),
                _ => None,
            },
            on_trouble: spec.on_trouble,
            receive: Mutex::new(Some(match spec.receive {
                Receive::Inbox(inbox, observer) => Inlet::Inbox(inbox, observer),
                Receive::Inline(receiver) => Inlet::Inline(receiver),
            })),
            state: Mutex::default(),
        });
        net.with(|state| state.sockets.push(Arc::downgrade(&socket)));
        socket
    }

    /// Whether its handler is on the stack of a callback that waits.
    pub(super) fn is_busy(&self) -> bool {
        lock(&self.receive).is_none()
    }

    /// Takes the handler out while it works, so that what it causes can find it busy.
    fn with_inlet(&self, work: impl FnOnce(&mut Inlet)) {
        let Some(mut inlet) = lock(&self.receive).take() else {
            return;
        };
        work(&mut inlet);
        *lock(&self.receive) = Some(inlet);
    }

    pub(super) fn up(&self, peer: Arc<Peer>) {
        self.with_inlet(|inlet| match inlet {
            Inlet::Inbox(_, observer) => observer.up(peer),
            Inlet::Inline(receiver) => receiver.up(peer),
        });
    }

    pub(super) fn down(&self, link: LinkId, reason: &str) {
        self.with_inlet(|inlet| match inlet {
            Inlet::Inbox(_, observer) => observer.down(link, reason),
            Inlet::Inline(receiver) => receiver.down(link, reason),
        });
    }

    pub(super) fn command(&self, link: LinkId, name: &[u8], data: &[u8]) {
        self.with_inlet(|inlet| {
            if let Inlet::Inline(receiver) = inlet {
                receiver.command(link, name, data);
            }
        });
    }

    pub(super) fn deliver(&self, message: RawMessage) {
        self.with_inlet(|inlet| match inlet {
            Inlet::Inbox(inbox, _) => {
                let taken = inbox.push(self.named(message)).is_ok();
                self.note_received(taken);
            }
            Inlet::Inline(receiver) => {
                self.note_received(true);
                receiver.message(message.link(), MessageRef::from(&message));
                receiver.batch_end();
            }
        });
    }

    fn note_received(&self, taken: bool) {
        {
            let mut state = lock(&self.state);
            state.stats.received += u64::from(taken);
            state.stats.lost += u64::from(!taken);
        }
        if !taken {
            (self.on_trouble)(Trouble::Lost(1));
        }
    }

    /// A ROUTER's inbox gets the sender's identity in front.
    fn named(&self, message: RawMessage) -> RawMessage {
        if self.role != Role::Router {
            return message;
        }
        let (from, meta) = (message.link(), message.meta());
        let mut frames = vec![Bytes::copy_from_slice(&from.as_u64().to_be_bytes())];
        frames.extend(message.into_frames());
        RawMessage::multipart(frames).with_origin(from, meta)
    }

    /// Puts a message straight into a queue, so that the sender learns whether there was room. If not, it may try again.
    fn push_now(&self, message: RawMessage) -> Option<bool> {
        let inbox = match &*lock(&self.receive) {
            Some(Inlet::Inbox(inbox, _)) => inbox.clone(),
            _ => return None,
        };
        let taken = inbox.push(self.named(message)).is_ok();
        if taken {
            self.note_received(true);
        }
        Some(taken)
    }

    /// Sends over one link; waits for room, if that is the policy. False: there was none.
    fn pass_patiently(&self, link: &Link, frames: &[Bytes], meta: Option<Meta>) -> bool {
        let now = || self.pass(link, frames.to_vec(), meta);
        let taken = now()
            || self.patience.is_some_and(|patience| {
                let deadline = self.net.now().checked_add(patience);
                self.net.pass_until(deadline, &now)
            });
        if !taken {
            let mut state = lock(&self.state);
            let dropped = &mut state.stats.dropped;
            match self.patience {
                Some(_) => dropped.timeout += 1,
                None => dropped.full += 1,
            }
            drop(state);
            if let Some(other) = link.other.upgrade() {
                other.note_received(false);
            }
        }
        taken
    }

    /// Sends over one link. False: no room.
    fn pass(&self, link: &Link, frames: Vec<Bytes>, meta: Option<Meta>) -> bool {
        let Some(other) = link.other.upgrade() else {
            return false;
        };
        let message = RawMessage::multipart(frames).with_origin(link.there, meta);
        if self.net.is_quiet()
            && let Some(taken) = other.push_now(message.clone())
        {
            return taken;
        }
        self.net.happen([Job::Message(other, message)]);
        true
    }

    /// Dials what it is told to dial and is not connected to.
    pub(super) fn redial(&self) {
        let dialling = lock(&self.state).dialling.clone();
        dialling.iter().for_each(|endpoint| self.dial(endpoint));
    }

    fn dial(&self, endpoint: &str) {
        let Some((node, port)) = self.place_of(endpoint) else {
            return;
        };
        let there = self.net.with(|state| {
            let reachable = node == self.node || state.sees(self.node, node);
            let listener = reachable
                .then(|| state.listeners.get(&(node, port)).and_then(Weak::upgrade))
                .flatten();
            let ids =
                |state: &super::net::State, at: usize| state.nodes.get(at).map(|node| node.id);
            listener.map(|socket| (socket, ids(state, self.node), ids(state, node)))
        });
        let (Some((other, own_id, other_id)), Some(me)) = (there, self.me.upgrade()) else {
            return;
        };
        if lock(&self.state).closed
            || lock(&self.state)
                .links
                .iter()
                .any(|link| link.endpoint.as_deref() == Some(endpoint))
        {
            return;
        }
        if !compatible(self.role, other.role) {
            return;
        }
        let (here, there) = (
            LinkId::from_u64(self.net.fresh_id()),
            LinkId::from_u64(self.net.fresh_id()),
        );
        let address =
            |node: usize, port: u16| Some(SocketAddr::new(IpAddr::V4(address_of(node)), port));
        let peer = |link, node, addr, role: Role, outgoing| {
            Arc::new(Peer {
                link,
                node,
                addr,
                socket_type: word(role),
                outgoing,
            })
        };
        let link = |id, there, other: &Arc<Self>, endpoint| Link {
            id,
            there,
            other: Arc::downgrade(other),
            endpoint,
        };
        lock(&self.state)
            .links
            .push(link(here, there, &other, Some(endpoint.to_owned())));
        lock(&other.state).links.push(link(there, here, &me, None));
        let theirs = peer(there, own_id, address(self.node, 1), self.role, false);
        let ours = peer(here, other_id, address(node, port), other.role, true);
        self.net.happen([Job::Up(other, theirs), Job::Up(me, ours)]);
    }

    /// Node and port of an endpoint.
    fn place_of(&self, endpoint: &str) -> Option<(usize, u16)> {
        let (host, port) = endpoint.strip_prefix("tcp://")?.rsplit_once(':')?;
        let port = port.parse().ok()?;
        if matches!(host, "127.0.0.1" | "localhost" | "*" | "0.0.0.0" | "[::1]") {
            return Some((self.node, port));
        }
        let [10, 0, a, b] = host.parse::<std::net::Ipv4Addr>().ok()?.octets() else {
            return None;
        };
        let number = usize::from(u16::from_be_bytes([a, b]));
        Some((number.checked_sub(1)?, port))
    }

    /// Ends the links between nodes that `which` names; says what happens.
    pub(super) fn break_links(&self, which: &dyn Fn(usize, usize) -> bool) -> Vec<Job> {
        let (broken, me) = (
            self.remove_links(|link| {
                link.other
                    .upgrade()
                    .is_none_or(|other| which(self.node, other.node))
            }),
            self.me.upgrade(),
        );
        broken
            .iter()
            .zip(me.iter().cycle())
            .map(|(link, me)| Job::Down(me.clone(), link.id, "the network was cut"))
            .collect()
    }

    fn remove_links(&self, which: impl Fn(&Link) -> bool) -> Vec<Link> {
        let mut state = lock(&self.state);
        let (gone, kept) = std::mem::take(&mut state.links)
            .into_iter()
            .partition(|link| which(link));
        state.links = kept;
        gone
    }

    /// Ends links; both sides hear of it.
    fn end_links(&self, which: impl Fn(&Link) -> bool) {
        let mut jobs = Vec::new();
        for link in self.remove_links(which) {
            if let Some(other) = link.other.upgrade() {
                other.remove_links(|theirs| theirs.id == link.there);
                jobs.push(Job::Down(
                    other,
                    link.there,
                    "the peer closed the connection",
                ));
            }
            jobs.extend(
                self.me
                    .upgrade()
                    .map(|me| Job::Down(me, link.id, "closed on this side")),
            );
        }
        self.net.happen(jobs);
    }

    fn check(&self, message: &Outgoing<'_>) -> Result<(), SendError> {
        let octets = message.octets();
        if octets > self.max_message {
            lock(&self.state).stats.dropped.too_large += 1;
            return Err(SendError::TooLarge {
                octets,
                limit: self.max_message,
            });
        }
        if lock(&self.state).closed {
            Err(SendError::Closed)
        } else {
            Ok(())
        }
    }
}

impl DataSocket for VirtualSocket {
    fn bind(&self, endpoint: &str) -> Result<String, BindError> {
        let parsed: Endpoint = endpoint.parse()?;
        let me = self.me.clone();
        let port = self.net.with(|state| {
            let node = state.nodes.get_mut(self.node)?;
            let wanted = parsed.port().filter(|port| *port != 0);
            let port = wanted.unwrap_or(node.next_port);
            node.next_port = node.next_port.max(port) + u16::from(port == node.next_port);
            let free = state
                .listeners
                .get(&(self.node, port))
                .is_none_or(|other| other.strong_count() == 0);
            free.then(|| state.listeners.insert((self.node, port), me))
                .map(|_| port)
        });
        let Some(port) = port else {
            return Err(BindError::InUse(endpoint.to_owned()));
        };
        lock(&self.state).bound.push(port);
        let waiting = self.net.with(|state| {
            state
                .sockets
                .iter()
                .filter_map(Weak::upgrade)
                .collect::<Vec<_>>()
        });
        waiting.iter().for_each(|socket| socket.redial());
        Ok(endpoint_of(self.node, port))
    }

    fn unbind(&self, endpoint: &str) {
        let Some((_, port)) = self.place_of(endpoint) else {
            return;
        };
        lock(&self.state).bound.retain(|bound| *bound != port);
        self.net
            .with(|state| drop(state.listeners.remove(&(self.node, port))));
    }

    fn connect(&self, endpoint: &str) -> Result<(), ConnectError> {
        let parsed: Endpoint = endpoint.parse()?;
        if parsed.port() == Some(0) {
            return Err(ConnectError::PortZero(endpoint.to_owned()));
        }
        let fresh = {
            let mut state = lock(&self.state);
            let fresh = !state.dialling.iter().any(|known| known == endpoint);
            if fresh {
                state.dialling.push(endpoint.to_owned());
            }
            fresh
        };
        if fresh {
            self.dial(endpoint);
        }
        Ok(())
    }

    fn disconnect(&self, endpoint: &str) {
        lock(&self.state).dialling.retain(|known| known != endpoint);
        self.end_links(|link| link.endpoint.as_deref() == Some(endpoint));
    }

    fn hang_up(&self, link: LinkId) {
        self.end_links(|known| known.id == link);
        self.redial();
    }

    fn send(&self, message: &Outgoing<'_>, sent: &mut Packed) -> Result<(), Box<SendError>> {
        self.check(message)?;
        let frames = frames_of(&[], message.clone());
        let first = frames.first().cloned().unwrap_or_default();
        let sent_ns = super::world::wall_ns(&self.net);
        let (links, meta) = {
            let mut state = lock(&self.state);
            let seq = state.seq;
            state.seq += 1;
            state.stats.sent += 1;
            (state.links.clone(), Meta { seq, sent_ns })
        };
        let (mut queued, mut dropped) = (0, 0);
        for link in links {
            let matches = link
                .other
                .upgrade()
                .is_some_and(|other| other.role == Role::Sub && first.starts_with(&other.prefix));
            if matches && self.pass_patiently(&link, &frames, Some(meta)) {
                queued += 1;
            } else if matches {
                dropped += 1;
            }
        }
        *sent = Packed::new(Sent { queued, dropped });
        Ok(())
    }

    fn send_to(
        &self,
        link: LinkId,
        head: &[&[u8]],
        message: Outgoing<'_>,
    ) -> Result<(), SendError> {
        self.check(&message)?;
        let link = lock(&self.state)
            .links
            .iter()
            .find(|known| known.id == link)
            .cloned()
            .ok_or(SendError::NoPeer)?;
        lock(&self.state).stats.sent += 1;
        if self.pass_patiently(&link, &frames_of(head, message), None) {
            return Ok(());
        }
        Err(SendError::Full)
    }

    fn send_command_to(&self, link: LinkId, name: &str, data: &[u8]) {
        let link = lock(&self.state)
            .links
            .iter()
            .find(|known| known.id == link)
            .cloned();
        if let Some((other, there)) =
            link.and_then(|link| Some((link.other.upgrade()?, link.there)))
        {
            self.net.happen([Job::Command(
                other,
                there,
                name.as_bytes().to_vec(),
                data.to_vec(),
            )]);
        }
    }

    fn subscriber_count(&self) -> usize {
        let links = lock(&self.state).links.clone();
        links
            .iter()
            .filter(|link| {
                link.other
                    .upgrade()
                    .is_some_and(|other| other.role == Role::Sub)
            })
            .count()
    }

    fn poll_subscribers(&self, n: usize, _: &mut Context<'_>) -> Poll<()> {
        if self.subscriber_count() >= n {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn fill(&self, stats: &mut Stats) {
        let own = lock(&self.state).stats;
        stats.sent += own.sent;
        stats.received += own.received;
        stats.lost += own.lost;
        stats.dropped = own.dropped;
    }

    fn close(&self, _: Duration, _: Duration) -> bool {
        let bound = {
            let mut state = lock(&self.state);
            state.closed = true;
            state.dialling.clear();
            std::mem::take(&mut state.bound)
        };
        self.net.with(|state| {
            bound
                .iter()
                .for_each(|port| drop(state.listeners.remove(&(self.node, *port))))
        });
        self.end_links(|_| true);
        if let Some(Inlet::Inbox(inbox, _)) = &*lock(&self.receive) {
            inbox.close();
        }
        true
    }
}

fn frames_of(head: &[&[u8]], message: Outgoing<'_>) -> Vec<Bytes> {
    let mut frames: Vec<Bytes> = head
        .iter()
        .map(|frame| Bytes::copy_from_slice(frame))
        .collect();
    match message {
        Outgoing::Slice(octets) => frames.push(Bytes::copy_from_slice(octets)),
        Outgoing::Owned(octets) => frames.push(octets),
        Outgoing::Parts(parts) => frames.extend_from_slice(parts),
        Outgoing::Frames(parts) => frames.extend(parts),
        _ => {}
    }
    frames
}

fn compatible(a: Role, b: Role) -> bool {
    matches!(
        (a, b),
        (Role::Pub, Role::Sub)
            | (Role::Sub, Role::Pub)
            | (Role::Dealer | Role::Router, Role::Dealer | Role::Router)
    )
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Pub => "PUB",
        Role::Sub => "SUB",
        Role::Dealer => "DEALER",
        Role::Router => "ROUTER",
    }
}
