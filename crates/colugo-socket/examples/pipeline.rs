//! Pipeline: one PUSH hands tasks to three workers in turn, and one PULL collects their results.
//!
//! ```text
//! cargo run -p colugo-socket --example pipeline                                                       all, in one process
//! cargo run -p colugo-socket --example pipeline -- worker tcp://127.0.0.1:5557 tcp://127.0.0.1:5558   a worker for any other ventilator and sink
//! ```

use std::error::Error;

use colugo_socket::{Endpoint, PullSocket, PushSocket};

const WORKERS: usize = 3;
const TASKS: u64 = 12;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => all(),
        ["worker", tasks, results] => {
            work("worker", &tasks.parse()?, &results.parse()?, usize::MAX)
        }
        _ => Err("usage: pipeline [worker TASKS RESULTS]".into()),
    }
}

fn all() -> Result<(), Box<dyn Error>> {
    let ventilator = PushSocket::new()?;
    let sink = PullSocket::new()?;
    let tasks = ventilator.bind("tcp://127.0.0.1:0")?;
    let results = sink.bind("tcp://127.0.0.1:0")?;
    let share = TASKS as usize / WORKERS;
    let workers: Vec<_> = (1..=WORKERS)
        .map(|number| {
            let (tasks, results) = (tasks.clone(), results.clone());
            let name = format!("worker {number}");
            std::thread::spawn(move || {
                work(&name, &tasks, &results, share).map_err(|e| e.to_string())
            })
        })
        .collect();
    // All of them must be there before the first task: whoever is alone gets everything.
    ventilator.wait_for_peers(WORKERS, std::time::Duration::from_secs(10));
    for task in 1..=TASKS {
        ventilator.send(task.to_string())?;
    }
    let mut sum = 0;
    for _ in 0..TASKS {
        let result = sink.recv()?;
        let text = String::from_utf8_lossy(result.payload()).into_owned();
        println!("{text}");
        sum += text.rsplit(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    println!("sum of the squares up to {TASKS}: {sum}");
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")??;
    }
    Ok(())
}

fn work(
    name: &str,
    tasks: &Endpoint,
    results: &Endpoint,
    count: usize,
) -> Result<(), Box<dyn Error>> {
    let pull = PullSocket::new()?;
    let push = PushSocket::new()?;
    pull.connect(tasks)?;
    push.connect(results)?;
    for _ in 0..count {
        let task: u64 = String::from_utf8_lossy(pull.recv()?.payload()).parse()?;
        push.send(format!("{name}: {task} squared is {}", task * task))?;
    }
    // What is queued is sent before the socket is gone.
    push.close();
    Ok(())
}
