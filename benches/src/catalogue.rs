//! All rows, and who runs for them.

use crate::Result;
use crate::courses;
use crate::harness::{Harness, Part};
use crate::report::Report;
use crate::row::{Better, Row};
use crate::suite::{Contender, Suite, Trial};

/// Every row there is.
pub fn suites() -> Vec<Suite> {
    vec![
        pubsub_64(),
        pubsub_1k(),
        pubsub_large(65_536),
        pubsub_large(1 << 20),
        fanout(8),
        call(),
        call_inline(),
        calls_64(),
        mixed_64(),
        stats(),
        times(),
        repeater(),
    ]
}

fn contender(group: &'static str, label: &str, binder: Part, dialler: Part) -> Contender {
    Contender {
        group,
        label: label.to_owned(),
        trial: Trial::Pair(binder, dialler),
    }
}

/// libzmq's ways to send a stream without losing any of it.
fn libzmq_streams(size: usize, count: usize, hwms: &[usize]) -> Vec<Contender> {
    let mut all = Vec::new();
    for (sender, receiver, name) in [
        ("zmq.push", "zmq.pull", "PUSH"),
        ("zmq.pub", "zmq.sub", "PUB"),
    ] {
        for &hwm in hwms {
            if count > 1 && name == "PUSH" {
                continue; // PUSH shares out where PUB copies
            }
            let part = |role| {
                Part::new(role)
                    .set("size", size)
                    .set("hwm", hwm)
                    .set("count", count)
            };
            all.push(contender(
                "theirs",
                &format!("libzmq {name} hwm {hwm}"),
                part(sender),
                part(receiver),
            ));
            if size >= 65_536 && name == "PUSH" {
                let label = format!("libzmq {name} hwm {hwm} zero-copy");
                all.push(contender(
                    "theirs",
                    &label,
                    part(sender).set("lend", 1),
                    part(receiver),
                ));
            }
        }
    }
    all
}

/// Ours, one floor down: stamped, as the nodes do it.
fn socket_stream(
    group: &'static str,
    size: usize,
    count: usize,
    receiver: &'static str,
) -> Contender {
    let part = |role| {
        Part::new(role)
            .set("size", size)
            .set("count", count)
            .set("stamped", 1)
    };
    let sender = part("socket.pub").set("lend", u8::from(size >= 65_536));
    let (role, batch) = match receiver {
        "inline" => ("socket.sub-inline", 0),
        "batch" => ("socket.sub", 1),
        _ => ("socket.sub", 0),
    };
    contender(group, "", sender, part(role).set("batch", batch))
}

/// Ours.
fn node_stream(
    group: &'static str,
    size: usize,
    count: usize,
    receiver: &'static str,
) -> Contender {
    let part = |role| Part::new(role).set("size", size).set("count", count);
    let sender = part("node.pub").set("lend", u8::from(size >= 65_536));
    let (role, batch) = match receiver {
        "inline" => ("node.sub-inline", 0),
        "batch" => ("node.sub", 1),
        _ => ("node.sub", 0),
    };
    contender(group, "", sender, part(role).set("batch", batch))
}

fn pubsub_64() -> Suite {
    let mut contenders = vec![
        node_stream("ours", 64, 1, "recv"),
        node_stream("batch", 64, 1, "batch"),
        node_stream("inline", 64, 1, "inline"),
        socket_stream("socket", 64, 1, "recv"),
        socket_stream("socket-batch", 64, 1, "batch"),
        socket_stream("socket-inline", 64, 1, "inline"),
    ];
    contenders.extend(libzmq_streams(64, 1, &[1000, 100_000]));
    let cpu = |name, about| {
        Row::new(name, about, "s/M", "cpu_per_million", Better::Less).must(0.33, 0.15)
    };
    let rows = vec![
        Row::rate(
            "pubsub-64",
            "PUB→SUB, 64 B, one send a message, one recv a message",
        )
        .must(3.0, 6.0),
        Row::rate("pubsub-64-batch", "the same, received in batches")
            .must(4.0, 6.0)
            .between("batch", "theirs"),
        Row::rate("pubsub-64-inline", "the same, received on the data thread")
            .must(3.0, 8.0)
            .between("inline", "theirs"),
        cpu(
            "cpu-64",
            "CPU seconds for a million messages of pubsub-64, both sides",
        ),
        Row::rate("socket-64", "pubsub-64 with colugo-socket")
            .must(3.0, 6.0)
            .between("socket", "theirs"),
        Row::rate("socket-64-batch", "pubsub-64-batch with colugo-socket")
            .must(4.0, 6.0)
            .between("socket-batch", "theirs"),
        Row::rate("socket-64-inline", "pubsub-64-inline with colugo-socket")
            .must(3.0, 8.0)
            .between("socket-inline", "theirs"),
        cpu("socket-cpu-64", "cpu-64 with colugo-socket").between("socket", "theirs"),
    ];
    Suite { contenders, rows }
}

