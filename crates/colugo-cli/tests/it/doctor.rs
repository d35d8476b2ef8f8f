//! `colugo doctor`: what it finds, and that it finds nothing where nothing is wrong.

use serde_json::Value;

use crate::command::{Colugo, LONG, free_address};

/// The findings of this kind, once there are some; and how the doctor ended then.
fn diagnose(colugo: &Colugo, args: &[&str], kind: &str) -> (Vec<Value>, i32) {
    let mut all = args.to_vec();
    all.extend(["doctor", "--json"]);
    colugo_testkit::wait_until(&format!("the doctor to find {kind:?}"), || {
        let ended = colugo.run(&all);
        let seen = ended.json();
        let findings = seen["findings"].as_array().expect("a list");
        let found: Vec<_> = findings
            .iter()
            .filter(|finding| finding["kind"] == kind)
            .cloned()
            .collect();
        assert_eq!(
            seen["healthy"] == Value::Bool(true),
            ended.status == Some(0),
            "{seen}"
        );
        let status = ended.status.expect("it ended by itself");
        (!found.is_empty()).then_some((found, status))
    })
}

fn text<'a>(finding: &'a Value, key: &str) -> &'a str {
    finding[key].as_str().expect("a text")
}

#[test]
fn a_graph_in_which_all_is_well_is_healthy() {
    let colugo = Colugo::new("doctor-healthy");
    let _publisher = colugo.start(&["topic", "pub", "pose", "1", "--rate", "20"]);
    let mut subscriber = colugo.speak(&["topic", "echo", "pose"]);
    assert!(crate::command::line(&mut subscriber).is_some());
    colugo.wait_for("topic", &["colugo-topic-pub-", "colugo-topic-echo-"]);
    let ended = colugo.run(&["doctor"]).with(0);
    assert!(
        ended.stdout.starts_with("healthy: 2 other nodes"),
        "{}",
        ended.stdout
    );
    let seen = colugo.run(&["doctor", "--json"]).with(0).json();
    assert_eq!(
        (&seen["healthy"], &seen["v"]),
        (&Value::Bool(true), &1.into())
    );
    // Other tests' namespaces are heard on this interface too.
    let findings = seen["findings"].as_array().expect("a list");
    let here: Vec<_> = findings
        .iter()
        .filter(|found| found["kind"] != "namespace")
        .collect();
    assert!(here.is_empty(), "{here:?}");
}

#[test]
fn who_is_alone_is_told_what_may_be_the_reason() {
    let colugo = Colugo::new("doctor-alone");
    let ended = colugo.run(&["doctor", "--wait", "0.3"]).with(1);
    for words in ["1 problem", "no other node", "only loopback"] {
        assert!(ended.stdout.contains(words), "{}", ended.stdout);
    }
}

#[test]
fn a_name_with_a_slip_and_a_topic_taken_for_a_service_are_found() {
    let colugo = Colugo::new("doctor-names");
    let _publisher = colugo.start(&["topic", "pub", "robot.pose", "1", "--rate", "5"]);
    let _subscriber = colugo.start(&["topic", "echo", "robot.psoe"]);
    let _client = colugo.start(&["service", "call", "robot.pose", "1", "--timeout", LONG]);
    let (found, status) = diagnose(&colugo, &[], "topic");
    assert_eq!((found.len(), status), (1, 1));
    assert_eq!(text(&found[0], "about"), "topic \"robot.psoe\"");
    assert!(text(&found[0], "advice").contains("robot.pose"));
    assert!(text(&found[0], "evidence").contains("colugo-topic-echo-"));
    let (found, _) = diagnose(&colugo, &[], "service");
    assert!(
        text(&found[0], "advice").contains("is a topic"),
        "{found:?}"
    );
}

#[test]
fn fixed_peers_that_are_not_reached_are_told_apart() {
    let colugo = Colugo::new("doctor-peers");
    let nobody = free_address();
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("tcp://{}", other.local_addr().expect("an address"));
    // Something that answers and is no node.
    let _babble = std::thread::spawn(move || {
        while let Ok((mut connection, _)) = other.accept() {
            let _ = std::io::Write::write_all(&mut connection, b"220 mail.example ready\r\n");
        }
    });
    let peers = ["--peer", &nobody, "--peer", &address];
    let reasons = colugo_testkit::wait_until("both peers to be found", || {
        let (found, status) = diagnose(&colugo, &peers, "peer");
        assert_eq!(status, 1);
        (found.len() == 2).then_some(found)
    });
    let about = |address: &str| {
        let found = reasons.iter().find(|found| found["about"] == address);
        text(found.expect("it is found"), "evidence").to_owned()
    };
    assert_eq!(about(&nobody), "connection refused");
    assert!(about(&address).contains("no Colugo node"), "{reasons:?}");
}

#[test]
fn another_namespace_is_a_note_and_a_stopped_process_a_problem() {
    let colugo = Colugo::new("doctor-elsewhere");
    let mut elsewhere = colugo.command(&["topic", "pub", "pose", "1", "--rate", "5"]);
    let namespace = format!("{}-other", colugo.namespace());
    elsewhere.env("COLUGO_NAMESPACE", &namespace);
    let _elsewhere = colugo_testkit::Program::start(&mut elsewhere);
    let stopped = colugo.start(&["topic", "pub", "pose", "1", "--rate", "5"]);
    colugo.wait_for("topic", &["colugo-topic-pub-"]);
    let about = format!("namespace {namespace:?}");
    colugo_testkit::wait_until("the other namespace", || {
        let (found, status) = diagnose(&colugo, &[], "namespace");
        // Other tests' namespaces are heard on this interface too.
        let ours = found
            .iter()
            .any(|finding| finding["about"] == about.as_str());
        ours.then(|| assert_eq!(status, 0, "a note is no problem"))
    });
    stopped.signal("STOP");
    let (found, status) = diagnose(&colugo, &[], "unreachable");
    assert_eq!(status, 1);
    assert!(text(&found[0], "about").starts_with("colugo-topic-pub-"));
    assert!(text(&found[0], "advice").contains("stopped"));
    stopped.signal("CONT");
}
