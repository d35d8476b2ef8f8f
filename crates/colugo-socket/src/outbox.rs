//! `Outbox`: the framed octets one link still has to write. Small messages are framed straight into one buffer, large ones kept as they are.
//! Knows no socket; the lock around it is the link's.

use std::collections::VecDeque;

use bytes::Bytes;
use colugo_zmtp::{Command, Stamp, parse_header, put_frame, put_header};

use crate::link::Pushed;
use crate::message::Outgoing;
use crate::options::QueueLimit;
#[cfg(test)]
use crate::simulator::{self, Sabotage};
use crate::stamping::Stamping;

/// From this size on a frame is queued as it is, and written from where it lies.
pub(crate) const SHARE_FROM: usize = 16 << 10;

/// Each time so many octets more wait, the sender is asked to look whether it should help writing.
const HELP_EVERY: usize = 16 << 10;

/// What waits to be written.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Sealed pieces, in order, before `tail`.
    chunks: VecDeque<Bytes>,
    tail: Vec<u8>,
    messages: usize,
    octets: usize,
    /// Of these two, what the writer has and is over the limit: a link that goes down again and again would grow by a queue each time.
    debt: (usize, usize),
    /// Messages may be queued: a connection is there, or the link keeps them for the next one.
    pub(crate) takes: bool,
    /// A connection is there to write to.
    pub(crate) session: bool,
    /// Somebody has the writer's role: will write, or has handed it on.
    pub(crate) writer: bool,
    pub(crate) stamping: Option<Stamping>,
    /// The first piece is PONGs; there is a PING somewhere.
    pong: bool,
    ping: bool,
}

