//! A forwarder: publishers and subscribers need to know only its address. An XSUB meets the publishers, an XPUB the subscribers.
//!
//! ```text
//! cargo run -p colugo-socket --example forwarder                                            with a publisher and two subscribers, in one process
//! cargo run -p colugo-socket --example forwarder -- tcp://0.0.0.0:5559 tcp://0.0.0.0:5560   for any ZeroMQ programs; ends with Ctrl-C
//! ```

use std::error::Error;
use std::time::Duration;

use colugo_socket::{PubSocket, SubSocket, XPubSocket, XSubSocket, proxy};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => all(),
        [publishers, subscribers] => forward(publishers, subscribers),
        _ => Err("usage: forwarder [PUBLISHERS SUBSCRIBERS]".into()),
    }
}

fn forward(publishers: &str, subscribers: &str) -> Result<(), Box<dyn Error>> {
    let (front, back) = (XSubSocket::new()?, XPubSocket::new()?);
    println!("publishers connect to {}", front.bind(publishers)?);
    println!("subscribers connect to {}", back.bind(subscribers)?);
    proxy::forwarder(front, back).start()?.wait();
    Ok(())
}

fn all() -> Result<(), Box<dyn Error>> {
    let (front, back) = (XSubSocket::new()?, XPubSocket::new()?);
    let (publish_here, subscribe_here) = (
        front.bind("tcp://127.0.0.1:0")?,
        back.bind("tcp://127.0.0.1:0")?,
    );
    let forwarder = proxy::forwarder(front, back).start()?;

    let topics = ["pose", "battery"];
    let subscribers = [SubSocket::new()?, SubSocket::new()?];
    for (subscriber, topic) in subscribers.iter().zip(topics) {
        subscriber.subscribe(topic)?;
        subscriber.connect(&subscribe_here)?;
    }
    let patience = Duration::from_secs(10);
    if !forwarder.back().wait_for_subscribers(2, patience) {
        return Err("the subscribers did not come".into());
    }
    let publisher = PubSocket::new()?;
    publisher.connect(&publish_here)?;
    if !publisher.wait_for_subscribers(1, patience) {
        return Err("the forwarder did not come".into());
    }
    for topic in topics {
        // Also when the forwarder has told of this topic a moment after the other.
        while publisher.send(format!("{topic} 1"))?.queued == 0 {
            std::thread::yield_now();
        }
    }
    for subscriber in &subscribers {
        println!(
            "heard: {}",
            String::from_utf8_lossy(subscriber.recv()?.payload())
        );
    }
    forwarder.stop();
    println!("{} messages forwarded", forwarder.stats().to_back.messages);
    Ok(())
}
