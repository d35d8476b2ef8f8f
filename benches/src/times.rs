//! The rows of what happens once, or by the clock.

use crate::courses;
use crate::harness::{Harness, Part};
use crate::row::{Better, Row};
use crate::suite::{Contender, Suite, Trial};
use kit::Result;
use kit::report::Report;

/// How long things take that happen once: nobody to be held against.
pub fn times() -> Suite {
    let mut suite = Suite {
        contenders: Vec::new(),
        rows: Vec::new(),
    };
    let mut add = |name, about, course: fn(&Harness) -> Result<Report>| {
        suite.contenders.push(Contender {
            group: name,
            label: String::new(),
            trial: Trial::Course(Box::new(course)),
        });
        suite
            .rows
            .push(Row::new(name, about, "ms", "ms", Better::Less).alone(name));
    };
    add("cold", "exec to a node that can be found", courses::cold);
    add(
        "find",
        "a subscriber's exec to its first message, the publisher already there, on this machine",
        courses::find,
    );
    add(
        "leave-clean",
        "a node's goodbye to another node's knowing",
        courses::leave_cleanly,
    );
    add(
        "leave-kill",
        "kill -9 of a node to another node's knowing",
        courses::leave_killed,
    );
    add(
        "leave-stop",
        "kill -STOP of a node to another node's knowing",
        courses::leave_stopped,
    );
    add(
        "restart",
        "exec of a publisher in a killed one's place, at another port, to its first message",
        courses::restart,
    );
    add(
        "disconnect",
        "kill -9 of a server to the end of its ten requests (lost: not with Disconnected)",
        courses::disconnect,
    );
    add(
        "processes",
        "40 processes, a node of 10 topics each, on this machine: from the first exec until each knows all of all",
        courses::processes,
    );
    for row in &mut suite.rows {
        (row.must, row.goal) = match row.name {
            "cold" => (Some(20.0), Some(8.0)),
            "find" => (Some(100.0), Some(30.0)),
            _ => (None, None),
        };
    }
    suite
}

/// Many nodes that know nothing but a hub, all in one process.
pub fn crowd() -> Suite {
    let part = Part::new("node.crowd")
        .set("ns", "bench-crowd")
        .set("count", 200)
        .set("topics", 50);
    let row = |name, about, unit, metric| {
        Row::new(name, about, unit, metric, Better::Less).alone("crowd")
    };
    Suite {
        contenders: vec![Contender {
            group: "crowd",
            label: String::new(),
            trial: Trial::Solo(part),
        }],
        rows: vec![
            row(
                "crowd",
                "a hub starts, and 200 nodes of 50 topics in one process know but its address: until each has the directories of all",
                "ms",
                "ms",
            )
            .must(2000.0, 500.0),
            row(
                "crowd-cpu",
                "the same: processor time of all nodes and the hub together",
                "s",
                "cpu",
            )
            .must(1.0, 0.5),
            row(
                "crowd-memory",
                "the same: the process's peak, 201 nodes and 10,000 sockets in it",
                "KiB",
                "peak_kib",
            ),
        ],
    }
}

/// What control links cost while nothing happens.
pub fn idle() -> Suite {
    let solo = |group, count: usize| Contender {
        group,
        label: String::new(),
        trial: Trial::Solo(
            Part::new("node.quiet")
                .set("ns", format!("bench-{group}"))
                .set("count", count),
        ),
    };
    let row = |name, about| Row::new(name, about, "B/s", "bytes_s", Better::Less).alone(name);
    Suite {
        contenders: vec![solo("idle-link", 1), solo("idle-hub", 100)],
        rows: vec![
            row(
                "idle-link",
                "a control link on which nothing happens: octets on loopback a second, both ways, with all headers",
            )
            .must(250.0, 250.0),
            row(
                "idle-hub",
                "100 nodes without a topic in common on one hub: the same of all links together",
            )
            .must(20_000.0, 20_000.0),
        ],
    }
}

pub fn repeater() -> Suite {
    let solo = |group, label: &str, role| Contender {
        group,
        label: label.to_owned(),
        trial: Trial::Solo(Part::new(role)),
    };
    let row = |name, about, metric| Row::new(name, about, "µs", metric, Better::Less);
    Suite {
        contenders: vec![
            solo("ours", "", "node.repeat"),
            Contender {
                group: "skip",
                label: String::new(),
                trial: Trial::Solo(Part::new("node.repeat").set("skip", 1)),
            },
            solo("theirs", "bare thread", "thread.repeat"),
        ],
        rows: vec![
            row(
                "repeater",
                "lateness of a 1 kHz repeater's ticks: p50",
                "p50_us",
            ),
            row("repeater-p99", "the same: p99", "p99_us"),
            Row {
                unit: "ticks",
                ..row(
                    "repeater-ticks",
                    "the same: ticks too few or too many in 10 s; both catch up with what they missed",
                    "amiss",
                )
            }
            .must(2.0, 1.0)
            .absolute(),
            Row {
                unit: "ticks",
                ..row(
                    "repeater-skip",
                    "with missed ticks skipped (the default): ticks and those counted as left out, too few or too many in 10 s",
                    "amiss",
                )
            }
            .between("skip", "theirs")
            .must(2.0, 1.0)
            .absolute(),
            Row {
                unit: "ticks",
                ..row(
                    "repeater-left-out",
                    "the same: those left out, each for a time the machine stood still for two periods or more",
                    "left_out",
                )
            }
            .between("skip", "theirs"),
        ],
    }
}
