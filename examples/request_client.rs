//! Sends "Message {n}" to `rpc.topic`, waits for the reply or the timeout (2 s), and asks again a second later.
//!
//! ```sh
//! cargo run --release -p colugo-examples --example request_client
//! cargo run --release -p colugo-examples --example reply_server     # in another terminal, or in several: they take turns
//! ```
//!
//! With addresses (`-- tcp://robot:5557`) it dials those instead of looking for servers: any ZeroMQ REP or ROUTER will do.

use std::time::Duration;

use colugo::{MissedTicks, Node};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    colugo::log_to_stderr();
    let node = Node::new("request_client")?;
    let mut topic = node.request_client("rpc.topic").text();
    for endpoint in std::env::args().skip(1) {
        topic = topic.connect(endpoint);
    }
    let client = topic.build()?;
    let mut n = 0;
    let ask = move || {
        match client.request(&format!("Message {n}")).wait() {
            Ok(reply) => println!("reply: {reply}"),
            Err(error) => println!("no reply: {error}"),
        }
        n += 1;
    };
    let again = node
        .repeater(Duration::from_secs(1))
        .missed(MissedTicks::Delay);
    let _again = again.on_tick(ask)?;
    node.run_until_signal()?;
    Ok(())
}
