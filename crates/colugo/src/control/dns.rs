//! `Packet`: a DNS message, with names as lists of labels, since the original's instance names have dots in them.
//!
//! Knows the octets (RFC 1035, RFC 6762); does not know what a record is good for. Whatever is received is read within bounds.

use std::net::Ipv4Addr;

/// A packet of more records than this is not looked at to its end.
const RECORDS_MAX: usize = 512;
/// Octets of a name, and jumps within it.
const NAME_MAX: usize = 255;
const JUMPS_MAX: usize = 32;
const LABEL_MAX: usize = 63;

pub(super) const RESPONSE: u16 = 0x8000;
pub(super) const AUTHORITATIVE: u16 = 0x0400;
pub(super) const RECURSION_DESIRED: u16 = 0x0100;
/// 0 in it: no error.
const CODE: u16 = 0x000f;
const IN: u16 = 1;
/// The top bit of a class: cache-flush in records, unicast-wanted in questions.
const CLASS: u16 = 0x7fff;

pub(super) const A: u16 = 1;
pub(super) const PTR: u16 = 12;
pub(super) const TXT: u16 = 16;
pub(super) const SRV: u16 = 33;
pub(super) const ANY: u16 = 255;

/// The labels of a name, the root left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Name(pub(super) Vec<Vec<u8>>);

impl Name {
    /// A name none of whose labels has a dot in it.
    pub(super) fn of(text: &str) -> Self {
        let labels = text.split('.').filter(|label| !label.is_empty());
        Self(labels.map(|label| label.as_bytes().to_vec()).collect())
    }

    /// With dots and in lower case, however its labels were cut: one name in both spellings gives one key.
    pub(super) fn key(&self) -> String {
        let labels: Vec<_> = self
            .0
            .iter()
            .map(|label| String::from_utf8_lossy(label).to_ascii_lowercase())
            .collect();
        labels.join(".")
    }

    pub(super) fn fits(&self) -> bool {
        let octets: usize = self.0.iter().map(|label| label.len() + 1).sum();
        octets < NAME_MAX && self.0.iter().all(|l| (1..=LABEL_MAX).contains(&l.len()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) kind: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    A(Ipv4Addr),
    Ptr(Name),
    /// The strings of a TXT record.
    Txt(Vec<Vec<u8>>),
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        target: Name,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: Name,
    /// Seconds; 0: it is gone.
    pub(super) ttl: u32,
    pub(super) data: Data,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Packet {
    /// Tells the answer of a name server from others; 0 by multicast.
    pub(super) id: u16,
    pub(super) flags: u16,
    pub(super) questions: Vec<Question>,
    /// Answers, authorities and additional ones alike, but for kinds that are not looked at.
    pub(super) records: Vec<Record>,
}

impl Packet {
    /// `None`: this is no DNS message. One that breaks off is read so far.
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let mut reader = Reader { octets, at: 0 };
        let mut packet = Self {
            id: reader.u16()?,
            flags: reader.u16()?,
            ..Self::default()
        };
        let questions = usize::from(reader.u16()?);
        let mut records = 0;
        for _ in 0..3 {
            records += usize::from(reader.u16()?);
        }
        for _ in 0..questions.min(RECORDS_MAX) {
            let Some(question) = reader.question() else {
                return Some(packet);
            };
            packet.questions.push(question);
        }
        for _ in 0..records.min(RECORDS_MAX) {
            match reader.record() {
                Some(record) => packet.records.extend(record),
                None => break,
            }
        }
        Some(packet)
    }

    pub(super) fn is_response(&self) -> bool {
        self.flags & RESPONSE != 0
    }

    pub(super) fn is_error(&self) -> bool {
        self.flags & CODE != 0
    }

    /// What ends a name and was written before is pointed at. All records are answers.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut writer = Writer {
            octets: Vec::new(),
            known: Vec::new(),
        };
        let count = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        for word in [
            self.id,
            self.flags,
            count(self.questions.len()),
            count(self.records.len()),
            0,
            0,
        ] {
            writer.u16(word);
        }
        for question in &self.questions {
            writer.name(&question.name);
            writer.u16(question.kind);
            writer.u16(IN);
        }
        for record in &self.records {
            writer.record(record);
        }
        writer.octets
    }
}

struct Writer {
    octets: Vec<u8>,
    /// Tails of names that were written, and where.
    known: Vec<(Vec<Vec<u8>>, u16)>,
}

impl Writer {
    fn u16(&mut self, word: u16) {
        self.octets.extend_from_slice(&word.to_be_bytes());
    }

    fn name(&mut self, name: &Name) {
        let mut rest = name.0.as_slice();
        while let [label, others @ ..] = rest {
            if let Some((_, at)) = self.known.iter().find(|(tail, _)| tail == rest) {
                return self.u16(0xc000 | at);
            }
            if let Ok(at) = u16::try_from(self.octets.len())
                && at < 0x4000
            {
                self.known.push((rest.to_vec(), at));
            }
            let label = label.get(..LABEL_MAX).unwrap_or(label);
            self.octets.push(u8::try_from(label.len()).unwrap_or(0));
            self.octets.extend_from_slice(label);
            rest = others;
        }
        self.octets.push(0);
    }

