//! The processes of the demo: publisher, subscriber, server and client as anybody could write them. They report on their standard output and
//! end with their standard input.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use colugo::{Node, RecvError};
use serde_json::{Value, json};

use super::report::Report;
use super::{Role, SERVICE, TOPIC};
use crate::args::{DemoPartArgs, NetworkArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::latency::Latencies;
use crate::session::builder;

/// How often a process reports.
const REPORT_EVERY: Duration = Duration::from_millis(200);
/// A thousand messages a second.
const PUBLISH_EVERY: Duration = Duration::from_millis(1);
/// Two hundred calls a second.
const CALL_EVERY: Duration = Duration::from_millis(5);
/// Room for a machine that stops for some seconds.
const QUEUE: usize = 10_000;
/// How long a subscriber listens after it was asked to end: all was sent before that.
const LAST_WAIT: Duration = Duration::from_millis(200);
/// How long the last messages may take.
const CLOSE_MAX: Duration = Duration::from_secs(4);
/// How long waits last before the end is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) fn run(network: &NetworkArgs, args: &DemoPartArgs) -> Outcome {
    let mut part = Part {
        born: Instant::now(),
        over: end_of_input()?,
        report: Report::default(),
        reported: None,
    };
    // The process that watches decides: it is told of Ctrl-C too.
    Interrupt::ignore()?;
    let node = builder(network, &args.name).build()?;
    match args.role {
        Role::Publisher => part.publish(&node)?,
        Role::Subscriber => part.subscribe(&node)?,
        Role::Server => part.serve(&node)?,
        Role::Client => part.call(&node)?,
    }
    close(&node)?;
    part.report.done = true;
    part.tell()?;
    Ok(Exit::Done)
}

struct Part {
    born: Instant,
    over: Receiver<()>,
    report: Report,
    reported: Option<Instant>,
}

impl Part {
    fn publish(&mut self, node: &Node) -> Result<(), Failure> {
        let poses = node.publisher(TOPIC).json::<Value>().queue(QUEUE).build()?;
        while poses.wait_for_subscribers(2, LOOK_EVERY).is_err() {
            if self.is_over(Duration::ZERO)? {
                return Ok(());
            }
        }
        self.found()?;
        let mut due = Instant::now();
        while !self.is_over(due.saturating_duration_since(Instant::now()))? {
            if due <= Instant::now() {
                let n = self.report.count;
                let angle = n as f64 / 1000.0;
                let pose =
                    json!({"n": n, "sent_ns": wall_ns(), "x": angle.cos(), "y": angle.sin()});
                let sent = poses.send(&pose).map_err(Failure::new)?;
                self.report.count += 1;
                self.report.lost += u64::from(sent.dropped);
                due += PUBLISH_EVERY;
            }
        }
        // While the publisher is there: to drop it waits for its queues only a moment.
        close(node)
    }

    fn subscribe(&mut self, node: &Node) -> Result<(), Failure> {
        let poses = node
            .subscriber(TOPIC)
            .json::<Value>()
            .queue(QUEUE)
            .build()?;
        let mut latencies = Latencies::new();
        let mut over = false;
        loop {
            if self.report.found_ms.is_none() && poses.publisher_count() > 0 {
                self.found()?;
            }
            match poses.recv_timeout(if over { LAST_WAIT } else { LOOK_EVERY }) {
                Ok(message) => self.received(&message.value, &mut latencies),
                Err(RecvError::TimedOut(_)) if over => break,
                Err(RecvError::TimedOut(_)) => {}
                Err(error) => return Err(Failure::new(error)),
            }
            self.report = self.report.clone().measured_if(self.is_due(), &latencies);
            over = over || self.is_over(Duration::ZERO)?;
        }
        self.report = self.report.clone().measured(&latencies);
        Ok(())
    }

    fn received(&mut self, pose: &Value, latencies: &mut Latencies) {
        let number = |key| pose.get(key).and_then(Value::as_u64).unwrap_or_default();
        latencies.add(Duration::from_nanos(
            wall_ns().saturating_sub(number("sent_ns")),
        ));
        // The first one is number 0, also for those who were found late.
        let expected = self.report.count + self.report.lost;
        self.report.lost += number("n").saturating_sub(expected);
        self.report.count += 1;
    }

