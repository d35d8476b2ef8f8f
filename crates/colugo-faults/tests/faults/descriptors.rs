//! Reliability F14.

#[test]
fn without_descriptors_old_links_are_served_and_new_ones_wait() {
    crate::holds("descriptors", &["--rounds", "2"]);
}
