//! The original's records: plain ZeroMQ programs with python-zeroconf (`examples/plain-zeromq`) and our nodes find each other, both with
//! today's zeroconf and with 0.20.0, the original's own.

use std::path::{Path, PathBuf};

use colugo_testkit::{PATIENCE, Program, Python, wait_until};
use serde_json::json;

use crate::peer::Peer;
use crate::place::Place;

/// Starts programs of `examples/plain-zeromq`, all with one zeroconf.
struct Plain {
    python: Python,
    zeroconf: Option<PathBuf>,
}

impl Plain {
    fn with_todays_zeroconf() -> Option<Self> {
        let python = Python::find()?;
        Some(Self {
            python,
            zeroconf: None,
        })
    }

    fn with_the_originals() -> Option<Self> {
        let python = Python::find()?;
        let zeroconf = Some(python.old_zeroconf()?);
        Some(Self { python, zeroconf })
    }

    fn start(&self, script: &str, args: &[&str]) -> Program {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plain-zeromq");
        let mut command = self.python.script(folder.join(script));
        if let Some(zeroconf) = &self.zeroconf {
            command.env("PYTHONPATH", zeroconf);
        }
        Program::start(command.args(args))
    }

    /// One that shows what it has from the start.
    fn offer(&self, script: &str, topic: &str) -> Program {
        let mut program = self.start(script, &[topic]);
        let said = program.line(PATIENCE);
        assert!(said.is_some(), "{script} has ended");
        program
    }
}

fn node(place: &Place, name: &str) -> Peer {
    place.start(name).settings(&[("ORIGINAL", "on")]).go()
}

fn call(node: &mut Peer, topic: &str) {
    node.make("client", topic);
    node.wait_for(topic, 1);
    let ended = node.ask(json!({"do": "call", "topic": topic, "count": 5}));
    assert_eq!(ended["ended"], 5, "{ended}");
}

fn theirs_are_found(plain: &Plain) {
    let place = Place::new();
    let (topic, service) = (
        format!("{}.t", place.namespace()),
        format!("{}.q", place.namespace()),
    );
    // One that was there, and one that comes later.
    let mut early = node(&place, "early");
    early.make("subscribe", &topic);
    let publisher = plain.offer("publisher.py", &topic);
    let _server = plain.offer("server.py", &service);
    early.heard(&topic, 3);
    let mut late = node(&place, "late");
    late.make("subscribe", &topic);
    late.heard(&topic, 3);
    call(&mut late, &service);
    let mut endpoints = |kind: &str, name: &str| {
        let graph = late.ask(json!({"do": "graph"}));
        graph[kind][name].as_array().map_or(0, Vec::len)
    };
    assert_eq!(endpoints("topics", &topic), 1);
    assert_eq!(endpoints("services", &service), 1);
    // Its goodbye is heard.
    publisher.signal("TERM");
    wait_until("the publisher is shown no longer", || {
        (endpoints("topics", &topic) == 0).then_some(())
    });
    assert_eq!(endpoints("services", &service), 1);
}

fn ours_are_found(plain: &Plain) {
    let place = Place::new();
    // A topic and a service of one name.
    let name = format!("{}.x", place.namespace());
    let mut early = plain.start("subscriber.py", &[&name, "2"]);
    let mut node = node(&place, "ours");
    node.make("publish", &name);
    node.make("serve", &name);
    let mut late = plain.start("subscriber.py", &[&name, "2"]);
    node.wait_for(&name, 2);
    node.send(&name, 2);
    for number in 0..2 {
        for subscriber in [&mut early, &mut late] {
            assert_eq!(subscriber.line(PATIENCE), Some(format!("ours {number}")));
        }
    }
    let mut client = plain.start("client.py", &[&name, "why"]);
    assert_eq!(client.line(PATIENCE).as_deref(), Some("ours why"));
    for mut program in [early, late, client] {
        assert!(program.wait().success());
    }
}

#[test]
fn a_record_says_where_the_socket_is_and_goes_with_it() {
    let Some(python) = Python::find() else { return };
    let place = Place::new();
    let name = format!("{}.x", place.namespace());
    let mut node = node(&place, "ours");
    node.make("publish", &name);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/system/python/browse.py");
    let mut command = python.script(script);
    command.args([&format!("_{name}."), "_colugo._tcp.local."]);
    let mut browser = Program::start(&mut command);
    let found = browser.line_where(PATIENCE, |line| line.contains("port"));
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let instance = format!("_{name}._{}._colugo._tcp.local.", node.node_id());
    assert_eq!(found["name"], instance);
    assert_eq!(found["txt"]["topic"], name.as_str());
    assert_eq!(found["txt"]["socket_type"], "1");
    let graph = node.ask(json!({"do": "graph"}));
    let endpoint = graph["topics"][&name][0].as_str().unwrap().to_owned();
    assert!(
        endpoint.ends_with(&format!(":{}", found["port"])),
        "{found}"
    );
    node.leave();
    browser.line_where(PATIENCE, |line| line.contains("gone"));
}

#[test]
fn todays_zeroconf_is_found() {
    if let Some(plain) = Plain::with_todays_zeroconf() {
        theirs_are_found(&plain);
    }
}

#[test]
fn todays_zeroconf_finds_ours() {
    if let Some(plain) = Plain::with_todays_zeroconf() {
        ours_are_found(&plain);
    }
}

#[test]
fn the_originals_zeroconf_is_found() {
    if let Some(plain) = Plain::with_the_originals() {
        theirs_are_found(&plain);
    }
}

#[test]
fn the_originals_zeroconf_finds_ours() {
    if let Some(plain) = Plain::with_the_originals() {
        ours_are_found(&plain);
    }
}
