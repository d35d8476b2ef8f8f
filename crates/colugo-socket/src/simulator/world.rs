//! `World`: the nodes of a run, what they do and what is done to them, all of it decided by the seed. The order of things is that of the
//! code: nothing here depends on addresses, on threads, or on the time of day.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use colugo_zmtp::SocketType;
use tokio::time::Instant;

use super::dice::Dice;
use super::history::{Checked, History, Life, wants};
use super::impostor::Manner;
use super::network::{Connection, Network};
use super::node::{LINGER, Node, Notes, Settings, account};
use crate::core::Core;
use crate::gate::lock;

/// A closing socket may take so much longer than its linger time.
const CLOSE_SLACK: Duration = Duration::from_millis(200);
/// After the faults have ended, everybody has found everybody after this time at the latest: the keepalive of a connection whose other end
/// is gone (10 s), then a connection attempt (3 s), a mute handshake (1 s), the longest pause (2 s), and then some.
const FLOWS_AFTER: Duration = Duration::from_secs(25);
/// And what is sent then has arrived.
const ARRIVES_AFTER: Duration = Duration::from_secs(10);

pub(super) const TOPICS: [&str; 4] = ["", "a", "ab", "b"];
pub(super) const PUBLISHED: [&str; 4] = ["a1", "ab2", "b3", "c4"];

pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) network: Arc<Network>,
    notes: Notes,
    pub(super) nodes: Vec<Node>,
    /// Who dials whom.
    edges: Vec<(usize, usize)>,
    pub(super) history: History,
    closing: Vec<Closing>,
    undo: Vec<(Instant, Undo)>,
    next_port: usize,
    pub(super) lives: usize,
    /// How long it took after the faults until everybody was connected.
    pub(super) healed_in: Duration,
}

/// The socket of a life that is over.
struct Closing {
    life: Life,
    core: Arc<Core>,
    closed: Arc<AtomicBool>,
    by: Instant,
}

enum Undo {
    Silence((usize, usize)),
    Stall(Arc<Connection>),
    Impostor(usize),
}

fn partner(kind: SocketType) -> SocketType {
    match kind {
        SocketType::Push => SocketType::Pull,
        SocketType::Pull => SocketType::Push,
        SocketType::Pub => SocketType::Sub,
        SocketType::Sub => SocketType::Pub,
        SocketType::Dealer => SocketType::Router,
        SocketType::Router => SocketType::Dealer,
        SocketType::Req => SocketType::Rep,
        _ => SocketType::Req,
    }
}

impl World {
    pub(super) fn new(mut dice: Dice) -> Self {
        let network = Network::new(Dice::new(dice.seed()));
        let mut world = Self {
            dice,
            network,
            notes: Notes::default(),
            nodes: Vec::new(),
            edges: Vec::new(),
            history: History::new(),
            closing: Vec::new(),
            undo: Vec::new(),
            next_port: 0,
            lives: 0,
            healed_in: Duration::ZERO,
        };
        let groups = 1 + usize::from(world.dice.percent(25));
        for _ in 0..groups {
            world.add_group();
        }
        world
    }

    /// Some who listen and some who dial them all.
    fn add_group(&mut self) {
        let listens = *self.dice.pick(&[
            SocketType::Pull,
            SocketType::Push,
            SocketType::Pub,
            SocketType::Pub,
            SocketType::Sub,
            SocketType::Router,
            SocketType::Router,
            SocketType::Dealer,
            SocketType::Rep,
            SocketType::Req,
        ]);
        let servers = self.dice.within(1, 2);
        let clients = self.dice.within(1, 3);
        let first = self.nodes.len();
        for i in 0..servers + clients {
            let kind = if i < servers {
                listens
            } else {
                partner(listens)
            };
            let settings = Settings::new(kind, &mut self.dice);
            let node = self.bear((first + i, 0), settings);
            self.nodes.push(node);
        }
        for server in first..first + servers {
            self.listen(server);
            for client in first + servers..first + servers + clients {
                self.edges.push((client, server));
            }
        }
        for client in first + servers..first + servers + clients {
            self.dial_all(client);
        }
    }

    fn bear(&mut self, life: Life, settings: Settings) -> Node {
        self.lives += 1;
        let mut node = Node::new(life, settings, &self.network, &self.notes);
        if settings.kind == SocketType::Sub {
            let topics = self.dice.within(1, 2);
            for _ in 0..topics {
                let topic = *self.dice.pick(&TOPICS);
                if !node.topics.contains(&topic) {
                    node.topics.push(topic);
                    let _ = node.core().subscribe(topic.as_bytes());
                }
            }
        }
        node
    }

    /// Listens where nobody has listened before.
    fn listen(&mut self, node: usize) {
        let name = format!("inproc://{node}/{}", self.next_port);
        self.next_port += 1;
        self.listen_at(node, name);
    }

