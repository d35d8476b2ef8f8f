//! A robot's control loop at 50 Hz: publishes what it sees, obeys the newest action, and stops when that is stale.
//!
//! ```sh
//! cargo run --release -p colugo-examples --example robot_loop
//! cargo run --release -p colugo-examples --example robot_pilot    # in another terminal, on this machine or the next
//! ```

use std::time::{Duration, Instant};

use colugo::Node;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Observation {
    position: f64,
    speed: f64,
}

#[derive(Deserialize)]
struct Action {
    speed: f64,
}

const PERIOD: Duration = Duration::from_millis(20);
const STALE_AFTER: Duration = Duration::from_millis(200);
const IMAGE_OCTETS: usize = 640 * 480 * 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    colugo::log_to_stderr();
    let node = Node::new("robot")?;
    let actions = node.subscriber("robot.action").json::<Action>().build()?;
    let observations = node
        .publisher("robot.observation")
        .json::<Observation>()
        .build()?;
    // A viewer that is slow gets fewer images, not older ones: only one waits for it here.
    let images = node.publisher("robot.image").queue(1).build()?;
    let (mut position, mut speed, mut obeyed) = (0.0, 0.0, None);
    let _loop = node.repeater(PERIOD).on_tick(move || {
        while let Ok(Some(action)) = actions.try_recv() {
            if obeyed.replace(Instant::now()).is_none() {
                println!("moving");
            }
            speed = action.value.speed;
        }
        if obeyed.is_some_and(|at| at.elapsed() > STALE_AFTER) {
            println!("stopped: no action for {STALE_AFTER:?}");
            (speed, obeyed) = (0.0, None);
        }
        position += speed * PERIOD.as_secs_f64();
        let seen = observations.send(&Observation { position, speed });
        let seen = seen.and_then(|_| images.send_bytes(vec![128; IMAGE_OCTETS]));
        if let Err(error) = seen {
            eprintln!("{error}");
        }
    })?;
    node.run_until_signal()?;
    Ok(())
}
