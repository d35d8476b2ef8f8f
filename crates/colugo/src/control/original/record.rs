//! `SocketRecord`: one socket of the original's kind in DNS-SD: `_topic._uuid._colugo._tcp.local.`, with TXT `topic`, `socket_type` and
//! `node_uuid`. Ours have a key more, by which our nodes know each other's and leave them alone.
//!
//! Knows names and texts; does not know packets' order or sockets.

use std::net::Ipv4Addr;

use colugo_graph::{Kind, NodeId, Topic};

use crate::control::dns::{Data, Name, Record};

pub(super) const SERVICE: &str = "_colugo._tcp.local";
/// What a network's types are asked for by (RFC 6763, section 9).
pub(super) const TYPES: &str = "_services._dns-sd._udp.local";
/// Seconds: the original's.
pub(super) const TTL: u32 = 3600;
/// ZeroMQ's numbers of the socket types.
const PUB: &str = "1";
const REP: &str = "4";
/// In the TXT record of our sockets.
const OURS: &str = "colugo";

/// A socket of our own that is to be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OwnSocket {
    pub(super) node: NodeId,
    pub(super) kind: Kind,
    pub(super) topic: Topic,
    pub(super) port: u16,
}

impl OwnSocket {
    /// Whether the original's programs could make sense of it: they cut the name at underscores, and it has to be one.
    pub(super) fn can_be_shown(&self) -> bool {
        !self.topic.as_str().contains('_') && self.name().fits()
    }

    /// The instance in one label, as avahi and others show it; in several where it would be too long for one.
    pub(super) fn name(&self) -> Name {
        let instance = format!("_{}._{}", self.topic, self.uuid());
        let service = Name::of(SERVICE);
        let one = Name([vec![instance.clone().into_bytes()], service.0.clone()].concat());
        if one.fits() {
            return one;
        }
        Name([Name::of(&instance).0, service.0].concat())
    }

    /// The node's, and another one for its servers: a topic and a service of one name must not share one instance.
    fn uuid(&self) -> NodeId {
        let mut uuid = self.node;
        if self.kind == Kind::Server
            && let [first, ..] = &mut uuid.0
        {
            *first ^= 1;
        }
        uuid
    }

    fn text(&self) -> Vec<Vec<u8>> {
        let number = if self.kind == Kind::Server { REP } else { PUB };
        [
            format!("topic={}", self.topic),
            format!("socket_type={number}"),
            format!("node_uuid={}", self.uuid()),
            format!("{OURS}=1"),
        ]
        .map(String::into_bytes)
        .to_vec()
    }

    /// The pointer to it.
    pub(super) fn pointer(&self, ttl: u32) -> Record {
        Record {
            name: Name::of(SERVICE),
            ttl,
            data: Data::Ptr(self.name()),
        }
    }

    /// What it is, under its name as somebody spells it. The address last: old clients use the last.
    pub(super) fn details(&self, name: &Name, ip: Ipv4Addr, ttl: u32) -> [Record; 3] {
        let data = [
            Data::Srv {
                priority: 0,
                weight: 0,
                port: self.port,
                target: name.clone(),
            },
            Data::Txt(self.text()),
            Data::A(ip),
        ];
        data.map(|data| Record {
            name: name.clone(),
            ttl,
            data,
        })
    }
}

/// What a TXT record says of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct About {
    pub(super) node: NodeId,
    pub(super) kind: Kind,
    pub(super) topic: Topic,
    /// It belongs to a node of ours, which says more by itself.
    pub(super) ours: bool,
}

impl About {
    /// `None`: it lacks a key, or is of a socket that nobody can connect to.
    pub(super) fn read(strings: &[Vec<u8>]) -> Option<Self> {
        let value = |key: &str| {
            strings.iter().find_map(|string| {
                let text = std::str::from_utf8(string).ok()?;
                let (name, value) = text.split_once('=')?;
                name.eq_ignore_ascii_case(key).then_some(value)
            })
        };
        let kind = match value("socket_type")? {
            PUB => Kind::Publisher,
            REP => Kind::Server,
            _ => return None,
        };
        Some(Self {
            node: value("node_uuid")?.replace('-', "").parse().ok()?,
            kind,
            topic: Topic::new(value("topic")?).ok()?,
            ours: value(OURS).is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(topic: &str) -> OwnSocket {
        OwnSocket {
            node: NodeId([0xab; 16]),
            kind: Kind::Server,
            topic: topic.parse().expect("a topic"),
            port: 4000,
        }
    }

    #[test]
    fn a_record_says_what_the_original_says() {
        let socket = socket("rpc.topic");
        let name = socket.name();
        assert_eq!(
            name.key(),
            "_rpc.topic._aaababababababababababababababab._colugo._tcp.local"
        );
        assert_eq!(name.0.len(), 4, "the instance is one label");
        let about = About::read(&socket.text()).expect("it can be read");
        assert_eq!(about.topic, socket.topic);
        assert_eq!((about.kind, about.node), (Kind::Server, socket.uuid()));
        assert!(about.ours);
    }

    #[test]
    fn a_record_of_the_original_is_read() {
        let strings = [
            "topic=pub.topic",
            "socket_type=1",
            "node_uuid=6f1ed002-ab59-4c0d-ba5e-000000000001",
        ];
        let strings = strings.map(|text| text.as_bytes().to_vec());
        let about = About::read(&strings).expect("it can be read");
        assert_eq!(about.kind, Kind::Publisher);
        assert!(!about.ours);
        for left_out in 0..3 {
            let mut some = strings.to_vec();
            some.remove(left_out);
            assert_eq!(About::read(&some), None);
        }
    }

    #[test]
    fn long_names_take_several_labels_and_some_cannot_be_shown() {
        let long = format!("{}.{}", "a".repeat(40), "b".repeat(40));
        assert!(socket(&long).can_be_shown());
        assert_eq!(socket(&long).name().0.len(), 6);
        assert!(!socket(&"a".repeat(80)).can_be_shown());
        assert!(!socket("left_arm").can_be_shown());
    }
}
