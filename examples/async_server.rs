//! Adds numbers for others, on tokio. Any other executor would do: the library brings its own threads.
//!
//! ```sh
//! cargo run --release -p colugo-examples --example async_server
//! cargo run --release -p colugo-examples --example async_client    # in another terminal
//! ```

use colugo::{Node, RecvError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    colugo::log_to_stderr();
    let node = Node::new("async_server")?;
    let server = node.reply_server("add").json::<(i64, i64), i64>().build()?;
    loop {
        let received = tokio::select! {
            received = server.recv_async() => received,
            interrupted = tokio::signal::ctrl_c() => { interrupted?; break }
        };
        match received {
            Ok(((a, b), responder)) => {
                println!("asked: {a} + {b}");
                responder.reply(&(a + b))?;
            }
            // It was refused already; others are still welcome.
            Err(RecvError::Decode(error)) => eprintln!("{error}"),
            Err(error) => return Err(error.into()),
        }
    }
    node.close().await?;
    Ok(())
}
