//! `Sabotage`: what a test may break in the engine, on its own thread, to see that the simulator notices.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use crate::core::Core;
use crate::message::LinkId;
use crate::table::Table;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// A subscriber does not ask again after it was connected before.
    NoResubscribe,
    /// After a lost connection messages are sent again that had been written.
    SendsTwice,
    /// What is queued for a connection that is lost is dropped and not counted.
    CountsNoLoss,
    /// A dialler gives up once a peer has broken the protocol.
    NoRedialAfterNonsense,
    /// What one read in twenty brought is dropped.
    LosesABatch,
    /// A socket goes on reading when its inbox is full.
    NoBackpressure,
    /// A ROUTER's answer goes to the first of its peers.
    AnswersTheFirst,
    /// An accepted connection is not ended with its socket.
    LeavesATask,
}

thread_local! {
    static NOW: Cell<Option<Sabotage>> = const { Cell::new(None) };
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

pub(crate) fn set(sabotage: Option<Sabotage>) {
    NOW.set(sabotage);
    COUNT.set(0);
}

pub(crate) fn is(sabotage: Sabotage) -> bool {
    NOW.get() == Some(sabotage)
}

/// True for each `every`th call, if this is what is broken.
pub(crate) fn one_in(sabotage: Sabotage, every: u32) -> bool {
    is(sabotage) && {
        COUNT.set(COUNT.get() + 1);
        COUNT.get().is_multiple_of(every)
    }
}

/// Whether a dialler does not dial again.
pub(crate) fn gives_up(core: &Core) -> bool {
    let errors = &core.counters.handshakes_failed;
    is(Sabotage::NoRedialAfterNonsense) && errors.load(Ordering::Relaxed) > 0
}

/// Where a message for a link goes.
pub(crate) fn redirected(table: &Table, to: LinkId) -> LinkId {
    if is(Sabotage::AnswersTheFirst) {
        table.up().next().map_or(to, |(link, _)| link.id)
    } else {
        to
    }
}
