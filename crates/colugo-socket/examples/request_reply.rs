//! Request and reply: a server that adds, a client that asks it. The client's timeout shows what happens when nobody answers.
//!
//! ```text
//! cargo run -p colugo-socket --example request_reply                                both, in one process
//! cargo run -p colugo-socket --example request_reply -- serve tcp://*:5555          the server alone, until Ctrl-C
//! cargo run -p colugo-socket --example request_reply -- ask tcp://127.0.0.1:5555    the client alone: three questions
//! ```
//!
//! Either half may be any other ZeroMQ program: a question is a text like "1 2", its answer one like "3".

use std::error::Error;
use std::time::Duration;

use colugo_socket::{RecvError, RepSocket, ReqSocket};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => both(),
        ["serve", endpoint] => {
            let server = RepSocket::new()?;
            println!("adding at {}", server.bind(endpoint)?);
            loop {
                serve_one(&server)?;
            }
        }
        ["ask", endpoint] => {
            let client = ReqSocket::new()?;
            client.connect(endpoint)?;
            ["1 2", "20 22", "one two"]
                .iter()
                .try_for_each(|question| ask(&client, question))
        }
        _ => Err("usage: request_reply [serve ENDPOINT | ask ENDPOINT]".into()),
    }
}

fn both() -> Result<(), Box<dyn Error>> {
    let server = RepSocket::new()?;
    let endpoint = server.bind("tcp://127.0.0.1:0")?;
    let serving = std::thread::spawn(move || {
        (0..2).try_for_each(|_| serve_one(&server).map_err(|e| e.to_string()))
    });
    let client = ReqSocket::new()?;
    client.connect(endpoint)?;
    ask(&client, "1 2")?;
    ask(&client, "20 22")?;
    Ok(serving.join().map_err(|_| "the server panicked")??)
}

fn serve_one(server: &RepSocket) -> Result<(), Box<dyn Error>> {
    let question = server.recv()?;
    let text = String::from_utf8_lossy(question.payload());
    let numbers: Result<Vec<i64>, _> = text.split_whitespace().map(str::parse).collect();
    let answer = match numbers {
        Ok(numbers) => numbers.iter().sum::<i64>().to_string(),
        Err(error) => format!("error: {error}"),
    };
    // An asker who has left meanwhile is no reason to stop.
    let _ = server.send(&answer);
    Ok(())
}

fn ask(client: &ReqSocket, question: &str) -> Result<(), Box<dyn Error>> {
    client.send(question)?;
    match client.recv_timeout(Duration::from_secs(2)) {
        Ok(answer) => println!("{question} → {}", String::from_utf8_lossy(answer.payload())),
        // The next question may be asked at once: a late answer to this one will not be taken for its answer.
        Err(RecvError::TimedOut) => println!("{question} → no answer within 2 s"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