/// Pieces taken from an outbox, all whole messages, being written.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) chunks: VecDeque<Bytes>,
    pub(crate) tail: Vec<u8>,
    /// Where PONGs among them end, in octets; there is a PING among them.
    pub(crate) pong_end: usize,
    pub(crate) ping: bool,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.chunks.is_empty()
    }

    #[inline]
    pub(crate) fn is_full(&self, limit: QueueLimit) -> bool {
        self.messages >= limit.messages || self.octets >= limit.octets
    }

    /// Somebody has queued something. `Writer`: nobody had the writer's role, so it is the caller's now.
    #[inline]
    pub(crate) fn claim(&mut self, octets_before: usize) -> Pushed {
        if self.session && !self.writer {
            self.writer = true;
            Pushed::Writer
        } else if self.session && self.octets / HELP_EVERY > octets_before / HELP_EVERY {
            Pushed::Plenty
        } else {
            Pushed::Queued
        }
    }

    /// Frames a message: `head` frames first, then the body's.
    #[inline]
    pub(crate) fn push(&mut self, head: &[&[u8]], body: &Outgoing<'_>) {
        let before = self.tail.len();
        for frame in head {
            put_frame(&mut self.tail, frame, true);
        }
        match body {
            Outgoing::Slice(slice) if slice.len() < SHARE_FROM => {
                put_frame(&mut self.tail, slice, false);
                self.octets += self.tail.len() - before;
            }
            Outgoing::Slice(slice) => self.push_large(Bytes::copy_from_slice(slice), false),
            Outgoing::Owned(bytes) => self.push_owned(bytes, false),
            Outgoing::Parts(parts) => self.push_parts(parts),
            Outgoing::Frames(parts) => self.push_parts(parts),
        }
        self.messages += 1;
    }

    /// Queues a message that is framed already.
    pub(crate) fn push_framed(&mut self, frame: &Bytes) {
        self.seal();
        self.octets += frame.len();
        self.chunks.push_back(frame.clone());
        self.messages += 1;
    }

    fn push_parts(&mut self, parts: &[Bytes]) {
        match parts.split_last() {
            None => self.push_owned(&Bytes::new(), false),
            Some((last, before)) => {
                for part in before {
                    self.push_owned(part, true);
                }
                self.push_owned(last, false);
            }
        }
    }

    fn push_owned(&mut self, bytes: &Bytes, more: bool) {
        if bytes.len() >= SHARE_FROM {
            self.push_large(bytes.clone(), more);
        } else {
            put_frame(&mut self.tail, bytes, more);
            self.octets += bytes.len() + 2;
        }
    }

    fn push_large(&mut self, bytes: Bytes, more: bool) {
        put_header(&mut self.tail, bytes.len(), more, false);
        self.octets += bytes.len() + 9;
        self.seal();
        self.chunks.push_back(bytes);
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(std::mem::take(&mut self.tail).into());
        }
    }

    /// Frames something that is no message: a command, or a subscription in either form. Not counted as a message, but its octets are.
    pub(crate) fn push_control(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.tail.len();
        write(&mut self.tail);
        self.octets += self.tail.len().saturating_sub(before);
    }

    /// Queues PONGs, before everything else and in place of those that wait already.
    pub(crate) fn push_pongs(&mut self, pong: Bytes) {
        if self.pong
            && let Some(old) = self.chunks.pop_front()
        {
            self.octets = self.octets.saturating_sub(old.len());
        }
        self.octets += pong.len();
        self.chunks.push_front(pong);
        self.pong = true;
    }

    /// Queues a PING, after everything else: who answers it has taken what came before.
    pub(crate) fn push_ping(&mut self, ttl_ds: u16, context: &[u8]) {
        self.push_control(|out| Command::Ping { ttl_ds, context }.encode(out));
        self.ping = true;
    }

    pub(crate) fn holds_ping(&self) -> bool {
        self.ping
    }

    /// A message was not queued, because there was no room.
    pub(crate) fn count_lost(&mut self, seq: u64) {
        if let Some(stamping) = &mut self.stamping {
            stamping.lost(seq);
        }
    }

    /// The same of `count` messages from `seq` on.
    pub(crate) fn count_lost_all(&mut self, seq: u64, count: u64) {
        if let Some(stamping) = &mut self.stamping {
            stamping.lost_all(seq, count);
        }
    }

    /// A message was not queued, because the peer does not want it.
    pub(crate) fn count_filtered(&mut self, seq: u64) {
        if let Some(stamping) = &mut self.stamping {
            stamping.filtered(seq);
        }
    }

    pub(crate) fn push_stamp(&mut self, stamp: Stamp) {
        Command::Stamp(stamp).encode(&mut self.tail);
    }

    /// Hands everything to a writer whose `taken` is written out; its buffers are used again.
    pub(crate) fn take_into(&mut self, taken: &mut Taken, limit: QueueLimit) {
        taken.tail.clear();
        std::mem::swap(&mut self.tail, &mut taken.tail);
        std::mem::swap(&mut self.chunks, &mut taken.chunks);
        self.debt = (
            self.messages.saturating_sub(limit.messages),
            self.octets.saturating_sub(limit.octets),
        );
        (self.messages, self.octets) = self.debt;
        taken.ping = std::mem::take(&mut self.ping);
        taken.pong_end = match taken.chunks.front() {
            Some(pong) if std::mem::take(&mut self.pong) => pong.len(),
            _ => 0,
        };
    }

    /// The writer has written all that it had taken. True: there is room that was not there before.
    pub(crate) fn settle(&mut self) -> bool {
        let (messages, octets) = std::mem::take(&mut self.debt);
        self.messages = self.messages.saturating_sub(messages);
        self.octets = self.octets.saturating_sub(octets);
        messages > 0 || octets > 0
    }

    pub(crate) fn capacity(&self) -> usize {
        self.tail.capacity()
    }

    /// Gives the buffer back if it is empty.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            self.tail = Vec::new();
            self.chunks = VecDeque::new();
        }
    }

    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// Messages that wait, without those the writer has.
    pub(crate) fn messages(&self) -> usize {
        self.messages.saturating_sub(self.debt.0)
    }

    pub(crate) fn clear(&mut self) -> usize {
        self.settle();
        self.chunks = VecDeque::new();
        self.tail = Vec::new();
        self.octets = 0;
        (self.ping, self.pong) = (false, false);
        std::mem::take(&mut self.messages)
    }

    /// How many messages of `taken` the system does not have whole, when it has `written` octets.
    pub(crate) fn unwritten(taken: &Taken, written: usize) -> usize {
        let tail = Bytes::copy_from_slice(&taken.tail);
        let chunks = taken.chunks.iter().cloned().chain([tail]);
        let mut stream = Stream {
            chunks: chunks.filter(|c| !c.is_empty()).collect(),
            position: 0,
        };
        let mut unwritten = 0;
        while let Some((frames, end)) = stream.next_message() {
            unwritten += usize::from(end > written && !frames.is_empty());
        }
        unwritten
    }

    /// After a lost connection: keeps the messages of which the system has not taken every octet, without the commands among them.
    /// `taken` is what was being written, `written` how much of it was.
    pub(crate) fn restore(&mut self, taken: Taken, written: usize) {
        let mut rest = Self::default();
        let first = taken.chunks.into_iter().chain([Bytes::from(taken.tail)]);
        let second = std::mem::take(&mut self.chunks)
            .into_iter()
            .chain([Bytes::from(std::mem::take(&mut self.tail))]);
        let mut stream = Stream {
            chunks: first.chain(second).filter(|c| !c.is_empty()).collect(),
            position: 0,
        };
        while let Some((frames, end)) = stream.next_message() {
            #[cfg(test)]
            let written = if simulator::is_sabotaged(Sabotage::SendsTwice) {
                0
            } else {
                written
            };
            if end > written && !frames.is_empty() {
                rest.push(&[], &Outgoing::Frames(frames));
            }
        }
        self.chunks = rest.chunks;
        self.tail = rest.tail;
        self.messages = rest.messages;
        self.octets = rest.octets;
        self.debt = (0, 0);
        (self.ping, self.pong) = (false, false);
    }
}

