//! A node whose callbacks run on a thread of their own, while the program's main thread does something else.
//!
//! ```sh
//! cargo run --release -p colugo-examples --example background
//! cargo run --release -p colugo-examples --example publisher     # in another terminal
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use colugo::Node;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    colugo::log_to_stderr();
    let node = Node::new("background")?;
    let heard = Arc::new(AtomicU64::new(0));
    let counted = heard.clone();
    let topic = node.subscriber("pub.topic").text();
    let _messages = topic.on_message(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    })?;
    let callbacks = std::thread::spawn(move || node.run_until_signal());
    while !callbacks.is_finished() {
        std::thread::sleep(Duration::from_millis(500)); // the program's own work
        println!("at work, {} messages heard", heard.load(Ordering::Relaxed));
    }
    callbacks.join().map_err(|_| "a callback panicked")??;
    Ok(())
}
