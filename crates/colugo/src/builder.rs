//! `NodeBuilder`: gathers settings, and makes a node in the real world.

use std::ops::RangeInclusive;
use std::sync::Arc;

use colugo_graph::NodeId;

use crate::core::{Core, LateCore};
use crate::error::NodeError;
use crate::event::EventHub;
use crate::node::Node;
use crate::real::RealWorld;
use crate::settings::{Origin, OriginalRecords, Settings};

/// How far a node looks for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Network {
    /// The local networks and this machine.
    #[default]
    Lan,
    /// This machine only.
    Host,
    /// Nowhere: only the peers it is told, and those who were told of it.
    Peers,
}

/// Makes a [`Node`] with settings of its own: from [`Node::builder`]. What is set here beats environment and file.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until .build()"]
pub struct NodeBuilder {
    name: String,
    set: Vec<(&'static str, String)>,
    peers: Vec<String>,
    interfaces: Vec<String>,
    advertise: Vec<String>,
    remap: Vec<String>,
    network: Network,
}

impl NodeBuilder {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            set: Vec::new(),
            peers: Vec::new(),
            interfaces: Vec::new(),
            advertise: Vec::new(),
            remap: Vec::new(),
            network: Network::default(),
        }
    }

    /// Only nodes of one namespace find each other. Default `default`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.set.push(("namespace", namespace.into()));
        self
    }

    /// Dials this control endpoint, e.g. `tcp://10.0.0.2:4747`, where discovery does not reach; or whom DNS names for a domain, `dns-sd:example.org`: one
    /// of those in its SRV records of `_colugo-node._tcp`, asked anew at each attempt. `@10.0.0.1` after it names the server to ask. May be
    /// called several times.
    pub fn peer(mut self, endpoint: impl Into<String>) -> Self {
        self.peers.push(endpoint.into());
        self
    }

    /// The address of the control port, so that others can name it as their peer. Default: any free port.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.set.push(("listen", address.into()));
        self
    }

    /// Tells everybody who dials this node of everybody else who does: with such a node at an address that all know ([`peer`](Self::peer)),
    /// nodes of several networks, or where multicast does not pass, find each other. They then dial each other, and its end ends nothing.
    /// `colugo hub` is a node that does nothing else. Default: no.
    pub fn hub(mut self, on: bool) -> Self {
        self.set.push(("hub", on.to_string()));
        self
    }

    /// Whether publishers and servers are shown by the original's records too, one for each, and those that others show so are found:
    /// of programs in Python that use the original, and of any ZeroMQ program that announces one. At most 64 of a node, and none with a
    /// `_` in its name, which the original can't read. Default: [`OriginalRecords::Auto`].
    pub fn original_records(mut self, mode: OriginalRecords) -> Self {
        self.set.push(("original", mode.to_string()));
        self
    }

    /// Uses this interface for discovery, by name or address, instead of all; with `!` before it, all but this one. May be called several
    /// times.
    pub fn interface(mut self, interface: impl Into<String>) -> Self {
        self.interfaces.push(interface.into());
        self
    }

    /// Uses these interfaces for discovery, by name or address, instead of all; `!` before one excludes it.
    pub fn interfaces<I: IntoIterator<Item: Into<String>>>(mut self, interfaces: I) -> Self {
        self.interfaces
            .extend(interfaces.into_iter().map(Into::into));
        self
    }

    /// Tells others to dial this address, instead of those of the interfaces: for machines behind NAT or in a container.
    pub fn advertise(mut self, address: impl Into<String>) -> Self {
        self.advertise.push(address.into());
        self
    }

    /// The ports for publishers and servers, for firewalls. Default: any free ones.
    pub fn ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.set
            .push(("ports", format!("{}-{}", ports.start(), ports.end())));
        self
    }

    /// How many topics and services of one other node are dialled each by a connection of its own, before more of them share one, in both directions.
    /// Default 16; `usize::MAX`: none ever share.
    ///
    /// A shared connection costs far less where there are many topics that each say little: file descriptors, system calls, time until all are
    /// connected. What is said on one of its topics holds up no other, but its messages are copied once more on each side, and wait for the data
    /// thread.
    pub fn share_after(mut self, links: usize) -> Self {
        self.set.push(("share_after", links.to_string()));
        self
    }

    /// Uses topic `to` wherever the program says `from`. May be called several times.
    pub fn remap(mut self, from: &str, to: &str) -> Self {
        self.remap.push(format!("{from}={to}"));
        self
    }

    /// How far to look for others. Default: the local networks.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Starts the node: it can be found when this returns.
    ///
    /// # Errors
    /// The name or a setting is not usable, or the control port can't be had.
    pub fn build(self) -> Result<Node, NodeError> {
        let name = checked_name(&self.name)?;
        let settings = self.apply(Settings::load()?);
        let parsed = settings.parse()?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| NodeError::System {
            name: name.clone(),
            source: std::io::Error::other(error),
        })?;
        let events = Arc::new(EventHub::default());
        let id = NodeId(id);
        if self.network == Network::Lan {
            warn_once_that_all_may_join();
        }
        let late = LateCore::default();
        let (network, hub) = (self.network, events.clone());
        let world = RealWorld::start(id, &name, &parsed, network, hub, late.clone())?;
        let core = Core::new(id, name, settings, parsed, Arc::new(world), events);
        let _ = late.set(Arc::downgrade(&core));
        Ok(Node::from_core(core))
    }

    /// Name and settings without those of the machine.
    #[cfg(feature = "testing")]
    pub(crate) fn without_machine(&self) -> Result<(String, Settings), NodeError> {
        Ok((checked_name(&self.name)?, self.apply(Settings::defaults())))
    }

    /// What was set here, on top of `settings`.
    fn apply(&self, mut settings: Settings) -> Settings {
        for (key, value) in &self.set {
            settings.set(key, value.clone(), Origin::Builder);
        }
        let lists = [
            ("peers", &self.peers),
            ("interfaces", &self.interfaces),
            ("advertise", &self.advertise),
            ("remap", &self.remap),
        ];
        for (key, list) in lists {
            if !list.is_empty() {
                settings.set(key, list.join(","), Origin::Builder);
            }
        }
        settings
    }
}

/// Nothing is encrypted or authenticated yet: said once per process.
fn warn_once_that_all_may_join() {
    static SAID: std::sync::Once = std::sync::Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            "this node is open: every program on the local network can read, send and call"
        );
    });
}

/// Longest node name, in octets: what fits the node's record.
const NAME_MAX: usize = 63;

/// The name, if it can be announced.
pub(crate) fn checked_name(name: &str) -> Result<String, NodeError> {
    let fits = (1..=NAME_MAX).contains(&name.len());
    if fits
        && name
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || b"_-.".contains(&octet))
    {
        return Ok(name.to_owned());
    }
    Err(NodeError::Name {
        name: name.chars().take(80).collect(),
    })
}
