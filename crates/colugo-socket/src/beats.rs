//! `Beats`: the PINGs and PONGs of one read, between the parser that finds them and the session that answers.

use colugo_zmtp::MAX_PING_CONTEXT;

use crate::options::MAX_PONGS;

/// The PINGs and PONGs that came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beats {
    /// The contexts to be given back, the last [`MAX_PONGS`] of them.
    pub(crate) pings: Vec<Context>,
    /// What the last PING promised.
    pub(crate) ttl_ds: u16,
    /// The last PONG's context; earlier ones say nothing that it does not.
    pub(crate) pong: Option<Context>,
}

impl Beats {
    pub(crate) fn ping(&mut self, ttl_ds: u16, context: &[u8]) {
        if self.pings.len() >= MAX_PONGS {
            self.pings.remove(0);
        }
        self.pings.push(Context::of(context));
        self.ttl_ds = ttl_ds;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pings.is_empty() && self.pong.is_none()
    }
}

/// The context of a PING or PONG.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context([u8; MAX_PING_CONTEXT], u8);

impl Context {
    pub(crate) fn of(context: &[u8]) -> Self {
        let mut octets = [0; MAX_PING_CONTEXT];
        let len = context.len().min(MAX_PING_CONTEXT);
        for (to, from) in octets.iter_mut().zip(context) {
            *to = *from;
        }
        Self(octets, len as u8)
    }

    pub(crate) fn octets(&self) -> &[u8] {
        self.0.get(..usize::from(self.1)).unwrap_or_default()
    }
}
