//! Answers each request on `rpc.topic` with its own words.
//!
//! ```sh
//! cargo run --release -p colugo-examples --example reply_server
//! cargo run --release -p colugo-examples --example request_client    # in another terminal
//! ```

use colugo::Node;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    colugo::log_to_stderr();
    let node = Node::new("reply_server")?;
    let server = node.reply_server("rpc.topic").text();
    let _server = server.on_request(|request, responder| {
        println!("asked: {request}");
        if let Err(error) = responder.reply(&request) {
            eprintln!("{error}");
        }
    })?;
    node.run_until_signal()?;
    Ok(())
}
