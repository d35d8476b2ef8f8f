//! `Batch`: the messages of one read, still in the buffer they were read into. Made by a connection, consumed by an inbox or a handler.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;

use crate::flow::Flow;
use crate::message::{LinkId, Message, MessageRef, Meta};
use crate::peer::Peer;

const MORE: u32 = 1 << 31;

/// Where a frame stands in its buffer. Buffers are smaller than 2 GiB, so the top bit is free for MORE.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: u32,
    len_more: u32,
}

impl Span {
    #[inline]
    pub(crate) fn new(start: usize, len: usize, more: bool) -> Self {
        Self {
            start: start as u32,
            len_more: len as u32 | if more { MORE } else { 0 },
        }
    }

    #[inline]
    pub(crate) fn more(self) -> bool {
        self.len_more & MORE != 0
    }

    #[inline]
    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        (self.len_more & !MORE) as usize
    }

    #[inline]
    pub(crate) fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.start()..self.start().saturating_add(self.len()))
            .unwrap_or_default()
    }

    /// The same frame after `cut` octets were taken off the front of the buffer.
    pub(crate) fn shifted(self, cut: usize) -> Self {
        Self {
            start: self.start.saturating_sub(cut as u32),
            len_more: self.len_more,
        }
    }
}

/// Something that stands between two messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark {
    /// The messages after it count from here.
    Stamp(Meta),
    /// A command for the handler.
    Command(Span),
}

/// The whole messages of one read.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) peer: Arc<Peer>,
    pub(crate) flow: Arc<Flow>,
    pub(crate) buf: Bytes,
    pub(crate) spans: Vec<Span>,
    /// Marks, each with the index of the span it stands before.
    pub(crate) marks: Vec<(u32, Mark)>,
    /// Number and time of the first message, unless a mark says otherwise.
    pub(crate) meta: Meta,
    pub(crate) messages: usize,
}

/// Where in a batch the consumer is.
#[derive(Debug)]
pub(crate) struct Cursor {
    batch: Batch,
    span: usize,
    mark: usize,
    /// The span before which the next mark stands.
    mark_at: usize,
    names_itself: bool,
    from: LinkId,
    /// Of the next message, and of the one handed out last by [`next_item`](Self::next_item).
    meta: Meta,
    current: Meta,
}

/// What stands next in a batch.
pub(crate) enum Item<'a> {
    Message(MessageRef<'a>),
    Command(&'a [u8]),
}

impl Cursor {
    pub(crate) fn new(batch: Batch) -> Self {
        let meta = batch.meta;
        let mark_at = batch
            .marks
            .first()
            .map_or(usize::MAX, |(at, _)| *at as usize);
        let (names_itself, from) = (batch.peer.names_itself(), batch.peer.id());
        Self {
            batch,
            span: 0,
            mark: 0,
            mark_at,
            names_itself,
            from,
            meta,
            current: meta,
        }
    }

    /// The next message, owned. Commands are passed over.
    #[inline(always)]
    pub(crate) fn next_message(&mut self) -> Option<Message> {
        if self.span >= self.mark_at {
            self.pass_marks();
        }
        let span = *self.batch.spans.get(self.span)?;
        let meta = self.take_meta();
        if !span.more() && !self.names_itself {
            self.span = self.span.saturating_add(1);
            return Some(Message::single(self.slice(span), self.from, meta));
        }
        Some(self.multipart(meta))
    }

    #[cold]
    fn multipart(&mut self, meta: Meta) -> Message {
        let mut frames = Vec::with_capacity(4);
        if self.names_itself {
            frames.push(self.batch.peer.identity().clone());
        }
        while let Some(span) = self.batch.spans.get(self.span) {
            self.span = self.span.saturating_add(1);
            frames.push(self.slice(*span));
            if !span.more() {
                break;
            }
        }
        Message::many(frames, self.from, meta)
    }

    /// The next message or command, borrowed.
    pub(crate) fn next_item(&mut self) -> Option<Item<'_>> {
        while let Some((at, mark)) = self.batch.marks.get(self.mark) {
            if *at as usize > self.span {
                break;
            }
            self.mark = self.mark.saturating_add(1);
            match mark {
                Mark::Stamp(meta) => self.meta = *meta,
                Mark::Command(span) => return Some(Item::Command(span.of(&self.batch.buf))),
            }
        }
        let first = self.span;
        loop {
            let span = self.batch.spans.get(self.span)?;
            self.span = self.span.saturating_add(1);
            if !span.more() {
                break;
            }
        }
        self.current = self.take_meta();
        // A batch is a part of one read, and its spans are fewer than its octets.
        let frames = NonZeroU32::new(self.span.saturating_sub(first) as u32)?;
        Some(Item::Message(MessageRef::in_batch(
            self,
            first as u32,
            frames,
        )))
    }

    #[inline]
    pub(crate) fn buf(&self) -> &Bytes {
        &self.batch.buf
    }

    #[inline]
    pub(crate) fn span_at(&self, i: usize) -> Option<Span> {
        self.batch.spans.get(i).copied()
    }

    #[inline]
    pub(crate) fn link(&self) -> LinkId {
        self.from
    }

    /// Number and time of the message that [`next_item`](Self::next_item) came upon last.
    #[inline]
    pub(crate) fn current(&self) -> Meta {
        self.current
    }

    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.batch.peer
    }

    pub(crate) fn is_done(&self) -> bool {
        self.span >= self.batch.spans.len()
    }

    #[cold]
    fn pass_marks(&mut self) {
        self.mark_at = usize::MAX;
        while let Some((at, mark)) = self.batch.marks.get(self.mark) {
            if *at as usize > self.span {
                self.mark_at = *at as usize;
                return;
            }
            if let Mark::Stamp(meta) = mark {
                self.meta = *meta;
            }
            self.mark = self.mark.saturating_add(1);
        }
    }

    #[inline]
    fn take_meta(&mut self) -> Meta {
        let meta = self.meta;
        self.meta.seq = meta.seq.wrapping_add(1);
        meta
    }

    #[inline]
    fn slice(&self, span: Span) -> Bytes {
        // Spans lie in the buffer; were one not to, this is cut short rather than a panic.
        let end = span.start().saturating_add(span.len());
        let end = end.min(self.batch.buf.len());
        self.batch.buf.slice(span.start().min(end)..end)
    }
}