    fn listen_at(&mut self, node: usize, name: String) {
        let node = &mut self.nodes[node];
        if let Err(error) = node.socket.bind(&name) {
            self.history
                .did(node.life, format!("could not listen: {error}"));
        }
        node.endpoint = Some(name);
    }

    fn dial_all(&mut self, client: usize) {
        for (_, server) in self.edges.iter().filter(|(c, _)| *c == client) {
            if let Some(endpoint) = &self.nodes[*server].endpoint {
                self.nodes[client].socket.connect(endpoint);
            }
        }
    }

    /// Something happens.
    pub(super) fn act(&mut self) -> Checked {
        let node = self.dice.below(self.nodes.len());
        match self.dice.below(100) {
            0..62 => self.send_some(node)?,
            62..66 => self.change_wishes(node),
            66..72 => {
                let pause = self.dice.ms(50, 2000);
                self.nodes[node].slow_until = Instant::now() + pause;
                self.did(node, "takes nothing for a while");
            }
            72..80 => self.restart(node)?,
            _ => self.disturb(node),
        }
        Ok(())
    }

    fn did(&mut self, node: usize, what: &str) {
        self.history.did(self.nodes[node].life, what.to_owned());
    }

    fn change_wishes(&mut self, node: usize) {
        let topic = *self.dice.pick(&TOPICS);
        let node = &mut self.nodes[node];
        if node.settings.kind != SocketType::Sub {
            return;
        }
        self.history.wishes_changed(node.life);
        if let Some(at) = node.topics.iter().position(|t| *t == topic)
            && node.topics.len() > 1
        {
            node.topics.remove(at);
            node.core().unsubscribe(topic.as_bytes());
        } else if !node.topics.contains(&topic) {
            node.topics.push(topic);
            let _ = node.core().subscribe(topic.as_bytes());
        }
    }

    /// The node's process ends, with or without a word, and another takes its place, at the same endpoint or at another one.
    fn restart(&mut self, at: usize) -> Checked {
        let crash = self.dice.percent(50);
        let moves = self.dice.percent(40);
        if !crash {
            // What has come it has time to take.
            self.nodes[at].slow_until = Instant::now();
            self.take_from(at)?;
        }
        self.look();
        let what = match (crash, moves) {
            (false, false) => "restarts",
            (false, true) => "restarts elsewhere",
            (true, false) => "crashes and comes back",
            (true, true) => "crashes and comes back elsewhere",
        };
        self.did(at, what);
        let life = self.nodes[at].life;
        self.history.ended(life);
        if crash {
            self.network.crash(self.nodes[at].host);
            self.nodes[at].core().close(Duration::ZERO);
        } else {
            self.nodes[at].core().close(LINGER);
        }
        let settings = self.nodes[at].settings;
        let new = self.bear((life.0, life.1 + 1), settings);
        let old = std::mem::replace(&mut self.nodes[at], new);
        let endpoint = old.endpoint.clone();
        self.bury(old);
        match endpoint {
            None => self.dial_all(at),
            Some(endpoint) if moves => self.move_to_new_endpoint(at, &endpoint),
            Some(endpoint) => self.listen_at(at, endpoint),
        }
        Ok(())
    }

    /// Those who dial it hear of it, as discovery would tell them.
    fn move_to_new_endpoint(&mut self, at: usize, old: &str) {
        self.listen(at);
        let clients = self.edges.iter().filter(|(_, server)| *server == at);
        for (client, _) in clients {
            let node = &self.nodes[*client];
            node.socket.disconnect(old);
            // What is queued for it may be written within the linger time, and is dropped then.
            for link in node.leaving() {
                self.history.hung_up(node.life, link);
            }
            if let Some(new) = &self.nodes[at].endpoint {
                node.socket.connect(new);
            }
        }
    }

    /// Lets a socket that was told to close do so.
    fn bury(&mut self, old: Node) {
        let closed = Arc::new(AtomicBool::new(false));
        self.closing.push(Closing {
            life: old.life,
            core: old.core().clone(),
            closed: closed.clone(),
            by: Instant::now() + LINGER + CLOSE_SLACK,
        });
        tokio::spawn(async move {
            old.socket.close().await;
            closed.store(true, Ordering::SeqCst);
        });
    }

