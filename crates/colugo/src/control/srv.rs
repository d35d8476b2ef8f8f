//! `Question`: one question to a name server for the SRV or PTR records of a name, and what is read of its answer.
//!
//! Knows the octets of DNS; does not know sockets. Whatever a server sends is read within bounds or is no answer.

/// More records of an answer than this are not looked at.
const RECORDS_MAX: usize = 64;

/// A name with its dots.
const NAME_MAX: usize = 253;

/// A name that points on and on is none.
const JUMPS_MAX: usize = 16;

const RESPONSE: u8 = 0x80;
const RECURSION_DESIRED: u8 = 0x01;
const CODE: u8 = 0x0f;
const IN: u16 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ptr = 12,
    Srv = 33,
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
        if self.name.is_empty() || self.name.len() > NAME_MAX {
            return None;
        }
        let mut octets = self.id.to_be_bytes().to_vec();
        octets.extend_from_slice(&[RECURSION_DESIRED, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        for label in self.name.split('.') {
            let len = u8::try_from(label.len())
                .ok()
                .filter(|len| (1..64).contains(len))?;
            octets.push(len);
            octets.extend_from_slice(label.as_bytes());
        }
        octets.push(0);
        octets.extend_from_slice(&(self.kind as u16).to_be_bytes());
        octets.extend_from_slice(&IN.to_be_bytes());
        Some(octets)
    }

    /// What these octets answer. `None`: they are no answer to this question. Records that make no sense end the list.
    pub(super) fn read(&self, octets: &[u8]) -> Option<Vec<Answer>> {
        let mut reader = Reader { octets, at: 0 };
        let id = reader.u16()?;
        let [flags, code] = reader.u16()?.to_be_bytes();
        let (questions, records) = (reader.u16()?, reader.u16()?);
        reader.skip(4)?;
        if id != self.id || flags & RESPONSE == 0 || questions != 1 {
            return None;
        }
        if !reader.name()?.eq_ignore_ascii_case(&self.name) {
            return None;
        }
        if reader.u16()? != self.kind as u16 || reader.u16()? != IN {
            return None;
        }
        let mut answers = Vec::new();
        if code & CODE == 0 {
            for _ in 0..usize::from(records).min(RECORDS_MAX) {
                match self.record(&mut reader) {
                    Some(answer) => answers.extend(answer),
                    None => break,
                }
            }
        }
        answers.sort();
        answers.dedup();
        Some(answers)
    }

    /// The next record; nothing in it: it is of another kind, or about another name.
    fn record(&self, reader: &mut Reader<'_>) -> Option<Option<Answer>> {
        let about_us = reader.name()?.eq_ignore_ascii_case(&self.name);
        let (kind, class) = (reader.u16()?, reader.u16()?);
        reader.skip(4)?;
        let len = usize::from(reader.u16()?);
        let end = reader.at.checked_add(len)?;
        let mut data = Reader {
            octets: reader.octets.get(..end)?,
            at: reader.at,
        };
        reader.at = end;
        if !about_us || kind != self.kind as u16 || class != IN {
            return Some(None);
        }
        let answer = match self.kind {
            Kind::Ptr => Answer::Ptr(data.name()?),
            Kind::Srv => {
                let (priority, weight, port) = (data.u16()?, data.u16()?, data.u16()?);
                let lightness = u16::MAX - weight;
                Answer::Srv {
                    priority,
                    lightness,
                    host: data.name()?,
                    port,
                }
            }
        };
        let of_use = match &answer {
            // A lone dot says that there is no such service.
            Answer::Srv { host, port, .. } => !host.is_empty() && *port != 0,
            Answer::Ptr(name) => !name.is_empty(),
        };
        Some(of_use.then_some(answer))
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn u8(&mut self) -> Option<u8> {
        let octet = *self.octets.get(self.at)?;
        self.at += 1;
        Some(octet)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self
            .at
            .checked_add(count)
            .filter(|at| *at <= self.octets.len())?;
        Some(())
    }

    /// A name without its last dot. Labels that a host's name or an instance of ours cannot have make it none.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut jumps = 0;
        // Where to go on after the name, once it has pointed elsewhere.
        let mut back = None;
        loop {
            let len = self.u8()?;
            match len >> 6 {
                0 if len == 0 => break,
                0 => {
                    let end = self.at.checked_add(usize::from(len))?;
                    let label = std::str::from_utf8(self.octets.get(self.at..end)?).ok()?;
                    self.at = end;
                    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                    if !label.chars().all(fits) || name.len() + label.len() >= NAME_MAX {
                        return None;
                    }
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(label);
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
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "_colugo-node._tcp.example.org";

    /// An answer with these records: kind and data. Their names point at the question's.
    pub(crate) fn answer(question: &[u8], records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut octets = question.to_vec();
        octets[2] |= RESPONSE;
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
