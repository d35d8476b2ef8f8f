//! By address, without discovery.

use std::net::TcpListener;

use crate::command::{Colugo, LONG, free_address};

#[test]
fn pub_listens_and_echo_dials() {
    let (colugo, address) = (Colugo::new("dial"), free_address());
    // Whoever comes first waits for the other.
    let echo = colugo.start(&["topic", "echo", &address, "-n", "2", "--timeout", LONG]);
    colugo
        .run(&["topic", "pub", &address, "hi", "-n", "2", "--timeout", LONG])
        .with(0)
        .saying(&["listening at", "2 messages"]);
    assert_eq!(echo.end().with(0).stdout, "hi\nhi\n");
}

#[test]
fn echo_can_listen_and_pub_dial() {
    let (colugo, address) = (Colugo::new("listen"), free_address());
    let publisher = colugo.start(&[
        "topic",
        "pub",
        "--connect",
        &address,
        "hi",
        "--timeout",
        LONG,
    ]);
    let echoed = colugo
        .run(&[
            "topic",
            "echo",
            "--bind",
            &address,
            "-n",
            "1",
            "--timeout",
            LONG,
        ])
        .with(0);
    assert_eq!(echoed.stdout, "hi\n");
    publisher.end().with(0);
}

#[test]
fn serve_listens_and_call_dials() {
    let (colugo, address) = (Colugo::new("call"), free_address());
    let call = colugo.start(&["service", "call", &address, "ping", "--timeout", LONG]);
    let served = colugo
        .run(&["service", "serve", &address, "--reply", "pong", "-n", "1"])
        .with(0);
    assert_eq!(served.stdout, "ping\n");
    assert_eq!(call.end().with(0).stdout, "pong\n");
}

#[test]
fn a_prefix_selects_messages() {
    let (colugo, address) = (Colugo::new("prefix"), free_address());
    let echo = colugo.start(&[
        "topic",
        "echo",
        &address,
        "--prefix",
        "b",
        "-n",
        "2",
        "--timeout",
        LONG,
    ]);
    colugo
        .run_with(
            &["topic", "pub", &address, "-", "--timeout", LONG],
            "a1\nb1\na2\nb2\n",
        )
        .with(0);
    assert_eq!(echo.end().with(0).stdout, "b1\nb2\n");
}

#[test]
fn a_port_in_use_and_a_foreign_address_are_named() {
    let colugo = Colugo::new("in-use");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("tcp://{}", taken.local_addr().expect("its address"));
    colugo
        .run(&["topic", "pub", &address, "hi"])
        .with(1)
        .saying(&[&address, "--connect"]);
    colugo
        .run(&["service", "serve", &address, "--echo"])
        .with(1)
        .saying(&[&address]);
    // An address for documentation: no machine has it.
    colugo
        .run(&["topic", "pub", "tcp://192.0.2.77:5556", "hi"])
        .with(1)
        .saying(&["192.0.2.77", "--connect"]);
}

#[test]
fn nobody_at_an_address_is_said_after_two_seconds() {
    let (colugo, address) = (Colugo::new("nobody-there"), free_address());
    colugo
        .run(&["topic", "echo", &address, "--timeout", "2500ms"])
        .with(124)
        .saying(&["nobody answers", &address, "PUB"]);
    colugo
        .run(&["service", "call", &address, "x", "--timeout", "2500ms"])
        .with(124)
        .saying(&["nobody answers", "REP"]);
    colugo
        .run(&["topic", "pub", &address, "x", "--timeout", "2500ms"])
        .with(124)
        .saying(&["nobody has connected"]);
}

#[test]
fn a_peer_of_the_wrong_kind_is_named() {
    let (colugo, address) = (Colugo::new("wrong-kind"), free_address());
    let _server = colugo.start(&["service", "serve", &address, "--echo"]);
    let ended = colugo
        .run(&["topic", "echo", &address, "--timeout", "2500ms"])
        .with(124);
    let ended = ended.saying(&["refused"]);
    // Whichever side has the other's READY first ends the handshake: we by our own judgement, or the peer by its ERROR.
    let judged = "a SUB socket can't talk to the peer's ROUTER socket";
    let told = "Invalid socket type";
    assert!(
        ended.stderr.contains(judged) || ended.stderr.contains(told),
        "{}",
        ended.stderr
    );
}
