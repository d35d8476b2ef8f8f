//! Reliability F7.

#[test]
fn every_message_arrives_in_order_though_the_network_loses_one_packet_of_ten() {
    crate::holds("loss", &["--rounds", "1", "--secs", "3"]);
}
