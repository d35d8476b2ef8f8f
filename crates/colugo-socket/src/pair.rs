//! Whom a PAIR sends to: the peer that is there, else the one it dials (RFC 31). That a second peer is refused is the affair of `names`.

use std::sync::Arc;

use crate::link::{Link, Pushed};
use crate::message::Outgoing;
use crate::table::Table;

impl Table {
    /// Queues a message for the one peer. None: it has no room, or there is nobody.
    pub(crate) fn push_to_only(&mut self, out: &Outgoing<'_>) -> Option<(&Arc<Link>, Pushed)> {
        let limit = self.limit();
        let there = self.slots().find(|slot| slot.peer.is_some());
        let awaited = || self.slots().find(|slot| slot.link.persistent);
        let id = there.or_else(awaited)?.link.id;
        let slot = self.get(id)?;
        let pushed = slot.push(limit, None, |outbox| outbox.push(&[], out));
        (!matches!(pushed, Pushed::Full | Pushed::Gone)).then_some((&slot.link, pushed))
    }
}
