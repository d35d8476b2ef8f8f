//! The rows of requests and replies.

use crate::catalogue::contender;
use crate::harness::Part;
use crate::row::{Better, Row};
use crate::suite::{Contender, Suite};

/// Another implementation in Rust, 64 in flight where there can be.
fn peer(group: &'static str, server: &'static str, client: &'static str) -> Contender {
    let client = Part::peer(client).set("count", 64);
    contender(group, client.role(), Part::peer(server), client.clone())
}

pub fn call() -> Suite {
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
            peer("omq-tokio", "omq.rep", "omq.req"),
            peer("rzmq", "rzmq.rep", "rzmq.req"),
            peer("zeromq", "zeromq.rep", "zeromq.req"),
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

pub fn call_inline() -> Suite {
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

pub fn calls_64() -> Suite {
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
            peer("omq-tokio", "omq.router", "omq.dealer"),
            peer("rzmq", "rzmq.router", "rzmq.dealer"),
            peer("zeromq", "zeromq.router", "zeromq.dealer"),
        ],
        rows: vec![
            row("calls-64", "requests a second, 64 B, 64 in flight"),
            row("socket-calls-64", "calls-64 with colugo-socket").between("socket", "theirs"),
        ],
    }
}
