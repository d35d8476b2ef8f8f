//! Reliability F10.

#[test]
fn a_slow_subscriber_costs_the_others_nothing_and_what_it_misses_is_counted() {
    crate::holds("slow", &["--rounds", "1", "--secs", "2"]);
}
