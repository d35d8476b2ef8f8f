//! `Net`: hosts with a brain each, links with a delay between them, and a clock that only the test moves.
//!
//! It behaves as TCP and mDNS do where it matters: what is sent on a link arrives in order; a killed process refuses
//! connections; the kernel of a stopped one accepts them; records outlive whoever announced them.

mod wires;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use colugo_graph::{
    Announcement, AnnouncementId, Brain, Config, DialFailure, DialId, Event, FixedId, Hello, Kind,
    LinkId, MatchChange, Message, Namespace, NodeId, Origin, Topic, Version, WantId,
};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SEC: Duration = Duration::from_secs(1);

/// How long a dial waits for an answer.
const DIAL_WITHIN: Duration = Duration::from_secs(3);

/// How long a record is cached when its node ends without a goodbye.
const RECORD_LIFE: Duration = Duration::from_secs(120);

pub(crate) type HostId = usize;

pub(crate) struct Net {
    pub(crate) now: Instant,
    start: Instant,
    seed: u64,
    random: u64,
    hosts: Vec<Host>,
    due: BTreeMap<(Instant, u64), Delivery>,
    links: BTreeMap<LinkId, End>,
    /// Further addresses of hosts.
    aliases: BTreeMap<SocketAddr, HostId>,
    cut: BTreeSet<(HostId, HostId)>,
    held: Vec<Delivery>,
    next: u64,
    /// The next frame for which this holds is lost, as by a fault of the sender.
    pub(crate) lose_next: Option<fn(&Message) -> bool>,
    pub(crate) frames: u64,
    pub(crate) octets: u64,
    dialling: Dialling,
    /// Whether hosts that are added are hubs.
    pub(crate) hubs: bool,
}

pub(crate) struct Host {
    pub(crate) id: NodeId,
    pub(crate) address: SocketAddr,
    brain: Option<Brain>,
    stopped: bool,
    /// When its brain wants to be called.
    timer: Option<Instant>,
    discovery: bool,
    namespace: Namespace,
    fixed: BTreeMap<FixedId, SocketAddr>,
    pub(crate) events: Vec<(Duration, Event)>,
    pub(crate) matches: Vec<(Duration, MatchChange)>,
    pub(crate) found: BTreeSet<(WantId, NodeId, SocketAddr)>,
}

/// Which dials are out: host and dial.
type Dialling = BTreeSet<(HostId, DialId)>;

/// One end of a link.
struct End {
    host: HostId,
    peer: LinkId,
    peer_host: HostId,
    /// Nothing sent later arrives earlier.
    last_arrival: Instant,
    open: bool,
}

#[derive(Clone)]
enum Delivery {
    Knock {
        from: HostId,
        dial: DialId,
        to: SocketAddr,
        wanted: Option<NodeId>,
    },
    Answer {
        to: HostId,
        dial: DialId,
        answer: Result<LinkId, DialFailure>,
        remote: SocketAddr,
    },
    Frame {
        to: LinkId,
        frame: Arc<[u8]>,
    },
    Down {
        to: LinkId,
    },
    Record {
        to: HostId,
        about: HostId,
    },
    RecordGone {
        to: HostId,
        node: NodeId,
    },
}

impl Host {
    fn end(&mut self) {
        self.brain = None;
        self.timer = None;
    }
}

impl Net {
    #[allow(clippy::disallowed_methods)] // there is no other way to get a first Instant
    pub(crate) fn new(seed: u64) -> Self {
        let now = Instant::now();
        Self {
            now,
            start: now,
            seed,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            hosts: Vec::new(),
            due: BTreeMap::new(),
            links: BTreeMap::new(),
            aliases: BTreeMap::new(),
            cut: BTreeSet::new(),
            held: Vec::new(),
            next: 0,
            lose_next: None,
            frames: 0,
            octets: 0,
            dialling: BTreeSet::new(),
            hubs: false,
        }
    }

    /// A host that others find by multicast.
    pub(crate) fn add(&mut self) -> HostId {
        self.add_with(true, Namespace::default())
    }

    pub(crate) fn add_with(&mut self, discovery: bool, namespace: Namespace) -> HostId {
        let number = u16::try_from(self.hosts.len() + 1).unwrap();
        let [high, low] = number.to_be_bytes();
        self.add_at(
            SocketAddr::from(([10, 0, high, low], 4000)),
            discovery,
            namespace,
        )
    }

    pub(crate) fn add_at(
        &mut self,
        address: SocketAddr,
        discovery: bool,
        namespace: Namespace,
    ) -> HostId {
        let mut octets = [0; 16];
        octets[..8].copy_from_slice(&self.draw().to_be_bytes());
        let number = u16::try_from(self.hosts.len()).unwrap();
        octets[8..10].copy_from_slice(&number.to_be_bytes());
        self.add_as(NodeId(octets), address, discovery, namespace)
    }

