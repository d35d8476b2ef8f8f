//! Prints what is published as `pub.topic`, by any number of publishers.
//!
//! ```sh
//! cargo run --release -p colugo-examples --example subscriber
//! cargo run --release -p colugo-examples --example publisher     # in another terminal
//! ```
//!
//! With addresses (`-- tcp://robot:5556`) it dials those instead of looking for publishers: any ZeroMQ PUB will do.

use colugo::Node;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    colugo::log_to_stderr();
    let node = Node::new("subscriber")?;
    let mut topic = node.subscriber("pub.topic").text();
    for endpoint in std::env::args().skip(1) {
        topic = topic.connect(endpoint);
    }
    let _messages = topic.on_message(|message| println!("heard: {}", message.value))?;
    node.run_until_signal()?;
    Ok(())
}
