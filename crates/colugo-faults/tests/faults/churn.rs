//! Reliability F9.

#[test]
fn connections_that_come_and_go_by_the_hundred_leave_nothing_and_lose_no_subscription() {
    crate::holds("churn", &["--rounds", "2"]);
}
