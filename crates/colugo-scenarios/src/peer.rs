//! `Peer`: the node with all that was made of it, by topic.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::time::Duration;

use colugo::{Node, Publisher};
use serde_json::{Value, json};

use crate::calls::Calls;
use crate::command::Command;
use crate::hearing::Hearing;
use crate::options::Options;
use crate::serving::Serving;

/// How long others are waited for.
const PATIENCE: Duration = Duration::from_secs(25);

pub(crate) struct Peer {
    node: Node,
    publishers: HashMap<String, Publisher<str>>,
    hearings: HashMap<String, Hearing>,
    servings: HashMap<String, Serving>,
    calls: HashMap<String, Calls>,
    files: Vec<File>,
}

impl Peer {
    pub(crate) fn start(options: &Options) -> Result<Self, Box<dyn Error>> {
        if options.log {
            colugo::log_to_stderr();
        }
        let node = options.builder.clone().build()?;
        let events = node.events();
        std::thread::Builder::new().spawn(move || crate::events::tell(events))?;
        node.spawn()?;
        Ok(Self {
            node,
            publishers: HashMap::new(),
            hearings: HashMap::new(),
            servings: HashMap::new(),
            calls: HashMap::new(),
            files: Vec::new(),
        })
    }

    pub(crate) fn introduction(&self) -> Value {
        json!({
            "id": self.node.id().to_string(),
            "control": self.node.control_address().map(|address| address.to_string()),
            "namespace": self.node.namespace(),
        })
    }

    pub(crate) fn obey(&mut self, command: Command) -> Result<Value, Box<dyn Error>> {
        match command {
            Command::Publish { topic, bind } => self.publish(topic, bind),
            Command::Subscribe { topic, connect } => {
                let hearing = Hearing::start(&self.node, &topic, connect)?;
                self.hearings.insert(topic, hearing);
                Ok(Value::Null)
            }
            Command::Serve { topic, hold } => {
                let serving = Serving::start(&self.node, &topic, hold)?;
                let endpoints = serving.endpoints();
                self.servings.insert(topic, serving);
                Ok(endpoints.into())
            }
            Command::Client {
                topic,
                connect,
                timeout_ms,
            } => {
                let calls = Calls::new(&self.node, &topic, connect, timeout_ms)?;
                self.calls.insert(topic, calls);
                Ok(Value::Null)
            }
            Command::Wait { topic, n } => self.wait(&topic, n),
            Command::Send { topic, count } => self.send(&topic, count),
            Command::Heard { topic, n } => Ok(known(&self.hearings, &topic)?.after(n)),
            Command::Call { topic, count } => Ok(known(&self.calls, &topic)?.call(count)),
            Command::Start { topic, count } => {
                known(&self.calls, &topic)?.start(count);
                Ok(Value::Null)
            }
            Command::Flow { topic, width } => {
                known(&self.calls, &topic)?.flow(width);
                Ok(Value::Null)
            }
            Command::Ended { topic, n } => Ok(known(&self.calls, &topic)?.ended(n)),
            Command::Stop { topic } => Ok(known(&self.calls, &topic)?.stop()),
            Command::Held { topic, n } => Ok(known(&self.servings, &topic)?.held(n).into()),
            Command::Drop { topic } => {
                self.drop_topic(&topic);
                Ok(Value::Null)
            }
            Command::Graph => Ok(self.graph()),
            Command::Block { ms } => {
                let (begun, told) = std::sync::mpsc::channel();
                let block = move || {
                    let _ = begun.send(());
                    std::thread::sleep(Duration::from_millis(ms));
                };
                self.node.after(Duration::ZERO, block)?.detach();
                told.recv_timeout(PATIENCE)?;
                Ok(Value::Null)
            }
            Command::Exhaust => {
                self.files
                    .extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
                Ok(self.files.len().into())
            }
            Command::Release => {
                self.files = Vec::new();
                Ok(Value::Null)
            }
            Command::Close => {
                self.node.close().wait()?;
                Ok(Value::Null)
            }
        }
    }

    fn publish(&mut self, topic: String, bind: Option<String>) -> Result<Value, Box<dyn Error>> {
        let builder = self.node.publisher(&topic).text();
        let builder = bind
            .into_iter()
            .fold(builder, |builder, at| builder.bind(at));
        let publisher = builder.build()?;
        let endpoints = publisher.endpoints();
        self.publishers.insert(topic, publisher);
        Ok(endpoints.into())
    }

    fn wait(&self, topic: &str, n: usize) -> Result<Value, Box<dyn Error>> {
        match self.publishers.get(topic) {
            Some(publisher) => publisher.wait_for_subscribers(n, PATIENCE)?,
            None => known(&self.calls, topic)?.wait_for_servers(n, PATIENCE)?,
        }
        Ok(Value::Null)
    }

    fn send(&self, topic: &str, count: u64) -> Result<Value, Box<dyn Error>> {
        let publisher = known(&self.publishers, topic)?;
        let name = self.node.name();
        let (mut queued, mut dropped) = (0_u64, 0_u64);
        for number in 0..count {
            let sent = publisher.send(&format!("{name} {number}"))?;
            queued += u64::from(sent.queued);
            dropped += u64::from(sent.dropped);
        }
        Ok(json!({"queued": queued, "dropped": dropped}))
    }

    fn drop_topic(&mut self, topic: &str) {
        self.publishers.remove(topic);
        self.hearings.remove(topic);
        self.servings.remove(topic);
        self.calls.remove(topic);
    }

    fn graph(&self) -> Value {
        let graph = self.node.graph();
        let nodes: Vec<_> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
        let topics = graph
            .topics
            .iter()
            .map(|topic| (topic.name.clone(), topic.endpoints.clone().into()));
        let services = graph
            .services
            .iter()
            .map(|it| (it.name.clone(), it.endpoints.clone().into()));
        json!({
            "nodes": nodes,
            "topics": Value::Object(topics.collect()),
            "services": Value::Object(services.collect()),
        })
    }
}

fn known<'a, T>(made: &'a HashMap<String, T>, topic: &str) -> Result<&'a T, String> {
    made.get(topic)
        .ok_or_else(|| format!("nothing of that kind was made of {topic}"))
}
