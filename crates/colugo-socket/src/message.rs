//! `Message`, `MessageRef` and `Outgoing`: what is received, what is borrowed, what is sent. Knows nothing of queues.

use std::fmt;
use std::num::NonZeroU32;

use bytes::Bytes;

use crate::batch::{Cursor, Span};

/// A number for one link to a peer, unique in this process and never used again.
///
/// A dialled link keeps its number when it is dialled again; an accepted one gets a new one, and so does one that a ROUTER or REP dials: an
/// answer never reaches who comes after the asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub(crate) u64);

impl LinkId {
    /// A link that is none: what messages made by hand come from.
    pub const NONE: Self = Self(0);

    /// The bare number.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// A number of the caller's own making, for tests and in-process transports.
    pub fn from_u64(id: u64) -> Self {
        Self(id)
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}

/// Number and send time of a message, where the publisher stamps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Counts every message of the publisher's run, from 0.
    pub seq: u64,
    /// Nanoseconds since the Unix epoch, by the sender's clock, read at most 16 messages or 100 µs before this one was sent.
    pub sent_ns: u64,
}

impl Meta {
    /// Itself, unless it stands for a message without a stamp.
    pub(crate) fn present(self) -> Option<Self> {
        (self.sent_ns != 0).then_some(self)
    }
}

#[derive(Clone, PartialEq, Eq)]
enum Frames {
    One([Bytes; 1]),
    Many(Vec<Bytes>),
}

/// A received message: one or more frames that are shared, not copied.
///
/// The frames are slices of the buffer they were read into (64 KiB or so): who keeps a small message for long should copy it.
///
/// ```
/// use colugo_socket::Message;
/// let message = Message::from("hello");
/// assert_eq!(message.payload(), "hello");
/// assert_eq!(message.frames().len(), 1);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    frames: Frames,
    from: LinkId,
    /// Not stamped: no time. Smaller than an `Option`, and messages are moved a lot.
    meta: Meta,
}

impl Message {
    #[inline]
    pub(crate) fn single(frame: Bytes, from: LinkId, meta: Meta) -> Self {
        Self {
            frames: Frames::One([frame]),
            from,
            meta,
        }
    }

    pub(crate) fn many(frames: Vec<Bytes>, from: LinkId, meta: Meta) -> Self {
        Self {
            frames: Frames::Many(frames),
            from,
            meta,
        }
    }

    /// A message of several frames. An empty list becomes one empty frame: ZeroMQ knows no message without frames.
    pub fn multipart(frames: Vec<Bytes>) -> Self {
        if frames.is_empty() {
            Self::from(Bytes::new())
        } else {
            Self::many(frames, LinkId::NONE, Meta::default())
        }
    }

    /// The same message as if it came from `from` with `meta`: for in-process transports and tests.
    #[must_use]
    pub fn with_origin(mut self, from: LinkId, meta: Option<Meta>) -> Self {
        self.from = from;
        self.meta = meta.unwrap_or_default();
        self
    }

    /// All frames; at least one.
    pub fn frames(&self) -> &[Bytes] {
        match &self.frames {
            Frames::One(one) => one,
            Frames::Many(many) => many,
        }
    }

    /// The first frame.
    pub fn payload(&self) -> &Bytes {
        static EMPTY: Bytes = Bytes::new();
        self.frames().first().unwrap_or(&EMPTY)
    }

    /// The first frame, without the rest.
    #[inline]
    pub fn into_payload(self) -> Bytes {
        match self.frames {
            Frames::One([one]) => one,
            Frames::Many(many) => many.into_iter().next().unwrap_or_default(),
        }
    }

    /// All frames.
    pub fn into_frames(self) -> Vec<Bytes> {
        match self.frames {
            Frames::One(one) => one.into(),
            Frames::Many(many) => many,
        }
    }

    /// The sum of the frames' lengths, in octets.
    pub fn octets(&self) -> usize {
        self.frames().iter().map(Bytes::len).sum()
    }

    /// The link it came by.
    #[inline]
    pub fn link(&self) -> LinkId {
        self.from
    }

    /// The publisher's stamp, where it sends them.
    #[inline]
    pub fn meta(&self) -> Option<Meta> {
        self.meta.present()
    }

    /// The publisher's number of this message.
    pub fn seq(&self) -> Option<u64> {
        self.meta().map(|m| m.seq)
    }

