//! `Hearing`: a subscriber's count of numbered messages, `SENDER NUMBER`, by sender.

use std::collections::BTreeMap;
use std::error::Error;

use colugo::{Guard, Node};
use serde_json::{Value, json};

use crate::tally::Tally;

/// What was heard of one topic.
pub(crate) struct Hearing {
    _guard: Guard,
    heard: Tally<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    total: u64,
    by: BTreeMap<String, u64>,
    /// The number that each sender should send next.
    next: BTreeMap<String, u64>,
    /// Numbers that did not follow the one before.
    jumps: u64,
}

impl Hearing {
    pub(crate) fn start(
        node: &Node,
        topic: &str,
        connect: Vec<String>,
    ) -> Result<Self, Box<dyn Error>> {
        let heard = Tally::<Heard>::default();
        let ear = heard.clone();
        let builder = node.subscriber(topic).text();
        let builder = connect
            .into_iter()
            .fold(builder, |builder, to| builder.connect(to));
        let guard =
            builder.on_message(move |message| ear.update(|heard| heard.note(&message.value)))?;
        Ok(Self {
            _guard: guard,
            heard,
        })
    }

    /// What was heard once it is `n` messages.
    pub(crate) fn after(&self, n: u64) -> Value {
        let heard = self.heard.wait(|heard| heard.total >= n);
        json!({"total": heard.total, "by": heard.by, "jumps": heard.jumps})
    }
}

impl Heard {
    fn note(&mut self, payload: &str) {
        self.total += 1;
        let (sender, number) = payload.rsplit_once(' ').unwrap_or((payload, ""));
        *self.by.entry(sender.to_owned()).or_default() += 1;
        if let Ok(number) = number.parse::<u64>() {
            let next = self.next.entry(sender.to_owned()).or_insert(number);
            if *next != number {
                self.jumps += 1;
            }
            *next = number + 1;
        }
    }
}
