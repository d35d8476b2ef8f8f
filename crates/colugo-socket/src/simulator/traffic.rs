//! What nodes say to each other: messages that tell who sent them, and their number.

use std::time::{Duration, Instant as SystemInstant};

use bytes::{Bytes, BytesMut};
use colugo_zmtp::SocketType;
use tokio::time::Instant;

use super::history::{Checked, Life};
use super::node::LARGEST;
use super::world::{PUBLISHED, World};
use crate::message::{LinkId, Outgoing};
use crate::runtime::pretend_data_thread;

/// A REQ that has waited so long asks again.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// What stands at the start of each message, behind its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    from: Life,
    number: u32,
    /// An answer tells whose question it answers.
    answers: Option<(Life, u32)>,
}

const MARK: u8 = b'|';
const HALF: usize = 9;

impl Header {
    fn write(&self, topic: &str, padding: usize) -> Bytes {
        let mut out = BytesMut::with_capacity(topic.len() + 2 + 2 * HALF + padding);
        out.extend_from_slice(topic.as_bytes());
        out.extend_from_slice(&[MARK, u8::from(self.answers.is_some())]);
        for ((node, life), number) in [Some((self.from, self.number)), self.answers]
            .into_iter()
            .flatten()
        {
            out.extend_from_slice(&[node as u8]);
            out.extend_from_slice(&life.to_be_bytes());
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.resize(out.len() + padding, 0x2e);
        out.freeze()
    }

    fn read(message: &[u8]) -> Result<Self, String> {
        let parse = || {
            let at = message.iter().position(|octet| *octet == MARK)?;
            let (answers, mut rest) = message.get(at + 1..)?.split_first()?;
            let mut half = || {
                let (half, more) = rest.split_at_checked(HALF)?;
                rest = more;
                let life = u32::from_be_bytes(half.get(1..5)?.try_into().ok()?);
                let number = u32::from_be_bytes(half.get(5..9)?.try_into().ok()?);
                Some(((usize::from(half[0]), life), number))
            };
            let (from, number) = half()?;
            let answers = if *answers == 1 { Some(half()?) } else { None };
            Some(Self {
                from,
                number,
                answers,
            })
        };
        parse().ok_or_else(|| {
            format!(
                "a message that nobody sent: {:?}",
                message.get(..32).unwrap_or(message)
            )
        })
    }
}

impl World {
    /// The node sends a few messages, as its kind does.
    pub(super) fn send_some(&mut self, at: usize) -> Checked {
        let count = self.dice.within(1, 8);
        for _ in 0..count {
            self.send(at)?;
        }
        Ok(())
    }

    fn send(&mut self, at: usize) -> Checked {
        match self.nodes[at].settings.kind {
            SocketType::Push | SocketType::Dealer => self.distribute(at),
            SocketType::Pub => {
                let topic = *self.dice.pick(&PUBLISHED);
                self.publish(at, topic);
                Ok(())
            }
            SocketType::Req => self.ask(at),
            _ => Ok(()),
        }
    }

    /// One message that is to arrive for certain, the `i`th of the node.
    pub(super) fn probe_from(&mut self, at: usize, i: usize) -> Checked {
        if self.nodes[at].settings.kind == SocketType::Pub {
            self.publish(at, PUBLISHED[i]);
            return Ok(());
        }
        self.send(at)
    }

    fn padding(&mut self) -> usize {
        match self.dice.below(20) {
            0 => self.dice.within(0, LARGEST - 100),
            1..4 => self.dice.within(200, 2000),
            _ => self.dice.within(0, 60),
        }
    }

    fn distribute(&mut self, at: usize) -> Checked {
        let padding = self.padding();
        let parts = self.dice.percent(20);
        let owned = self.dice.percent(50);
        pretend_data_thread(self.dice.percent(50));
        let node = &mut self.nodes[at];
        let number = node.next_number;
        let header = Header {
            from: node.life,
            number,
            answers: None,
        };
        let message = header.write("", padding);
        let out = if parts {
            Outgoing::Frames(vec![message, Bytes::from_static(b"and a second frame")])
        } else if owned {
            Outgoing::Owned(message)
        } else {
            Outgoing::Slice(&message)
        };
        if let Ok(link) = node.core().distribute(&out, false) {
            node.number();
            let dialled = node.dialled(link);
            self.history.queued(node.life, number, link, dialled);
        }
        pretend_data_thread(true);
        Ok(())
    }

    fn publish(&mut self, at: usize, topic: &'static str) {
        let padding = self.padding();
        pretend_data_thread(self.dice.percent(50));
        let node = &self.nodes[at];
        let number = self.history.next_publication(node.life);
        let message = Header {
            from: node.life,
            number,
            answers: None,
        }
        .write(topic, padding);
        if let Ok(sent) = node.core().publish(&Outgoing::Slice(&message)) {
            self.history.published(node.life, topic, sent);
        }
        pretend_data_thread(true);
    }