/// Reads framed octets back, over the borders of pieces.
struct Stream {
    chunks: VecDeque<Bytes>,
    position: usize,
}

impl Stream {
    /// The frames of the next message (none for a command) and the position after it.
    fn next_message(&mut self) -> Option<(Vec<Bytes>, usize)> {
        let mut frames = Vec::new();
        loop {
            while self.chunks.front().is_some_and(Bytes::is_empty) {
                self.chunks.pop_front();
            }
            // A header never crosses a border: it is framed in one go.
            let header = parse_header(self.chunks.front()?).ok().flatten()?;
            self.take(header.header_len)?;
            let body = self.take(usize::try_from(header.body_len).ok()?)?;
            if header.command {
                return Some((Vec::new(), self.position));
            }
            frames.push(body);
            if !header.more {
                return Some((frames, self.position));
            }
        }
    }

    fn take(&mut self, len: usize) -> Option<Bytes> {
        if len == 0 {
            return Some(Bytes::new());
        }
        while self.chunks.front().is_some_and(Bytes::is_empty) {
            self.chunks.pop_front();
        }
        let chunk = self.chunks.front_mut()?;
        if chunk.len() < len {
            return None;
        }
        self.position += len;
        Some(chunk.split_to(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(outbox: &mut Outbox) -> Vec<u8> {
        let mut taken = Taken::default();
        outbox.take_into(&mut taken, QueueLimit::default());
        let mut all: Vec<u8> = taken.chunks.iter().flat_map(|c| c.to_vec()).collect();
        all.extend_from_slice(&taken.tail);
        all
    }

    #[test]
    fn messages_are_framed_in_order() {
        let mut outbox = Outbox::default();
        outbox.push(&[b"id", b""], &Outgoing::Slice(b"q"));
        outbox.push(&[], &Outgoing::Owned(Bytes::from(vec![7; SHARE_FROM])));
        outbox.push(&[], &Outgoing::Slice(b"z"));
        assert_eq!(outbox.messages(), 3);
        let all = octets(&mut outbox);
        assert_eq!(all.get(..9), Some(&b"\x01\x02id\x01\x00\x00\x01q"[..]));
        assert_eq!(all.get(9..18), Some(&[2, 0, 0, 0, 0, 0, 0, 0x40, 0][..]));
        assert_eq!(all.len(), 9 + 9 + SHARE_FROM + 3);
        assert!(outbox.is_empty() && outbox.messages() == 0);
    }

    #[test]
    fn what_was_not_wholly_written_is_kept_and_commands_are_not() {
        for written in 0..40 {
            let mut outbox = Outbox::default();
            outbox.push(&[], &Outgoing::Slice(b"first"));
            outbox.push_control(|out| Command::Pong { context: b"" }.encode(out));
            outbox.push(&[b"a"], &Outgoing::Slice(b"second"));
            let mut taken = Taken::default();
            outbox.take_into(&mut taken, QueueLimit::default());
            outbox.push(&[], &Outgoing::Slice(b"third"));
            outbox.restore(taken, written);
            // "first" ends at 7, the PONG at 14, "second" at 25; "third" had not been taken.
            let expected = match written {
                0..7 => 3,
                7..25 => 2,
                25..32 => 1,
                _ => 0,
            };
            assert_eq!(outbox.messages(), expected, "{written}");
        }
    }
}
