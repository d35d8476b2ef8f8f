//! Ctrl-C, and SIGTERM, which is the same.
#![cfg(unix)]

use crate::command::{Colugo, line};

#[test]
fn ctrl_c_before_the_first_message_is_exit_130() {
    let colugo = Colugo::new("int-before");
    let commands: [&[&str]; 4] = [
        &["topic", "echo", "nothing"],
        &["topic", "pub", "nobody", "x", "--timeout", "60"],
        &["service", "call", "nothing", "x", "--timeout", "60"],
        &["service", "serve", "nothing", "--echo"],
    ];
    for command in commands {
        let running = colugo.start(command);
        let name = format!("colugo-{}-{}", command[0], command[1]);
        colugo.wait_for("node", &[&name]);
        running.signal("INT");
        running.end().with(130);
    }
}

#[test]
fn ctrl_c_after_messages_is_exit_0() {
    let colugo = Colugo::new("int-after");
    let publisher = colugo.start(&["topic", "pub", "pose", "x", "--rate", "20"]);
    let mut echo = colugo.speak(&["topic", "echo", "pose"]);
    assert_eq!(line(&mut echo).as_deref(), Some("x"));
    echo.signal("INT");
    assert!(echo.wait().success());
    publisher.signal("TERM");
    publisher.end().with(0).saying(&["published"]);
}

#[test]
fn ctrl_c_ends_a_pub_that_waits_for_its_standard_input() {
    let colugo = Colugo::new("int-stdin");
    let mut publisher = colugo.speak(&["topic", "pub", "pose", "-", "-w", "0"]);
    publisher.say("one");
    colugo.wait_for("topic", &["pose"]);
    publisher.signal("INT");
    publisher.wait();
}

#[test]
fn ctrl_c_ends_a_command_that_serves() {
    let colugo = Colugo::new("int-exec");
    let mut serve = colugo.speak(&[
        "service",
        "serve",
        "slow",
        "--exec",
        "sleep 600",
        "--exec-timeout",
        "600",
    ]);
    let call = colugo.start(&["service", "call", "slow", "x", "--timeout", "60"]);
    assert_eq!(line(&mut serve).as_deref(), Some("x"));
    serve.signal("INT");
    serve.wait();
    call.end().with(1);
}
