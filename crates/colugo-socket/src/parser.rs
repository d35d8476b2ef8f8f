//! `Parser`: the octets of one connection on their way to whole messages. Answers what needs no application: subscriptions, PING, stamps.
//! Does no I/O; its buffer grows with the octets that came, never with the size a header claims.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Buf, Bytes, BytesMut};
use colugo_zmtp::{
    Command, CommandError, FrameError, FrameHeader, SocketType, Stamp, SubscriptionLimit,
    parse_header, parse_subscription_message,
};

use crate::batch::{Batch, Mark, Span};
use crate::beats::{Beats, Context};
use crate::core::{Core, Sink};
use crate::event::SocketEvent;
use crate::flow::Flow;
use crate::link::Link;
use crate::message::Meta;
use crate::options::{MAX_COMMAND, MAX_FRAMES};
use crate::peer::Peer;
use crate::spares::{LARGE_FROM, Spares};
use crate::stamping;
use crate::xpub::{CANCELS, SUBSCRIBES};

/// A batch this much smaller than its buffer is copied out, so that a kept message does not pin the whole buffer.
const COPY_BELOW: usize = 4096;

/// Octets of an unfinished message that are copied into the next buffer at most.
const CARRY_BELOW: usize = 16 << 10;

/// A message that lacks more than this is read into a buffer of its own.
pub(crate) const OWN_BUFFER: usize = 256 << 10;

/// How a peer broke the protocol after the handshake.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Fault {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("a command of {0} octets, at most {MAX_COMMAND} are taken")]
    CommandTooLarge(u64),
    #[error("a message of at least {octets} octets, the limit here is {limit}")]
    MessageTooLarge { octets: u64, limit: usize },
    #[error("a message of more than {MAX_FRAMES} frames")]
    TooManyFrames,
    #[error("more or longer subscriptions than are taken")]
    Subscriptions(#[from] SubscriptionLimit),
    #[error("a subscription between the frames of a message")]
    SubscriptionWithin,
    #[error("the peer reports an error: {0}")]
    Error(String),
}

pub(crate) struct Parser {
    core: Arc<Core>,
    link: Arc<Link>,
    peer: Arc<Peer>,
    flow: Arc<Flow>,
    buf: BytesMut,
    spares: Spares,
    /// A piece of the buffer was handed over.
    lent: bool,
    /// Start of the first message that is not whole, and of the first frame not looked at.
    start: usize,
    pos: usize,
    /// Frames of whole messages, then those of the message that is not.
    spans: Vec<Span>,
    whole_spans: usize,
    messages: usize,
    /// Octets of the message that is not whole.
    partial_octets: u64,
    /// Octets still to come of the frame at `pos`, as far as is known.
    missing: usize,
    marks: Vec<(u32, Mark)>,
    /// Number and time of the first message of the batch, and of the next one.
    batch_meta: Meta,
    next_meta: Meta,
    /// What was expected next when this publisher was connected last, until it says where it is now.
    resumes: Option<u64>,
    beats: Beats,
}

impl Parser {
    pub(crate) fn new(
        core: Arc<Core>,
        link: Arc<Link>,
        peer: Arc<Peer>,
        flow: Arc<Flow>,
        buf: BytesMut,
    ) -> Self {
        let resumes = core.runs.back(&peer);
        Self {
            core,
            link,
            peer,
            flow,
            buf,
            spares: Spares::default(),
            lent: false,
            start: 0,
            pos: 0,
            spans: Vec::new(),
            whole_spans: 0,
            messages: 0,
            partial_octets: 0,
            missing: 0,
            marks: Vec::new(),
            batch_meta: Meta::default(),
            next_meta: Meta::default(),
            resumes,
            beats: Beats::default(),
        }
    }

    /// The PINGs and PONGs that came since the last call.
    pub(crate) fn take_beats(&mut self) -> Option<Beats> {
        (!self.beats.is_empty()).then(|| std::mem::take(&mut self.beats))
    }

    /// The buffer, with room for at least half of `room` octets.
    pub(crate) fn buffer(&mut self, room: usize) -> &mut BytesMut {
        if self.missing > OWN_BUFFER && self.buf.len() <= CARRY_BELOW {
            self.reuse_large();
        }
        let left = self.buf.capacity().saturating_sub(self.buf.len());
        if left < room / 2 {
            self.renew(room);
        }
        &mut self.buf
    }

