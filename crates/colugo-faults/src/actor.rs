//! `Actor`: a peer process as a scenario sees it. Dropped, it is killed.

use std::collections::VecDeque;
use std::process::Command;
use std::time::{Duration, Instant};

use colugo_testkit::{Host, Program};
use serde_json::{Value, json};

use crate::proc::Usage;

/// How long an answer or event is waited for before the scenario has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One process with one socket.
pub(crate) struct Actor {
    name: String,
    program: Program,
    events: VecDeque<Value>,
}

/// Where and with what limits it runs.
#[derive(Clone, Copy, Default)]
pub(crate) struct At<'a> {
    pub(crate) host: Option<&'a Host>,
    pub(crate) open_files: Option<u32>,
}

impl<'a> At<'a> {
    pub(crate) fn host(host: &'a Host) -> Self {
        Self {
            host: Some(host),
            open_files: None,
        }
    }

    pub(crate) fn open_files(limit: u32) -> Self {
        Self {
            host: None,
            open_files: Some(limit),
        }
    }

    fn command(self) -> Command {
        let program = std::env::current_exe().unwrap_or_else(|error| panic!("{error}"));
        if let Some(limit) = self.open_files {
            let mut shell = Command::new("sh");
            let line = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
            shell.arg("-c").arg(line).arg(program);
            return shell;
        }
        match self.host {
            Some(host) => host.command(program),
            None => Command::new(program),
        }
    }
}

impl Actor {
    /// On this machine; the setup as [`Setup`](crate::order::Setup) has it.
    pub(crate) fn start(name: &str, setup: Value) -> Self {
        Self::start_at(name, At::default(), setup)
    }

    pub(crate) fn start_at(name: &str, at: At<'_>, setup: Value) -> Self {
        let mut command = at.command();
        command.arg("peer").arg(setup.to_string());
        let mut actor = Self {
            name: name.to_owned(),
            program: Program::start(&mut command),
            events: VecDeque::new(),
        };
        if let Err(error) = actor.answer("ready") {
            panic!("{name} has no socket: {error}");
        }
        actor
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage::of(self.program.id())
    }

    /// Tells it to do something, and waits until it has.
    pub(crate) fn ask(&mut self, order: Value) -> Value {
        let asked = order.to_string();
        self.try_ask(order).unwrap_or_else(|error| {
            panic!(
                "{} was told {asked}: {error}; it has seen {:?}",
                self.name, self.events
            )
        })
    }

    pub(crate) fn try_ask(&mut self, order: Value) -> Result<Value, String> {
        self.tell(order);
        self.answer("ok")
    }

    /// Tells it to do something; [`done`](Self::done) waits for it.
    pub(crate) fn tell(&mut self, order: Value) {
        self.program.say(&order.to_string());
    }

