//! With real libzmq, through pyzmq.

use colugo_testkit::{ZmqPeer, octets};

use crate::command::{Colugo, LONG, free_address, line};

#[test]
fn echo_prints_what_a_libzmq_publisher_sends() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let colugo = Colugo::new("zmq-echo");
    let publisher = libzmq.socket("XPUB", &[]);
    let address = publisher.bind("tcp://127.0.0.1:0");
    let mut echo = colugo.speak(&["topic", "echo", &address, "-n", "2"]);
    assert_eq!(publisher.recv(), [b"\x01"]);
    publisher.send(&[b"hello"]);
    publisher.send(&["pose", "{\"x\": 1}"]);
    assert_eq!(line(&mut echo).as_deref(), Some("hello"));
    assert_eq!(line(&mut echo).as_deref(), Some("[1/2] pose"));
    assert_eq!(line(&mut echo).as_deref(), Some("[2/2] {\"x\": 1}"));
    assert!(echo.wait().success());
}

#[test]
fn a_libzmq_subscriber_gets_what_pub_sends() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let (colugo, address) = (Colugo::new("zmq-pub"), free_address());
    let publisher = colugo.start(&["topic", "pub", &address, "hello", "--timeout", LONG]);
    let subscriber = libzmq.socket("SUB", &[("SUBSCRIBE", octets(""))]);
    subscriber.connect(&address);
    assert_eq!(subscriber.recv(), [b"hello"]);
    publisher.end().with(0);
}

#[test]
fn a_libzmq_rep_is_called() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let colugo = Colugo::new("zmq-call");
    let server = libzmq.socket("REP", &[]);
    let address = server.bind("tcp://127.0.0.1:0");
    let call = colugo.start(&["service", "call", &address, "ping", "--timeout", LONG]);
    assert_eq!(server.recv(), [b"ping"]);
    server.send(&[b"pong"]);
    assert_eq!(call.end().with(0).stdout, "pong\n");
}

#[test]
fn a_libzmq_req_is_served() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let (colugo, address) = (Colugo::new("zmq-serve"), free_address());
    let serve = colugo.start(&[
        "service",
        "serve",
        &address,
        "--exec",
        "tr a-z A-Z",
        "-n",
        "1",
    ]);
    let client = libzmq.socket("REQ", &[]);
    client.connect(&address);
    client.send(&[b"quiet"]);
    assert_eq!(client.recv(), [b"QUIET"]);
    assert_eq!(serve.end().with(0).stdout, "quiet\n");
}
