//! `Peer`: a `colugo-peer` process as the test sees it. Whatever it prints that it was not asked for fails the test.

use std::collections::VecDeque;
use std::io::Read;
use std::process::{Command, ExitStatus};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use colugo_testkit::{PATIENCE, Program, wait_until};
use serde_json::{Value, json};

use crate::figure::now;

pub(crate) struct Peer {
    name: String,
    program: Program,
    /// What it says on its standard error, once that has ended.
    errors: Option<JoinHandle<String>>,
    loud: bool,
    events: VecDeque<Value>,
    introduction: Value,
}

impl Peer {
    pub(crate) fn start(name: &str, mut command: Command, loud: bool) -> Self {
        let (mut reader, writer) = std::io::pipe().unwrap();
        command.stderr(writer);
        let program = Program::start(&mut command);
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = reader.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Self {
            name: name.to_owned(),
            program,
            errors: Some(errors),
            loud,
            events: VecDeque::new(),
            introduction: Value::Null,
        }
    }

    /// Waits until it has a node.
    pub(crate) fn ready(mut self) -> Self {
        match self.started() {
            Ok(introduction) => self.introduction = introduction,
            Err(error) => panic!("{} has no node: {error}", self.name),
        }
        self
    }

    /// Whether it has a node, or why not.
    pub(crate) fn started(&mut self) -> Result<Value, String> {
        self.answer("ready")
    }

    /// Where its control port is.
    pub(crate) fn control_port(&self) -> u16 {
        let address = self.introduction["control"].as_str().unwrap();
        address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// The id of its node.
    pub(crate) fn node_id(&self) -> &str {
        self.introduction["id"].as_str().unwrap()
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.program.id()
    }

    /// Tells it to do something, and waits until it has.
    pub(crate) fn ask(&mut self, command: Value) -> Value {
        let asked = command.to_string();
        match self.try_ask(command) {
            Ok(value) => value,
            Err(error) => panic!("{} was told {asked}: {error}", self.name),
        }
    }

    /// Tells it to do something that may fail.
    pub(crate) fn try_ask(&mut self, command: Value) -> Result<Value, String> {
        self.tell(command);
        self.answer("ok")
    }

    /// Tells it to do something that it is not waited for; [`done`](Self::done) does that.
    pub(crate) fn tell(&mut self, command: Value) {
        self.program.say(&command.to_string());
    }

    /// Waits for what it was told.
    pub(crate) fn done(&mut self) -> Value {
        self.answer("ok")
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Makes a publisher, a subscriber, a server or a client: "publish", "subscribe", "serve", "client".
    pub(crate) fn make(&mut self, what: &str, topic: &str) -> Value {
        self.ask(json!({"do": what, "topic": topic}))
    }

    /// Waits until a publisher or client has so many peers.
    pub(crate) fn wait_for(&mut self, topic: &str, n: usize) {
        self.ask(json!({"do": "wait", "topic": topic, "n": n}));
    }

    /// Publishes so many messages, all of which must be queued for all.
    pub(crate) fn send(&mut self, topic: &str, count: u64) {
        let sent = self.ask(json!({"do": "send", "topic": topic, "count": count}));
        assert_eq!(sent["dropped"], 0, "{}: {sent}", self.name);
    }

    /// Waits until it has heard `n` messages of a topic.
    pub(crate) fn heard(&mut self, topic: &str, n: u64) -> Value {
        let heard = self.ask(json!({"do": "heard", "topic": topic, "n": n}));
        assert!(
            heard["total"].as_u64() >= Some(n),
            "{} has heard only {heard} of {n}",
            self.name
        );
        heard
    }

    /// Publishes until it is heard. For when links were cut: what was sent before both ends know of that is lost.
    pub(crate) fn reaches(&mut self, subscriber: &mut Self, topic: &str) {
        let mut total = || subscriber.heard(topic, 0)["total"].as_u64();
        let before = total();
        wait_until("a message that comes through", || {
            self.send(topic, 1);
            (total() > before).then_some(())
        });
    }

    /// Waits until `n` requests have ended.
    pub(crate) fn ended(&mut self, topic: &str, n: u64) -> Value {
        let ended = self.ask(json!({"do": "ended", "topic": topic, "n": n}));
        assert!(
            ended["ended"].as_u64() >= Some(n),
            "{}: only {ended} of {n}",
            self.name
        );
        ended
    }

    /// Ends a flow of requests.
    pub(crate) fn stop(&mut self, topic: &str) -> Value {
        self.ask(json!({"do": "stop", "topic": topic}))
    }

    /// Waits for an event of this kind ("joined", "left") about that node; gives its time since the Unix epoch. It, and those before it, are
    /// gone then.
    pub(crate) fn sees(&mut self, event: &str, name: &str) -> Duration {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let told = match self.events.pop_front() {
                Some(told) => told,
                None => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    assert!(
                        !left.is_zero(),
                        "{} did not see that {name} has {event}, but {seen:?}",
                        self.name
                    );
                    self.read(left)
                }
            };
            if told["event"] == event && told["name"] == name {
                return Duration::from_nanos(told["at_ns"].as_u64().unwrap());
            }
            seen.push(told);
        }
    }

    /// Waits for an event of this kind about any node; gives its name and the time since the Unix epoch.
    pub(crate) fn sees_any(&mut self, event: &str) -> (String, Duration) {
        loop {
            let told = self
                .events
                .pop_front()
                .unwrap_or_else(|| self.read(PATIENCE));
            if told["event"] == event {
                let name = told["name"].as_str().unwrap().to_owned();
                return (name, Duration::from_nanos(told["at_ns"].as_u64().unwrap()));
            }
        }
    }

    /// The events told so far, without waiting.
    pub(crate) fn events_so_far(&mut self) -> Vec<Value> {
        self.ask(json!({"do": "graph"}));
        self.events.drain(..).collect()
    }

    /// Kills it; gives the time.
    pub(crate) fn kill(&mut self) -> Duration {
        let at = now();
        self.program.kill();
        at
    }

    /// Sends it a signal: "STOP", "CONT"; gives the time.
    pub(crate) fn signal(&self, name: &str) -> Duration {
        let at = now();
        self.program.signal(name);
        at
    }

    /// Ends its input, and with it the process, which must end well; gives the time.
    pub(crate) fn leave(&mut self) -> Duration {
        let at = now();
        self.program.end_input();
        assert!(self.end().success());
        at
    }

    /// How it ended.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.program.wait()
    }

    fn answer(&mut self, key: &str) -> Result<Value, String> {
        loop {
            let mut said = self.read(PATIENCE);
            if let Some(error) = said.get("error") {
                return Err(error.as_str().unwrap_or_default().to_owned());
            }
            if said.get(key).is_some() {
                return Ok(said[key].take());
            }
            self.events.push_back(said);
        }
    }

    fn read(&mut self, timeout: Duration) -> Value {
        let Some(line) = self.program.line(timeout) else {
            let words = self.last_words();
            panic!("{} has ended: {words}", self.name);
        };
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{} printed {line:?}", self.name))
    }

    /// Kills it; gives what it said on its standard error.
    pub(crate) fn last_words(&mut self) -> String {
        self.program.kill();
        self.errors
            .take()
            .map(|errors| errors.join().unwrap())
            .unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let said = self.last_words();
        if std::thread::panicking() {
            eprintln!("{} said: {said}", self.name);
        } else {
            assert!(
                self.loud || said.is_empty(),
                "{} printed by itself: {said}",
                self.name
            );
        }
    }
}
