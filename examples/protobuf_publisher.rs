//! Publishes a value as Protobuf once a second. The type says by its attributes what `reading.proto` says: no protoc is needed.
//!
//! ```sh
//! cargo run --release -p colugo-examples --example protobuf_publisher
//! cargo run --release -p colugo-examples --example protobuf_subscriber    # in another terminal
//! ```

use std::time::Duration;

use colugo::Node;

#[derive(prost::Message)]
struct Reading {
    #[prost(string, tag = "1")]
    message: String,
    #[prost(int32, tag = "2")]
    id: i32,
    #[prost(int64, tag = "3")]
    value: i64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    colugo::log_to_stderr();
    let node = Node::new("protobuf_publisher")?;
    let readings = node
        .publisher("proto.pub.topic")
        .protobuf::<Reading>()
        .build()?;
    let mut reading = Reading {
        message: "This is a message".into(),
        id: 0,
        value: 0,
    };
    let _tick = node.repeater(Duration::from_secs(1)).on_tick(move || {
        match readings.send(&reading) {
            Ok(sent) => println!(
                "value {}, to {} of those who listen",
                reading.value, sent.queued
            ),
            Err(error) => eprintln!("{error}"),
        }
        reading.value += 1;
    })?;
    node.run_until_signal()?;
    Ok(())
}
