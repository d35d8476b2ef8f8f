//! All suites, in the order of the table.

use crate::harness::Part;
use crate::suite::{Contender, Suite, Trial};
use crate::{beside, calls, flood, memory, memory_peers, paced, sending, streams, times, topics};

/// Every row there is.
pub fn suites() -> Vec<Suite> {
    let mut all = vec![
        streams::pubsub_64(),
        streams::pubsub_1k(),
        streams::pubsub_large(65_536),
        streams::pubsub_large(1 << 20),
        streams::fanout(8),
        streams::fanout(64),
        flood::suite(),
        paced::at_1_khz(),
        paced::at_half_load(),
        sending::suite(),
        calls::call(),
        calls::call_inline(),
        calls::calls_64(),
        streams::between_libraries(),
        topics::suite(),
        beside::suite(),
        memory::idle_links(),
        memory::stuck(),
        streams::stats(),
        times::times(),
        times::crowd(),
        times::idle(),
        times::repeater(),
    ];
    all.extend(memory_peers::suites());
    all
}

/// One of a group, between two processes.
pub fn contender(group: &'static str, label: &str, binder: Part, dialler: Part) -> Contender {
    Contender {
        group,
        label: label.to_owned(),
        trial: Trial::Pair(binder, dialler),
    }
}