    /// When it was sent, by the sender's clock: see [`Meta::sent_ns`].
    pub fn sent_ns(&self) -> Option<u64> {
        self.meta().map(|m| m.sent_ns)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("frames", &self.frames())
            .field("from", &self.from)
            .field("meta", &self.meta())
            .finish()
    }
}

impl From<Bytes> for Message {
    fn from(frame: Bytes) -> Self {
        Self::single(frame, LinkId::NONE, Meta::default())
    }
}

impl From<&'static str> for Message {
    fn from(text: &'static str) -> Self {
        Self::from(Bytes::from_static(text.as_bytes()))
    }
}

impl From<Vec<u8>> for Message {
    fn from(octets: Vec<u8>) -> Self {
        Self::from(Bytes::from(octets))
    }
}

/// A message that is still in the read buffer: what an inline [`Handler`](crate::Handler) gets.
#[derive(Clone, Copy)]
pub struct MessageRef<'a>(Store<'a>);

/// Small enough to be handed on in registers: handlers get a message through several calls.
#[derive(Clone, Copy)]
enum Store<'a> {
    /// Some frames of a batch, of the message that the cursor came upon last.
    Batch {
        cursor: &'a Cursor,
        first: u32,
        frames: NonZeroU32,
    },
    Owned(&'a Message),
}

impl<'a> MessageRef<'a> {
    /// The message of `frames` frames from the `first` span of the batch on.
    #[inline]
    pub(crate) fn in_batch(cursor: &'a Cursor, first: u32, frames: NonZeroU32) -> Self {
        Self(Store::Batch {
            cursor,
            first,
            frames,
        })
    }

    /// How many frames it has; at least one.
    pub fn len(&self) -> usize {
        match self.0 {
            Store::Batch { frames, .. } => frames.get() as usize,
            Store::Owned(message) => message.frames().len(),
        }
    }

    fn span(&self, i: usize) -> Option<(&'a Bytes, Span)> {
        match self.0 {
            Store::Batch { cursor, first, .. } if i < self.len() => {
                Some((cursor.buf(), cursor.span_at(first as usize + i)?))
            }
            _ => None,
        }
    }

    /// Never true: a message has a frame.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Frame `i`, counted from 0.
    #[inline]
    pub fn frame(&self, i: usize) -> Option<&'a [u8]> {
        match self.0 {
            Store::Batch { .. } => self.span(i).map(|(buf, span)| span.of(buf)),
            Store::Owned(message) => message.frames().get(i).map(|f| &f[..]),
        }
    }

    /// All frames in order.
    pub fn frames(self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.len()).filter_map(move |i| self.frame(i))
    }

    /// The first frame.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.frame(0).unwrap_or_default()
    }

    /// Frame `i` to keep: shared where it is large, copied where it is small.
    pub fn frame_bytes(&self, i: usize) -> Option<Bytes> {
        match self.0 {
            Store::Batch { .. } => self.span(i).map(|(buf, span)| keep(buf, span)),
            Store::Owned(message) => message.frames().get(i).cloned(),
        }
    }

    /// The message to keep: as [`frame_bytes`](Self::frame_bytes), for all frames.
    pub fn to_message(&self) -> Message {
        let meta = self.meta().unwrap_or_default();
        if self.len() == 1 {
            let frame = self.frame_bytes(0).unwrap_or_default();
            return Message::single(frame, self.link(), meta);
        }
        let frames = (0..self.len())
            .filter_map(|i| self.frame_bytes(i))
            .collect();
        Message::many(frames, self.link(), meta)
    }

    /// The link it came by.
    pub fn link(&self) -> LinkId {
        match self.0 {
            Store::Batch { cursor, .. } => cursor.link(),
            Store::Owned(message) => message.from,
        }
    }

    /// The publisher's stamp, where it sends them.
    pub fn meta(&self) -> Option<Meta> {
        match self.0 {
            Store::Batch { cursor, .. } => cursor.current().present(),
            Store::Owned(message) => message.meta(),
        }
    }

    /// The publisher's number of this message.
    pub fn seq(&self) -> Option<u64> {
        self.meta().map(|m| m.seq)
    }

    /// When it was sent, by the sender's clock: see [`Meta::sent_ns`].
    pub fn sent_ns(&self) -> Option<u64> {
        self.meta().map(|m| m.sent_ns)
    }
}

impl fmt::Debug for MessageRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageRef")
            .field("frames", &self.len())
            .field("from", &self.link())
            .field("meta", &self.meta())
            .finish()
    }
}