    fn serve(&mut self, node: &Node) -> Result<(), Failure> {
        let server = node.reply_server(SERVICE).json::<Value, i64>().build()?;
        loop {
            if self.report.found_ms.is_none() && server.client_count() >= 2 {
                self.found()?;
            }
            match server.recv_timeout(LOOK_EVERY) {
                Ok((terms, responder)) => {
                    let term = |key| terms.get(key).and_then(Value::as_i64).unwrap_or_default();
                    responder
                        .reply(&(term("a") + term("b")))
                        .map_err(Failure::new)?;
                    self.report.count += 1;
                }
                Err(RecvError::TimedOut(_)) => {}
                Err(error) => return Err(Failure::new(error)),
            }
            if self.is_over(Duration::ZERO)? {
                return Ok(());
            }
        }
    }

    fn call(&mut self, node: &Node) -> Result<(), Failure> {
        let add = node.request_client(SERVICE).json::<Value, i64>().build()?;
        while add.wait_for_server(LOOK_EVERY).is_err() {
            if self.is_over(Duration::ZERO)? {
                return Ok(());
            }
        }
        self.found()?;
        let mut latencies = Latencies::new();
        let mut due = Instant::now();
        for n in 0_i64.. {
            let asked = Instant::now();
            match add.request(&json!({"a": n, "b": 1})).wait() {
                Ok(sum) if sum == n + 1 => latencies.add(asked.elapsed()),
                Ok(_) | Err(_) => self.report.lost += 1,
            }
            self.report.count += 1;
            self.report = self.report.clone().measured_if(self.is_due(), &latencies);
            due = (due + CALL_EVERY).max(Instant::now());
            if self.is_over(due.saturating_duration_since(Instant::now()))? {
                break;
            }
        }
        self.report = self.report.clone().measured(&latencies);
        Ok(())
    }

    fn found(&mut self) -> Result<(), Failure> {
        self.report.found_ms = Some(self.born.elapsed().as_secs_f64() * 1e3);
        self.tell()
    }

    /// Waits for as long, reports if that is due, and says whether the end has come.
    fn is_over(&mut self, wait: Duration) -> Result<bool, Failure> {
        if self.is_due() {
            self.tell()?;
        }
        if wait.is_zero() {
            return Ok(!matches!(
                self.over.try_recv(),
                Err(std::sync::mpsc::TryRecvError::Empty)
            ));
        }
        Ok(!matches!(
            self.over.recv_timeout(wait.min(REPORT_EVERY)),
            Err(RecvTimeoutError::Timeout)
        ))
    }

    fn is_due(&self) -> bool {
        self.reported
            .is_none_or(|last| last.elapsed() >= REPORT_EVERY)
    }

    fn tell(&mut self) -> Result<(), Failure> {
        self.reported = Some(Instant::now());
        let mut out = std::io::stdout().lock();
        let told = writeln!(out, "{}", self.report.to_json()).and_then(|()| out.flush());
        told.map_err(|error| Failure::of_output(&error))
    }
}

impl Report {
    /// With the percentiles as they are now, if they are asked for: to find them takes microseconds.
    fn measured_if(self, due: bool, latencies: &Latencies) -> Self {
        if due { self.measured(latencies) } else { self }
    }
}

/// Ends the node; the machine may be busy with the other five.
fn close(node: &Node) -> Result<(), Failure> {
    node.close().timeout(CLOSE_MAX).wait().map_err(Failure::new)
}

/// Disconnected at the end of the standard input.
fn end_of_input() -> Result<Receiver<()>, Failure> {
    let (sender, over) = channel();
    let watch = move || {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        drop(sender);
    };
    match std::thread::Builder::new()
        .name("stdin".into())
        .spawn(watch)
    {
        Ok(_) => Ok(over),
        Err(error) => Err(Failure::new(format!("can't start a thread: {error}"))),
    }
}

fn wall_ns() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
