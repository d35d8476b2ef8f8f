//! The demo: it succeeds, does not meet another one, and leaves nothing behind.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use colugo_testkit::{PATIENCE, wait_until};

use crate::command::{Colugo, LONG};

/// The processes of the demo in this namespace that still run.
fn left(namespace: &str) -> usize {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines
        .filter(|line| String::from_utf8_lossy(line).contains(namespace))
        .count()
}

fn namespace_of(line: &str) -> Option<String> {
    let found = line
        .split_whitespace()
        .find(|word| word.starts_with("demo-"))?;
    Some(found.to_owned())
}

#[test]
fn two_demos_at_once_succeed_and_do_not_meet() {
    let colugo = Colugo::new("demos");
    let demos = [(); 2].map(|()| colugo.start(&["demo", "--seconds", "2", "--json"]));
    let mut namespaces = BTreeSet::new();
    for demo in demos {
        let ended = demo.end().with(0);
        assert_eq!(ended.stderr, "");
        let summary = ended.json();
        assert_eq!(
            (&summary["ok"], &summary["lost"]),
            (&true.into(), &0.into()),
            "{summary}"
        );
        assert!(summary["found_ms"].as_f64().is_some_and(|ms| ms > 0.0));
        let parts = summary["parts"].as_array().expect("parts");
        assert_eq!(parts.len(), 6);
        let count = |name: &str| {
            parts
                .iter()
                .find(|part| part["name"] == name)
                .and_then(|part| part["count"].as_u64())
        };
        // Whoever met the other demo would have counted more.
        assert!(count("talker").is_some_and(|sent| sent > 0));
        assert_eq!(count("listener-1"), count("talker"));
        assert_eq!(count("listener-2"), count("talker"));
        assert_eq!(
            count("adder"),
            count("asker-1")
                .zip(count("asker-2"))
                .map(|(one, two)| one + two)
        );
        namespaces.insert(summary["namespace"].to_string());
    }
    assert_eq!(namespaces.len(), 2);
}

#[test]
fn without_a_terminal_there_is_a_line_a_second_and_a_table_at_the_end() {
    let ended = Colugo::new("demo-lines")
        .run(&["demo", "--seconds", "2"])
        .with(0);
    assert!(!ended.stdout.contains('\x1b'));
    for words in [
        "6 of 6 found",
        "FOUND IN",
        "listener-2",
        "nothing was lost.",
    ] {
        assert!(
            ended.stdout.contains(words),
            "no {words:?} in {}",
            ended.stdout
        );
    }
}

#[test]
fn a_closed_pipe_ends_the_demo() {
    let colugo = Colugo::new("demo-pipe");
    let mut demo = colugo
        .command(&["demo", "--seconds", LONG])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(demo.stdout.take().expect("a pipe"))
        .lines()
        .map_while(Result::ok);
    let namespace = lines
        .find_map(|line| namespace_of(&line))
        .expect("its namespace");
    drop(lines);
    let status = wait_until("the end of the demo", || {
        demo.try_wait().expect("its own child")
    });
    assert_eq!(status.code(), Some(0));
    assert_eq!(left(&namespace), 0);
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_all_processes_in_order() {
    let colugo = Colugo::new("demo-int");
    let mut demo = colugo.speak(&["demo", "--seconds", LONG]);
    let namespace = namespace_of(&demo.line_where(PATIENCE, |line| namespace_of(line).is_some()))
        .expect("its namespace");
    demo.line_where(PATIENCE, |line| line.contains("6 of 6 found"));
    demo.signal("INT");
    demo.line_where(PATIENCE, |line| line.contains("nothing was lost."));
    assert_eq!(demo.wait().code(), Some(0));
    assert_eq!(left(&namespace), 0);
    colugo
        .run(&["--namespace", &namespace, "node", "list"])
        .with(0)
        .saying(&["no other node"]);
}

#[test]
#[cfg(unix)]
fn the_processes_end_even_if_the_demo_is_killed() {
    let colugo = Colugo::new("demo-kill");
    let mut demo = colugo.speak(&["demo", "--seconds", LONG]);
    let namespace = namespace_of(&demo.line_where(PATIENCE, |line| namespace_of(line).is_some()))
        .expect("its namespace");
    demo.line_where(PATIENCE, |line| line.contains("6 of 6 found"));
    assert!(left(&namespace) >= 6 || !std::path::Path::new("/proc").exists());
    demo.kill();
    wait_until("the end of its processes", || {
        (left(&namespace) == 0).then_some(())
    });
}