impl<'a> From<&'a Message> for MessageRef<'a> {
    fn from(message: &'a Message) -> Self {
        Self(Store::Owned(message))
    }
}

/// Below this a kept frame is copied: a slice would pin the whole read buffer.
const SHARE_FROM: usize = 4096;

fn keep(buf: &Bytes, span: Span) -> Bytes {
    let frame = span.of(buf);
    if frame.len() < SHARE_FROM {
        Bytes::copy_from_slice(frame)
    } else {
        buf.slice_ref(frame)
    }
}

/// What can be sent: borrowed octets (copied once), `Bytes` (never copied when large), or several frames.
///
/// ```
/// # use colugo_socket::Outgoing; use bytes::Bytes;
/// let _: Outgoing<'_> = "text".into();
/// let _: Outgoing<'_> = b"octets".into();
/// let frames = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
/// let _: Outgoing<'_> = (&frames[..]).into();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outgoing<'a> {
    /// One frame, copied into the queue.
    Slice(&'a [u8]),
    /// One frame, shared when it is large.
    Owned(Bytes),
    /// Several frames, borrowed; each shared when it is large.
    Parts(&'a [Bytes]),
    /// Several frames.
    Frames(Vec<Bytes>),
}

impl Outgoing<'_> {
    /// The sum of the frames' lengths, in octets.
    pub fn octets(&self) -> usize {
        match self {
            Self::Slice(s) => s.len(),
            Self::Owned(b) => b.len(),
            Self::Parts(p) => p.iter().map(Bytes::len).sum(),
            Self::Frames(p) => p.iter().map(Bytes::len).sum(),
        }
    }

    pub(crate) fn first(&self) -> &[u8] {
        match self {
            Self::Slice(s) => s,
            Self::Owned(b) => b,
            Self::Parts(p) => p.first().map_or(&[], |b| &b[..]),
            Self::Frames(p) => p.first().map_or(&[], |b| &b[..]),
        }
    }

    pub(crate) fn into_frames(self) -> Vec<Bytes> {
        match self {
            Self::Slice(s) => vec![Bytes::copy_from_slice(s)],
            Self::Owned(b) => vec![b],
            Self::Parts(p) => p.to_vec(),
            Self::Frames(p) => p,
        }
    }
}

impl<'a> From<&'a [u8]> for Outgoing<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self::Slice(octets)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Outgoing<'a> {
    fn from(octets: &'a [u8; N]) -> Self {
        Self::Slice(octets)
    }
}

impl<'a> From<&'a str> for Outgoing<'a> {
    fn from(text: &'a str) -> Self {
        Self::Slice(text.as_bytes())
    }
}

impl<'a> From<&'a String> for Outgoing<'a> {
    fn from(text: &'a String) -> Self {
        Self::Slice(text.as_bytes())
    }
}

impl<'a> From<&'a Vec<u8>> for Outgoing<'a> {
    fn from(octets: &'a Vec<u8>) -> Self {
        Self::Slice(octets)
    }
}

impl From<Vec<u8>> for Outgoing<'_> {
    fn from(octets: Vec<u8>) -> Self {
        Self::Owned(octets.into())
    }
}

impl From<String> for Outgoing<'_> {
    fn from(text: String) -> Self {
        Self::Owned(text.into())
    }
}

impl From<Bytes> for Outgoing<'_> {
    fn from(octets: Bytes) -> Self {
        Self::Owned(octets)
    }
}

impl<'a> From<&'a [Bytes]> for Outgoing<'a> {
    fn from(frames: &'a [Bytes]) -> Self {
        Self::Parts(frames)
    }
}

impl<'a, const N: usize> From<&'a [Bytes; N]> for Outgoing<'a> {
    fn from(frames: &'a [Bytes; N]) -> Self {
        Self::Parts(frames)
    }
}

impl<'a> From<&'a Vec<Bytes>> for Outgoing<'a> {
    fn from(frames: &'a Vec<Bytes>) -> Self {
        Self::Parts(frames)
    }
}

impl From<Message> for Outgoing<'_> {
    fn from(message: Message) -> Self {
        match message.frames {
            Frames::One([one]) => Self::Owned(one),
            Frames::Many(many) => Self::Frames(many),
        }
    }
}

impl<'a> From<&'a Message> for Outgoing<'a> {
    fn from(message: &'a Message) -> Self {
        Self::Parts(message.frames())
    }
}
