//! Prints values that come as Protobuf, and says so when a payload is none.
//!
//! ```sh
//! cargo run --release -p colugo-examples --example protobuf_subscriber
//! cargo run --release -p colugo-examples --example protobuf_publisher    # in another terminal
//! ```

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
    let node = Node::new("protobuf_subscriber")?;
    let mut topic = node.subscriber("proto.pub.topic").protobuf::<Reading>();
    for endpoint in std::env::args().skip(1) {
        topic = topic.connect(endpoint);
    }
    let topic = topic.on_decode_error(|error| eprintln!("{error}"));
    let _readings = topic.on_message(|received| {
        let Reading { message, id, value } = received.value;
        println!("heard: {message}, id {id}, value {value}");
    })?;
    node.run_until_signal()?;
    Ok(())
}
