//! The scenarios, a file each, and what they share. Each asserts what must happen, and reports how fast it did.

mod churn;
mod descriptors;
mod flapping;
mod kill;
mod loss;
mod mute;
mod partition;
mod silence;
mod slow;
mod stranger;

use serde_json::{Value, json};

use crate::report::Report;

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    pub(crate) secs: u32,
}

/// One of them.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// As the command runs it, unless told otherwise.
    pub(crate) plan: Plan,
    /// None: this machine lacks what it needs, and that was said.
    pub(crate) run: fn(&Plan) -> Option<Report>,
}

const fn scenario(
    name: &'static str,
    about: &'static str,
    (rounds, secs): (u32, u32),
    run: fn(&Plan) -> Option<Report>,
) -> Scenario {
    Scenario {
        name,
        about,
        plan: Plan { rounds, secs },
        run,
    }
}

/// All of them.
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario(
        "kill",
        "F5: a publisher is killed and restarted, at the same port and at others",
        (200, 1),
        kill::run,
    ),
    scenario(
        "silence",
        "F5: a publisher, a subscriber is stopped without a word; peers are patient for SECS",
        (5, 6),
        silence::run,
    ),
    scenario(
        "partition",
        "F6: two hosts are cut off for up to SECS and joined again (namespaces)",
        (8, 60),
        partition::run,
    ),
    scenario(
        "brisk",
        "F6 again, with a patience of 3 s instead of the default 6 s (namespaces)",
        (8, 60),
        partition::brisk,
    ),
    scenario(
        "loss",
        "F7: the network loses one packet of ten, each way; beside libzmq (namespaces)",
        (3, 10),
        loss::run,
    ),
    scenario(
        "flapping",
        "F8: peers come and go every 100 ms, for SECS",
        (1, 600),
        flapping::run,
    ),
    scenario(
        "churn",
        "F9: 1,000 connections are made and ended, ROUNDS times",
        (10, 1),
        churn::run,
    ),
    scenario(
        "slow",
        "F10: a subscriber that stands still beside fast ones, for SECS with and without it",
        (3, 10),
        slow::run,
    ),
    scenario(
        "stranger",
        "F11: something else listens on the old port",
        (1, 1),
        stranger::run,
    ),
    scenario(
        "descriptors",
        "F14: a process runs out of file descriptors and gets them back",
        (20, 1),
        descriptors::run,
    ),
    scenario(
        "mute",
        "F4: ROUNDS real clients come within SECS while 1,000 connections say nothing",
        (200, 12),
        mute::run,
    ),
];

/// A publisher, or a subscriber, of a Colugo topic.
fn colugo(kind: &str) -> Value {
    json!({"kind": kind, "topic": "t"})
}

/// With another setting.
fn and(mut setup: Value, name: &str, value: impl Into<Value>) -> Value {
    setup[name] = value.into();
    setup
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

/// Each message came once, and in order (F17). Gives how many came and how many did not.
fn each_once(report: &Value) -> (u64, u64) {
    let all = &report["all"];
    assert_eq!(
        (
            number(&all["duplicates"]),
            number(&all["reordered"]),
            number(&report["strange"])
        ),
        (0, 0, 0),
        "{report}"
    );
    (number(&all["received"]), number(&all["missing"]))
}
