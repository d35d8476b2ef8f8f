//! Entries of a directory, and `Listing`: a whole directory as the octets that travelled.
//!
//! Knows how entries are written, and that a directory which a hub passes on is mostly kept and seldom read: it stays as it came, at a
//! tenth of the memory, and what is no entry in it ends it. Used by messages and by the brain.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::fields::{at_most, put_pair_str, put_pair_uint};
use crate::limits::{self, shown};
use crate::msgpack::{Reader, put_array, put_bin_head, put_map, put_str, put_uint};
use crate::{Announcement, AnnouncementId, Entry, Kind, MessageError, Topic};

/// What a node announces, at one generation of it.
#[derive(Clone, Debug)]
pub struct Listing {
    generation: u64,
    entries: usize,
    /// The entries one after another.
    octets: Arc<[u8]>,
}

impl Listing {
    /// What is announced at this generation.
    pub fn new<'a>(
        generation: u64,
        entries: impl IntoIterator<Item = (AnnouncementId, &'a Announcement)>,
    ) -> Self {
        let mut octets = Vec::new();
        let mut count = 0;
        for (id, announcement) in entries {
            put_entry(&mut octets, id, announcement);
            count += 1;
        }
        Self {
            generation,
            entries: count,
            octets: octets.into(),
        }
    }

    /// Nothing, at this generation.
    pub(crate) fn empty(generation: u64) -> Self {
        Self::new(generation, [])
    }

    /// Which state of the node's directory this is; grows with each change.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How many entries there are, those included that this version does not understand.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// The octets that it takes.
    pub fn size(&self) -> usize {
        self.octets.len()
    }

    /// The entries. Those of kinds or names that this version does not know are left out.
    pub fn iter(&self) -> impl Iterator<Item = Entry> {
        self.raw().filter_map(|raw| raw.entry())
    }

    /// Kinds and names, without a look at the rest; a name need not be one.
    pub(crate) fn names(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        self.raw()
            .filter_map(|raw| Some((Kind::parse(raw.kind)?, raw.topic)))
    }

    /// The directory after a change that builds on this generation.
    pub(crate) fn changed(&self, to: u64, added: &[Entry], removed: &[AnnouncementId]) -> Self {
        let added_ids = added.iter().map(|entry| entry.id);
        let replaced: BTreeSet<_> = removed.iter().copied().chain(added_ids).collect();
        let mut octets = Vec::with_capacity(self.octets.len());
        let mut entries = 0;
        let mut reader = Reader::new(&self.octets);
        while !reader.is_empty() {
            let start = reader.clone();
            let Ok(raw) = RawEntry::read(&mut reader) else {
                break;
            };
            if !replaced.contains(&AnnouncementId(raw.id)) {
                octets.extend_from_slice(start.until(&reader));
                entries += 1;
            }
        }
        for entry in added {
            put_entry(&mut octets, entry.id, &entry.announcement);
            entries += 1;
        }
        Self {
            generation: to,
            entries,
            octets: octets.into(),
        }
    }

    /// As one value that a reader can step over, whatever it holds.
    pub(crate) fn put(&self, out: &mut Vec<u8>, key: &str) {
        put_str(out, key);
        let mut head = Vec::new();
        put_array(&mut head, self.entries);
        put_bin_head(out, head.len() + self.octets.len());
        out.extend_from_slice(&head);
        out.extend_from_slice(&self.octets);
    }

    pub(crate) fn read(generation: u64, octets: &[u8]) -> Result<Self, MessageError> {
        let mut reader = Reader::new(octets);
        let entries = few(reader.array()?)?;
        Ok(Self {
            generation,
            entries,
            octets: reader.rest().into(),
        })
    }

    fn raw(&self) -> impl Iterator<Item = RawEntry<'_>> {
        let mut reader = Reader::new(&self.octets);
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            RawEntry::read(&mut reader).ok()
        })
    }
}

/// Equal are those that say the same, whatever else the octets have.
impl PartialEq for Listing {
    fn eq(&self, other: &Self) -> bool {
        self.generation == other.generation && self.iter().eq(other.iter())
    }
}

impl Eq for Listing {}

/// An entry whose parts are not understood yet.
struct RawEntry<'a> {
    id: u64,
    topic: &'a [u8],
    kind: &'a [u8],
    port: u16,
    encoding: &'a [u8],
}

impl<'a> RawEntry<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, MessageError> {
        let (mut id, mut topic, mut kind, mut port, mut encoding) = (None, None, None, None, None);
        for _ in 0..reader.map()? {
            match reader.text()? {
                b"i" if id.is_none() => id = Some(reader.uint()?),
                b"t" if topic.is_none() => topic = Some(reader.text()?),
                b"k" if kind.is_none() => kind = Some(reader.text()?),
                b"p" if port.is_none() => port = Some(reader.uint()?),
                b"e" if encoding.is_none() => encoding = Some(reader.text()?),
                _ => reader.skip()?,
            }
        }
        let port = port.ok_or(MessageError::Missing("p"))?;
        Ok(Self {
            id: id.ok_or(MessageError::Missing("i"))?,
            topic: topic.ok_or(MessageError::Missing("t"))?,
            kind: kind.ok_or(MessageError::Missing("k"))?,
            port: u16::try_from(port).map_err(|_| MessageError::Invalid("p"))?,
            encoding: encoding.unwrap_or_default(),
        })
    }

    /// A kind or a name of a version to come is no fault; the entry is just not for us.
    fn entry(&self) -> Option<Entry> {
        let announcement = Announcement {
            topic: Topic::new(std::str::from_utf8(self.topic).ok()?).ok()?,
            kind: Kind::parse(self.kind)?,
            port: self.port,
            encoding: shown(
                std::str::from_utf8(self.encoding).ok()?,
                limits::ENCODING_LEN,
            ),
        };
        Some(Entry {
            id: AnnouncementId(self.id),
            announcement,
        })
    }
}

pub(crate) fn entries(mut value: Reader<'_>) -> Result<Vec<Entry>, MessageError> {
    let len = few(value.array()?)?;
    let mut entries = Vec::new();
    for _ in 0..len {
        entries.extend(RawEntry::read(&mut value)?.entry());
    }
    Ok(entries)
}

pub(crate) fn put_entries(out: &mut Vec<u8>, key: &str, entries: &[Entry]) {
    put_str(out, key);
    put_array(out, entries.len());
    for Entry { id, announcement } in entries {
        put_entry(out, *id, announcement);
    }
}

pub(crate) fn removed(mut value: Reader<'_>) -> Result<Vec<AnnouncementId>, MessageError> {
    let len = few(value.array()?)?;
    (0..len)
        .map(|_| Ok(AnnouncementId(value.uint()?)))
        .collect()
}

pub(crate) fn put_removed(out: &mut Vec<u8>, key: &str, removed: &[AnnouncementId]) {
    put_str(out, key);
    put_array(out, removed.len());
    removed.iter().for_each(|id| put_uint(out, id.0));
}

fn put_entry(out: &mut Vec<u8>, id: AnnouncementId, what: &Announcement) {
    let encoded = !what.encoding.is_empty();
    put_map(out, 4 + usize::from(encoded));
    put_pair_uint(out, "i", id.0);
    put_pair_str(out, "t", what.topic.as_str());
    put_pair_str(out, "k", what.kind.as_str());
    put_pair_uint(out, "p", what.port.into());
    if encoded {
        put_pair_str(out, "e", &what.encoding);
    }
}

fn few(len: usize) -> Result<usize, MessageError> {
    at_most(limits::ENTRIES, "entries", len)
}
