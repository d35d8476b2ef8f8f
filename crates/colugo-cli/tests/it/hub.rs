//! `colugo hub`: says where it is and who comes and goes.

use serde_json::Value;

use crate::command::{Colugo, line};

fn told(program: &mut colugo_testkit::Program) -> Value {
    let line = line(program).expect("a line");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn a_hub_says_who_comes_and_goes_and_ends_with_ctrl_c() {
    let colugo = Colugo::new("hub");
    let mut hub = colugo.speak(&["--listen", "127.0.0.1:0", "hub", "--json"]);
    let first = told(&mut hub);
    assert_eq!(
        (&first["event"], &first["v"]),
        (&"listening".into(), &1.into())
    );
    let address = first["address"].as_str().expect("an address").to_owned();
    let taken = address.trim_start_matches("tcp://");
    colugo
        .run(&["--listen", taken, "hub"])
        .with(1)
        .saying(&["listen", taken]);
    let publisher = colugo.start(&[
        "--peer", &address, "topic", "pub", "pose", "1", "--rate", "5",
    ]);
    let joined = told(&mut hub);
    assert_eq!(joined["event"], "joined");
    assert!(
        joined["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("colugo-topic-pub-"))
    );
    // It has published something by then, and not only come.
    colugo
        .run(&["--peer", &address, "topic", "echo", "pose", "--count", "1"])
        .with(0);
    publisher.signal("INT");
    publisher.end().with(0);
    // The reader came and went as well.
    let left = std::iter::repeat_with(|| told(&mut hub)).find(|told| told["id"] == joined["id"]);
    assert_eq!(left.expect("one")["event"], "left");
    hub.signal("INT");
    assert!(hub.wait().success());
}
