//! The last step of a message on its way in: a batch goes where the socket's messages go. Used by sessions; does no I/O.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use crate::batch::{Batch, Cursor, Item};
use crate::core::{Core, Sink};
use crate::event::SocketEvent;
use crate::flow::Flow;
use crate::gate::lock;
#[cfg(test)]
use crate::simulator::{self, Sabotage};

/// Puts a batch into the inbox, or hands its messages and commands to the handler. True: the inbox has enough of this link for now.
pub(crate) fn deliver(core: &Core, flow: &Flow, batch: Batch) -> bool {
    #[cfg(test)]
    if simulator::is_sabotaged_one_in(Sabotage::LosesABatch, 20) {
        return false;
    }
    if let Some(lead) = &core.lead {
        lead.count_batch();
    }
    match &core.sink {
        Sink::Inbox(inbox) => {
            let paused = flow.delivered(batch.messages, batch.buf.len(), inbox.limit());
            if inbox.deliver(batch, core.lead.as_ref()) {
                core.flusher.notify_later(inbox.clone());
            }
            #[cfg(test)]
            let paused = paused && !simulator::is_sabotaged(Sabotage::NoBackpressure);
            return paused;
        }
        Sink::Handler(handler) => {
            let mut handler = lock(handler);
            let mut cursor = Cursor::new(batch);
            let peer = cursor.peer().clone();
            while let Some(item) = cursor.next_item() {
                let call = AssertUnwindSafe(|| match item {
                    Item::Message(message) => handler.message(&peer, message),
                    Item::Command(body) => {
                        let (name, data) = split_command(body);
                        handler.command(&peer, name, data);
                    }
                });
                if catch_unwind(call).is_err() {
                    core.counters.handler_panics.fetch_add(1, Ordering::Relaxed);
                    core.emit(SocketEvent::HandlerPanicked(peer.clone()));
                }
            }
            let _ = catch_unwind(AssertUnwindSafe(|| handler.batch_end()));
        }
        Sink::Nowhere => {
            core.counters
                .ignored
                .fetch_add(batch.messages as u64, Ordering::Relaxed);
        }
    }
    false
}

fn split_command(body: &[u8]) -> (&[u8], &[u8]) {
    match body.split_first() {
        Some((len, rest)) => rest
            .split_at_checked(usize::from(*len))
            .unwrap_or((rest, &[])),
        None => (&[], &[]),
    }
}
