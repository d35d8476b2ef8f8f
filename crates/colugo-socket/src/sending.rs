//! How a message gets into the queues: published to all who want it, distributed in turn, or addressed to one link; and how long a sender
//! waits for room. The lock is the table's; whoever got a writer's role writes or hands it on after that lock is released.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use colugo_zmtp::{MAX_HEADER_LEN, SocketType, put_frame};

use crate::core::Core;
use crate::error::SendError;
use crate::gate::lock;
use crate::link::{INLINE_FROM, Link, Pushed, SLOW};
use crate::message::{LinkId, Outgoing};
use crate::options::Overflow;
use crate::outbox::SHARE_FROM;
use crate::runtime;
#[cfg(test)]
use crate::simulator;
use crate::stamping::SendClock;
use crate::stats::Sent;
use crate::table::Slot;

/// With so many peers a sender that may wait does not help to write while their queues have room: the fewer and the larger the writes, the less
/// each message costs, and the data thread makes them as large as the queues.
const CROWD: usize = 8;
/// A sender that drops so many messages in a row gives its processor away once: the writer may need it.
const YIELD_AFTER_DROPS: u32 = 64;

impl Core {
    /// To every subscriber whose subscriptions match.
    #[inline]
    pub(crate) fn publish(&self, out: &Outgoing<'_>) -> Result<Sent, SendError> {
        self.check_size(out)?;
        let drops = self.options.overflow == Overflow::DropNewest;
        if drops
            && !self.is_closing()
            && let Some((dropped, many)) = self.table.skip()
        {
            if many {
                std::thread::yield_now();
            }
            return Ok(Sent { queued: 0, dropped });
        }
        match self.publish_now(out, drops) {
            Some(done) => done,
            None => self.publish_patiently(out),
        }
    }

    #[cold]
    fn publish_patiently(&self, out: &Outgoing<'_>) -> Result<Sent, SendError> {
        if runtime::on_data_thread() {
            return Err(SendError::WouldDeadlock);
        }
        self.make_room();
        if let Some(done) = self.publish_now(out, false) {
            return done;
        }
        match self
            .room
            .wait_until(self.patience(), || self.publish_now(out, false))
        {
            Some(done) => done,
            None => self.publish_now(out, true).unwrap_or(Err(SendError::Full)),
        }
    }

    /// Until when a sender waits.
    fn patience(&self) -> Option<Instant> {
        match self.options.overflow {
            Overflow::Block(patience) => Instant::now().checked_add(patience),
            Overflow::DropNewest => Some(Instant::now()),
        }
    }

    /// Writes for the peers whose queue is full: cheaper than to wait until the data thread does.
    fn make_room(&self) {
        let table = self.table.lock();
        let limit = table.limit();
        let full: Vec<_> = table
            .slots()
            .filter(|s| s.outbox.is_full(limit) && s.outbox.session)
            .map(|s| s.link.clone())
            .collect();
        drop(table);
        for link in full {
            link.make_room();
        }
    }

    /// None: a matching subscriber has no room, and `drop_full` does not allow to leave it out.
    #[inline]
    pub(crate) fn publish_now(
        &self,
        out: &Outgoing<'_>,
        drop_full: bool,
    ) -> Option<Result<Sent, SendError>> {
        if self.is_closing() {
            return Some(Err(SendError::Closed));
        }
        let topic = out.first();
        let mut table = self.table.lock();
        let limit = table.limit();
        if !drop_full
            && table
                .slots()
                .any(|s| s.outbox.is_full(limit) && s.wants(topic))
        {
            return None;
        }
        let seq = table.seq;
        table.seq = seq.wrapping_add(1);
        let stamped = self.options.stamped;
        let mut clock = SendClock::default();
        let mut sent = Sent::default();
        let mut kicks: Option<Kicks> = None;
        let mut slowed = Vec::new();
        let framed = frame_once(table.sessions, out);
        let helps = drop_full || table.sessions < CROWD;
        for slot in table.slots_mut() {
            if !slot.wants(topic) {
                if stamped {
                    slot.outbox.count_filtered(seq);
                }
                continue;
            }
            let stamp = stamped.then_some((seq, &mut clock));
            match slot.push(limit, stamp, |outbox| match &framed {
                None => outbox.push(&[], out),
                Some(frame) => outbox.push_framed(frame),
            }) {
                Pushed::Queued => sent.queued += 1,
                Pushed::Plenty if !helps => sent.queued += 1,
                pushed @ (Pushed::Writer | Pushed::Plenty) => {
                    sent.queued += 1;
                    kicks.get_or_insert_default().add(&slot.link, pushed);
                }
                Pushed::Full => {
                    sent.dropped += 1;
                    if slot.drop_one() {
                        slowed.push(slot.link.clone());
                    }
                    slot.outbox.count_lost(seq);
                }
                Pushed::Gone => {}
            }
        }
        let alone = table.sessions == 1;
        if sent.queued == 0 && sent.dropped > 0 && drop_full {
            self.table.stuff(&table, sent.dropped);
        }
        drop(table);
        if let Some(kicks) = kicks {
            kicks.kick(alone, out);
        }
        for link in slowed {
            link.signal(SLOW);
        }
        if sent.dropped > 0 {
            self.on_drop();
        }
        Some(Ok(sent))
    }

