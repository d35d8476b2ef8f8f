//! `Message`: what two nodes tell each other on a control link, and its octets.
//!
//! Each is one MessagePack map with string keys; the key `m` names it, unknown keys and unknown messages are ignored.
//! Knows the format; does not know when a message is sent or what it causes. Used by the [`Brain`](crate::Brain).

use std::fmt;
use std::net::IpAddr;

use crate::fields::{Map, node_id, put_pair_str, put_pair_uint, put_start};
use crate::introduction::{self, Change, Introduction};
use crate::limits::{self, shown};
use crate::listing::{entries, put_entries, put_removed, removed};
use crate::msgpack::{MsgPackError, put_array, put_bin, put_str};
use crate::{AnnouncementId, Entry, NodeId};

/// The version of the control protocol. Equal majors always understand each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Changes when old and new nodes can't talk.
    pub major: u16,
    /// Changes when something was added.
    pub minor: u16,
}

impl Version {
    /// What this crate speaks.
    pub const OURS: Self = Self { major: 1, minor: 0 };
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// One control message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// The first one on each link, from both sides.
    Hello(Hello),
    /// The sender's whole directory.
    Snapshot {
        /// The generation that it shows.
        generation: u64,
        /// All that is announced.
        entries: Vec<Entry>,
    },
    /// What has changed in the sender's directory.
    Delta {
        /// The generation that it builds on.
        from: u64,
        /// The generation that it leads to.
        to: u64,
        /// What was announced.
        added: Vec<Entry>,
        /// What was withdrawn.
        removed: Vec<AnnouncementId>,
    },
    /// Asks for a [`Message::Snapshot`], or a hub for what it knows of another node.
    Resync {
        /// Of whom; `None`: of whoever is at the other end.
        of: Option<NodeId>,
    },
    /// Asks for a [`Message::Pong`].
    Ping {
        /// The sender's clock, nanoseconds since the Unix epoch.
        sent_ns: u64,
    },
    /// Answers a [`Message::Ping`].
    Pong {
        /// From the ping.
        sent_ns: u64,
        /// The answering node's clock, nanoseconds since the Unix epoch.
        answered_ns: u64,
    },
    /// A hub tells who else is linked with it, and what these announce.
    Nodes {
        /// These are all there are; else those that have come.
        all: bool,
        /// Who, and where.
        known: Vec<Introduction>,
        /// Who is not linked with it any more.
        gone: Vec<NodeId>,
        /// What has changed in directories that it has told of.
        changed: Vec<Change>,
    },
    /// The last one on a link.
    Bye(Bye),
    /// One that a newer node understands.
    Unknown,
}

/// Who is at the other end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Its identity.
    pub node: NodeId,
    /// What it speaks.
    pub version: Version,
    /// The namespace it belongs to.
    pub namespace: String,
    /// Its name, for people.
    pub name: String,
    /// A word for its machine, for people.
    pub host: String,
    /// The port on which it accepts control links; 0 when it accepts none.
    pub port: u16,
    /// Where it may be reached besides the address of the link.
    pub addresses: Vec<IpAddr>,
    /// What it can do beyond this version.
    pub capabilities: Vec<String>,
}

/// The capability of a hub, in HELLO.
pub const HUB: &str = "hub";

/// Why a link is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bye {
    /// The node ends.
    Leaving,
    /// There is another link between the two.
    Duplicate,
    /// The other one is in another namespace.
    Namespace,
    /// The other one speaks another major version.
    Version,
    /// It knows as many nodes as it may.
    Full,
    /// The node has dialled itself.
    Own,
    /// A reason that a newer node knows.
    Other(String),
}

impl Bye {
    /// The word for it on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Leaving => "leaving",
            Self::Duplicate => "duplicate",
            Self::Namespace => "namespace",
            Self::Version => "version",
            Self::Full => "full",
            Self::Own => "own",
            Self::Other(word) => word,
        }
    }

    fn parse(word: &str) -> Self {
        const KNOWN: [Bye; 6] = [
            Bye::Leaving,
            Bye::Duplicate,
            Bye::Namespace,
            Bye::Version,
            Bye::Full,
            Bye::Own,
        ];
        let found = KNOWN.into_iter().find(|bye| bye.as_str() == word);
        found.unwrap_or_else(|| Self::Other(shown(word, limits::REASON_LEN)))
    }
}

