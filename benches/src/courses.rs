//! Runs with a course of their own: processes that come, go, stop and are killed, and how long it takes until others notice.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use crate::harness::{Harness, Part, Process, figures, next_line, ready};
use kit::Result;
use kit::report::Report;

/// What the processes of a course say, each line with its process's index.
type Said = Receiver<(usize, String)>;

/// A namespace that nobody else is in.
fn namespace() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "bench-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

fn millis_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// From exec to a node that can be found.
pub fn cold(harness: &Harness) -> Result<Report> {
    let (sender, said) = channel();
    let start = Instant::now();
    let _process = harness.start(
        &Part::new("node.cold").set("ns", namespace()),
        &[],
        0,
        sender,
    )?;
    ready(&said, harness.deadline())?;
    Ok(Report::new().with("ms", millis_since(start)))
}

/// From a subscriber's exec to its first message; the publisher is there already.
pub fn find(harness: &Harness) -> Result<Report> {
    let ns = namespace();
    let (sender, said) = channel();
    let mut talker = harness.start(
        &Part::new("node.talk").set("ns", &ns),
        &[],
        0,
        sender.clone(),
    )?;
    ready(&said, harness.deadline())?;
    talker.tell("go")?;
    let start = Instant::now();
    let _listener = harness.start(&Part::new("node.listen").set("ns", &ns), &[], 1, sender)?;
    ready(&said, harness.deadline())?;
    Ok(Report::new().with("ms", millis_since(start)))
}

/// From the first exec of 40 processes with 10 topics each until each of them knows all of all.
pub fn processes(harness: &Harness) -> Result<Report> {
    const PROCESSES: usize = 40;
    let part = Part::new("node.member")
        .set("ns", namespace())
        .set("count", PROCESSES)
        .set("topics", 10);
    let (sender, said) = channel();
    let start = Instant::now();
    let processes = (0..PROCESSES).map(|number| harness.start(&part, &[], number, sender.clone()));
    let _processes = processes.collect::<Result<Vec<_>>>()?;
    for _ in 0..PROCESSES {
        ready(&said, harness.deadline())?;
    }
    Ok(Report::new().with("ms", millis_since(start)))
}

/// A talker, and a watcher that hears it.
fn company(harness: &Harness, ns: &str) -> Result<(Process, Process, Said)> {
    let (sender, said) = channel();
    let mut talker = harness.start(
        &Part::new("node.talk").set("ns", ns),
        &[],
        0,
        sender.clone(),
    )?;
    ready(&said, harness.deadline())?;
    talker.tell("go")?;
    let mut watcher = harness.start(&Part::new("node.watch").set("ns", ns), &[], 1, sender)?;
    ready(&said, harness.deadline())?;
    watcher.tell("go")?;
    Ok((talker, watcher, said))
}

/// Waits until the watcher (process 1) says `word`, whatever else is said.
fn until(said: &Said, harness: &Harness, word: &str) -> Result<()> {
    let deadline = harness.deadline();
    loop {
        match next_line(said, deadline) {
            Ok((1, line)) if line == word => return Ok(()),
            Ok(_) => {}
            // A killed process ends without a word: that is the point.
            Err(error) if error.to_string().contains("without a word") => {}
            Err(error) => return Err(error),
        }
    }
}

/// From the talker's goodbye to the watcher's knowing.
pub fn leave_cleanly(harness: &Harness) -> Result<Report> {
    let (mut talker, _watcher, said) = company(harness, &namespace())?;
    let start = Instant::now();
    talker.tell("stop")?;
    until(&said, harness, "left")?;
    Ok(Report::new().with("ms", millis_since(start)))
}

/// The same when the talker is killed.
pub fn leave_killed(harness: &Harness) -> Result<Report> {
    leave_by(harness, libc::SIGKILL)
}

/// The same when the talker is stopped: its connections stay, and it says nothing more.
pub fn leave_stopped(harness: &Harness) -> Result<Report> {
    leave_by(harness, libc::SIGSTOP)
}

fn leave_by(harness: &Harness, signal: i32) -> Result<Report> {
    let (talker, _watcher, said) = company(harness, &namespace())?;
    let start = Instant::now();
    talker.signal(signal);
    until(&said, harness, "left")?;
    Ok(Report::new().with("ms", millis_since(start)))
}

/// From the exec of a talker that takes the place of a killed one, at another port, to its first message at the watcher.
pub fn restart(harness: &Harness) -> Result<Report> {
    let ns = namespace();
    let (talker, _watcher, said) = company(harness, &ns)?;
    talker.signal(libc::SIGKILL);
    let (sender, said_by_second) = channel();
    let start = Instant::now();
    let mut second = harness.start(&Part::new("node.talk").set("ns", &ns), &[], 0, sender)?;
    ready(&said_by_second, harness.deadline())?;
    second.tell("go")?;
    until(&said, harness, "again")?;
    Ok(Report::new().with("ms", millis_since(start)))
}

/// From a server's kill to the end of the last of ten requests it had. `lost`: those that ended with anything but `Disconnected`.
pub fn disconnect(harness: &Harness) -> Result<Report> {
    let ns = namespace();
    let part = |role| Part::new(role).set("ns", &ns).set("count", 10);
    let (sender, said) = channel();
    let mut server = harness.start(&part("node.silent"), &[], 0, sender.clone())?;
    ready(&said, harness.deadline())?;
    server.tell("go")?;
    let mut client = harness.start(&part("node.ask"), &[], 1, sender)?;
    ready(&said, harness.deadline())?;
    client.tell("go")?;
    let (_, taken) = next_line(&said, harness.deadline())?;
    if taken != "taken" {
        return Err(format!("the server said {taken:?} where taken was due").into());
    }
    let start = Instant::now();
    server.signal(libc::SIGKILL);
    let deadline = harness.deadline();
    loop {
        match figures(&said, deadline) {
            Ok((_, report)) => {
                let others = report.figure("others").unwrap_or(0.0);
                return Ok(report.with("ms", millis_since(start)).with("lost", others));
            }
            Err(error) if error.to_string().contains("without a word") => {}
            Err(error) => return Err(error),
        }
    }
}
