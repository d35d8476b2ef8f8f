//! Reliability F6.

#[test]
fn after_a_cut_the_flow_comes_back_and_what_was_lost_is_counted() {
    crate::holds("partition", &["--rounds", "2"]);
}