    fn ask(&mut self, at: usize) -> Checked {
        let padding = self.padding();
        let node = &mut self.nodes[at];
        if node.asked.is_some() || node.core().peer_count() == 0 {
            return Ok(());
        }
        let header = Header {
            from: node.life,
            number: node.next_number,
            answers: None,
        };
        let message = header.write("", padding);
        let asked = node
            .socket
            .turns()
            .ask(node.core(), &Outgoing::Slice(&message));
        if asked.is_ok() {
            node.number();
            node.asked = Some((Instant::now(), header.number));
            self.history.accepted(node.life, header.number);
        }
        Ok(())
    }

    /// The node takes what has come, and answers what it is asked.
    pub(super) fn take_from(&mut self, at: usize) -> Checked {
        match self.nodes[at].settings.kind {
            SocketType::Req => self.take_answer(at),
            SocketType::Rep => self.take_question(at),
            _ => {
                while let Some((link, frames)) = self.nodes[at].take() {
                    let first = frames.first().map_or(&b""[..], |frame| &frame[..]);
                    let header = Header::read(first)?;
                    self.took(at, link, header)?;
                }
                Ok(())
            }
        }
    }

    fn took(&mut self, at: usize, link: LinkId, header: Header) -> Checked {
        self.look();
        let node = &self.nodes[at];
        let (life, from, number) = (node.life, header.from, header.number);
        match node.settings.kind {
            SocketType::Sub => {
                let topics = node.topics.clone();
                self.history.heard(life, &topics, link, from, number)
            }
            SocketType::Router => {
                self.history.took(life, link, from, number)?;
                self.answer(at, link, (from, number));
                Ok(())
            }
            SocketType::Dealer => match header.answers {
                Some((asker, question)) if asker == life && question < node.next_number => {
                    self.history.took(life, link, from, number)
                }
                other => Err(format!(
                    "{life:?} got the answer {number} of {from:?}, which is for {other:?}"
                )),
            },
            _ => self.history.took(life, link, from, number),
        }
    }

    fn answer(&mut self, at: usize, to: LinkId, question: (Life, u32)) {
        let padding = self.padding();
        let node = &mut self.nodes[at];
        let number = node.next_number;
        let header = Header {
            from: node.life,
            number,
            answers: Some(question),
        };
        let message = header.write("", padding);
        let dialled = node.dialled(to);
        if node
            .core()
            .send_to(to, &[], &Outgoing::Slice(&message))
            .is_ok()
        {
            node.number();
            self.history.queued(node.life, number, to, dialled);
        }
    }

    fn take_answer(&mut self, at: usize) -> Checked {
        let node = &mut self.nodes[at];
        let Some((since, question)) = node.asked else {
            // As asking does: what comes now is too late.
            node.forget_late_answers();
            return Ok(());
        };
        if !node.has_message() && since.elapsed() < ANSWER_WITHIN {
            return Ok(());
        }
        pretend_data_thread(false);
        let answer = node
            .socket
            .turns()
            .answer(node.core(), Some(SystemInstant::now()));
        pretend_data_thread(true);
        node.asked = None;
        let life = node.life;
        let Ok(answer) = answer else {
            return Ok(());
        };
        let header = Header::read(answer.payload())?;
        if header.answers != Some((life, question)) {
            return Err(format!("{life:?} asked {question} and got {header:?}"));
        }
        self.history.took_loose(life, header.from, header.number)
    }

    fn take_question(&mut self, at: usize) -> Checked {
        loop {
            if self.nodes[at].asker.is_some() {
                // Some take their time.
                if self.dice.percent(30) {
                    return Ok(());
                }
                self.reply(at);
            }
            let node = &mut self.nodes[at];
            if !node.has_message() {
                return Ok(());
            }
            pretend_data_thread(false);
            let question = node
                .socket
                .turns()
                .question(node.core(), Some(SystemInstant::now()));
            pretend_data_thread(true);
            let Ok(question) = question else {
                return Ok(());
            };
            let header = Header::read(question.payload())?;
            node.asker = Some((header.from, header.number));
            let life = node.life;
            self.history.took_loose(life, header.from, header.number)?;
        }
    }

    fn reply(&mut self, at: usize) {
        let padding = self.padding();
        let node = &mut self.nodes[at];
        let number = node.next_number;
        let header = Header {
            from: node.life,
            number,
            answers: node.asker.take(),
        };
        let message = header.write("", padding);
        if node
            .socket
            .turns()
            .reply(node.core(), &Outgoing::Slice(&message))
            .is_ok()
        {
            node.number();
            self.history.accepted(node.life, number);
        }
    }
}
