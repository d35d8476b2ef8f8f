//! Help texts, wrong command lines and their exit statuses.

use crate::command::Colugo;

#[test]
fn every_command_has_help_with_an_example() {
    let colugo = Colugo::new("help");
    let commands: [&[&str]; 9] = [
        &["demo"],
        &["topic", "list"],
        &["topic", "echo"],
        &["topic", "pub"],
        &["service", "list"],
        &["service", "call"],
        &["service", "serve"],
        &["node", "list"],
        &["node", "info"],
    ];
    for command in commands {
        let help = colugo.run(&[command, &["--help"]].concat()).with(0);
        assert!(help.stderr.is_empty());
        assert!(
            help.stdout.contains("Example"),
            "{command:?}: {}",
            help.stdout
        );
        assert!(help.stdout.contains("--namespace"), "{command:?}");
    }
    assert!(
        colugo
            .run(&["--help"])
            .with(0)
            .stdout
            .contains("colugo demo")
    );
    assert!(
        colugo
            .run(&["--version"])
            .with(0)
            .stdout
            .starts_with("colugo ")
    );
}

#[test]
fn hidden_commands_are_not_in_the_help() {
    let help = Colugo::new("hidden").run(&["--help"]).with(0);
    assert!(!help.stdout.contains("demo-part"));
}

#[test]
fn wrong_command_lines_are_usage_errors_that_name_what_is_wrong() {
    let colugo = Colugo::new("usage");
    let cases: [(&[&str], &str); 12] = [
        (&["topci"], "topic"),
        (&["topic", "echo"], "TOPIC"),
        (&["topic", "echo", "/pose"], "leading slash"),
        (&["topic", "echo", "a b"], "not allowed"),
        (&["topic", "echo", "udp://robot:1"], "tcp://"),
        (&["topic", "echo", "tcp://robot"], "port"),
        (&["topic", "echo", "pose", "--raw", "--json"], "--json"),
        (&["topic", "echo", "pose", "--timeout", "soon"], "500ms"),
        (&["topic", "echo", "pose", "--bind"], "--bind"),
        (&["topic", "pub", "pose", "x", "--rate", "0"], "rate"),
        (&["service", "serve", "add"], "--reply"),
        (&["--peer", "nowhere", "topic", "list"], "nowhere"),
    ];
    for (args, word) in cases {
        let ended = colugo.run(args).with(2).saying(&[word]);
        assert!(ended.stdout.is_empty(), "{args:?}");
    }
    colugo.run(&[]).with(2).saying(&["Usage"]);
}

#[test]
fn wrong_settings_name_their_origin() {
    let mut command = Colugo::new("settings").command(&["topic", "list"]);
    let ended = command
        .env("COLUGO_NAMESPACE", "a b")
        .output()
        .expect("it runs");
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("COLUGO_NAMESPACE"));
    let typed = Colugo::new("settings").run(&["--peer", "nowhere", "topic", "list"]);
    typed.with(2).saying(&["peers", "command line"]);
}

#[test]
fn config_show_tells_where_values_come_from() {
    let colugo = Colugo::new("config");
    let shown = colugo
        .run(&["config", "show", "--peer", "tcp://10.0.0.2:4747", "--json"])
        .with(0)
        .json();
    let row = |key: &str| {
        let rows = shown["settings"].as_array().expect("rows");
        rows.iter()
            .find(|row| row["key"] == key)
            .expect("a row")
            .clone()
    };
    assert_eq!(row("namespace")["value"], colugo.namespace());
    assert_eq!(row("namespace")["from"], "COLUGO_NAMESPACE");
    assert_eq!(row("peers")["from"], "command line");
    assert_eq!(row("ports")["from"], "default");
    assert!(
        colugo
            .run(&["config", "show"])
            .with(0)
            .stdout
            .starts_with("SETTING")
    );
}
