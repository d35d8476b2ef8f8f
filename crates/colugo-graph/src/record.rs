//! `NodeRecord`: what a node says about itself in DNS-SD, and its TXT strings.
//!
//! Knows the service type and the keys; does not know DNS packets, nor whether the record is true: only HELLO tells.
//! Used by discovery drivers, which hand it to the [`Brain`](crate::Brain).

use std::net::SocketAddr;

use crate::limits::{self, cut, shown};
use crate::{HUB, Hello, Namespace, NodeId, Version};

/// The DNS-SD type of node records. The instance is the node's id, the SRV port its control port.
pub const SERVICE_TYPE: &str = "_colugo-node._tcp.local.";

/// A node as it is known before anybody has talked to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// Its identity.
    pub node: NodeId,
    /// What it speaks.
    pub version: Version,
    /// The namespace it belongs to.
    pub namespace: String,
    /// Its name, for people.
    pub name: String,
    /// A word for its machine.
    pub host: String,
    /// Whether it tells others of those that it is linked with.
    pub hub: bool,
    /// Where its control port may be reached.
    pub addresses: Vec<SocketAddr>,
}

/// TXT strings that are no node record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The instance is no node id.
    #[error("the instance {0:?} is no node id (32 hex digits)")]
    Instance(String),
    /// A key that a record can't do without.
    #[error("the record has no {0:?}")]
    Missing(&'static str),
    /// A value that makes no sense.
    #[error("the record has an invalid {0:?}")]
    Invalid(&'static str),
    /// More TXT than allowed.
    #[error("the record has more than {} octets of TXT", limits::TXT_LEN)]
    TooLarge,
}

impl NodeRecord {
    /// The TXT strings of a node, as pairs. Cuts `name` and `host` where all would be too long.
    pub fn txt(
        version: Version,
        namespace: &Namespace,
        name: &str,
        host: &str,
        hub: bool,
    ) -> Vec<(String, String)> {
        let mut txt = vec![
            ("v".to_owned(), version.to_string()),
            ("ns".to_owned(), namespace.to_string()),
            ("name".to_owned(), cut(name, limits::NAME_LEN).to_owned()),
            ("host".to_owned(), cut(host, limits::NAME_LEN).to_owned()),
        ];
        if hub {
            txt.push(("hub".to_owned(), "1".to_owned()));
        }
        txt
    }

    /// Reads an instance name and its TXT strings. Unknown keys are ignored.
    ///
    /// # Errors
    /// When it is not the record of a node.
    pub fn parse<'a>(
        instance: &str,
        txt: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Self, RecordError> {
        let node = instance
            .parse()
            .map_err(|_| RecordError::Instance(shown(instance, 80)))?;
        let mut record = Self {
            node,
            version: Version { major: 0, minor: 0 },
            namespace: String::new(),
            name: String::new(),
            host: String::new(),
            hub: false,
            addresses: addresses.into_iter().take(limits::ADDRESSES).collect(),
        };
        let mut octets = 0;
        for (key, value) in txt {
            octets += key.len() + value.len() + 2;
            if octets > limits::TXT_LEN {
                return Err(RecordError::TooLarge);
            }
            record.read(key, value)?;
        }
        match record {
            Self {
                version: Version { major: 0, .. },
                ..
            } => Err(RecordError::Missing("v")),
            Self { ref namespace, .. } if namespace.is_empty() => Err(RecordError::Missing("ns")),
            record => Ok(record),
        }
    }

    fn read(&mut self, key: &str, value: &[u8]) -> Result<(), RecordError> {
        let text = |key| {
            let text = std::str::from_utf8(value).map_err(|_| RecordError::Invalid(key))?;
            Ok(shown(text, limits::NAME_LEN))
        };
        match key {
            "v" => self.version = version(&text("v")?).ok_or(RecordError::Invalid("v"))?,
            "ns" => self.namespace = text("ns")?,
            "name" => self.name = text("name")?,
            "host" => self.host = text("host")?,
            "hub" => self.hub = value == b"1",
            _ => {}
        }
        Ok(())
    }
}

impl From<&Hello> for NodeRecord {
    fn from(hello: &Hello) -> Self {
        Self {
            node: hello.node,
            version: hello.version,
            namespace: hello.namespace.clone(),
            name: hello.name.clone(),
            host: hello.host.clone(),
            hub: hello.capabilities.iter().any(|word| word == HUB),
            addresses: hello
                .addresses
                .iter()
                .map(|ip| SocketAddr::new(*ip, hello.port))
                .collect(),
        }
    }
}

/// `1` or `1.0`; anything after a further dot is for versions to come.
fn version(text: &str) -> Option<Version> {
    let mut parts = text.split('.');
    let major = parts.next()?.parse().ok().filter(|major| *major > 0)?;
    let minor = parts.next().map_or(Some(0), |part| part.parse().ok())?;
    Some(Version { major, minor })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANCE: &str = "000102030405060708090a0b0c0d0e0f";

    fn parse(txt: &[(&str, &str)]) -> Result<NodeRecord, RecordError> {
        NodeRecord::parse(INSTANCE, txt.iter().map(|(k, v)| (*k, v.as_bytes())), [])
    }

    #[test]
    fn what_is_announced_can_be_read() {
        let txt = NodeRecord::txt(
            Version::OURS,
            &Namespace::default(),
            &"n".repeat(99),
            "box",
            true,
        );
        let record = NodeRecord::parse(
            INSTANCE,
            txt.iter().map(|(k, v)| (k.as_str(), v.as_bytes())),
            [],
        )
        .unwrap();
        assert_eq!(record.version, Version::OURS);
        assert_eq!(record.namespace, "default");
        assert_eq!(record.name, "n".repeat(63));
        assert_eq!(record.host, "box");
        assert!(record.hub);
    }

    #[test]
    fn keys_of_the_future_are_ignored() {
        let record = parse(&[("v", "1.7"), ("ns", "a"), ("colour", "blue"), ("hub", "1")]).unwrap();
        assert!(record.hub);
        assert_eq!(record.version, Version { major: 1, minor: 7 });
    }

    #[test]
    fn names_can_not_steer_a_terminal() {
        let record = parse(&[("v", "1"), ("ns", "a"), ("name", "\u{1b}[2Jx")]).unwrap();
        assert_eq!(record.name, "\u{fffd}[2Jx");
    }

    #[test]
    fn poison_is_refused() {
        assert!(matches!(
            NodeRecord::parse("printer", [], []),
            Err(RecordError::Instance(_))
        ));
        assert_eq!(parse(&[("ns", "a")]), Err(RecordError::Missing("v")));
        assert_eq!(parse(&[("v", "1")]), Err(RecordError::Missing("ns")));
        assert_eq!(
            parse(&[("v", "one"), ("ns", "a")]),
            Err(RecordError::Invalid("v"))
        );
        assert_eq!(
            parse(&[("v", "1"), ("ns", "a"), ("x", &"y".repeat(400))]),
            Err(RecordError::TooLarge)
        );
        let bad_text = [("v", b"1".as_slice()), ("ns", b"\xff")];
        assert_eq!(
            NodeRecord::parse(INSTANCE, bad_text, []),
            Err(RecordError::Invalid("ns"))
        );
    }
}