    /// The network or a stranger misbehaves.
    fn disturb(&mut self, node: usize) {
        let connections = self.network.connections();
        if !connections.is_empty() {
            let connection = self.dice.pick(&connections).clone();
            let [dialler, acceptor] = connection.ends;
            match self.dice.below(6) {
                0 | 1 => {
                    self.network.cut(&connection);
                    self.did(dialler, &format!("is cut off from {acceptor}"));
                    return;
                }
                2 => {
                    let end = self.dice.below(2);
                    self.network.lose(&connection, end);
                    let who = connection.ends[end];
                    self.did(
                        who,
                        &format!("forgets its connection with {}", connection.ends[1 - end]),
                    );
                    return;
                }
                3 => {
                    self.network.stall(&connection, true);
                    self.later(50, 3000, Undo::Stall(connection));
                    self.did(
                        dialler,
                        &format!("hears late from {acceptor}, and the other way round"),
                    );
                    return;
                }
                _ => {}
            }
        }
        match self.dice.below(4) {
            0 => self.impostor(node),
            1 => self.intruder(node),
            _ => self.silence(node),
        }
    }

    /// One way or both ways between two hosts, or all around one.
    fn silence(&mut self, node: usize) {
        let all: Vec<_> = self.edges.clone();
        let (client, server) = *self.dice.pick(&all);
        let ways = match self.dice.below(4) {
            0 => vec![(client, server)],
            1 => vec![(server, client)],
            2 => vec![(client, server), (server, client)],
            _ => all
                .iter()
                .filter(|(c, s)| *c == node || *s == node)
                .flat_map(|(c, s)| [(*c, *s), (*s, *c)])
                .collect(),
        };
        self.did(node, &format!("sees silence on the ways {ways:?}"));
        for way in ways {
            self.network.silence(way, true);
            self.later(50, 5000, Undo::Silence(way));
        }
    }

    fn manner(&mut self) -> Manner {
        *self
            .dice
            .pick(&[Manner::Nonsense, Manner::Mute, Manner::Breaks])
    }

    /// Who dials this node meets somebody else for a while.
    fn impostor(&mut self, node: usize) {
        let manner = self.manner();
        let kind = self.nodes[node].settings.kind;
        self.network.set_impostor(node, Some((kind, manner)));
        self.later(100, 1500, Undo::Impostor(node));
        self.did(node, &format!("is replaced by somebody who {manner:?}"));
    }

    /// A stranger dials this node.
    fn intruder(&mut self, node: usize) {
        let manner = self.manner();
        let kind = partner(self.nodes[node].settings.kind);
        if let Some(endpoint) = &self.nodes[node].endpoint
            && let Some(name) = endpoint.strip_prefix("inproc://")
        {
            self.network.intrude(node, name, (kind, manner));
            self.did(node, &format!("is dialled by somebody who {manner:?}"));
        }
    }

    fn later(&mut self, from: usize, to: usize, undo: Undo) {
        let at = Instant::now() + self.dice.ms(from, to);
        self.undo.push((at, undo));
    }

    /// What is due is undone, what has happened is noted, and what must always be true is looked at.
    pub(super) fn tick(&mut self) -> Checked {
        let now = Instant::now();
        let mut due = Vec::new();
        for (at, undo) in std::mem::take(&mut self.undo) {
            if at <= now {
                due.push(undo);
            } else {
                self.undo.push((at, undo));
            }
        }
        for undo in due {
            match undo {
                Undo::Silence(way) => self.network.silence(way, false),
                Undo::Stall(connection) => self.network.stall(&connection, false),
                Undo::Impostor(host) => self.network.set_impostor(host, None),
            }
        }
        self.network.tick();
        for node in 0..self.nodes.len() {
            if self.nodes[node].slow_until <= now {
                self.take_from(node)?;
            }
            self.nodes[node].check_bounds()?;
        }
        self.look();
        self.check_closing()
    }

    /// Notes what sockets said of their links.
    pub(super) fn look(&mut self) {
        for (who, link, down) in std::mem::take(&mut *lock(&self.notes)) {
            match down {
                None => self.history.up(who, link),
                Some(why) => self.history.down(who, link, why.to_string()),
            }
        }
    }

    fn check_closing(&mut self) -> Checked {
        let mut open = Vec::new();
        for old in std::mem::take(&mut self.closing) {
            if old.closed.load(Ordering::SeqCst) {
                self.history.settle(old.life, account(&old.core))?;
            } else if Instant::now() > old.by {
                let tasks = old.core.live_tasks.load(Ordering::SeqCst);
                return Err(format!(
                    "{:?} does not close: {tasks} tasks are left",
                    old.life
                ));
            } else {
                open.push(old);
            }
        }
        self.closing = open;
        Ok(())
    }

