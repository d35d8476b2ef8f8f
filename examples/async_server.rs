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
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let received = tokio::select! {
            received = server.recv_async() => received,
            done = &mut interrupted => break done?,
        };
        match received {
            Ok(((a, b), responder)) => {
                println!("asked: {a} + {b}");
                if let Err(error) = responder.reply(&(a + b)) {
                    eprintln!("{error}"); // the client is gone; others are still welcome
                }
            }
            // It was refused already.
            Err(RecvError::Decode(error)) => eprintln!("{error}"),
            Err(error) => return Err(error.into()),
        }
    }
    node.close().await?;
    Ok(())
}