fn pubsub_1k() -> Suite {
    let mut contenders = vec![
        node_stream("ours", 1024, 1, "recv"),
        socket_stream("socket", 1024, 1, "recv"),
    ];
    contenders.extend(libzmq_streams(1024, 1, &[1000, 100_000]));
    let rows = vec![
        Row::rate(
            "pubsub-1k",
            "PUB→SUB, 1 KiB, one send a message, one recv a message",
        )
        .must(4.0, 9.0),
        Row::rate("socket-1k", "pubsub-1k with colugo-socket")
            .must(4.0, 9.0)
            .between("socket", "theirs"),
    ];
    Suite { contenders, rows }
}

fn pubsub_large(size: usize) -> Suite {
    let (names, about) = match size {
        65_536 => (
            ["pubsub-64k", "pubsub-64k-libzmq", "socket-64k"],
            "PUB→SUB, 64 KiB, against",
        ),
        _ => (
            ["pubsub-1m", "pubsub-1m-libzmq", "socket-1m"],
            "PUB→SUB, 1 MiB, against",
        ),
    };
    let mut contenders = vec![
        contender(
            "tcp",
            "raw TCP, 256 KiB writes",
            Part::new("tcp.write").set("size", 262_144),
            Part::new("tcp.read").set("size", 262_144),
        ),
        node_stream("ours", size, 1, "recv"),
        socket_stream("socket", size, 1, "recv"),
    ];
    contenders.extend(libzmq_streams(
        size,
        1,
        if size == 65_536 {
            &[1000, 64]
        } else {
            &[1000, 16]
        },
    ));
    let row = |name, about| Row::new(name, about, "MB/s", "mbs", Better::More);
    let rows = vec![
        row(names[0], about).between("ours", "tcp").must(0.7, 0.95),
        row(names[1], about).must(1.0, 1.3),
        row(names[2], about)
            .between("socket", "tcp")
            .must(0.7, 0.95),
    ];
    Suite { contenders, rows }
}

fn fanout(count: usize) -> Suite {
    let about = "1 KiB to 8 SUB sockets, each with its thread, in one process: all deliveries";
    let mut contenders = vec![
        node_stream("ours", 1024, count, "recv"),
        socket_stream("socket", 1024, count, "recv"),
    ];
    contenders.extend(libzmq_streams(1024, count, &[1000, 100_000]));
    let rows = vec![
        Row::rate("fanout-8", about).must(3.0, 6.0),
        Row::rate("socket-fanout-8", "fanout-8 with colugo-socket")
            .must(3.0, 6.0)
            .between("socket", "theirs"),
    ];
    Suite { contenders, rows }
}

fn call() -> Suite {
    let time = |name, metric, about| Row::new(name, about, "µs", metric, Better::Less);
    let about = "64 B request and reply, caller waits, server inline: p50";
    Suite {
        contenders: vec![
            contender("ours", "", Part::new("node.server"), Part::new("node.call")),
            contender(
                "socket",
                "",
                Part::new("socket.router"),
                Part::new("socket.req"),
            ),
            contender(
                "theirs",
                "libzmq REQ/REP",
                Part::new("zmq.rep"),
                Part::new("zmq.req"),
            ),
        ],
        rows: vec![
            time("call", "p50_us", about).must(0.75, 0.45),
            time("call-p99", "p99_us", "the same: p99").must(1.0, 1.0),
            time("socket-call", "p50_us", "call with colugo-socket")
                .must(0.75, 0.45)
                .between("socket", "theirs"),
            time("socket-call-p99", "p99_us", "the same: p99")
                .must(1.0, 1.0)
                .between("socket", "theirs"),
        ],
    }
}

fn call_inline() -> Suite {
    let about = "64 B request and reply, callbacks on the data threads of both sides: p50";
    let row = |name, about| Row::new(name, about, "µs", "p50_us", Better::Less).must(1.5, 1.15);
    Suite {
        contenders: vec![
            contender(
                "ours",
                "",
                Part::new("node.server"),
                Part::new("node.calls-inline"),
            ),
            contender(
                "socket",
                "",
                Part::new("socket.router"),
                Part::new("socket.dealer-inline"),
            ),
            contender(
                "theirs",
                "raw TCP, std threads",
                Part::new("tcp.echo"),
                Part::new("tcp.ping"),
            ),
        ],
        rows: vec![
            row("call-inline", about),
            row("socket-call-inline", "call-inline with colugo-socket").between("socket", "theirs"),
        ],
    }
}