    /// The faults end; everybody must find everybody again.
    pub(super) async fn heal(&mut self) -> Checked {
        self.undo.clear();
        self.network.heal();
        self.history
            .did((usize::MAX, 0), "everything is healed".into());
        for node in &mut self.nodes {
            node.slow_until = Instant::now();
        }
        let began = Instant::now();
        // Whoever was cut off a moment ago is to notice first.
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.tick()?;
        while let Some(missing) = self.missing() {
            if began.elapsed() > FLOWS_AFTER {
                let connections = self.network.connections();
                return Err(format!(
                    "{FLOWS_AFTER:?} after the faults: {missing}; connections: {connections:?}"
                ));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.tick()?;
        }
        self.healed_in = began.elapsed();
        Ok(())
    }

    /// Who does not know its peers, or has too many, or not their subscriptions.
    fn missing(&self) -> Option<String> {
        if self.network.is_half_open() {
            return Some("a connection is there for one end only".into());
        }
        for (at, node) in self.nodes.iter().enumerate() {
            let expected = self
                .edges
                .iter()
                .filter(|(c, s)| *c == at || *s == at)
                .count();
            let peers = node.core().peer_count();
            if peers != expected {
                return Some(format!(
                    "{:?} has {peers} peers and not {expected}",
                    node.life
                ));
            }
            if node.settings.kind == SocketType::Pub {
                let subscribers = node.core().subscriber_count();
                if subscribers != expected {
                    return Some(format!(
                        "{:?} has {subscribers} subscribers and not {expected}",
                        node.life
                    ));
                }
            }
        }
        None
    }

    /// Everybody sends; all of it arrives.
    pub(super) async fn probe(&mut self) -> Checked {
        // A subscription that was just changed may still be on its way; what is queued gets out of the way.
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(500) || !self.is_quiet() {
            if began.elapsed() > ARRIVES_AFTER {
                return Err(format!(
                    "{ARRIVES_AFTER:?} after the faults something is queued still"
                ));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.tick()?;
        }
        let marks: Vec<_> = self.nodes.iter().map(|node| node.next_number).collect();
        let published: Vec<_> = self
            .nodes
            .iter()
            .map(|node| self.history.next_publication(node.life))
            .collect();
        for node in 0..self.nodes.len() {
            for i in 0..3 {
                self.probe_from(node, i)?;
                tokio::time::sleep(Duration::from_millis(300)).await;
                self.tick()?;
            }
        }
        let began = Instant::now();
        while let Some(missing) = self.unanswered(&marks, &published) {
            if began.elapsed() > ARRIVES_AFTER {
                return Err(format!(
                    "{ARRIVES_AFTER:?} after everything was healed: {missing}"
                ));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.tick()?;
        }
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        self.nodes.iter().all(|node| {
            account(node.core()).waiting == 0 && node.asked.is_none() && node.asker.is_none()
        })
    }

    fn unanswered(&self, marks: &[u32], published: &[u32]) -> Option<String> {
        for (at, node) in self.nodes.iter().enumerate() {
            if !self.history.all_arrived(node.life, marks[at]) || node.asked.is_some() {
                return Some(format!("not all that {:?} sent has arrived", node.life));
            }
            if node.settings.kind != SocketType::Pub {
                continue;
            }
            for number in published[at]..self.history.next_publication(node.life) {
                let topic = PUBLISHED[(number - published[at]) as usize % PUBLISHED.len()];
                let peers = self
                    .edges
                    .iter()
                    .filter_map(|(c, s)| match (*c == at, *s == at) {
                        (true, _) => Some(*s),
                        (_, true) => Some(*c),
                        _ => None,
                    });
                let deaf = |peer: &usize| {
                    let subscriber = &self.nodes[*peer];
                    wants(&subscriber.topics, topic)
                        && !self.history.has_heard(subscriber.life, node.life, number)
                };
                let deaf: Vec<_> = peers.filter(deaf).collect();
                // A short queue before a slow connection may be full for a moment even now.
                if deaf.len() > self.history.dropped(node.life, number) {
                    return Some(format!(
                        "{deaf:?} have not heard {number} of {:?}",
                        node.life
                    ));
                }
            }
        }
        None
    }

    /// Everybody closes, and nothing is left.
    pub(super) async fn close(&mut self) -> Checked {
        self.history.settle_links()?;
        let mut cores = Vec::new();
        for old in std::mem::take(&mut self.nodes) {
            self.look();
            self.history.ended(old.life);
            old.core().close(LINGER);
            cores.push((old.life, Arc::downgrade(old.core())));
            self.bury(old);
        }
        while !self.closing.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.network.tick();
            self.look();
            self.check_closing()?;
        }
        // The flusher of each life lasts as long as its runtime.
        let handle = tokio::runtime::Handle::current();
        let began = Instant::now();
        while handle.metrics().num_alive_tasks() > self.lives {
            if began.elapsed() > FLOWS_AFTER {
                let left = handle.metrics().num_alive_tasks() - self.lives;
                return Err(format!("{left} tasks are left when all sockets are closed"));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            self.network.tick();
        }
        match cores.iter().find(|(_, core)| core.strong_count() > 0) {
            Some((life, _)) => Err(format!("{life:?} is closed, and still in memory")),
            None => Ok(()),
        }
    }
}
