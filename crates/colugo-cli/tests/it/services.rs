//! `service serve` and `service call`, by name.

use crate::command::{Colugo, LONG, line};

fn call(colugo: &Colugo, name: &str, payload: &str) -> crate::command::Ended {
    colugo.run(&["service", "call", name, payload, "--timeout", LONG])
}

#[test]
fn requests_are_answered_with_a_text_themselves_or_what_a_command_prints() {
    let colugo = Colugo::new("answers");
    let mut ping = colugo.speak(&["service", "serve", "ping", "--reply", "pong"]);
    let _echo = colugo.start(&["service", "serve", "echo", "--echo"]);
    let _upper = colugo.start(&["service", "serve", "upper", "--exec", "tr a-z A-Z"]);
    assert_eq!(
        call(&colugo, "ping", "are you there").with(0).stdout,
        "pong\n"
    );
    assert_eq!(line(&mut ping).as_deref(), Some("are you there"));
    assert_eq!(
        call(&colugo, "echo", "{\"a\": 1}").with(0).stdout,
        "{\"a\": 1}\n"
    );
    assert_eq!(call(&colugo, "upper", "quiet").with(0).stdout, "QUIET\n");
    let json = colugo
        .run(&["service", "call", "upper", "quiet", "--json"])
        .with(0)
        .json();
    assert_eq!(
        (&json["service"], &json["payload"]),
        (&"upper".into(), &"QUIET".into())
    );
    let piped = colugo
        .run_with(
            &["service", "call", "upper", "-", "--timeout", LONG],
            "from a pipe",
        )
        .with(0);
    assert_eq!(piped.stdout, "FROM A PIPE\n");
}

#[test]
fn a_command_that_fails_or_takes_too_long_refuses() {
    let colugo = Colugo::new("refusals");
    let _fails = colugo.start(&["service", "serve", "fails", "--exec", "exit 3"]);
    let _sleeps = colugo.start(&[
        "service",
        "serve",
        "sleeps",
        "--exec",
        "sleep 600",
        "--exec-timeout",
        "200ms",
    ]);
    call(&colugo, "fails", "x")
        .with(1)
        .saying(&["refused", "exit status: 3"]);
    call(&colugo, "sleeps", "x")
        .with(1)
        .saying(&["refused", "200ms"]);
}

#[test]
fn several_commands_run_at_once() {
    let colugo = Colugo::new("jobs");
    // Each command waits for the other one's file: they end only together.
    let folder = std::env::temp_dir().join(colugo.namespace());
    std::fs::create_dir_all(&folder).expect("a folder");
    let script = "r=$(cat); touch $r; while ! [ -e a ] || ! [ -e b ]; do sleep 0.01; done; echo $r";
    let mut serve = colugo.command(&[
        "service",
        "serve",
        "meet",
        "--exec",
        script,
        "--jobs",
        "2",
        "-n",
        "2",
        "--exec-timeout",
        LONG,
    ]);
    serve.current_dir(&folder);
    let mut serve = colugo_testkit::Program::start(&mut serve);
    let first = colugo.start(&["service", "call", "meet", "a", "--timeout", LONG]);
    let second = colugo.start(&["service", "call", "meet", "b", "--timeout", LONG]);
    assert_eq!(first.end().with(0).stdout, "a\n");
    assert_eq!(second.end().with(0).stdout, "b\n");
    assert!(serve.wait().success());
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn a_server_can_end_after_some_requests() {
    let colugo = Colugo::new("count");
    let server = colugo.start(&["service", "serve", "once", "--echo", "-n", "1"]);
    assert_eq!(call(&colugo, "once", "x").with(0).stdout, "x\n");
    assert_eq!(server.end().with(0).stdout, "x\n");
}

#[test]
fn without_a_server_a_call_is_exit_124() {
    let ended = Colugo::new("no-server")
        .run(&["service", "call", "nothing", "x", "--timeout", "300ms"])
        .with(124);
    assert!(
        ended.stderr.contains("no server of \"nothing\""),
        "{}",
        ended.stderr
    );
}
