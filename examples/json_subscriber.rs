//! Prints values that come as JSON, and says so when a payload is none.
//!
//! ```sh
//! cargo run --release -p colugo-examples --example json_subscriber
//! cargo run --release -p colugo-examples --example json_publisher    # in another terminal
//! ```

use colugo::Node;
use serde::Deserialize;

#[derive(Deserialize)]
struct Reading {
    message: String,
    id: i32,
    value: i64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    colugo::log_to_stderr();
    let node = Node::new("json_subscriber")?;
    let mut topic = node.subscriber("json.pub.topic").json::<Reading>();
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
