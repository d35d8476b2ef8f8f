//! Reliability F4.

#[test]
fn real_clients_are_served_beside_a_thousand_mute_connections() {
    crate::holds("mute", &["--rounds", "20", "--secs", "1"]);
}