/// Octets that are no control message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// They are no MessagePack, or values have the wrong type.
    #[error("malformed control message: {0}")]
    Malformed(#[from] MsgPackError),
    /// A key that the message can't do without.
    #[error("control message without {0:?}")]
    Missing(&'static str),
    /// A value that makes no sense.
    #[error("control message with an invalid {0:?}")]
    Invalid(&'static str),
    /// Longer, or with more entries, than allowed.
    #[error("control message over the limit of {limit} {unit}")]
    TooLarge {
        /// The limit.
        limit: usize,
        /// Its unit.
        unit: &'static str,
    },
}

impl Message {
    /// The octets of this message: one frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self {
            Self::Hello(hello) => hello.put(&mut out),
            Self::Snapshot {
                generation,
                entries,
            } => {
                put_start(&mut out, "snapshot", 2);
                put_pair_uint(&mut out, "gen", *generation);
                put_entries(&mut out, "entries", entries);
            }
            Self::Delta {
                from,
                to,
                added,
                removed,
            } => {
                put_start(&mut out, "delta", 4);
                put_pair_uint(&mut out, "from", *from);
                put_pair_uint(&mut out, "to", *to);
                put_entries(&mut out, "add", added);
                put_removed(&mut out, "del", removed);
            }
            Self::Resync { of } => {
                put_start(&mut out, "resync", usize::from(of.is_some()));
                if let Some(node) = of {
                    put_str(&mut out, "id");
                    put_bin(&mut out, &node.0);
                }
            }
            Self::Ping { sent_ns } => {
                put_start(&mut out, "ping", 1);
                put_pair_uint(&mut out, "t", *sent_ns);
            }
            Self::Pong {
                sent_ns,
                answered_ns,
            } => {
                put_start(&mut out, "pong", 2);
                put_pair_uint(&mut out, "t", *sent_ns);
                put_pair_uint(&mut out, "r", *answered_ns);
            }
            Self::Nodes {
                all,
                known,
                gone,
                changed,
            } => {
                put_start(&mut out, "nodes", 3 + usize::from(!changed.is_empty()));
                put_pair_uint(&mut out, "all", u64::from(*all));
                put_str(&mut out, "known");
                put_array(&mut out, known.len());
                known.iter().for_each(|node| node.put(&mut out));
                put_str(&mut out, "gone");
                put_array(&mut out, gone.len());
                gone.iter().for_each(|node| put_bin(&mut out, &node.0));
                if !changed.is_empty() {
                    put_str(&mut out, "changed");
                    put_array(&mut out, changed.len());
                    changed.iter().for_each(|change| change.put(&mut out));
                }
            }
            Self::Bye(bye) => {
                put_start(&mut out, "bye", 1);
                put_pair_str(&mut out, "why", bye.as_str());
            }
            Self::Unknown => put_start(&mut out, "", 0),
        }
        out
    }

    /// Reads one frame.
    ///
    /// # Errors
    /// When it is no control message; whoever sent it does not follow the protocol.
    pub fn decode(frame: &[u8]) -> Result<Self, MessageError> {
        if frame.len() > limits::MESSAGE_LEN {
            return Err(MessageError::TooLarge {
                limit: limits::MESSAGE_LEN,
                unit: "octets",
            });
        }
        let map = Map::new(frame)?;
        Ok(match map.string("m")? {
            "hello" => Self::Hello(Hello::from_map(&map)?),
            "snapshot" => Self::Snapshot {
                generation: map.uint("gen")?,
                entries: entries(map.value("entries")?)?,
            },
            "delta" => Self::Delta {
                from: map.uint("from")?,
                to: map.uint("to")?,
                added: entries(map.value("add")?)?,
                removed: removed(map.value("del")?)?,
            },
            "resync" => Self::Resync {
                of: match map.value("id") {
                    Ok(mut id) => Some(node_id(id.bin()?, "id")?),
                    Err(_) => None,
                },
            },
            "ping" => Self::Ping {
                sent_ns: map.uint("t")?,
            },
            "pong" => Self::Pong {
                sent_ns: map.uint("t")?,
                answered_ns: map.uint("r")?,
            },
            "nodes" => Self::Nodes {
                all: map.uint("all")? != 0,
                known: introduction::known(map.value("known")?)?,
                gone: introduction::gone(map.value("gone")?)?,
                changed: map
                    .value("changed")
                    .map_or(Ok(Vec::new()), introduction::changed)?,
            },
            "bye" => Self::Bye(Bye::parse(map.string("why")?)),
            _ => Self::Unknown,
        })
    }
}

impl Hello {
    fn put(&self, out: &mut Vec<u8>) {
        put_start(out, "hello", 9);
        put_str(out, "id");
        put_bin(out, &self.node.0);
        put_pair_uint(out, "major", self.version.major.into());
        put_pair_uint(out, "minor", self.version.minor.into());
        put_pair_str(out, "ns", &self.namespace);
        put_pair_str(out, "name", &self.name);
        put_pair_str(out, "host", &self.host);
        put_pair_uint(out, "port", self.port.into());
        put_str(out, "addrs");
        put_array(out, self.addresses.len());
        self.addresses
            .iter()
            .for_each(|address| put_str(out, &address.to_string()));
        put_str(out, "caps");
        put_array(out, self.capabilities.len());
        self.capabilities.iter().for_each(|word| put_str(out, word));
    }

    fn from_map(map: &Map<'_>) -> Result<Self, MessageError> {
        let number = |key| u16::try_from(map.uint(key)?).map_err(|_| MessageError::Invalid(key));
        let text = |key| Ok::<_, MessageError>(shown(map.string(key)?, limits::NAME_LEN));
        Ok(Self {
            node: node_id(map.value("id")?.bin()?, "id")?,
            version: Version {
                major: number("major")?,
                minor: number("minor")?,
            },
            namespace: text("ns")?,
            name: text("name")?,
            host: text("host")?,
            port: number("port")?,
            // An address that we can't read is one of a family to come.
            addresses: map
                .strings("addrs")?
                .filter_map(|text| text.parse().ok())
                .collect(),
            capabilities: map
                .strings("caps")?
                .map(|word| shown(word, limits::NAME_LEN))
                .collect(),
        })
    }
}
