//! Steers `robot_loop` at 50 Hz by the newest observation, and looks at the newest image twenty times a second.
//!
//! ```sh
//! cargo run --release -p colugo-examples --example robot_pilot
//! cargo run --release -p colugo-examples --example robot_loop    # in another terminal, on this machine or the next
//! ```

use std::time::Duration;

use colugo::{Message, Node, Subscriber};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Observation {
    position: f64,
    speed: f64,
}

#[derive(Serialize)]
struct Action {
    speed: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    colugo::log_to_stderr();
    let node = Node::new("pilot")?;
    let actions = node.publisher("robot.action").json::<Action>().build()?;
    let observations = node
        .subscriber("robot.observation")
        .json::<Observation>()
        .build()?;
    let images = node.subscriber("robot.image").build()?;
    let _steer = node.repeater(Duration::from_millis(20)).on_tick(move || {
        if let Some(Message { value: seen, .. }) = newest(&observations) {
            // Back and forth between 0 and 1.
            let back = if seen.speed < 0.0 {
                seen.position > 0.0
            } else {
                seen.position > 1.0
            };
            let speed = if back { -0.5 } else { 0.5 };
            actions.send(&Action { speed }).ok();
        }
    })?;
    let _look = node.repeater(Duration::from_millis(50)).on_tick(move || {
        if let Some(image) = newest(&images) {
            println!(
                "image {} of {} octets",
                image.meta.seq.unwrap_or(0),
                image.value.len()
            );
        }
    })?;
    node.run_until_signal()?;
    Ok(())
}

/// The last message that is here; those before it are passed over.
fn newest<T: 'static>(subscriber: &Subscriber<T>) -> Option<Message<T>> {
    std::iter::from_fn(|| subscriber.try_recv().ok().flatten()).last()
}
