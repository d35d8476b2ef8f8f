//! `Network`: hosts whose connections take time, break, fall silent and lie. It stands between dialling and listening and knows octets only;
//! the world of the simulator tells it what to do to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, Weak};
use std::task::Waker;
use std::time::Duration;

use colugo_zmtp::SocketType;
use tokio::time::Instant;

use super::dice::Dice;
use super::impostor::{Manner, pose};
use super::wire::Wire;
use crate::gate::lock;
use crate::inproc::Inproc;
use crate::options::{CONNECT_TIMEOUT, KEEPALIVE_AFTER};
use crate::pipe::{Breaker, Pipe, PipeWrite};

/// As a system tries again to reach who does not answer.
const KNOCK_AGAIN: Duration = Duration::from_secs(1);

/// Who is at which end of a connection: who dialled, and who accepted.
pub(super) type Ends = [usize; 2];

#[derive(Debug)]
pub(crate) struct Network(Mutex<State>);

#[derive(Debug)]
struct State {
    dice: Dice,
    hosts: BTreeMap<usize, Weak<Inproc>>,
    /// Octets from the first to the second wait.
    silent: BTreeSet<(usize, usize)>,
    /// Who dials this host meets somebody else.
    impostors: BTreeMap<usize, (SocketType, Manner)>,
    delays: BTreeMap<(usize, usize), Duration>,
    connections: Vec<Arc<Connection>>,
    wakers: Vec<Waker>,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) ends: Ends,
    breakers: [Breaker; 2],
    state: Mutex<Fate>,
    /// Held here, so that the end of a wire is not the end of what the other side reads.
    _into: [Arc<PipeWrite>; 2],
}

#[derive(Debug, Default)]
struct Fate {
    stalled: bool,
    /// This end no longer knows of the connection, and when the other one will ask.
    lost: Option<(usize, Instant)>,
    wires_done: usize,
}