    fn renew(&mut self, room: usize) {
        if !self.lent || room > OWN_BUFFER {
            self.buf.reserve(room);
            return;
        }
        let len = self.buf.len();
        let least = len.saturating_add(self.missing.max(room / 2));
        let spare = if len.saturating_add(self.missing) >= LARGE_FROM {
            self.spares.large(least)
        } else {
            self.spares
                .small()
                .filter(|spare| spare.capacity() >= least)
        };
        let mut fresh = spare.unwrap_or_else(|| BytesMut::with_capacity(len.saturating_add(room)));
        fresh.extend_from_slice(&self.buf);
        self.buf = fresh;
        self.lent = false;
    }

    /// At the start of a large message: moves into the buffer of an earlier one.
    fn reuse_large(&mut self) {
        let needed = self.buf.len().saturating_add(self.missing);
        if self.buf.capacity() >= needed || !self.spares.has_large() {
            return;
        }
        // A spare may be the rest of this very buffer: it is free when this is gone.
        let carried = BytesMut::from(&self.buf[..]);
        self.buf = carried;
        self.lent = false;
        if let Some(mut large) = self.spares.large(needed) {
            large.extend_from_slice(&self.buf);
            self.buf = large;
        }
    }

    pub(crate) fn missing(&self) -> usize {
        self.missing
    }

    /// Whether it holds more than an idle peer should.
    pub(crate) fn is_warm(&self) -> bool {
        self.buf.capacity() > 0 || !self.spares.is_empty()
    }

    /// Nothing to read for a while: an idle peer holds no buffer.
    pub(crate) fn cool(&mut self) {
        self.spares.cool();
        if self.buf.is_empty() {
            self.buf = BytesMut::new();
            self.lent = false;
        }
    }

    /// Looks at all frames that are whole.
    pub(crate) fn parse(&mut self) -> Result<(), Fault> {
        loop {
            let rest = self.buf.get(self.pos..).unwrap_or_default();
            let Some(header) = parse_header(rest)? else {
                self.missing = 0;
                return Ok(());
            };
            let body = self.check(header)?;
            let whole = header.header_len.saturating_add(body);
            let missing = whole.saturating_sub(rest.len());
            if missing > 0 {
                self.missing = missing;
                return Ok(());
            }
            let body_at = self.pos.saturating_add(header.header_len);
            let span = Span::new(body_at, body, header.more);
            self.pos = self.pos.saturating_add(whole);
            if header.command {
                self.command(span)?;
            } else {
                self.spans.push(span);
                if header.more {
                    self.partial_octets = self.partial_octets.saturating_add(header.body_len);
                } else {
                    self.on_message()?;
                }
            }
            if self.spans.len() == self.whole_spans {
                self.start = self.pos;
            }
        }
    }

    #[inline]
    fn check(&self, header: FrameHeader) -> Result<usize, Fault> {
        if header.command {
            if header.body_len > MAX_COMMAND {
                return Err(Fault::CommandTooLarge(header.body_len));
            }
        } else {
            let octets = self.partial_octets.saturating_add(header.body_len);
            let limit = self.core.options.max_message;
            if octets > limit as u64 {
                return Err(Fault::MessageTooLarge { octets, limit });
            }
            if self.spans.len().saturating_sub(self.whole_spans) >= MAX_FRAMES {
                return Err(Fault::TooManyFrames);
            }
        }
        Ok(header.body_len as usize)
    }

    #[inline]
    fn on_message(&mut self) -> Result<(), Fault> {
        self.partial_octets = 0;
        self.next_meta.seq = self.next_meta.seq.wrapping_add(1);
        match self.core.kind {
            SocketType::Sub if !self.core.takes_all.load(Ordering::Relaxed) => self.filter(),
            SocketType::Pub => return self.subscription_message(),
            SocketType::XPub => return self.xpub_message(),
            _ => {}
        }
        if self.spans.len() > self.whole_spans {
            self.messages = self.messages.saturating_add(1);
            self.whole_spans = self.spans.len();
        }
        Ok(())
    }

