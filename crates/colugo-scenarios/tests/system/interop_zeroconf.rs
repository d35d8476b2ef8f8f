//! What python-zeroconf, which nobody here has written, sees of a node.

use std::path::Path;

use colugo_testkit::{PATIENCE, Program, Python};
use serde_json::Value;

use crate::place::Place;

#[test]
fn python_zeroconf_sees_the_node_with_its_port_and_text_and_that_it_left() {
    let Some(python) = Python::find() else { return };
    let place = Place::new();
    let mut node = place.start("a-node").go();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/system/python/browse.py");
    let mut browser = Program::start(python.script(script).arg(node.node_id()));
    let ours = format!("{}._colugo-node._tcp.local.", node.node_id());
    let found = browser.line_where(PATIENCE, |line| line.contains("port"));
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["name"], ours);
    assert_eq!(found["port"], node.control_port());
    assert_eq!(found["txt"]["ns"], place.namespace());
    assert_eq!(found["txt"]["name"], "a-node");
    assert!(
        found["txt"]["v"]
            .as_str()
            .is_some_and(|version| !version.is_empty()),
        "{found}"
    );
    assert!(
        found["addresses"]
            .as_array()
            .is_some_and(|them| !them.is_empty()),
        "{found}"
    );
    node.leave();
    browser.line_where(PATIENCE, |line| line.contains("gone"));
}
