//! Reliability F11.

#[test]
fn what_listens_on_the_old_port_is_refused_with_a_reason_until_the_publisher_is_back() {
    crate::holds("stranger", &[]);
}
