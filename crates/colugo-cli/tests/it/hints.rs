//! What a command that sees nothing says that it sees.

use crate::command::Colugo;

#[test]
fn a_misspelt_topic_gets_the_nearest_name() {
    let colugo = Colugo::new("misspelt-topic");
    let _publisher = colugo.start(&["topic", "pub", "robot.pose", "x", "--rate", "5"]);
    colugo.wait_for("topic", &["robot.pose"]);
    let ended = colugo
        .run(&["topic", "echo", "robot.psoe", "--timeout", "2500ms"])
        .with(124);
    let ended = ended.saying(&[
        "nobody publishes \"robot.psoe\"",
        "similar     robot.pose",
        "colugo-topic-pub-",
        "127.0.0.1",
        colugo.namespace(),
    ]);
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_misspelt_service_gets_the_nearest_name() {
    let colugo = Colugo::new("misspelt-service");
    let _server = colugo.start(&["service", "serve", "robot.add", "--echo"]);
    colugo.wait_for("service", &["robot.add"]);
    let ended = colugo
        .run(&["service", "call", "robot.ad", "x", "--timeout", "2500ms"])
        .with(124);
    ended.saying(&[
        "nobody serves \"robot.ad\"",
        "similar     robot.add",
        "colugo-service-serve-",
    ]);
}

#[test]
fn a_topic_is_not_called_and_a_service_not_echoed() {
    let colugo = Colugo::new("kinds");
    let _publisher = colugo.start(&["topic", "pub", "pose", "x", "--rate", "5"]);
    let _server = colugo.start(&["service", "serve", "add", "--echo"]);
    colugo.wait_for("service", &["add"]);
    colugo.wait_for("topic", &["pose"]);
    colugo
        .run(&["service", "call", "pose", "x", "--timeout", "2500ms"])
        .with(124)
        .saying(&["colugo topic echo pose"]);
    colugo
        .run(&["topic", "echo", "add", "--timeout", "2500ms"])
        .with(124)
        .saying(&["colugo service call add"]);
}

#[test]
fn alone_it_says_where_it_looked_and_how_to_reach_others() {
    let colugo = Colugo::new("alone");
    let ended = colugo
        .run(&["topic", "echo", "pose", "--timeout", "2500ms"])
        .with(124);
    ended.saying(&["none heard", "127.0.0.1", colugo.namespace()]);
}

#[test]
fn a_silent_publisher_is_named() {
    let colugo = Colugo::new("silent");
    let _publisher = colugo.start(&[
        "topic",
        "pub",
        "pose",
        "x",
        "--rate",
        "0.001",
        "-w",
        "2",
        "--timeout",
        "60",
    ]);
    colugo.wait_for("topic", &["pose"]);
    let ended = colugo
        .run(&["topic", "echo", "pose", "--timeout", "2500ms"])
        .with(124);
    ended.saying(&["is published by colugo-topic-pub-", "nothing came yet"]);
}
