//! All suites, in the order of the table.

use crate::harness::Part;
use crate::suite::{Contender, Suite, Trial};
use crate::{calls, streams, times};

/// Every row there is.
pub fn suites() -> Vec<Suite> {
    vec![
        streams::pubsub_64(),
        streams::pubsub_1k(),
        streams::pubsub_large(65_536),
        streams::pubsub_large(1 << 20),
        streams::fanout(8),
        calls::call(),
        calls::call_inline(),
        calls::calls_64(),
        streams::mixed_64(),
        streams::stats(),
        times::times(),
        times::repeater(),
    ]
}

/// One of a group, between two processes.
pub fn contender(group: &'static str, label: &str, binder: Part, dialler: Part) -> Contender {
    Contender {
        group,
        label: label.to_owned(),
        trial: Trial::Pair(binder, dialler),
    }
}