    #[cold]
    fn on_drop(&self) {
        if self.drops_in_a_row.fetch_add(1, Ordering::Relaxed) >= YIELD_AFTER_DROPS {
            self.drops_in_a_row.store(0, Ordering::Relaxed);
            std::thread::yield_now();
        }
    }

    /// To the next peer with room, in turn.
    #[inline]
    pub(crate) fn distribute(&self, out: &Outgoing<'_>, wait: bool) -> Result<LinkId, SendError> {
        self.distribute_behind(bare, out, wait)
    }

    /// To the next peer with room, in turn, behind the frames that `head` gives for it. One without any is passed over.
    #[inline]
    pub(crate) fn distribute_behind<'a>(
        &self,
        head: impl Fn(&Slot) -> Option<&'a [&'a [u8]]>,
        out: &Outgoing<'_>,
        wait: bool,
    ) -> Result<LinkId, SendError> {
        self.check_size(out)?;
        match self.distribute_behind_now(&head, out) {
            Some(done) => done,
            None => self.distribute_patiently(&head, out, wait),
        }
    }

    #[cold]
    fn distribute_patiently<'a>(
        &self,
        head: impl Fn(&Slot) -> Option<&'a [&'a [u8]]>,
        out: &Outgoing<'_>,
        wait: bool,
    ) -> Result<LinkId, SendError> {
        let refused = || {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
            Err(SendError::Full)
        };
        if !wait {
            return refused();
        }
        if runtime::on_data_thread() {
            return Err(SendError::WouldDeadlock);
        }
        self.make_room();
        let now = || self.distribute_behind_now(&head, out);
        self.room
            .wait_until(self.patience(), now)
            .unwrap_or_else(refused)
    }

    #[inline]
    pub(crate) fn distribute_now(&self, out: &Outgoing<'_>) -> Option<Result<LinkId, SendError>> {
        self.distribute_behind_now(bare, out)
    }

    #[inline]
    fn distribute_behind_now<'a>(
        &self,
        head: impl Fn(&Slot) -> Option<&'a [&'a [u8]]>,
        out: &Outgoing<'_>,
    ) -> Option<Result<LinkId, SendError>> {
        if self.is_closing() {
            return Some(Err(SendError::Closed));
        }
        let mut table = self.table.lock();
        let alone = table.sessions == 1;
        let (link, pushed) = match self.kind {
            SocketType::Pair => table.push_to_only(out)?,
            _ => table.push_in_turn(head, out)?,
        };
        let id = link.id;
        if pushed != Pushed::Queued {
            let link = link.clone();
            drop(table);
            kick(&link, pushed, alone, out);
        }
        Some(Ok(id))
    }

    /// To one link.
    #[inline]
    pub(crate) fn send_to(
        &self,
        to: LinkId,
        head: &[&[u8]],
        out: &Outgoing<'_>,
    ) -> Result<(), SendError> {
        self.check_size(out)?;
        match self.send_to_now(to, head, out) {
            Some(done) => done,
            None => self.send_to_patiently(to, head, out),
        }
    }

    fn send_to_now(
        &self,
        to: LinkId,
        head: &[&[u8]],
        out: &Outgoing<'_>,
    ) -> Option<Result<(), SendError>> {
        if self.is_closing() {
            return Some(Err(SendError::Closed));
        }
        let mut table = self.table.lock();
        #[cfg(test)]
        let to = simulator::redirected(&table, to);
        let limit = table.limit();
        let Some(slot) = table.get(to).filter(|slot| slot.peer.is_some()) else {
            return Some(Err(SendError::NoPeer));
        };
        match slot.push(limit, None, |outbox| outbox.push(head, out)) {
            Pushed::Queued => Some(Ok(())),
            pushed @ (Pushed::Writer | Pushed::Plenty) => {
                let link = slot.link.clone();
                drop(table);
                kick(&link, pushed, true, out);
                Some(Ok(()))
            }
            Pushed::Full => None,
            Pushed::Gone => Some(Err(SendError::NoPeer)),
        }
    }

    #[cold]
    fn send_to_patiently(
        &self,
        to: LinkId,
        head: &[&[u8]],
        out: &Outgoing<'_>,
    ) -> Result<(), SendError> {
        let on_data_thread = runtime::on_data_thread();
        let waits = self.options.overflow != Overflow::DropNewest;
        if waits && on_data_thread {
            return Err(SendError::WouldDeadlock);
        }
        if waits {
            self.make_room();
        }
        let now = || self.send_to_now(to, head, out);
        let done = if waits {
            self.room.wait_until(self.patience(), now)
        } else {
            None
        };
        done.unwrap_or_else(|| {
            let mut table = self.table.lock();
            let slowed = table
                .get(to)
                .and_then(|slot| slot.drop_one().then(|| slot.link.clone()));
            drop(table);
            if let Some(link) = slowed {
                link.signal(SLOW);
            }
            Err(SendError::Full)
        })
    }

    /// Publishes to who has room, and drops for the others. Never waits.
    pub(crate) fn publish_anyway(&self, out: &Outgoing<'_>) -> Result<u32, SendError> {
        let sent = self.publish_now(out, true).unwrap_or(Err(SendError::Full));
        sent.map(|sent| sent.dropped)
    }

    /// To the peer that the first frame names. None: it has no room now.
    pub(crate) fn route_now(&self, out: &Outgoing<'_>) -> Option<Result<(), SendError>> {
        let frames: &[Bytes] = match out {
            Outgoing::Parts(frames) => frames,
            Outgoing::Frames(frames) => frames,
            Outgoing::Slice(_) | Outgoing::Owned(_) => &[],
        };
        let Some((name, body)) = frames.split_first().filter(|(_, body)| !body.is_empty()) else {
            return Some(Err(SendError::NoIdentity));
        };
        let Some(link) = self.link_named(name) else {
            return Some(Err(SendError::NoPeer));
        };
        self.send_to_now(link, &[], &Outgoing::Parts(body))
    }

    pub(crate) fn link_named(&self, identity: &[u8]) -> Option<LinkId> {
        lock(&self.names).find(identity)
    }

    pub(crate) fn send_command_to(
        &self,
        to: LinkId,
        name: &str,
        data: &[u8],
    ) -> Result<(), SendError> {
        let mut table = self.table.lock();
        let slot = table.get(to).ok_or(SendError::NoPeer)?;
        let link = slot.link.clone();
        if !slot.peer.as_ref().is_some_and(|peer| peer.is_colugo()) {
            return Err(SendError::NoPeer);
        }
        drop(table);
        self.control(&link, |out| colugo_zmtp::put_command(out, name, data));
        Ok(())
    }

    /// Queues a command for a link and has it written.
    pub(crate) fn control(&self, link: &Arc<Link>, write: impl FnOnce(&mut Vec<u8>)) {
        if link.push_control(write) == Pushed::Writer {
            link.kick(true, false);
        }
    }

    #[inline]
    pub(crate) fn check_size(&self, out: &Outgoing<'_>) -> Result<(), SendError> {
        let (octets, limit) = (out.octets(), self.options.max_message);
        if octets > limit {
            self.counters.too_large.fetch_add(1, Ordering::Relaxed);
            return Err(SendError::TooLarge { octets, limit });
        }
        Ok(())
    }
}

