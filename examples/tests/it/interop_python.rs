//! Examples and the bare programs on libzmq that `docs/from-python.md` shows beside them, each with the other.

use colugo_testkit::{Program, Python};

use crate::stage::{Stage, line};

/// Where a Python program says that it listens.
fn endpoint(python: &mut Program) -> String {
    line(python, "at ").split_off("at ".len())
}

fn publishes_to_python(example: &str, topic: &str, script: &str, heard: &str) {
    let Some(python) = Python::find() else { return };
    let stage = Stage::new();
    let publisher = stage.start(example, &[]);
    let mut subscriber = stage.start_python(&python, script, &stage.endpoint(topic));
    for _ in 0..2 {
        assert!(line(&mut subscriber, "heard").starts_with(heard));
    }
    stage.end(vec![publisher]);
}

fn hears_python(script: &str, example: &str, heard: &str) {
    let Some(python) = Python::find() else { return };
    let stage = Stage::new();
    let mut publisher = stage.start_python(&python, script, "tcp://127.0.0.1:0");
    let mut subscriber = stage.start(example, &[&endpoint(&mut publisher)]);
    for _ in 0..2 {
        assert!(line(&mut subscriber, "heard").starts_with(heard));
    }
    stage.end(vec![subscriber]);
}

const READING: &str = "heard: This is a message, id 0, value ";

#[test]
fn sub_py_hears_publisher() {
    publishes_to_python("publisher", "pub.topic", "sub.py", "heard: Message");
}

#[test]
fn subscriber_hears_pub_py() {
    hears_python("pub.py", "subscriber", "heard: Message");
}

#[test]
fn sub_json_py_hears_json_publisher() {
    publishes_to_python("json_publisher", "json.pub.topic", "sub_json.py", READING);
}

#[test]
fn json_subscriber_hears_pub_json_py() {
    hears_python("pub_json.py", "json_subscriber", READING);
}

#[test]
fn sub_proto_py_hears_protobuf_publisher() {
    publishes_to_python(
        "protobuf_publisher",
        "proto.pub.topic",
        "sub_proto.py",
        READING,
    );
}

#[test]
fn protobuf_subscriber_hears_pub_proto_py() {
    hears_python("pub_proto.py", "protobuf_subscriber", READING);
}

#[test]
fn reply_server_answers_req_py() {
    let Some(python) = Python::find() else { return };
    let stage = Stage::new();
    let mut server = stage.start("reply_server", &[]);
    let mut client = stage.start_python(&python, "req.py", &stage.endpoint("rpc.topic"));
    assert_eq!(line(&mut client, "reply"), "reply: Message 0");
    assert_eq!(line(&mut client, "reply"), "reply: Message 1");
    assert_eq!(line(&mut server, "asked"), "asked: Message 0");
    stage.end(vec![server]);
}

#[test]
fn rep_py_answers_request_client() {
    let Some(python) = Python::find() else { return };
    let stage = Stage::new();
    let mut server = stage.start_python(&python, "rep.py", "tcp://127.0.0.1:0");
    let mut client = stage.start("request_client", &[&endpoint(&mut server)]);
    assert_eq!(line(&mut client, "reply"), "reply: Message 0");
    assert_eq!(line(&mut client, "reply"), "reply: Message 1");
    assert_eq!(line(&mut server, "asked"), "asked: Message 0");
    stage.end(vec![client]);
}