    fn record(&mut self, record: &Record) {
        self.name(&record.name);
        self.u16(match record.data {
            Data::A(_) => A,
            Data::Ptr(_) => PTR,
            Data::Txt(_) => TXT,
            Data::Srv { .. } => SRV,
        });
        // Without the cache-flush bit, as the original's: its clients need not know it.
        self.u16(IN);
        self.octets.extend_from_slice(&record.ttl.to_be_bytes());
        let len_at = self.octets.len();
        self.u16(0);
        match &record.data {
            Data::A(ip) => self.octets.extend_from_slice(&ip.octets()),
            Data::Ptr(name) => self.name(name),
            Data::Txt(strings) => {
                for string in strings {
                    let string = string.get(..255).unwrap_or(string);
                    self.octets.push(u8::try_from(string.len()).unwrap_or(0));
                    self.octets.extend_from_slice(string);
                }
            }
            Data::Srv {
                priority,
                weight,
                port,
                target,
            } => {
                self.u16(*priority);
                self.u16(*weight);
                self.u16(*port);
                self.name(target);
            }
        }
        let len = self.octets.len().saturating_sub(len_at + 2);
        let len = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(place) = self.octets.get_mut(len_at..len_at + 2) {
            place.copy_from_slice(&len);
        }
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.octets.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn name(&mut self) -> Option<Name> {
        let mut labels = Vec::new();
        let (mut jumps, mut octets) = (0, 0);
        // Where to go on after the name, once it has pointed elsewhere.
        let mut back = None;
        loop {
            let len = self.u8()?;
            match len >> 6 {
                0 if len == 0 => break,
                0 => {
                    octets += usize::from(len) + 1;
                    if octets > NAME_MAX {
                        return None;
                    }
                    labels.push(self.take(usize::from(len))?.to_vec());
                }
                3 => {
                    let to = u16::from_be_bytes([len & 0x3f, self.u8()?]);
                    jumps += 1;
                    if jumps > JUMPS_MAX {
                        return None;
                    }
                    back.get_or_insert(self.at);
                    self.at = usize::from(to);
                }
                _ => return None,
            }
        }
        if let Some(back) = back {
            self.at = back;
        }
        Some(Name(labels))
    }

    fn question(&mut self) -> Option<Question> {
        let name = self.name()?;
        let kind = self.u16()?;
        self.u16()?;
        Some(Question { name, kind })
    }

    /// The next record; nothing in it: it is of a kind that is not looked at.
    fn record(&mut self) -> Option<Option<Record>> {
        let name = self.name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        let ttl = u32::from_be_bytes(self.take(4)?.try_into().ok()?);
        let len = usize::from(self.u16()?);
        let start = self.at;
        self.take(len)?;
        if class & CLASS != IN {
            return Some(None);
        }
        let mut data = Reader {
            octets: self.octets.get(..self.at)?,
            at: start,
        };
        let data = match kind {
            A => {
                let octets: Option<[u8; 4]> = data.take(4).and_then(|ip| ip.try_into().ok());
                octets.map(|octets| Data::A(octets.into()))
            }
            PTR => data.name().map(Data::Ptr),
            SRV => data.service(),
            TXT => Some(Data::Txt(data.strings())),
            _ => None,
        };
        Some(data.map(|data| Record { name, ttl, data }))
    }

    fn service(&mut self) -> Option<Data> {
        Some(Data::Srv {
            priority: self.u16()?,
            weight: self.u16()?,
            port: self.u16()?,
            target: self.name()?,
        })
    }

    fn strings(&mut self) -> Vec<Vec<u8>> {
        let mut strings = Vec::new();
        while let Some(len) = self.u8() {
            let Some(string) = self.take(usize::from(len)) else {
                break;
            };
            strings.push(string.to_vec());
        }
        strings
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet() -> Packet {
        let name = Name(vec![
            b"_pub.topic._00ff".to_vec(),
            b"_colugo".to_vec(),
            b"_tcp".to_vec(),
            b"local".to_vec(),
        ]);
        let record = |data| Record {
            name: name.clone(),
            ttl: 3600,
            data,
        };
        Packet {
            id: 0,
            flags: RESPONSE | AUTHORITATIVE,
            questions: vec![Question {
                name: Name::of("_colugo._tcp.local"),
                kind: PTR,
            }],
            records: vec![
                Record {
                    name: Name::of("_colugo._tcp.local"),
                    ttl: 0,
                    data: Data::Ptr(name.clone()),
                },
                record(Data::Srv {
                    priority: 0,
                    weight: 0,
                    port: 4711,
                    target: name.clone(),
                }),
                record(Data::Txt(vec![b"topic=pub.topic".to_vec(), Vec::new()])),
                record(Data::A([10, 0, 0, 1].into())),
            ],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let octets = packet().write();
        assert_eq!(Packet::read(&octets), Some(packet()));
        // Each name that was written before is two octets.
        assert!(octets.len() < 160, "{}", octets.len());
    }

    #[test]
    fn both_spellings_have_one_key() {
        let split = Name::of("_Pub.topic._00ff._colugo._tcp.local");
        let joined = packet().records.remove(1).name;
        assert_eq!(split.0.len(), 6);
        assert_eq!(split.key(), joined.key());
    }

    #[test]
    fn names_that_point_at_themselves_are_none() {
        let mut octets = packet().write();
        octets.truncate(12);
        octets.extend_from_slice(&[0xc0, 12, 0, 12, 0, 1]);
        assert_eq!(Packet::read(&octets).map(|p| p.questions.len()), Some(0));
    }

    proptest! {
        #[test]
        fn anything_is_read_within_bounds(octets in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Packet::read(&octets);
        }

        #[test]
        fn a_packet_that_is_damaged_is_read_within_bounds(at in 0..160_usize, to in any::<u8>(), cut in 0..200_usize) {
            let mut octets = packet().write();
            if let Some(octet) = octets.get_mut(at) {
                *octet = to;
            }
            octets.truncate(cut);
            if let Some(packet) = Packet::read(&octets) {
                prop_assert!(packet.records.len() <= RECORDS_MAX);
                let _ = packet.write();
            }
        }
    }
}
