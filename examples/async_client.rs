//! Asks for ten sums at once, and again a second later. On pollster, which is no more than a function that waits for a future.
//!
//! ```sh
//! cargo run --release -p colugo-examples --example async_client
//! cargo run --release -p colugo-examples --example async_server    # in another terminal, or in several: they take turns
//! ```

use std::time::Duration;

use colugo::{Node, RequestClient, RequestError};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    colugo::log_to_stderr();
    let node = Node::new("async_client")?;
    let add = node
        .request_client("add")
        .json::<(i64, i64), i64>()
        .build()?;
    let again = node.repeater(Duration::from_secs(1));
    let _again = again.on_tick(move || match pollster::block_on(sums(&add)) {
        Ok(sums) => println!("sums: {sums:?}"),
        Err(error) => println!("no reply: {error}"),
    })?;
    node.run_until_signal()?;
    Ok(())
}

async fn sums(add: &RequestClient<(i64, i64), i64>) -> Result<Vec<i64>, RequestError> {
    let in_flight: Vec<_> = (0..10).map(|n| add.request(&(n, n)).start()).collect();
    let mut sums = Vec::new();
    for reply in in_flight {
        sums.push(reply.await?);
    }
    Ok(sums)
}
