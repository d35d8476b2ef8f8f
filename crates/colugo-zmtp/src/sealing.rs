//! What a mechanism does to each frame of traffic, if it does anything. Knows the shape: a frame in,
//! a frame out, in order; refuses to know any cipher. Asked for once per connection, at the end of
//! the handshake: where there is none, as with NULL, traffic costs nothing for it.

use std::fmt;

use crate::frame::FrameHeader;

/// The two halves of a connection's traffic. Each goes with its direction, so the one who reads and
/// the one who writes share nothing.
///
/// ```
/// use colugo_zmtp::{Handshake, HandshakeConfig, SocketType};
/// let handshake = Handshake::new(HandshakeConfig::new(SocketType::Pub));
/// assert!(handshake.into_sealing().is_none(), "NULL seals nothing");
/// ```
#[derive(Debug)]
pub struct Sealing {
    /// For frames to the peer.
    pub seal: Box<dyn Seal>,
    /// For frames from the peer.
    pub open: Box<dyn Open>,
    /// Octets that a sealed frame's body is longer than the body within, at most: limits on what
    /// the peer announces must leave room for them.
    pub overhead: usize,
}

/// Seals frames, in the order in which they are sent.
pub trait Seal: fmt::Debug + Send {
    /// Appends the whole frame that carries this one: of a message, with `more` or without, or a
    /// command.
    ///
    /// # Errors
    /// [`SealError`]: nothing is appended, and the connection has to be closed.
    fn seal(
        &mut self,
        out: &mut Vec<u8>,
        body: &[u8],
        more: bool,
        command: bool,
    ) -> Result<(), SealError>;
}

/// Opens frames, in the order in which they came.
pub trait Open: fmt::Debug + Send {
    /// Opens the body of a frame where it stands: no copy is made, and messages stay in the buffer
    /// they were read into.
    ///
    /// # Errors
    /// [`OpenError`]: the connection has to be closed.
    fn open(&mut self, outer: FrameHeader, body: &mut [u8]) -> Result<Opened, OpenError>;
}

/// The frame within a sealed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// More frames of the same message follow.
    pub more: bool,
    /// The body is a command.
    pub command: bool,
    /// Where in the sealed frame's body its own body starts.
    pub start: usize,
    /// Octets of its body.
    pub len: usize,
}

impl Opened {
    /// The body of the frame within; empty if it does not stand where this says.
    ///
    /// ```
    /// use colugo_zmtp::Opened;
    /// let opened = Opened { more: false, command: false, start: 2, len: 5 };
    /// assert_eq!(opened.body(b"\x00\x00hello, "), b"hello");
    /// ```
    pub fn body<'a>(&self, sealed: &'a [u8]) -> &'a [u8] {
        sealed
            .get(self.start..self.start.saturating_add(self.len))
            .unwrap_or_default()
    }
}

/// Why a frame from the peer can't be opened. Never the fault of the network: TCP has checked it.
///
/// ```
/// use colugo_zmtp::OpenError;
/// assert!(OpenError::Replayed.to_string().starts_with("the peer sent"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A frame that is not sealed, after a handshake that agreed on it.
    #[error("the peer sent a frame in the clear on a sealed connection")]
    Clear,
    /// A frame whose seal is broken.
    #[error("the peer sent a frame that was changed on its way, or sealed with another key")]
    Forged,
    /// A frame that was sent before.
    #[error("the peer sent a sealed frame again, or out of order")]
    Replayed,
}

/// Why a frame can't be sealed.
///
/// ```
/// use colugo_zmtp::SealError;
/// assert!(SealError::Exhausted.to_string().contains("dial again"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The numbers that make each seal unlike the others are used up.
    #[error("all numbers for sealed frames of this connection are used: dial again")]
    Exhausted,
}
