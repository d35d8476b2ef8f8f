//! Publish and subscribe: a station tells the weather of three cities, a watcher wants that of one.
//!
//! ```text
//! cargo run -p colugo-socket --example weather                                    both, five readings each, in one process
//! cargo run -p colugo-socket --example weather -- station tcp://*:5556            the station alone, until Ctrl-C
//! cargo run -p colugo-socket --example weather -- watch tcp://127.0.0.1:5556 oslo the watcher alone, until Ctrl-C
//! ```
//!
//! Either half may be any other ZeroMQ program: the first frame is the city, the second the degrees.

use std::error::Error;
use std::time::Duration;

use colugo_socket::{Bytes, PubSocket, SubSocket};

const CITIES: [&str; 3] = ["lima", "oslo", "rome"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => both(),
        ["station", endpoint] => station(endpoint),
        ["watch", endpoint, city] => {
            let subscriber = SubSocket::new()?;
            subscriber.connect(endpoint)?;
            watch(&subscriber, city, usize::MAX)
        }
        _ => Err("usage: weather [station ENDPOINT | watch ENDPOINT CITY]".into()),
    }
}

fn both() -> Result<(), Box<dyn Error>> {
    let publisher = PubSocket::new()?;
    let endpoint = publisher.bind("tcp://127.0.0.1:0")?;
    let subscriber = SubSocket::new()?;
    subscriber.connect(endpoint)?;
    let watcher =
        std::thread::spawn(move || watch(&subscriber, "oslo", 5).map_err(|e| e.to_string()));
    // Who waits for its subscribers loses nothing to them, from the first message on.
    publisher.wait_for_subscribers(1, Duration::from_secs(10));
    for hour in 0..5 {
        tell(&publisher, hour)?;
    }
    Ok(watcher.join().map_err(|_| "the watcher panicked")??)
}

fn station(endpoint: &str) -> Result<(), Box<dyn Error>> {
    let publisher = PubSocket::new()?;
    println!("telling the weather at {}", publisher.bind(endpoint)?);
    for hour in 0.. {
        tell(&publisher, hour)?;
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn tell(publisher: &PubSocket, hour: u32) -> Result<(), Box<dyn Error>> {
    for (city, noon) in CITIES.iter().zip([19, 4, 23]) {
        let degrees = noon - (i64::from(hour % 24) - 12).abs() / 2;
        publisher.send(&[
            Bytes::from_static(city.as_bytes()),
            degrees.to_string().into(),
        ])?;
    }
    Ok(())
}

fn watch(subscriber: &SubSocket, city: &str, readings: usize) -> Result<(), Box<dyn Error>> {
    subscriber.subscribe(city)?;
    for _ in 0..readings {
        let message = subscriber.recv()?;
        if let [city, degrees] = message.frames() {
            let (city, degrees) = (
                String::from_utf8_lossy(city),
                String::from_utf8_lossy(degrees),
            );
            println!("{city}: {degrees} °C");
        }
    }
    Ok(())
}
