//! The frames of requests and replies, and the commands that Colugo peers add to them. Knows octets; no links, no handles.
//!
//! A request is `[id(8)]["" ][body…]`, or `["" ][body…]` to a peer that takes no ids; a reply comes back with the same envelope. Commands between
//! Colugo peers: `STATUS id(8) code(2) text` ends a request without a reply; `LEAVING` asks for no further requests.

use bytes::Bytes;
use colugo_socket::{Message as RawMessage, MessageRef};

pub(crate) const STATUS: &str = "STATUS";
pub(crate) const LEAVING: &str = "LEAVING";

/// The code that tells a client to see it as [`Busy`](crate::RequestError::Busy).
pub(crate) const BUSY: u16 = 3;
/// Longer explanations are cut.
const TEXT_MAX: usize = 1024;

/// Hands the frames that stand before a request's body to `with`.
#[inline]
pub(crate) fn with_head<R>(id: Option<u64>, with: impl FnOnce(&[&[u8]]) -> R) -> R {
    match id {
        Some(id) => with(&[&id.to_be_bytes(), &[]]),
        None => with(&[&[]]),
    }
}

/// The id of a reply, and how many frames stand before its body.
#[inline]
pub(crate) fn parse_reply(message: &MessageRef<'_>) -> Option<(u64, usize)> {
    let id = u64::from_be_bytes(message.frame(0)?.try_into().ok()?);
    message.frame(1)?.is_empty().then_some((id, 2))
}

/// How many frames stand before the body of a reply without an id.
pub(crate) fn plain_body(message: &MessageRef<'_>) -> usize {
    usize::from(message.len() > 1 && message.payload().is_empty())
}

/// The frames from `skip` on, to keep.
#[inline]
pub(crate) fn body_message(message: &MessageRef<'_>, skip: usize) -> RawMessage {
    if message.len() == skip + 1 {
        return RawMessage::from(message.frame_bytes(skip).unwrap_or_default())
            .with_origin(message.link(), message.meta());
    }
    let frames = (skip..message.len())
        .filter_map(|i| message.frame_bytes(i))
        .collect();
    RawMessage::multipart(frames).with_origin(message.link(), message.meta())
}

/// What stood before a request's body, to be put before its reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// Nothing: a DEALER that sends bare bodies.
    Bare,
    /// The empty delimiter of a REQ.
    Plain,
    /// The id and the delimiter, of a Colugo client.
    Id([u8; 8]),
    /// Anything else, with the delimiter.
    Frames(Vec<Bytes>),
}

impl Envelope {
    /// Reads the envelope of a request; returns how many frames it has.
    #[inline]
    pub(crate) fn parse(message: &MessageRef<'_>) -> (Self, usize) {
        let n = message.len();
        match (message.frame(0), message.frame(1)) {
            (Some([]), Some(_)) => (Self::Plain, 1),
            (Some(first), Some([])) if n > 2 => match first.try_into() {
                Ok(id) => (Self::Id(id), 2),
                Err(_) => (
                    Self::Frames((0..2).filter_map(|i| message.frame_bytes(i)).collect()),
                    2,
                ),
            },
            _ => match (2..n.saturating_sub(1))
                .find(|i| message.frame(*i).is_some_and(<[u8]>::is_empty))
            {
                Some(end) => (
                    Self::Frames((0..=end).filter_map(|i| message.frame_bytes(i)).collect()),
                    end + 1,
                ),
                None => (Self::Bare, 0),
            },
        }
    }

    /// The id that a Colugo client gave.
    pub(crate) fn id(&self) -> Option<u64> {
        match self {
            Self::Id(id) => Some(u64::from_be_bytes(*id)),
            _ => None,
        }
    }