impl Network {
    pub(super) fn new(dice: Dice) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            dice,
            hosts: BTreeMap::new(),
            silent: BTreeSet::new(),
            impostors: BTreeMap::new(),
            delays: BTreeMap::new(),
            connections: Vec::new(),
            wakers: Vec::new(),
        })))
    }

    pub(super) fn add_host(&self, host: usize, names: &Arc<Inproc>) {
        lock(&self.0).hosts.insert(host, Arc::downgrade(names));
    }

    /// How long octets take from one to the other this time: each way has its own delay, and a little more at times.
    pub(super) fn delay(&self, way: (usize, usize)) -> Duration {
        let mut state = lock(&self.0);
        let base = match state.delays.get(&way) {
            Some(known) => *known,
            None => {
                let drawn = match state.dice.below(3) {
                    0 => Duration::from_micros(50),
                    1 => state.dice.ms(1, 5),
                    _ => state.dice.ms(5, 60),
                };
                state.delays.insert(way, drawn);
                drawn
            }
        };
        if state.dice.percent(10) {
            base + state.dice.ms(0, 30)
        } else {
            base
        }
    }

    /// Whether octets get through now; has the wire woken when that changes.
    pub(super) fn is_silent(&self, way: (usize, usize), waker: &Waker) -> bool {
        let mut state = lock(&self.0);
        let silent = state.silent.contains(&way);
        if silent {
            state.wakers.push(waker.clone());
        }
        silent
    }

    pub(super) fn wake_later(&self, waker: &Waker) {
        lock(&self.0).wakers.push(waker.clone());
    }

    fn changed(&self) {
        let wakers = std::mem::take(&mut lock(&self.0).wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn silence(&self, way: (usize, usize), silent: bool) {
        let mut state = lock(&self.0);
        if silent {
            state.silent.insert(way);
        } else {
            state.silent.remove(&way);
        }
        drop(state);
        self.changed();
    }

    pub(super) fn set_impostor(&self, host: usize, impostor: Option<(SocketType, Manner)>) {
        let mut state = lock(&self.0);
        match impostor {
            Some(impostor) => state.impostors.insert(host, impostor),
            None => state.impostors.remove(&host),
        };
    }

    pub(super) fn connections(&self) -> Vec<Arc<Connection>> {
        lock(&self.0).connections.clone()
    }

    /// Both ends hear at once that it is over; what was on its way is gone.
    pub(super) fn cut(&self, connection: &Connection) {
        for breaker in &connection.breakers {
            breaker.fail(io::ErrorKind::ConnectionReset);
        }
        self.changed();
    }

    /// One end forgets the connection; the other hears of it when it sends something, or asks after a long silence.
    pub(super) fn lose(&self, connection: &Connection, end: usize) {
        let mut fate = lock(&connection.state);
        if fate.lost.is_none() {
            fate.lost = Some((end, Instant::now() + KEEPALIVE_AFTER));
        }
        drop(fate);
        connection.breakers[end].fail(io::ErrorKind::ConnectionReset);
        self.changed();
    }

    pub(super) fn stall(&self, connection: &Connection, stalled: bool) {
        lock(&connection.state).stalled = stalled;
        self.changed();
    }

    /// A process of this host ends without a word.
    pub(super) fn crash(&self, host: usize) {
        for connection in self.connections() {
            if let Some(end) = connection.ends.iter().position(|h| *h == host) {
                self.lose(&connection, end);
            }
        }
    }

    /// To be called often: the systems ask after connections that are silent.
    pub(super) fn tick(&self) {
        for connection in self.connections() {
            let lost = lock(&connection.state).lost;
            if let Some((end, at)) = lost
                && Instant::now() >= at
            {
                connection.breakers[1 - end].fail(io::ErrorKind::TimedOut);
                self.changed();
            }
        }
    }

    /// Whether one end of a connection does not know yet that the other one has forgotten it.
    pub(super) fn is_half_open(&self) -> bool {
        self.connections()
            .iter()
            .any(|connection| lock(&connection.state).lost.is_some())
    }

    /// Everything gets through again.
    pub(super) fn heal(&self) {
        let mut state = lock(&self.0);
        state.silent.clear();
        state.impostors.clear();
        for connection in &state.connections {
            lock(&connection.state).stalled = false;
        }
        drop(state);
        self.changed();
    }

    /// What a dial of `name`, `HOST/PORT`, meets.
    pub(crate) async fn dial(self: &Arc<Self>, from: usize, name: &str) -> io::Result<Pipe> {
        let to: usize = name
            .split('/')
            .next()
            .and_then(|host| host.parse().ok())
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        let began = Instant::now();
        while self.is_deaf((from, to)) {
            if began.elapsed() >= CONNECT_TIMEOUT {
                return Err(io::ErrorKind::TimedOut.into());
            }
            tokio::time::sleep(KNOCK_AGAIN).await;
        }
        tokio::time::sleep(self.delay((from, to)) + self.delay((to, from))).await;
        let room = *lock(&self.0).dice.pick(&[500, 5_000, 50_000]);
        let (near, wire_near) = Pipe::pair_of(room);
        let (wire_far, far) = Pipe::pair_of(room);
        let impostor = lock(&self.0).impostors.get(&to).copied();
        let names = lock(&self.0).hosts.get(&to).and_then(Weak::upgrade);
        let door = names.and_then(|names| names.door(name));
        match (impostor, door) {
            (Some((kind, manner)), _) => {
                tokio::spawn(pose(far, kind, manner));
            }
            (None, Some(door)) => door
                .try_send(far)
                .map_err(|_| io::ErrorKind::ConnectionRefused)?,
            (None, None) => return Err(io::ErrorKind::ConnectionRefused.into()),
        }
        self.join([from, to], [wire_near, wire_far]);
        Ok(near)
    }

    /// A stranger dials `name`, of a host, and behaves badly.
    pub(super) fn intrude(
        self: &Arc<Self>,
        host: usize,
        name: &str,
        pretends: (SocketType, Manner),
    ) {
        let names = lock(&self.0).hosts.get(&host).and_then(Weak::upgrade);
        if let Some(door) = names.and_then(|names| names.door(name)) {
            let (near, far) = Pipe::pair();
            if door.try_send(far).is_ok() {
                tokio::spawn(pose(near, pretends.0, pretends.1));
            }
        }
    }

    fn is_deaf(&self, way: (usize, usize)) -> bool {
        let state = lock(&self.0);
        state.silent.contains(&way) || state.silent.contains(&(way.1, way.0))
    }

    fn join(self: &Arc<Self>, ends: Ends, [near, far]: [Pipe; 2]) {
        let breakers = [near.breaker(), far.breaker()];
        let into = [Arc::new(near.write), Arc::new(far.write)];
        let connection = Arc::new(Connection {
            ends,
            breakers,
            state: Mutex::default(),
            _into: into.clone(),
        });
        lock(&self.0).connections.push(connection.clone());
        let [into_near, into_far] = into;
        for (from, read, into) in [(0, near.read, into_far), (1, far.read, into_near)] {
            let way = (ends[from], ends[1 - from]);
            let window = *lock(&self.0).dice.pick(&[1_000, 64_000]);
            tokio::spawn(Wire::new(
                window,
                self.clone(),
                connection.clone(),
                from,
                way,
                read,
                into,
            ));
        }
    }

    /// A direction of the connection has ended.
    pub(super) fn wire_done(&self, connection: &Arc<Connection>) {
        let mut fate = lock(&connection.state);
        fate.wires_done += 1;
        let over = fate.wires_done == 2;
        drop(fate);
        if over {
            lock(&self.0)
                .connections
                .retain(|other| !Arc::ptr_eq(other, connection));
        }
    }
}

impl Connection {
    pub(super) fn is_stalled(&self) -> bool {
        lock(&self.state).stalled
    }

    /// Octets arrived where nobody knows of the connection (any more): the system there says so.
    pub(super) fn refuse(&self, sender: usize) {
        self.breakers[sender].fail(io::ErrorKind::ConnectionReset);
    }
}
