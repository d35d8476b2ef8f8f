//! Reliability F5.

#[test]
fn a_killed_publisher_is_missed_and_its_successor_heard() {
    crate::holds("kill", &["--rounds", "4"]);
}