    /// A SUB filters again on receipt: a cancelled subscription may be on its way still.
    fn filter(&mut self) {
        let topic = self
            .spans
            .get(self.whole_spans)
            .map(|s| s.of(&self.buf))
            .unwrap_or_default();
        if !self.core.wants_own(topic) {
            self.spans.truncate(self.whole_spans);
            self.core.counters.filtered.fetch_add(1, Ordering::Relaxed);
            if self.next_meta.present().is_some() {
                self.mark(Mark::Stamp(self.next_meta));
            }
        }
    }

    /// To a PUB come subscriptions in the old form; anything else is not for it.
    fn subscription_message(&mut self) -> Result<(), Fault> {
        let first = self
            .spans
            .get(self.whole_spans)
            .map(|s| s.of(&self.buf))
            .unwrap_or_default();
        match parse_subscription_message(first) {
            Some((wanted, prefix)) => {
                self.link.subscribe(prefix, wanted)?;
            }
            None => {
                self.core.counters.ignored.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.spans.truncate(self.whole_spans);
        self.core.peers_changed.notify();
        Ok(())
    }

    /// To an XPUB come subscriptions in the old form, handed up where they change something, and messages. Where more frames follow a
    /// subscription, they are a message of their own.
    fn xpub_message(&mut self) -> Result<(), Fault> {
        let first = self.spans.get(self.whole_spans).copied();
        let Some(span) = first else { return Ok(()) };
        if let Some((wanted, topic)) = parse_subscription_message(span.of(&self.buf)) {
            let told = self.core.on_subscription(&self.link, topic, wanted)?;
            self.core.peers_changed.notify();
            self.spans.remove(self.whole_spans);
            if told {
                self.hand_up(Span::new(span.start(), span.len(), false));
            }
        }
        if self.spans.len() > self.whole_spans {
            self.messages = self.messages.saturating_add(1);
            self.whole_spans = self.spans.len();
        }
        Ok(())
    }

    /// A message of one frame, before those of the message that is not whole.
    fn hand_up(&mut self, span: Span) {
        self.spans.insert(self.whole_spans, span);
        self.whole_spans = self.whole_spans.saturating_add(1);
        self.messages = self.messages.saturating_add(1);
    }

    fn command(&mut self, span: Span) -> Result<(), Fault> {
        let body = span.of(&self.buf);
        match Command::parse(body)? {
            Command::Ping { ttl_ds, context } => self.beats.ping(ttl_ds, context),
            Command::Pong { context } => self.beats.pong = Some(Context::of(context)),
            Command::Subscribe(topic) => {
                let len = topic.len();
                return self.subscription(span, len, true);
            }
            Command::Cancel(topic) => {
                let len = topic.len();
                return self.subscription(span, len, false);
            }
            // Publishers stamp; what comes to one is subscriptions, which nobody numbers.
            Command::Stamp(stamp)
                if self.peer.is_colugo()
                    && !matches!(self.core.kind, SocketType::Pub | SocketType::XPub) =>
            {
                self.stamp(&stamp);
            }
            Command::Error { reason } => {
                return Err(Fault::Error(
                    String::from_utf8_lossy(reason).escape_debug().to_string(),
                ));
            }
            // Within a message a command of ours has no place, and its octets would not stay with a batch.
            Command::Unknown { .. }
                if self.spans.len() == self.whole_spans
                    && self.peer.is_colugo()
                    && matches!(self.core.sink, Sink::Handler(_)) =>
            {
                self.mark(Mark::Command(span));
            }
            Command::Ready(_) => {}
            _ => {
                self.core
                    .counters
                    .unknown_commands
                    .fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// A subscription as a command, whose last `len` octets are the topic.
    fn subscription(&mut self, command: Span, len: usize, wanted: bool) -> Result<(), Fault> {
        let end = command.start().saturating_add(command.len());
        let start = end.saturating_sub(len);
        let topic = Span::new(start, len, false);
        match self.core.kind {
            SocketType::Pub => {
                self.link.subscribe(topic.of(&self.buf), wanted)?;
            }
            SocketType::XPub => {
                if self.spans.len() > self.whole_spans {
                    return Err(Fault::SubscriptionWithin);
                }
                let (core, link) = (&self.core, &self.link);
                if core.on_subscription(link, topic.of(&self.buf), wanted)? {
                    // The octet before the topic, the end of the command's name, is not needed any more.
                    let before = start.saturating_sub(1);
                    if let Some(octet) = self.buf.get_mut(before) {
                        *octet = if wanted { SUBSCRIBES } else { CANCELS };
                    }
                    self.hand_up(Span::new(before, len.saturating_add(1), false));
                }
            }
            _ => return Ok(()),
        }
        self.core.peers_changed.notify();
        Ok(())
    }

    fn stamp(&mut self, stamp: &Stamp) {
        if let Some(expected) = self.resumes.take() {
            let gone = stamp.seq.saturating_sub(expected);
            let counter = &self.core.counters.lost_disconnected;
            counter.fetch_add(gone, Ordering::Relaxed);
        }
        let (explained, filtered, unexplained) =
            stamping::missing(self.next_meta.present().map(|m| m.seq), stamp);
        if let Sink::Inbox(inbox) = &self.core.sink {
            inbox
                .losses
                .explained
                .fetch_add(explained, Ordering::Relaxed);
            inbox.losses.filtered.fetch_add(filtered, Ordering::Relaxed);
            inbox
                .losses
                .unexplained
                .fetch_add(unexplained, Ordering::Relaxed);
        }
        self.core
            .counters
            .lost
            .fetch_add(explained, Ordering::Relaxed);
        self.core
            .counters
            .lost_unexplained
            .fetch_add(unexplained, Ordering::Relaxed);
        let lost = explained.saturating_add(unexplained);
        if lost > 0 {
            self.core.emit(SocketEvent::Lost(self.peer.clone(), lost));
        }
        let meta = Meta {
            seq: stamp.seq,
            sent_ns: stamp.time_ns,
        };
        self.next_meta = meta;
        self.mark(Mark::Stamp(meta));
    }

    /// The connection has ended. What a publisher sends until it is back is missing; with a filter nobody knows how much of it was wanted.
    pub(crate) fn leave(&self) {
        if let Some(expected) = self.next_meta.present()
            && self.core.takes_all.load(Ordering::Relaxed)
        {
            self.core.runs.left(&self.peer, expected.seq);
        }
    }

    fn mark(&mut self, mark: Mark) {
        self.marks.push((self.whole_spans as u32, mark));
    }

    /// The whole messages and the marks between them. `keep`: the batch outlives the call, so a small one must not pin a large buffer.
    pub(crate) fn take_batch(&mut self, keep: bool) -> Option<Batch> {
        let cut = std::mem::take(&mut self.start);
        self.pos = self.pos.saturating_sub(cut);
        let meta = self.batch_meta;
        self.batch_meta = self.next_meta;
        let commands = self
            .marks
            .iter()
            .any(|(_, m)| matches!(m, Mark::Command(_)));
        if self.messages == 0 && !commands {
            self.buf.advance(cut);
            self.marks.clear();
            for span in &mut self.spans {
                *span = span.shifted(cut);
            }
            return None;
        }
        let partial: Vec<Span> = self
            .spans
            .get(self.whole_spans..)
            .unwrap_or_default()
            .iter()
            .map(|s| s.shifted(cut))
            .collect();
        self.spans.truncate(self.whole_spans);
        let size_hint = self.spans.len().min(4096);
        let mut spans = std::mem::replace(
            &mut self.spans,
            Vec::with_capacity(size_hint.max(partial.len())),
        );
        spans.truncate(self.whole_spans);
        self.spans.extend(partial);
        self.whole_spans = 0;
        let buf = self.split(cut, self.messages, keep);
        Some(Batch {
            peer: self.peer.clone(),
            flow: self.flow.clone(),
            buf,
            spans,
            marks: std::mem::take(&mut self.marks),
            meta,
            messages: std::mem::take(&mut self.messages),
        })
    }

    fn split(&mut self, cut: usize, messages: usize, keep: bool) -> Bytes {
        if keep && cut < COPY_BELOW && self.buf.capacity() / 2 >= cut {
            let copy = Bytes::copy_from_slice(self.buf.get(..cut).unwrap_or_default());
            self.buf.advance(cut);
            if self.buf.is_empty() {
                self.buf.clear();
            }
            return copy;
        }
        let whole = self.buf.split_to(cut).freeze();
        if !self.lent {
            self.spares.keep(&whole, messages);
        }
        self.lent = true;
        whole
    }
}
