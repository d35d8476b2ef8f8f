//! The rows of streams: one sender, one or several receivers, and nothing lost.

use crate::catalogue::contender;
use crate::harness::Part;
use crate::row::{Better, Row};
use crate::suite::{Contender, Suite};

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

/// Other implementations in Rust, PUSH and PUB where one is better than the other or loses nothing.
fn peer_streams(size: usize, count: usize) -> Vec<Contender> {
    let mut all = Vec::new();
    for (group, sender, receiver) in [
        ("omq-tokio", "omq.push", "omq.pull"),
        ("omq-tokio", "omq.pub", "omq.sub"),
        ("rzmq", "rzmq.push", "rzmq.pull"),
        ("rzmq", "rzmq.pub", "rzmq.sub"),
        ("zeromq", "zeromq.push", "zeromq.pull"),
        ("zeromq", "zeromq.pub", "zeromq.sub"),
    ] {
        if count > 1 && sender.ends_with("push") {
            continue;
        }
        let part = |role| Part::peer(role).set("size", size).set("count", count);
        all.push(contender(group, sender, part(sender), part(receiver)));
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

pub fn pubsub_64() -> Suite {
    let mut contenders = vec![
        node_stream("ours", 64, 1, "recv"),
        node_stream("batch", 64, 1, "batch"),
        node_stream("inline", 64, 1, "inline"),
        socket_stream("socket", 64, 1, "recv"),
        socket_stream("socket-batch", 64, 1, "batch"),
        socket_stream("socket-inline", 64, 1, "inline"),
    ];
    contenders.extend(libzmq_streams(64, 1, &[1000, 100_000]));
    contenders.extend(peer_streams(64, 1));
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

pub fn pubsub_1k() -> Suite {
    let mut contenders = vec![
        node_stream("ours", 1024, 1, "recv"),
        socket_stream("socket", 1024, 1, "recv"),
    ];
    contenders.extend(libzmq_streams(1024, 1, &[1000, 100_000]));
    contenders.extend(peer_streams(1024, 1));
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

pub fn pubsub_large(size: usize) -> Suite {
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
    contenders.extend(peer_streams(size, 1));
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

pub fn fanout(count: usize) -> Suite {
    let (names, abouts) = match count {
        8 => (
            ["fanout-8", "socket-fanout-8"],
            [
                "1 KiB to 8 SUB sockets, each with its thread, in one process: all deliveries",
                "fanout-8 with colugo-socket",
            ],
        ),
        _ => (
            ["fanout-64", "socket-fanout-64"],
            ["the same to 64 SUB sockets", "fanout-64 with colugo-socket"],
        ),
    };
    let mut contenders = vec![
        node_stream("ours", 1024, count, "recv"),
        socket_stream("socket", 1024, count, "recv"),
    ];
    // With 64 peers, queues of 100,000 hold seconds of a run, and are no faster.
    let long = if count == 8 { 100_000 } else { 4000 };
    contenders.extend(libzmq_streams(1024, count, &[1000, long]));
    contenders.extend(peer_streams(1024, count));
    let rows = vec![
        Row::rate(names[0], abouts[0]).must(3.0, 6.0),
        Row::rate(names[1], abouts[1])
            .must(3.0, 6.0)
            .between("socket", "theirs"),
    ];
    Suite { contenders, rows }
}

/// libzmq on one side, ours on the other, against libzmq on both.
pub fn between_libraries() -> Suite {
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

pub fn stats() -> Suite {
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
