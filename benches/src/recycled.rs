//! Buffers for large messages, used again as soon as the library has let go of them: what a careful publisher of images does.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Buffers of one size in the order in which they were sent.
#[derive(Debug)]
pub struct Recycler {
    sent: VecDeque<Bytes>,
    size: usize,
}

impl Recycler {
    /// No buffers yet: they are made as they are needed.
    pub fn new(size: usize) -> Self {
        Self {
            sent: VecDeque::new(),
            size,
        }
    }

    /// A buffer that `fill` has written to. The oldest is used again if nobody else holds it.
    pub fn next(&mut self, fill: impl FnOnce(&mut [u8])) -> Bytes {
        let free = match self.sent.pop_front().map(Bytes::try_into_mut) {
            Some(Ok(free)) => Some(free),
            Some(Err(held)) => {
                self.sent.push_front(held);
                None
            }
            None => None,
        };
        let mut buffer = free.unwrap_or_else(|| BytesMut::zeroed(self.size));
        fill(&mut buffer);
        let buffer = buffer.freeze();
        self.sent.push_back(buffer.clone());
        buffer
    }
}
