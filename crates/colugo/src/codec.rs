//! How values become octets and back: the two traits and the codecs that are always there. Knows nothing of sockets or topics.
//! Publishers, subscribers, clients and servers each hold an [`Encoder`] or a [`Decoder`].

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use colugo_socket::Message as RawMessage;

#[cfg(feature = "json")]
mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
#[cfg(feature = "protobuf")]
mod protobuf;

#[cfg(feature = "json")]
pub use json::Json;
#[cfg(feature = "msgpack")]
pub use msgpack::MsgPack;
#[cfg(feature = "protobuf")]
pub use protobuf::Protobuf;

/// A value could not be turned into octets.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the value can't be written as {encoding}: {reason}")]
#[non_exhaustive]
pub struct EncodeError {
    /// Which encoding was asked for, e.g. `json`.
    pub encoding: String,
    /// What the codec says.
    pub reason: String,
}

impl EncodeError {
    /// For codecs of your own.
    pub fn new(encoding: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self {
            encoding: encoding.into(),
            reason: reason.to_string(),
        }
    }
}

/// A payload was received that is not what this handle expects.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "a payload of {octets} octets is not the {encoding} expected here: {reason}; does the sender use the same codec and type?"
)]
#[non_exhaustive]
pub struct DecodeError {
    /// Which encoding was expected, e.g. `json`.
    pub encoding: String,
    /// How long the payload is.
    pub octets: usize,
    /// What the codec says.
    pub reason: String,
}

impl DecodeError {
    /// For codecs of your own.
    pub fn new(encoding: impl Into<String>, payload: &[u8], reason: impl fmt::Display) -> Self {
        Self {
            encoding: encoding.into(),
            octets: payload.len(),
            reason: reason.to_string(),
        }
    }
}

/// Writes values of type `T`: one half of a codec.
///
/// ```
/// use bytes::Bytes;
/// use colugo::{Decode, DecodeError, Encode, EncodeError};
///
/// #[derive(Clone, Copy)]
/// struct BigEndian;
/// impl Encode<u32> for BigEndian {
///     fn encoding(&self) -> &str { "u32be" }
///     fn encode<'a>(&self, value: &'a u32, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], EncodeError> {
///         scratch.extend_from_slice(&value.to_be_bytes());
///         Ok(scratch)
///     }
/// }
/// impl Decode<u32> for BigEndian {
///     fn encoding(&self) -> &str { "u32be" }
///     fn decode(&self, payload: &Bytes) -> Result<u32, DecodeError> {
///         let octets = payload[..].try_into().map_err(|e| DecodeError::new("u32be", payload, e))?;
///         Ok(u32::from_be_bytes(octets))
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let net = colugo::testing::Net::new();
/// let node = net.node("a")?;
/// let ticks = node.subscriber("ticks").codec(BigEndian).build()?;
/// node.publisher("ticks").codec(BigEndian).build()?.send(&7)?;
/// assert_eq!(ticks.recv()?.value, 7);
/// # Ok(()) }
/// ```
pub trait Encode<T: ?Sized>: Send + Sync {
    /// A short name that is announced with the topic, e.g. `json`.
    fn encoding(&self) -> &str;

    /// Writes `value` to the empty `scratch` and returns that, or returns octets that the value already holds.
    ///
    /// # Errors
    /// What the format can't express.
    fn encode<'a>(&self, value: &'a T, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], EncodeError>;
}

/// Reads values of type `T`: the other half of a codec. See [`Encode`] for an example.
pub trait Decode<T>: Send + Sync {
    /// A short name that is announced with the topic, e.g. `json`.
    fn encoding(&self) -> &str;

    /// Reads a value from the first frame of a message.
    ///
    /// # Errors
    /// The payload is something else.
    fn decode(&self, payload: &Bytes) -> Result<T, DecodeError>;

    /// Reads a value from all frames; without an implementation of your own, those after the first are ignored.
    ///
    /// # Errors
    /// The payload is something else.
    fn decode_frames(&self, frames: &[Bytes]) -> Result<T, DecodeError> {
        static EMPTY: Bytes = Bytes::new();
        self.decode(frames.first().unwrap_or(&EMPTY))
    }
}

/// What a handle that sends holds: octets as they are, or a codec.
pub(crate) enum Encoder<T: ?Sized> {
    Raw(&'static str, fn(&T) -> &[u8]),
    Codec(Arc<dyn Encode<T>>),
}

impl Encoder<[u8]> {
    pub(crate) fn raw() -> Self {
        Self::Raw("raw", |octets| octets)
    }
}

impl Encoder<str> {
    pub(crate) fn text() -> Self {
        Self::Raw("text", str::as_bytes)
    }
}

impl<T: ?Sized> Encoder<T> {
    pub(crate) fn encoding(&self) -> &str {
        match self {
            Self::Raw(name, _) => name,
            Self::Codec(codec) => codec.encoding(),
        }
    }

