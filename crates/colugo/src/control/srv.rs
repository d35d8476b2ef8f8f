//! `Question`: one question to a name server for the SRV or PTR records of a name, and what is read of its answer.
//!
//! Knows what an answer has to say; the octets are `dns`, the sockets `seed`. What a server sends is read within bounds or is no answer.

use super::dns::{self, Data, Name, Packet, RECURSION_DESIRED, Record};

/// A name with its dots.
const NAME_MAX: usize = 253;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ptr = dns::PTR as isize,
    Srv = dns::SRV as isize,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    /// The lower its priority, the sooner it is to be tried; of one priority, the heavier.
    Srv {
        priority: u16,
        lightness: u16,
        host: String,
        port: u16,
    },
    Ptr(String),
}

pub(super) struct Question {
    id: u16,
    name: String,
    kind: Kind,
}

impl Question {
    /// `id` tells the answer from others, and should not be guessed by them.
    pub(super) fn new(id: u16, name: &str, kind: Kind) -> Self {
        let name = name.trim_end_matches('.').to_owned();
        Self { id, name, kind }
    }

    /// `None`: this can be no name.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let labels = self.name.split('.').map(|label| label.as_bytes().to_vec());
        let name = Name(labels.collect());
        if self.name.len() > NAME_MAX || !name.fits() {
            return None;
        }
        let question = dns::Question {
            name,
            kind: self.kind as u16,
        };
        let packet = Packet {
            id: self.id,
            flags: RECURSION_DESIRED,
            questions: vec![question],
            records: Vec::new(),
        };
        Some(packet.write())
    }

    /// What these octets answer. `None`: they are no answer to this question. Records that make no sense are left out.
    pub(super) fn read(&self, octets: &[u8]) -> Option<Vec<Answer>> {
        let packet = Packet::read(octets)?;
        let [asked] = packet.questions.as_slice() else {
            return None;
        };
        let is_ours = asked.kind == self.kind as u16 && self.is_about(&asked.name);
        if packet.id != self.id || !packet.is_response() || !is_ours {
            return None;
        }
        let mut answers = Vec::new();
        if !packet.is_error() {
            let records = packet.records.into_iter();
            answers.extend(records.filter_map(|record| self.answer(record)));
        }
        answers.sort();
        answers.dedup();
        Some(answers)
    }

    fn is_about(&self, name: &Name) -> bool {
        name.key() == self.name.to_ascii_lowercase()
    }

    /// What a record answers, if it is of the kind and name that were asked for.
    fn answer(&self, record: Record) -> Option<Answer> {
        if !self.is_about(&record.name) {
            return None;
        }
        match (self.kind, record.data) {
            (Kind::Ptr, Data::Ptr(name)) => Some(Answer::Ptr(text(&name)?)),
            (Kind::Srv, Data::Srv { port: 0, .. }) => None,
            (
                Kind::Srv,
                Data::Srv {
                    priority,
                    weight,
                    port,
                    target,
                },
            ) => Some(Answer::Srv {
                priority,
                lightness: u16::MAX - weight,
                host: text(&target)?,
                port,
            }),
            _ => None,
        }
    }
}

/// A name with dots. `None`: it is the root, which says that there is nothing, or has what no host and no instance of ours has.
fn text(name: &Name) -> Option<String> {
    let fits = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    let labels: Option<Vec<_>> = name
        .0
        .iter()
        .map(|label| {
            let label = label.iter().all(fits).then_some(label)?;
            std::str::from_utf8(label).ok()
        })
        .collect();
    let text = labels?.join(".");
    (!text.is_empty() && text.len() <= NAME_MAX).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "_colugo-node._tcp.example.org";

    /// An answer with these records: kind and data. Their names point at the question's.
    pub(crate) fn answer(question: &[u8], records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut octets = question.to_vec();
        octets[2] |= 0x80;
        octets[7] = records.len().try_into().unwrap();
        for (kind, data) in records {
            octets.extend_from_slice(&[0xc0, 12]);
            octets.extend_from_slice(&kind.to_be_bytes());
            octets.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
            octets.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
            octets.extend_from_slice(data);
        }
        octets
    }

    fn srv(host: &str, port: u16, priority: u16) -> Answer {
        Answer::Srv {
            priority,
            lightness: u16::MAX - 5,
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn services_are_read_in_the_order_in_which_to_try_them() {
        let question = Question::new(7, NAME, Kind::Srv);
        let octets = question.encode().unwrap();
        // Where `example.org` stands in the question.
        let second = [0, 20, 0, 5, 0x12, 0x8b, 1, b'b', 0xc0, 30];
        let first = [0, 10, 0, 5, 0x12, 0x8b, 1, b'a', 0xc0, 30];
        let none = [0, 0, 0, 0, 0, 1, 0];
        let records: [(u16, &[u8]); 4] =
            [(33, &second), (33, &first), (1, &[1, 2, 3, 4]), (33, &none)];
        let read = question.read(&answer(&octets, &records)).unwrap();
        assert_eq!(
            read,
            [
                srv("a.example.org", 4747, 10),
                srv("b.example.org", 4747, 20)
            ]
        );
    }

    #[test]
    fn answers_to_others_and_loops_are_none() {
        let question = Question::new(7, NAME, Kind::Srv);
        let octets = question.encode().unwrap();
        assert_eq!(question.read(&octets), None, "a question");
        let other = Question::new(8, NAME, Kind::Srv);
        assert_eq!(other.read(&answer(&octets, &[])), None, "another number");
        let other = Question::new(7, "_colugo-node._tcp.example.com", Kind::Srv);
        assert_eq!(other.read(&answer(&octets, &[])), None, "another name");
        let other = Question::new(7, NAME, Kind::Ptr);
        assert_eq!(other.read(&answer(&octets, &[])), None, "another kind");
        let mut looping = answer(&octets, &[]);
        looping[12..14].copy_from_slice(&[0xc0, 12]);
        assert_eq!(question.read(&looping), None, "a loop");
        for wrong in ["", "a..b", &"x".repeat(64), &"a.".repeat(140)] {
            assert_eq!(Question::new(1, wrong, Kind::Srv).encode(), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(head in 0_usize..60, tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let question = Question::new(7, NAME, Kind::Srv);
            let mut octets = answer(&question.encode().unwrap(), &[(33, &[0; 40])]);
            octets.truncate(head);
            octets.extend_from_slice(&tail);
            for answer in question.read(&octets).into_iter().flatten() {
                if let Answer::Srv { host, .. } = answer {
                    prop_assert!(host.len() <= NAME_MAX);
                }
            }
        }
    }
}
