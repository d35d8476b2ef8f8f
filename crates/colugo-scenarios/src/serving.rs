//! `Serving`: a reply server that says who it is, or keeps what it is asked to itself.

use std::error::Error;

use colugo::{Guard, Node, Responder};

use crate::tally::Tally;

/// One server.
pub(crate) struct Serving {
    guard: Guard,
    held: Tally<Vec<Responder<str>>>,
}

impl Serving {
    pub(crate) fn start(node: &Node, topic: &str, hold: bool) -> Result<Self, Box<dyn Error>> {
        let held = Tally::<Vec<Responder<str>>>::default();
        let hands = held.clone();
        let name = node.name().to_owned();
        let guard = node
            .reply_server(topic)
            .text()
            .on_request(move |request, reply| {
                if hold {
                    hands.update(|held| held.push(reply));
                } else {
                    // A client that has gone needs no reply.
                    let _ = reply.reply(&format!("{name} {request}"));
                }
            })?;
        Ok(Self { guard, held })
    }

    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.guard.endpoints()
    }

    /// How many it holds once they are `n`.
    pub(crate) fn held(&self, n: usize) -> usize {
        self.held.wait(|held| held.len() >= n).len()
    }
}
