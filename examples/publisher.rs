//! Publishes "Message" once a second, and says how many subscribers it went to.
//!
//! ```sh
//! cargo run --release -p colugo-examples --example publisher
//! cargo run --release -p colugo-examples --example subscriber    # in another terminal
//! ```

use std::time::Duration;

use colugo::Node;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    colugo::log_to_stderr();
    let node = Node::new("publisher")?;
    let messages = node.publisher("pub.topic").text().build()?;
    let _tick =
        node.repeater(Duration::from_secs(1))
            .on_tick(move || match messages.send("Message") {
                Ok(sent) => println!("Message, to {} of those who listen", sent.queued),
                Err(error) => eprintln!("{error}"),
            })?;
    node.run_until_signal()?;
    Ok(())
}
