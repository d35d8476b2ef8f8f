//! `Introduction` and `Change`: what a hub says of nodes that are linked with it.
//!
//! Knows their octets within a message; when they are said and what they cause is in `brain/introducing.rs` and `brain/told.rs`.

use std::net::SocketAddr;

use crate::fields::{Map, at_most, node_id, put_pair_str, put_pair_uint};
use crate::limits::{self, cut, shown};
use crate::listing::{entries, put_entries, put_removed, removed};
use crate::msgpack::{Reader, put_array, put_bin, put_map, put_str};
use crate::{AnnouncementId, Entry, Listing, MessageError, NodeId};

/// What a hub says of a node that is linked with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Its identity.
    pub node: NodeId,
    /// Its name, for people.
    pub name: String,
    /// A word for its machine, for people.
    pub host: String,
    /// Whether it is a hub too.
    pub hub: bool,
    /// Where its control port may be reached, at most [`ADDRESSES`](crate::limits::ADDRESSES).
    pub addresses: Vec<SocketAddr>,
    /// What it announces; `None`: that is told later, or by itself only.
    pub listing: Option<Listing>,
}

/// What has changed in the directory of a node, as its own [`Delta`](crate::Message::Delta) said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose directory.
    pub node: NodeId,
    /// The generation that it builds on.
    pub from: u64,
    /// The generation that it leads to.
    pub to: u64,
    /// What was announced.
    pub added: Vec<Entry>,
    /// What was withdrawn.
    pub removed: Vec<AnnouncementId>,
}

impl Introduction {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let pairs = 4 + usize::from(self.hub) + 2 * usize::from(self.listing.is_some());
        put_map(out, pairs);
        put_str(out, "id");
        put_bin(out, &self.node.0);
        put_pair_str(out, "name", cut(&self.name, limits::NAME_LEN));
        put_pair_str(out, "host", cut(&self.host, limits::NAME_LEN));
        put_str(out, "addrs");
        put_array(out, self.addresses.len());
        self.addresses
            .iter()
            .for_each(|address| put_str(out, &address.to_string()));
        if self.hub {
            put_pair_uint(out, "hub", 1);
        }
        if let Some(listing) = &self.listing {
            put_pair_uint(out, "gen", listing.generation());
            listing.put(out, "entries");
        }
    }

    fn from_map(map: &Map<'_>) -> Result<Self, MessageError> {
        let text = |key| Ok::<_, MessageError>(shown(map.string(key)?, limits::NAME_LEN));
        Ok(Self {
            node: node_id(map.value("id")?.bin()?, "id")?,
            name: text("name")?,
            host: text("host")?,
            hub: map.uint("hub").is_ok_and(|is| is != 0),
            // An address that we can't read is one of a family to come.
            addresses: map
                .strings("addrs")?
                .filter_map(|text| text.parse().ok())
                .collect(),
            listing: match map.value("entries") {
                Ok(mut value) => Some(Listing::read(map.uint("gen")?, value.bin()?)?),
                Err(_) => None,
            },
        })
    }
}

impl Change {
    /// About how many octets it takes in a message.
    pub(crate) fn size(&self) -> usize {
        self.added.iter().map(Entry::size).sum::<usize>() + 9 * self.removed.len() + 64
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_map(out, 5);
        put_str(out, "id");
        put_bin(out, &self.node.0);
        put_pair_uint(out, "from", self.from);
        put_pair_uint(out, "to", self.to);
        put_entries(out, "add", &self.added);
        put_removed(out, "del", &self.removed);
    }

    fn from_map(map: &Map<'_>) -> Result<Self, MessageError> {
        Ok(Self {
            node: node_id(map.value("id")?.bin()?, "id")?,
            from: map.uint("from")?,
            to: map.uint("to")?,
            added: entries(map.value("add")?)?,
            removed: removed(map.value("del")?)?,
        })
    }
}

pub(crate) fn known(mut value: Reader<'_>) -> Result<Vec<Introduction>, MessageError> {
    let len = few(value.array()?)?;
    (0..len)
        .map(|_| Introduction::from_map(&Map::read(&mut value)?))
        .collect()
}

pub(crate) fn gone(mut value: Reader<'_>) -> Result<Vec<NodeId>, MessageError> {
    let len = few(value.array()?)?;
    (0..len).map(|_| node_id(value.bin()?, "gone")).collect()
}

pub(crate) fn changed(mut value: Reader<'_>) -> Result<Vec<Change>, MessageError> {
    let len = few(value.array()?)?;
    (0..len)
        .map(|_| Change::from_map(&Map::read(&mut value)?))
        .collect()
}

fn few(len: usize) -> Result<usize, MessageError> {
    at_most(limits::PEERS, "nodes", len)
}