    /// Hands the octets of `value` to `with`. They lie in a buffer of this thread that is used again.
    pub(crate) fn encode<R>(
        &self,
        value: &T,
        with: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, EncodeError> {
        match self {
            Self::Raw(_, octets) => Ok(with(octets(value))),
            Self::Codec(codec) => {
                // Taken out of its cell while in use: a codec or `with` may itself send.
                let mut scratch = SCRATCH.with_borrow_mut(std::mem::take);
                scratch.clear();
                let done = codec.encode(value, &mut scratch).map(with);
                if scratch.capacity() <= SCRATCH_MAX_OCTETS {
                    SCRATCH.set(scratch);
                }
                done
            }
        }
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A larger encoding buffer is given back rather than kept for the next message of the thread.
const SCRATCH_MAX_OCTETS: usize = 1 << 20;

impl<T: ?Sized> Clone for Encoder<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Raw(name, f) => Self::Raw(name, *f),
            Self::Codec(codec) => Self::Codec(codec.clone()),
        }
    }
}

impl<T: ?Sized> fmt::Debug for Encoder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoder({})", self.encoding())
    }
}

/// What a handle that receives holds.
pub(crate) enum Decoder<T> {
    Raw(&'static str, fn(RawMessage) -> T),
    Codec(Arc<dyn Decode<T>>),
}

impl Decoder<Bytes> {
    pub(crate) fn raw() -> Self {
        Self::Raw("raw", RawMessage::into_payload)
    }
}

impl Decoder<Vec<Bytes>> {
    pub(crate) fn parts() -> Self {
        Self::Raw("raw", RawMessage::into_frames)
    }
}

impl Decoder<String> {
    pub(crate) fn text() -> Self {
        Self::Codec(Arc::new(Text))
    }
}

impl<T> Decoder<T> {
    pub(crate) fn encoding(&self) -> &str {
        match self {
            Self::Raw(name, _) => name,
            Self::Codec(codec) => codec.encoding(),
        }
    }

    #[inline]
    pub(crate) fn decode(&self, message: RawMessage) -> Result<T, DecodeError> {
        match self {
            Self::Raw(_, take) => Ok(take(message)),
            Self::Codec(codec) => codec.decode_frames(message.frames()),
        }
    }
}

/// What `take` makes of a message. `Bytes`, of which there are most, are moved without the call: by a pointer to a function they would go
/// through memory twice.
#[inline(always)]
pub(crate) fn as_it_is<T: 'static>(message: RawMessage, take: fn(RawMessage) -> T) -> T {
    let mut value: Option<T> = None;
    match (&mut value as &mut dyn Any).downcast_mut::<Option<Bytes>>() {
        Some(payload) => *payload = Some(message.into_payload()),
        None => return take(message),
    }
    value.unwrap_or_else(|| take(RawMessage::multipart(Vec::new())))
}

impl<T> Clone for Decoder<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Raw(name, f) => Self::Raw(name, *f),
            Self::Codec(codec) => Self::Codec(codec.clone()),
        }
    }
}

impl<T> fmt::Debug for Decoder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decoder({})", self.encoding())
    }
}

/// UTF-8 text, the encoding of the original's examples: `str` out, `String` in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl Encode<str> for Text {
    fn encoding(&self) -> &str {
        "text"
    }

    fn encode<'a>(&self, value: &'a str, _: &'a mut Vec<u8>) -> Result<&'a [u8], EncodeError> {
        Ok(value.as_bytes())
    }
}

impl Decode<String> for Text {
    fn encoding(&self) -> &str {
        "text"
    }

    fn decode(&self, payload: &Bytes) -> Result<String, DecodeError> {
        let text =
            std::str::from_utf8(payload).map_err(|e| DecodeError::new("text", payload, e))?;
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_utf8_says_so() {
        let refused = Decoder::text().decode(RawMessage::from(Bytes::from_static(b"\xff")));
        assert!(refused.is_err_and(|e| e.to_string().contains("1 octets is not the text")));
    }

    #[test]
    fn a_codec_may_send_while_it_encodes() {
        struct Nested;
        impl Encode<u8> for Nested {
            fn encoding(&self) -> &str {
                "nested"
            }
            fn encode<'a>(
                &self,
                value: &'a u8,
                scratch: &'a mut Vec<u8>,
            ) -> Result<&'a [u8], EncodeError> {
                scratch.push(*value);
                if *value > 0 {
                    Encoder::Codec(Arc::new(Self))
                        .encode(&(value - 1), |inner| assert_eq!(inner, [value - 1]))?;
                }
                Ok(scratch)
            }
        }
        let out = Encoder::Codec(Arc::new(Nested)).encode(&3, <[u8]>::to_vec);
        assert_eq!(out.ok(), Some(vec![3]));
    }
}
