//! `Sink`: the receiving half of a peer process: the history of what came, how long each message took, and the message somebody waits for.

use std::sync::Arc;
use std::time::Duration;

use colugo_socket::{Handler, LinkId, MessageRef, Peer};
use serde_json::{Value, json};

use crate::history::{Account, History};
use crate::parcel::{Parcel, now_ns};
use crate::report::Spread;
use crate::tally::Tally;

/// Shared by who receives and who asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sink(Arc<Tally<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    history: History,
    runs: Vec<u64>,
    took: Spread,
    /// Payloads that were none of ours.
    strange: u64,
    watch: Option<u64>,
    found_ns: Option<u64>,
    last: Option<Parcel>,
}

impl Sink {
    /// One message came.
    pub(crate) fn take(&self, link: LinkId, payload: &[u8]) {
        let now = now_ns();
        self.0.update(|heard| {
            let Some(parcel) = Parcel::read(payload) else {
                heard.strange += 1;
                return;
            };
            heard.history.take(parcel.run, link.as_u64(), parcel.number);
            heard.took.add(now.saturating_sub(parcel.sent_ns));
            heard.last = Some(parcel);
            if !heard.runs.contains(&parcel.run) {
                heard.runs.push(parcel.run);
            }
            if heard.watch.is_some_and(|after| parcel.sent_ns >= after) {
                heard.watch = None;
                heard.found_ns = Some(now);
            }
        });
    }

    pub(crate) fn watch(&self, sent_after_ns: u64) {
        self.0.look(|heard| {
            heard.watch = Some(sent_after_ns);
            heard.found_ns = None;
        });
    }

    pub(crate) fn found(&self, within: Duration) -> Result<Value, String> {
        let heard = self.0.wait(within, |heard| heard.found_ns.is_some());
        heard.found_ns.map(Value::from).ok_or_else(|| {
            format!(
                "no such message within {within:?}; the last one: {:?}",
                heard.last
            )
        })
    }

    pub(crate) fn reached(&self, run: u64, number: u64, within: Duration) -> Result<Value, String> {
        let there = |heard: &Heard| {
            let last = heard.history.of(run).map(|(_, _, last)| last);
            last.is_some_and(|last| last >= number)
        };
        let heard = self.0.wait(within, there);
        if there(&heard) {
            return Ok(Value::Null);
        }
        Err(format!(
            "number {number} of {run} has not come within {within:?}; what has: {:?}",
            heard.history.of(run)
        ))
    }

    pub(crate) fn received(&self, n: u64, within: Duration) -> Result<Value, String> {
        let heard = self
            .0
            .wait(within, |heard| heard.history.account().received >= n);
        let received = heard.history.account().received;
        if received >= n {
            return Ok(received.into());
        }
        Err(format!("{received} have come within {within:?}, not {n}"))
    }

    /// The times start anew.
    pub(crate) fn report(&self) -> Value {
        self.0.look(|heard| {
            let took = std::mem::take(&mut heard.took);
            let runs = heard.runs.iter().filter_map(|run| {
                let (account, first, last) = heard.history.of(*run)?;
                let mut told = told(account);
                told["run"] = (*run).into();
                told["first"] = first.into();
                told["last"] = last.into();
                Some(told)
            });
            let runs: Vec<Value> = runs.collect();
            json!({
                "all": told(heard.history.account()),
                "runs": runs,
                "strange": heard.strange,
                "took": {"count": took.len(), "p50_ns": took.ns(0.5), "p99_ns": took.ns(0.99), "max_ns": took.ns(1.0)},
            })
        })
    }
}

fn told(account: Account) -> Value {
    json!({
        "received": account.received,
        "missing": account.missing,
        "duplicates": account.duplicates,
        "reordered": account.reordered,
    })
}

impl Handler for Sink {
    fn message(&mut self, peer: &Arc<Peer>, message: MessageRef<'_>) {
        self.take(peer.id(), message.frame(0).unwrap_or_default());
    }
}
