//! Publishes a value as JSON once a second.
//!
//! ```sh
//! cargo run --release -p colugo-examples --example json_publisher
//! cargo run --release -p colugo-examples --example json_subscriber    # in another terminal
//! ```

use std::time::Duration;

use colugo::Node;
use serde::Serialize;

#[derive(Serialize)]
struct Reading {
    message: &'static str,
    id: i32,
    value: i64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    colugo::log_to_stderr();
    let node = Node::new("json_publisher")?;
    let readings = node.publisher("json.pub.topic").json::<Reading>().build()?;
    let mut value = 0;
    let _tick = node.repeater(Duration::from_secs(1)).on_tick(move || {
        let reading = Reading {
            message: "This is a message",
            id: 0,
            value,
        };
        match readings.send(&reading) {
            Ok(sent) => println!("value {value}, to {} of those who listen", sent.queued),
            Err(error) => eprintln!("{error}"),
        }
        value += 1;
    })?;
    node.run_until_signal()?;
    Ok(())
}
