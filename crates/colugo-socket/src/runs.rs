//! `Runs`: which number a subscriber expects next of a publisher whose connection has ended. When the same publisher is there again by the same
//! link, what it sent in between is known, and counted. Knows no connection; at most one entry a dialled link.

use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;

use crate::gate::lock;
use crate::message::LinkId;
use crate::peer::Peer;

/// What a publisher calls itself from its start to its end: the wire contract, section 1.
const RUN: &str = "X-Colugo-Run";

#[derive(Debug, Default)]
pub(crate) struct Runs(Mutex<HashMap<LinkId, (Bytes, u64)>>);

impl Runs {
    /// The connection to `peer` has ended before message `next`. One that was accepted never comes back by the same link.
    pub(crate) fn left(&self, peer: &Peer, next: u64) {
        if let Some(run) = peer.property(RUN).filter(|_| peer.outgoing()) {
            let run = Bytes::copy_from_slice(run);
            lock(&self.0).insert(peer.id(), (run, next));
        }
    }

    /// What was expected next of `peer` when it was there last; None also if this is another publisher at the same place.
    pub(crate) fn back(&self, peer: &Peer) -> Option<u64> {
        let (run, next) = lock(&self.0).remove(&peer.id())?;
        (peer.property(RUN) == Some(&run)).then_some(next)
    }

    /// The link will not be dialled again.
    pub(crate) fn forget(&self, link: LinkId) {
        lock(&self.0).remove(&link);
    }
}