fn calls_64() -> Suite {
    let dealer = |role| Part::new(role).set("count", 64);
    let row = |name, about| Row::rate(name, about).must(3.0, 5.0);
    Suite {
        contenders: vec![
            contender(
                "ours",
                "start and wait",
                Part::new("node.server"),
                dealer("node.calls"),
            ),
            contender(
                "ours",
                "inline callbacks",
                Part::new("node.server"),
                dealer("node.calls-inline"),
            ),
            contender(
                "socket",
                "",
                Part::new("socket.router"),
                dealer("socket.dealer"),
            ),
            contender(
                "theirs",
                "libzmq DEALER/ROUTER",
                Part::new("zmq.router"),
                dealer("zmq.dealer"),
            ),
        ],
        rows: vec![
            row("calls-64", "requests a second, 64 B, 64 in flight"),
            row("socket-calls-64", "calls-64 with colugo-socket").between("socket", "theirs"),
        ],
    }
}

/// libzmq on one side, ours on the other, against libzmq on both.
fn mixed_64() -> Suite {
    let mut contenders = Vec::new();
    for hwm in [1000, 100_000] {
        let zmq = |role| Part::new(role).set("hwm", hwm);
        let label = format!("hwm {hwm}");
        contenders.push(contender(
            "to",
            &label,
            Part::new("node.pub"),
            zmq("zmq.sub"),
        ));
        contenders.push(contender(
            "from",
            &label,
            zmq("zmq.pub"),
            Part::new("node.sub"),
        ));
        contenders.push(contender(
            "socket-to",
            &label,
            Part::new("socket.pub"),
            zmq("zmq.sub"),
        ));
        contenders.push(contender(
            "socket-from",
            &label,
            zmq("zmq.pub"),
            Part::new("socket.sub"),
        ));
        contenders.push(contender(
            "theirs",
            &format!("libzmq PUB {label}"),
            zmq("zmq.pub"),
            zmq("zmq.sub"),
        ));
    }
    let row = |name, about, ours| {
        Row::rate(name, about)
            .must(1.0, 1.3)
            .between(ours, "theirs")
    };
    let rows = vec![
        row(
            "to-libzmq",
            "our PUB to a libzmq SUB, 64 B, against libzmq PUB to libzmq SUB",
            "to",
        ),
        row("from-libzmq", "a libzmq PUB to our SUB", "from"),
        row(
            "socket-to-libzmq",
            "to-libzmq with colugo-socket",
            "socket-to",
        ),
        row(
            "socket-from-libzmq",
            "from-libzmq with colugo-socket",
            "socket-from",
        ),
    ];
    Suite { contenders, rows }
}

fn stats() -> Suite {
    let plain = contender(
        "theirs",
        "ours without",
        Part::new("socket.pub"),
        Part::new("socket.sub"),
    );
    Suite {
        contenders: vec![socket_stream("ours", 64, 1, "recv"), plain],
        rows: vec![
            Row::rate(
                "stats",
                "pubsub-64 with stamps and statistics against the same without",
            )
            .must(0.95, 0.98),
        ],
    }
}

/// How long things take that happen once: nobody to be held against.
fn times() -> Suite {
    let mut suite = Suite {
        contenders: Vec::new(),
        rows: Vec::new(),
    };
    let mut add = |name, about, course: fn(&Harness) -> Result<Report>| {
        suite.contenders.push(Contender {
            group: name,
            label: String::new(),
            trial: Trial::Course(course),
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
    for row in &mut suite.rows {
        (row.must, row.goal) = match row.name {
            "cold" => (Some(20.0), Some(8.0)),
            "find" => (Some(100.0), Some(30.0)),
            _ => (None, None),
        };
    }
    suite
}

fn repeater() -> Suite {
    let solo = |group, label: &str, role| Contender {
        group,
        label: label.to_owned(),
        trial: Trial::Solo(Part::new(role)),
    };
    let row = |name, about, metric| Row::new(name, about, "µs", metric, Better::Less);
    Suite {
        contenders: vec![
            solo("ours", "", "node.repeat"),
            solo("theirs", "bare thread", "thread.repeat"),
        ],
        rows: vec![
            row(
                "repeater",
                "lateness of a 1 kHz repeater's ticks: p50",
                "p50_us",
            ),
            row("repeater-p99", "the same: p99", "p99_us"),
        ],
    }
}
