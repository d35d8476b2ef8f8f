//! Reliability F8.

#[test]
fn peers_that_come_and_go_leave_no_thread_and_no_descriptor() {
    crate::holds("flapping", &["--secs", "5"]);
}