    pub(crate) fn add_as(
        &mut self,
        id: NodeId,
        address: SocketAddr,
        discovery: bool,
        namespace: Namespace,
    ) -> HostId {
        let host = self.hosts.len();
        let config = Config {
            node: id,
            name: format!("n{host}"),
            host: "virtual".into(),
            namespace: namespace.clone(),
            port: address.port(),
            hub: self.hubs,
            addresses: vec![address.ip()],
            own_address: IpAddr::from([127, 0, 0, 1]),
            unix_ns: 1_000_000_000,
        };
        self.hosts.push(Host {
            id,
            address,
            brain: Some(Brain::new(config, self.now)),
            stopped: false,
            timer: None,
            discovery,
            namespace,
            fixed: BTreeMap::new(),
            events: Vec::new(),
            matches: Vec::new(),
            found: BTreeSet::new(),
        });
        if discovery {
            for other in 0..host {
                if self.hosts[other].discovery && self.hosts[other].brain.is_some() {
                    // A newcomer announces itself at once, and asks for the others.
                    let at = self.now + MS * self.between(1, 10);
                    self.put(
                        at,
                        Delivery::Record {
                            to: other,
                            about: host,
                        },
                    );
                    let at = self.now + MS * self.between(20, 70);
                    self.put(
                        at,
                        Delivery::Record {
                            to: host,
                            about: other,
                        },
                    );
                }
            }
        }
        host
    }

    /// A hub that nothing but its address leads to.
    pub(crate) fn add_hub(&mut self) -> HostId {
        self.hubs = true;
        let hub = self.add_with(false, Namespace::default());
        self.hubs = false;
        hub
    }

    pub(crate) fn host(&self, host: HostId) -> &Host {
        &self.hosts[host]
    }

    pub(crate) fn id(&self, host: HostId) -> NodeId {
        self.hosts[host].id
    }

    pub(crate) fn brain(&mut self, host: HostId) -> &mut Brain {
        self.hosts[host]
            .brain
            .as_mut()
            .expect("the host is running")
    }

    pub(crate) fn publish(&mut self, host: HostId, topic: &str, port: u16) -> AnnouncementId {
        self.announce(host, topic, Kind::Publisher, port)
    }

    pub(crate) fn announce(
        &mut self,
        host: HostId,
        topic: &str,
        kind: Kind,
        port: u16,
    ) -> AnnouncementId {
        let now = self.now;
        let what = Announcement {
            topic: topic.parse().unwrap(),
            kind,
            port,
            encoding: "raw".into(),
        };
        let id = self.brain(host).announce(now, what).unwrap();
        self.pump(host);
        id
    }

    pub(crate) fn withdraw(&mut self, host: HostId, id: AnnouncementId) {
        let now = self.now;
        assert!(self.brain(host).withdraw(now, id));
        self.pump(host);
    }

    pub(crate) fn want(&mut self, host: HostId, topic: &str) -> WantId {
        let now = self.now;
        let topic: Topic = topic.parse().unwrap();
        let want = self.brain(host).want(now, topic, Kind::Publisher);
        self.pump(host);
        want
    }

    pub(crate) fn add_fixed(&mut self, host: HostId, address: SocketAddr) {
        let id = FixedId(u32::try_from(self.hosts[host].fixed.len()).unwrap());
        self.hosts[host].fixed.insert(id, address);
        let now = self.now;
        self.brain(host)
            .add_fixed_peer(now, id, &address.to_string());
        self.pump(host);
    }

    /// Another address at which a host can be dialled.
    pub(crate) fn alias(&mut self, host: HostId, address: SocketAddr) {
        self.aliases.insert(address, host);
    }

    /// A clean end.
    pub(crate) fn leave(&mut self, host: HostId) {
        self.brain(host).leave();
        self.pump(host);
        self.hosts[host].end();
        self.forget_record(host, SEC);
    }

    /// The process dies: the kernel closes its connections.
    pub(crate) fn kill(&mut self, host: HostId) {
        self.hosts[host].end();
        self.forget_record(host, RECORD_LIFE);
        let ends: Vec<_> = self
            .links
            .iter()
            .filter(|(_, end)| end.host == host && end.open)
            .map(|(id, _)| *id)
            .collect();
        for link in ends {
            self.close(link);
        }
    }

    /// The process is stopped; its kernel goes on.
    pub(crate) fn stop(&mut self, host: HostId) {
        self.hosts[host].stopped = true;
    }