    pub(crate) fn done(&mut self) -> Value {
        self.answer("ok")
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Listens on a free port of this address; gives the endpoint.
    pub(crate) fn bind(&mut self, to: &str) -> String {
        let bound = self.ask(json!({"do": "bind", "to": to}));
        bound.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn connect(&mut self, to: &str) {
        self.ask(json!({"do": "connect", "to": to}));
    }

    pub(crate) fn disconnect(&mut self, to: &str) {
        self.ask(json!({"do": "disconnect", "to": to}));
    }

    pub(crate) fn wait(&mut self, n: usize) {
        self.ask(json!({"do": "wait", "n": n}));
    }

    pub(crate) fn wait_gone(&mut self, n: usize) {
        self.ask(json!({"do": "wait_gone", "n": n}));
    }

    /// Sends so many a second until `halt`.
    pub(crate) fn flow(&mut self, rate: u32, size: usize) {
        self.ask(json!({"do": "flow", "rate": rate, "size": size}));
    }

    /// Sends so many at a rate, and waits for the end.
    pub(crate) fn send(&mut self, rate: u32, size: usize, count: u64) -> Sent {
        self.ask(json!({"do": "flow", "rate": rate, "size": size, "count": count}));
        Sent(self.ask(json!({"do": "halt", "wait": true})))
    }

    pub(crate) fn halt(&mut self) -> Sent {
        Sent(self.ask(json!({"do": "halt"})))
    }

    /// Looks out for a message sent after this time.
    pub(crate) fn watch(&mut self, sent_after_ns: u64) {
        self.ask(json!({"do": "watch", "sent_after_ns": sent_after_ns}));
    }

    /// When it came.
    pub(crate) fn found(&mut self) -> u64 {
        let within = (PATIENCE - Duration::from_secs(5)).as_millis();
        let within = u64::try_from(within).unwrap_or_default();
        self.ask(json!({"do": "found", "within_ms": within}))
            .as_u64()
            .unwrap_or_default()
    }

    /// Waits until the last number of a sender has come.
    pub(crate) fn reached(&mut self, sent: &Sent) {
        let last = sent.numbers().saturating_sub(1);
        self.ask(json!({"do": "reached", "run": sent.run(), "number": last}));
    }

    pub(crate) fn report(&mut self) -> Value {
        self.ask(json!({"do": "report"}))
    }

    pub(crate) fn stats(&mut self) -> Value {
        self.ask(json!({"do": "stats"}))
    }

    /// Waits for an event of this name; gives its time and what was said. It, and those before it, are gone then.
    pub(crate) fn sees(&mut self, name: &str) -> (u64, String) {
        self.sees_within(name, PATIENCE).unwrap_or_else(|seen| {
            panic!(
                "{} has not seen `{name}` within {PATIENCE:?}, but {seen:?}",
                self.name
            )
        })
    }

    pub(crate) fn sees_within(
        &mut self,
        name: &str,
        patience: Duration,
    ) -> Result<(u64, String), Vec<Value>> {
        let deadline = Instant::now() + patience;
        let mut seen = Vec::new();
        loop {
            let told = match self.events.pop_front() {
                Some(told) => told,
                None => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    match self.program.try_line(left) {
                        Some(line) => self.parse(&line),
                        None => return Err(seen),
                    }
                }
            };
            if told["event"] == name {
                let why = told["why"].as_str().unwrap_or_default().to_owned();
                return Ok((told["at_ns"].as_u64().unwrap_or_default(), why));
            }
            seen.push(told);
        }
    }

    /// Forgets the events so far.
    pub(crate) fn forget(&mut self) {
        self.stats();
        self.events.clear();
    }

    pub(crate) fn kill(&mut self) {
        self.program.kill();
    }

    /// Sends it a signal: "STOP", "CONT".
    pub(crate) fn signal(&self, name: &str) {
        self.program.signal(name);
    }

    fn answer(&mut self, key: &str) -> Result<Value, String> {
        loop {
            let Some(line) = self.program.line(PATIENCE) else {
                panic!("{} has ended", self.name);
            };
            let mut said = self.parse(&line);
            if let Some(error) = said.get("error") {
                return Err(error.as_str().unwrap_or_default().to_owned());
            }
            if said.get(key).is_some() {
                return Ok(said[key].take());
            }
            self.events.push_back(said);
        }
    }

    fn parse(&self, line: &str) -> Value {
        serde_json::from_str(line).unwrap_or_else(|_| panic!("{} printed {line:?}", self.name))
    }
}

/// A sender's account.
pub(crate) struct Sent(Value);

impl Sent {
    /// The answer to `halt`.
    pub(crate) fn of(halted: Value) -> Self {
        Self(halted)
    }

    fn number(&self, key: &str) -> u64 {
        self.0[key].as_u64().unwrap_or_default()
    }

    pub(crate) fn run(&self) -> u64 {
        self.number("run")
    }

    /// How many it gave a number.
    pub(crate) fn numbers(&self) -> u64 {
        self.number("numbers")
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.number("dropped")
    }
}
