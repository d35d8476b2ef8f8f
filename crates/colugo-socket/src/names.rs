//! `Names`: which peers a socket may have at once, and what they are called: a ROUTER has one of a name, a PAIR one at all. A name that a peer
//! claims and one that was made up here live apart: whatever a peer claims, it never gets what is meant for another.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use colugo_zmtp::SocketType;

use crate::core::Core;
use crate::event::{DownReason, RefusedWhy, SocketEvent};
use crate::gate::lock;
use crate::message::LinkId;
use crate::peer::Peer;

/// The peers that are there, by name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    claimed: HashMap<Bytes, LinkId>,
    given: HashMap<Bytes, LinkId>,
    /// PAIR: its peer.
    only: Option<LinkId>,
}

impl Names {
    /// Whom a name means. One made up here goes first: it was given out by us, and nobody can claim it away.
    pub(crate) fn find(&self, name: &[u8]) -> Option<LinkId> {
        self.given
            .get(name)
            .or_else(|| self.claimed.get(name))
            .copied()
    }

    fn release(&mut self, name: &Bytes, link: LinkId) {
        for names in [&mut self.claimed, &mut self.given] {
            if names.get(name) == Some(&link) {
                names.remove(name);
            }
        }
        if self.only == Some(link) {
            self.only = None;
        }
    }
}

/// A peer's place at the socket; given back when it is dropped.
pub(crate) struct Seat {
    core: Arc<Core>,
    peer: Arc<Peer>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.core.names).release(self.peer.identity(), self.peer.id());
    }
}

impl Core {
    /// Gives a peer that has introduced itself its place, or says why it gets none. None is counted and told.
    pub(crate) fn admit(self: &Arc<Self>, peer: &Arc<Peer>) -> Option<Seat> {
        let taken = match self.kind {
            SocketType::Pair => self.pair_with(peer),
            SocketType::Router => self.name(peer),
            _ => Ok(()),
        };
        if let Err(why) = taken {
            self.counters.refused_peers.fetch_add(1, Ordering::Relaxed);
            self.emit(SocketEvent::PeerRefused(peer.clone(), why));
            return None;
        }
        Some(Seat {
            core: self.clone(),
            peer: peer.clone(),
        })
    }

    fn pair_with(&self, peer: &Peer) -> Result<(), RefusedWhy> {
        let mut names = lock(&self.names);
        if names.only.is_some() {
            return Err(RefusedWhy::PairTaken);
        }
        names.only = Some(peer.id());
        Ok(())
    }

    fn name(&self, peer: &Peer) -> Result<(), RefusedWhy> {
        let mut names = lock(&self.names);
        let name = peer.identity().clone();
        if !peer.claims_identity() {
            names.given.insert(name, peer.id());
            return Ok(());
        }
        let before = match names.claimed.get(&name) {
            Some(_) if !self.options.handover => return Err(RefusedWhy::IdentityTaken),
            before => before.copied(),
        };
        names.claimed.insert(name, peer.id());
        drop(names);
        let link = before.and_then(|id| self.table.lock().get(id).map(|slot| slot.link.clone()));
        if let Some(link) = link {
            link.end(DownReason::Replaced);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_name_does_not_take_a_given_one_of_the_same_octets() {
        let name = Bytes::from_static(b"\0same");
        let (given, claimed) = (LinkId::from_u64(1), LinkId::from_u64(2));
        let mut names = Names::default();
        names.given.insert(name.clone(), given);
        names.claimed.insert(name.clone(), claimed);
        assert_eq!(names.find(&name), Some(given));
        names.release(&name, claimed);
        assert_eq!(names.find(&name), Some(given));
        names.claimed.insert(name.clone(), claimed);
        names.release(&name, given);
        assert_eq!(names.find(&name), Some(claimed));
    }
}
