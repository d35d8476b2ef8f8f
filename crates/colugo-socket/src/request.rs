//! `Turns`: the strict alternation of REQ and REP, and their envelopes (RFC 28). REQ puts a number before the delimiter when it asks a REP,
//! which gives it back untouched: a late answer is then never taken for another.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use colugo_zmtp::SocketType;

use crate::core::{Core, Sink};
use crate::error::{RecvError, SendError};
use crate::gate::lock;
use crate::inbox::Inbox;
use crate::message::{LinkId, Message, Outgoing};
use crate::random;
use crate::table::Slot;

/// Whose turn it is.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_id: Option<u64>,
    /// REQ: whom it asked, and the number it sent along, if any.
    asked: Option<(LinkId, Option<[u8; 8]>)>,
    /// REP: who asked, and the frames to put before the answer.
    envelope: Option<Envelope>,
}

#[derive(Debug)]
struct Envelope {
    link: LinkId,
    frames: Vec<Bytes>,
}

impl State {
    /// The numbers of a socket start anywhere: one that takes the place of another, under the same link of a REP that dials, is not to take
    /// its answers for its own.
    fn next_id(&mut self) -> u64 {
        let next = match self.last_id {
            Some(last) => last.wrapping_add(1),
            None => (u64::from(random::u32()) << 32) | u64::from(random::u32()),
        };
        self.last_id = Some(next);
        next
    }
}

impl Turns {
    pub(crate) fn ask(&self, core: &Arc<Core>, out: &Outgoing<'_>) -> Result<(), SendError> {
        let mut state = lock(&self.0);
        if state.asked.is_some() {
            return Err(SendError::Order(
                "a REQ socket sends one question at a time: receive the answer first, or use a DEALER",
            ));
        }
        // One that is full of them would not be read, and the end of its connection not be seen.
        self.forget_late_answers(core);
        let id = state.next_id().to_be_bytes();
        let (link, used) = core.ask(&id, out)?;
        state.asked = Some((link, used.then_some(id)));
        Ok(())
    }

    /// Drops answers to questions that are no longer asked.
    pub(crate) fn forget_late_answers(&self, core: &Core) {
        if let Sink::Inbox(inbox) = &core.sink {
            while inbox.try_recv().is_ok() {
                core.counters
                    .ignored
                    .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn answer(
        &self,
        core: &Core,
        deadline: Option<Instant>,
    ) -> Result<Message, RecvError> {
        let asked = lock(&self.0).asked.ok_or(RecvError::Order(
            "a REQ socket receives only after it has sent a question",
        ))?;
        let result = loop {
            match receive(core, deadline) {
                Ok(message) => {
                    if let Some(body) = body_of(message, asked) {
                        break Ok(body);
                    }
                    core.counters
                        .ignored
                        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                Err(error) => break Err(error),
            }
        };
        lock(&self.0).asked = None;
        result
    }

    pub(crate) fn question(
        &self,
        core: &Core,
        deadline: Option<Instant>,
    ) -> Result<Message, RecvError> {
        loop {
            let message = receive(core, deadline)?;
            let (from, meta) = (message.link(), message.meta());
            // The identity that a ROUTER puts in front is not part of the envelope: the link tells whom to answer.
            let mut frames = message.into_frames().split_off(1);
            let Some(end) = frames
                .iter()
                .position(Bytes::is_empty)
                .filter(|end| end + 1 < frames.len())
            else {
                core.counters
                    .ignored
                    .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                continue;
            };
            let body = frames.split_off(end + 1);
            lock(&self.0).envelope = Some(Envelope { link: from, frames });
            return Ok(Message::multipart(body).with_origin(from, meta));
        }
    }

    pub(crate) fn reply(&self, core: &Core, out: &Outgoing<'_>) -> Result<(), SendError> {
        let taken = lock(&self.0).envelope.take();
        let envelope = taken.ok_or(SendError::Order(
            "a REP socket answers only after it has received a question",
        ))?;
        let head: Vec<&[u8]> = envelope.frames.iter().map(|frame| &frame[..]).collect();
        core.send_to(envelope.link, &head, out)
    }
}

impl Core {
    /// Asks the next peer in turn; waits until one is there. True: it is a REP, and the number went along. Others are sent none: programs on
    /// bare ROUTER sockets expect the plain envelope.
    fn ask(&self, id: &[u8; 8], out: &Outgoing<'_>) -> Result<(LinkId, bool), SendError> {
        let (numbered, plain): ([&[u8]; 2], [&[u8]; 1]) = ([id, b""], [b""]);
        let to_rep = Cell::new(false);
        // Whoever is only being dialled may be of any kind, and may never come.
        let head = |slot: &Slot| {
            let peer = slot.peer.as_ref()?;
            to_rep.set(peer.socket_type() == SocketType::Rep);
            Some(if to_rep.get() {
                &numbered[..]
            } else {
                &plain[..]
            })
        };
        let link = self.distribute_behind(head, out, true)?;
        Ok((link, to_rep.get()))
    }
}

fn receive(core: &Core, deadline: Option<Instant>) -> Result<Message, RecvError> {
    let inbox: &Inbox = match &core.sink {
        Sink::Inbox(inbox) => inbox,
        Sink::Handler(_) | Sink::Nowhere => {
            return Err(RecvError::Order(
                "this socket was built with a handler, which gets all messages",
            ));
        }
    };
    match deadline {
        None => inbox.recv(),
        Some(deadline) => inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())),
    }
}

/// The answer without its envelope, if it is the answer to what was asked.
fn body_of(message: Message, (link, id): (LinkId, Option<[u8; 8]>)) -> Option<Message> {
    let (from, meta) = (message.link(), message.meta());
    let mut frames = message.into_frames();
    let envelope = if id.is_some() { 2 } else { 1 };
    let matches = from == link
        && frames.len() > envelope
        && id.is_none_or(|id| frames.first().is_some_and(|f| f[..] == id))
        && frames.get(envelope - 1).is_some_and(Bytes::is_empty);
    matches.then(|| Message::multipart(frames.split_off(envelope)).with_origin(from, meta))
}
