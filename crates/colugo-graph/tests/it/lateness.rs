//! A brain that is run late again and again, as on a busy machine: the time in which nobody ran it is no silence of others.

use std::time::{Duration, Instant};

use colugo_graph::{
    Brain, Config, Event, Hello, LinkId, Message, Namespace, NodeId, Origin, Version,
};

use crate::net::{MS, SEC};

/// How long a peer that says nothing is taken for alive by a brain that is run so late each time.
#[allow(clippy::disallowed_methods)] // there is no other way to get a first Instant
fn patience(late: Duration) -> Duration {
    let start = Instant::now();
    let config = Config {
        node: NodeId([1; 16]),
        name: "busy".into(),
        host: "box".into(),
        namespace: Namespace::default(),
        hub: false,
        port: 4000,
        addresses: Vec::new(),
        own_address: [127, 0, 0, 1].into(),
        unix_ns: 0,
    };
    let mut brain = Brain::new(config, start);
    let (link, remote) = (LinkId(1), ([127, 0, 0, 1], 4001).into());
    brain.handle_link_up(start, link, Origin::Accepted, remote);
    let hello = Hello {
        node: NodeId([2; 16]),
        version: Version::OURS,
        namespace: Namespace::default().to_string(),
        name: "silent".into(),
        host: "box".into(),
        port: 4001,
        addresses: Vec::new(),
        capabilities: Vec::new(),
    };
    brain.handle_message(start, link, &Message::Hello(hello).encode());
    while let Some(due) = brain.poll_timeout() {
        let now = due + late;
        brain.handle_timeout(now);
        while let Some(event) = brain.poll_event() {
            if matches!(event, Event::NodeLeft { .. }) {
                return now - start;
            }
        }
        assert!(now - start < 60 * SEC, "it is never given up");
    }
    panic!("nothing is due, and it is not given up");
}

#[test]
fn time_in_which_nobody_ran_the_brain_is_no_silence_of_others() {
    let (punctual, late) = (patience(Duration::ZERO), patience(300 * MS));
    assert!(punctual <= 4 * SEC, "{punctual:?}");
    // Late for the probe, for the suspicion and for the end of the link.
    assert!(late >= punctual + 900 * MS, "{punctual:?}, {late:?}");
}