    /// Hands the frames that stand before a reply's body to `with`.
    #[inline]
    pub(crate) fn with_head<R>(&self, with: impl FnOnce(&[&[u8]]) -> R) -> R {
        match self {
            Self::Bare => with(&[]),
            Self::Plain => with(&[&[]]),
            Self::Id(id) => with(&[id, &[]]),
            Self::Frames(frames) => {
                let head: Vec<&[u8]> = frames.iter().map(|frame| &frame[..]).collect();
                with(&head)
            }
        }
    }
}

/// A command on a request link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    Status { id: u64, code: u16, text: &'a str },
    Leaving,
}

impl<'a> Command<'a> {
    pub(crate) fn parse(name: &[u8], data: &'a [u8]) -> Option<Self> {
        if name == LEAVING.as_bytes() {
            return Some(Self::Leaving);
        }
        if name != STATUS.as_bytes() {
            return None;
        }
        let (id, rest) = data.split_first_chunk::<8>()?;
        let (code, text) = rest.split_first_chunk::<2>()?;
        let text = std::str::from_utf8(text).unwrap_or("(not UTF-8)");
        Some(Self::Status {
            id: u64::from_be_bytes(*id),
            code: u16::from_be_bytes(*code),
            text,
        })
    }
}

/// The data of a STATUS command.
pub(crate) fn status(id: u64, code: u16, text: &str) -> Vec<u8> {
    let text = text
        .get(..text.floor_char_boundary_at(TEXT_MAX))
        .unwrap_or_default();
    let mut data = Vec::with_capacity(10 + text.len());
    data.extend_from_slice(&id.to_be_bytes());
    data.extend_from_slice(&code.to_be_bytes());
    data.extend_from_slice(text.as_bytes());
    data
}

trait FloorCharBoundary {
    fn floor_char_boundary_at(&self, index: usize) -> usize;
}

impl FloorCharBoundary for str {
    /// The standard library's `floor_char_boundary` is younger than our oldest compiler.
    fn floor_char_boundary_at(&self, index: usize) -> usize {
        (0..=index.min(self.len()))
            .rev()
            .find(|i| self.is_char_boundary(*i))
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(frames: &[&'static [u8]]) -> RawMessage {
        RawMessage::multipart(frames.iter().map(|f| Bytes::from_static(f)).collect())
    }

    #[test]
    fn envelopes_of_all_kinds_of_clients_come_back_as_they_were() {
        let cases: [&[&'static [u8]]; 6] = [
            &[b"", b"body"],
            &[b"12345678", b"", b"body"],
            &[b"abcd", b"", b"body"],
            &[b"hop1", b"hop2", b"", b"body"],
            &[b"body"],
            &[b"", b"one", b"", b"two"],
        ];
        for frames in cases {
            let request = message(frames);
            let (envelope, skip) = Envelope::parse(&MessageRef::from(&request));
            let body = request.frames().get(skip..).unwrap_or_default();
            let head = envelope
                .with_head(|head| head.iter().map(|frame| frame.to_vec()).collect::<Vec<_>>());
            let back: Vec<_> = head
                .into_iter()
                .chain(body.iter().map(|frame| frame.to_vec()))
                .collect();
            assert_eq!(
                back,
                frames
                    .iter()
                    .map(|frame| frame.to_vec())
                    .collect::<Vec<_>>(),
                "{frames:?}"
            );
            assert!(!body.is_empty());
        }
    }

    #[test]
    fn a_status_says_which_request_why_and_how_and_is_cut_between_characters() {
        let data = status(7, 9, "no");
        assert_eq!(
            Command::parse(b"STATUS", &data),
            Some(Command::Status {
                id: 7,
                code: 9,
                text: "no"
            })
        );
        assert_eq!(Command::parse(b"STATUS", b"short"), None);
        assert_eq!(Command::parse(b"LEAVING", b""), Some(Command::Leaving));
        let long = "é".repeat(TEXT_MAX);
        assert!(
            matches!(Command::parse(b"STATUS", &status(1, 1, &long)), Some(Command::Status { text, .. }) if text.len() == TEXT_MAX)
        );
    }
}
