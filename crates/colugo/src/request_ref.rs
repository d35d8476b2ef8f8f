//! `RequestRef`: a request that is still in the read buffer, without the envelope around it.

use std::fmt;

use bytes::Bytes;
use colugo_socket::{LinkId, MessageRef};

/// A request as an inline callback gets it: borrowed, and only its body.
#[derive(Clone, Copy)]
pub struct RequestRef<'a> {
    message: MessageRef<'a>,
    skip: usize,
}

impl<'a> RequestRef<'a> {
    pub(crate) fn new(message: MessageRef<'a>, skip: usize) -> Self {
        Self { message, skip }
    }

    /// The first frame of the body.
    pub fn payload(&self) -> &'a [u8] {
        self.frame(0).unwrap_or_default()
    }

    /// Frame `i` of the body, counted from 0.
    pub fn frame(&self, i: usize) -> Option<&'a [u8]> {
        self.message.frame(self.skip + i)
    }

    /// Frame `i` of the body, to keep: shared where it is large, copied where it is small.
    pub fn frame_bytes(&self, i: usize) -> Option<Bytes> {
        self.message.frame_bytes(self.skip + i)
    }

    /// How many frames the body has.
    pub fn len(&self) -> usize {
        self.message.len().saturating_sub(self.skip)
    }

    /// Whether the body has no frames at all: never, from clients that keep to the rules.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The link it came by.
    pub fn link(&self) -> LinkId {
        self.message.link()
    }
}

impl fmt::Debug for RequestRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestRef")
            .field("frames", &self.len())
            .field("link", &self.link())
            .finish()
    }
}
