//! `Message`: a decoded value and where it came from. What is borrowed is `MessageRef`, from colugo-socket.

use colugo_socket::{LinkId, Message as RawMessage, MessageRef};

/// A received value.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let net = colugo::testing::Net::new();
/// let node = net.node("a")?;
/// let sub = node.subscriber("greeting").text().build()?;
/// node.publisher("greeting").text().build()?.send("hello")?;
/// let message = sub.recv()?;
/// assert_eq!(message.value, "hello");
/// assert_eq!(message.meta.seq, Some(0));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message<T> {
    /// What was sent.
    pub value: T,
    /// By whom and when.
    pub meta: MessageMeta,
}

impl<T> Message<T> {
    pub(crate) fn new(value: T, meta: MessageMeta) -> Self {
        Self { value, meta }
    }

    /// The value alone.
    pub fn into_value(self) -> T {
        self.value
    }
}

/// Where a message came from, and what its publisher's stamp says. Plain ZeroMQ publishers send no stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageMeta {
    /// The link it came by; [`Peer::link`](crate::Peer) tells whose that is.
    pub link: LinkId,
    /// Counts all messages of one publisher from 0; a step of more than one is a loss.
    pub seq: Option<u64>,
    /// When it was sent, in nanoseconds since the Unix epoch by the sender's clock; up to 16 messages or 100 µs early.
    pub sent_ns: Option<u64>,
}

impl From<&RawMessage> for MessageMeta {
    fn from(raw: &RawMessage) -> Self {
        Self {
            link: raw.link(),
            seq: raw.seq(),
            sent_ns: raw.sent_ns(),
        }
    }
}

impl From<&MessageRef<'_>> for MessageMeta {
    fn from(raw: &MessageRef<'_>) -> Self {
        Self {
            link: raw.link(),
            seq: raw.seq(),
            sent_ns: raw.sent_ns(),
        }
    }
}
