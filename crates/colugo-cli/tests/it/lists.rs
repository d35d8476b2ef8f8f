//! Lists: by discovery, on the loopback interface.

use crate::command::{Colugo, line};

#[test]
fn lists_show_who_is_there_and_no_longer_who_has_left() {
    let colugo = Colugo::new("lists");
    let publisher = colugo.start(&["topic", "pub", "robot.pose", "{\"x\": 1}", "--rate", "20"]);
    let server = colugo.start(&["service", "serve", "robot.add", "--echo"]);
    let mut subscriber = colugo.speak(&["topic", "echo", "robot.pose"]);
    assert_eq!(line(&mut subscriber).as_deref(), Some("{\"x\": 1}"));
    colugo.wait_for(
        "node",
        &[
            "colugo-topic-pub-",
            "colugo-service-serve-",
            "colugo-topic-echo-",
        ],
    );
    colugo.wait_for(
        "topic",
        &[
            "robot.pose",
            "json",
            "colugo-topic-pub-",
            "colugo-topic-echo-",
        ],
    );
    colugo.wait_for("service", &["robot.add", "colugo-service-serve-"]);

    let topics = colugo.run(&["topic", "list", "--json"]).with(0).json();
    assert_eq!(topics["v"], 1);
    assert_eq!(topics["namespace"], colugo.namespace());
    assert_eq!(topics["topics"][0]["name"], "robot.pose");
    assert_eq!(topics["topics"][0]["encodings"][0], "json");
    assert!(
        topics["topics"][0]["endpoints"][0]
            .as_str()
            .is_some_and(|endpoint| endpoint.starts_with("tcp://"))
    );
    let nodes = colugo.run(&["node", "list", "--json"]).with(0).json();
    assert_eq!(nodes["nodes"].as_array().map(Vec::len), Some(3));

    let name = nodes["nodes"][0]["name"].as_str().unwrap_or_default();
    let id = nodes["nodes"][0]["id"].as_str().unwrap_or_default();
    for known_by in [name, &id[..12]] {
        let info = colugo.run(&["node", "info", known_by, "--json"]).with(0);
        let info = info.json();
        let node = &info["nodes"][0];
        assert_eq!((&node["name"], &node["id"]), (&name.into(), &id.into()));
        let happened = node["history"].as_array().map_or(&[][..], Vec::as_slice);
        let linked = |step: &serde_json::Value| {
            let what = step["what"].as_str().unwrap_or_default();
            what.starts_with("linked at tcp://") && step["times"] == 1
        };
        assert!(happened.iter().any(linked), "{node}");
    }
    let info = colugo.run(&["node", "info", name]).with(0).stdout;
    for word in [
        "state       alive",
        "reached at",
        "what happened",
        "linked at",
    ] {
        assert!(info.contains(word), "{info}");
    }
    colugo
        .run(&["node", "info", "nobody"])
        .with(1)
        .saying(&["no node \"nobody\"", "those that are: colugo-"]);
    colugo
        .run(&["node", "info", &format!("{name}r")])
        .with(1)
        .saying(&["similar: ", name]);

    subscriber.signal("INT");
    assert!(subscriber.wait().success());
    publisher.signal("INT");
    publisher.end().with(0);
    server.signal("TERM");
    server.end().with(130);
    // They said goodbye: the first look shows nobody.
    let empty = colugo
        .run(&["node", "list"])
        .with(0)
        .saying(&["no other node", "127.0.0.1"]);
    assert_eq!(empty.stdout, "");
}

#[test]
fn empty_lists_say_so_on_the_standard_error_and_are_json_all_the_same() {
    let colugo = Colugo::new("empty");
    let topics = colugo
        .run(&["topic", "list", "--wait", "0"])
        .with(0)
        .saying(&["nobody publishes", colugo.namespace()]);
    assert_eq!(topics.stdout, "");
    let services = colugo
        .run(&["service", "list", "--wait", "100ms", "--json"])
        .with(0)
        .saying(&["nobody serves"]);
    assert_eq!(
        services.json()["services"].as_array().map(Vec::len),
        Some(0)
    );
}

#[test]
fn another_namespace_is_not_shown_but_named() {
    let (here, there) = (Colugo::new("here"), Colugo::new("there"));
    let _publisher = there.start(&["topic", "pub", "pose", "x", "--rate", "1"]);
    there.wait_for("topic", &["pose"]);
    let listed = here.run(&["topic", "list"]).with(0);
    assert_eq!(listed.stdout, "");
    let found = here
        .run(&["topic", "list", "--namespace", there.namespace()])
        .with(0);
    assert!(found.stdout.contains("pose"));
}

#[test]
fn a_fixed_peer_is_found_without_an_interface_to_discover_by() {
    let colugo = Colugo::new("peer");
    let address = crate::command::free_address();
    let listen = address.trim_start_matches("tcp://");
    let _publisher = colugo.start(&[
        "topic", "pub", "pose", "x", "--rate", "5", "--listen", listen,
    ]);
    let echoed = colugo
        .run(&[
            "topic",
            "echo",
            "pose",
            "-n",
            "1",
            "--peer",
            &address,
            "--timeout",
            "20",
        ])
        .with(0);
    assert_eq!(echoed.stdout, "x\n");
}