/// The head of a message that has none.
#[inline]
fn bare(_: &Slot) -> Option<&'static [&'static [u8]]> {
    Some(&[])
}

/// A large message that is not ours to share, framed once for several peers. Small ones are copied into each queue: that costs less than to
/// write many pieces.
#[inline]
fn frame_once(peers: usize, out: &Outgoing<'_>) -> Option<Bytes> {
    match out {
        Outgoing::Slice(slice) if peers > 1 && slice.len() >= SHARE_FROM => Some(frame(slice)),
        _ => None,
    }
}

#[cold]
fn frame(body: &[u8]) -> Bytes {
    let mut octets = Vec::with_capacity(body.len() + MAX_HEADER_LEN);
    put_frame(&mut octets, body, false);
    octets.into()
}

/// Does what a push asks of the sender.
fn kick(link: &Arc<Link>, pushed: Pushed, alone: bool, out: &Outgoing<'_>) {
    match pushed {
        Pushed::Writer => link.kick(
            alone,
            matches!(out, Outgoing::Owned(b) if b.len() >= INLINE_FROM),
        ),
        Pushed::Plenty => link.help(),
        Pushed::Queued | Pushed::Full | Pushed::Gone => {}
    }
}

/// Links the sender has to do something for after the lock is released.
#[derive(Default)]
pub(crate) struct Kicks {
    first: Option<(Arc<Link>, Pushed)>,
    rest: Vec<(Arc<Link>, Pushed)>,
}

impl Kicks {
    #[cold]
    pub(crate) fn add(&mut self, link: &Arc<Link>, pushed: Pushed) {
        if self.first.is_none() {
            self.first = Some((link.clone(), pushed));
        } else {
            self.rest.push((link.clone(), pushed));
        }
    }

    #[inline]
    pub(crate) fn kick(self, alone: bool, out: &Outgoing<'_>) {
        let Some((first, pushed)) = self.first else {
            return;
        };
        if self.rest.is_empty() {
            return kick(&first, pushed, alone, out);
        }
        Self::kick_all(first, pushed, self.rest);
    }

    /// Several peers are left to the data thread: one wake-up serves all.
    #[cold]
    fn kick_all(first: Arc<Link>, pushed: Pushed, rest: Vec<(Arc<Link>, Pushed)>) {
        let flusher = first.flusher().clone();
        let mut waiting = Vec::with_capacity(rest.len() + 1);
        for (link, pushed) in std::iter::once((first, pushed)).chain(rest) {
            match pushed {
                Pushed::Writer => waiting.push(link),
                Pushed::Plenty => link.help(),
                Pushed::Queued | Pushed::Full | Pushed::Gone => {}
            }
        }
        if !waiting.is_empty() {
            flusher.mark_all(waiting.into_iter());
        }
    }
}