    pub(crate) fn go_on(&mut self, host: HostId) {
        self.hosts[host].stopped = false;
        self.release();
    }

    /// Nothing passes between two hosts until they are joined again.
    pub(crate) fn cut(&mut self, a: HostId, b: HostId) {
        self.cut.insert((a, b));
        self.cut.insert((b, a));
    }

    pub(crate) fn mend(&mut self, a: HostId, b: HostId) {
        self.cut.remove(&(a, b));
        self.cut.remove(&(b, a));
        self.release();
    }

    /// One end of all links between two hosts ends, and the other does not hear of it.
    pub(crate) fn half_close(&mut self, from: HostId, to: HostId) {
        let ends: Vec<_> = self.links_between(from, to);
        for link in ends {
            self.links.get_mut(&link).unwrap().open = false;
            let now = self.now;
            self.brain(from).handle_link_down(now, link);
        }
        self.pump(from);
    }

    pub(crate) fn links_between(&self, from: HostId, to: HostId) -> Vec<LinkId> {
        let between = self
            .links
            .iter()
            .filter(|(_, end)| end.host == from && end.peer_host == to && end.open);
        between.map(|(id, _)| *id).collect()
    }

    /// A connection from nowhere, as of a program that knows the port.
    pub(crate) fn intrude(&mut self, host: HostId, frame: Option<&[u8]>) -> LinkId {
        let link = self.link_id();
        let now = self.now;
        let end = End {
            host,
            peer: LinkId(u64::MAX),
            peer_host: host,
            last_arrival: now,
            open: true,
        };
        self.links.insert(link, end);
        self.brain(host).handle_link_up(
            now,
            link,
            Origin::Accepted,
            SocketAddr::from(([10, 9, 9, 9], 999)),
        );
        if let Some(frame) = frame {
            self.brain(host).handle_message(now, link, frame);
        }
        self.pump(host);
        link
    }

    /// The same by a node that says of itself what it can do, such as being a hub.
    pub(crate) fn intrude_as(&mut self, host: HostId, node: NodeId, capability: &str) -> LinkId {
        let hello = Message::Hello(Hello {
            node,
            version: Version::OURS,
            namespace: Namespace::default().to_string(),
            name: "stranger".into(),
            host: "virtual".into(),
            port: 1,
            addresses: Vec::new(),
            capabilities: vec![capability.into()],
        });
        self.intrude(host, Some(&hello.encode()))
    }

    pub(crate) fn is_open(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|end| end.open)
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        while self.step(until) {}
        self.now = until;
    }

    /// Lets time pass until `done`, at most `limit`; how long it took.
    #[track_caller]
    pub(crate) fn until(
        &mut self,
        limit: Duration,
        what: &str,
        done: impl Fn(&Self) -> bool,
    ) -> Duration {
        let begin = self.now;
        while !done(self) {
            assert!(
                self.step(begin + limit),
                "seed {}: not within {limit:?}: {what}\n{}",
                self.seed,
                self.story()
            );
        }
        self.now - begin
    }

    pub(crate) fn sees(&self, host: HostId, other: HostId) -> bool {
        let id = self.hosts[other].id;
        let mut seen = false;
        for (_, event) in &self.hosts[host].events {
            match event {
                Event::NodeJoined { node, .. } if *node == id => seen = true,
                Event::NodeLeft { node, .. } if *node == id => seen = false,
                _ => {}
            }
        }
        seen
    }

    /// Whether an attempt of it to reach somebody is out.
    pub(crate) fn is_dialling(&self, host: HostId) -> bool {
        self.dialling.iter().any(|(from, _)| *from == host)
    }

    pub(crate) fn finds(&self, host: HostId, want: WantId, other: HostId) -> bool {
        self.hosts[host]
            .found
            .iter()
            .any(|(w, node, _)| *w == want && *node == self.hosts[other].id)
    }

    pub(crate) fn events_of(&self, host: HostId, pick: impl Fn(&Event) -> bool) -> usize {
        self.hosts[host]
            .events
            .iter()
            .filter(|(_, event)| pick(event))
            .count()
    }

    pub(crate) fn story(&self) -> String {
        let mut all: Vec<_> = Vec::new();
        for (number, host) in self.hosts.iter().enumerate() {
            all.extend(
                host.events
                    .iter()
                    .map(|(at, event)| (*at, number, format!("{event:?}"))),
            );
        }
        all.sort();
        all.into_iter()
            .map(|(at, host, event)| format!("{at:?} n{host}: {event}\n"))
            .collect()
    }

    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + u32::try_from(self.draw() % u64::from(high - low)).unwrap()
    }

    /// xorshift64*
    fn draw(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
