//! Reliability F5, without a reset.

#[test]
fn a_peer_that_stops_without_a_word_is_given_up_or_said_to_be_stalled() {
    crate::holds("silence", &["--rounds", "1", "--secs", "1"]);
}
