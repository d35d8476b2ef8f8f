//! Pairs of examples that find each other and talk.

use colugo_testkit::PATIENCE;

use crate::stage::{Stage, line};

#[test]
fn subscribers_hear_publishers() {
    let stage = Stage::new();
    let mut subscriber = stage.start("subscriber", &[]);
    let mut background = stage.start("background", &[]);
    let mut publisher = stage.start("publisher", &[]);
    for _ in 0..2 {
        assert_eq!(line(&mut subscriber, "heard"), "heard: Message");
    }
    line(&mut publisher, "Message, to 2 of those who listen");
    background.line_where(PATIENCE, |line| {
        line.starts_with("at work") && !line.contains(" 0 messages")
    });
    stage.end(vec![subscriber, background, publisher]);
}

#[test]
fn a_client_asks_again_and_is_answered() {
    let stage = Stage::new();
    let mut server = stage.start("reply_server", &[]);
    let mut client = stage.start("request_client", &[]);
    assert_eq!(line(&mut client, "reply"), "reply: Message 0");
    assert_eq!(line(&mut client, "reply"), "reply: Message 1");
    assert_eq!(line(&mut server, "asked"), "asked: Message 0");
    stage.end(vec![server, client]);
}

#[test]
fn a_client_without_a_server_says_so_and_goes_on() {
    let stage = Stage::new();
    let mut client = stage.start("request_client", &[]);
    assert!(line(&mut client, "no reply").contains("rpc.topic"));
    let server = stage.start("reply_server", &[]);
    line(&mut client, "reply: Message");
    stage.end(vec![client, server]);
}

#[test]
fn values_travel_as_json_and_as_protobuf() {
    for codec in ["json", "protobuf"] {
        let stage = Stage::new();
        let mut subscriber = stage.start(&format!("{codec}_subscriber"), &[]);
        let publisher = stage.start(&format!("{codec}_publisher"), &[]);
        let heard = line(&mut subscriber, "heard: This is a message, id 0, value ");
        let next: u32 = heard.rsplit(' ').next().unwrap().parse().unwrap();
        let heard = line(&mut subscriber, "heard");
        assert!(heard.ends_with(&format!("value {}", next + 1)), "{heard}");
        stage.end(vec![subscriber, publisher]);
    }
}

#[test]
fn ten_requests_are_awaited_at_once() {
    let stage = Stage::new();
    let mut server = stage.start("async_server", &[]);
    let mut client = stage.start("async_client", &[]);
    let sums = "sums: [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]";
    assert_eq!(line(&mut client, "sums"), sums);
    assert_eq!(line(&mut server, "asked: 9"), "asked: 9 + 9");
    stage.end(vec![server, client]);
}

#[test]
fn a_robot_stops_when_its_pilot_is_gone() {
    let stage = Stage::new();
    let mut robot = stage.start("robot_loop", &[]);
    let mut pilot = stage.start("robot_pilot", &[]);
    line(&mut robot, "moving");
    assert!(line(&mut pilot, "image").ends_with("of 921600 octets"));
    pilot.kill();
    line(&mut robot, "stopped: no action for 200ms");
    let pilot = stage.start("robot_pilot", &[]);
    line(&mut robot, "moving");
    stage.end(vec![robot, pilot]);
}
