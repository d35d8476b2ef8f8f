//! `Calls`: a request client's count of how its requests ended.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use colugo::{Node, RequestClient, RequestError};
use serde_json::{Value, json};

use crate::say::now_ns;
use crate::tally::Tally;

/// Long, so that a request that nobody answers is told from one that is cut off.
const TIMEOUT: Duration = Duration::from_secs(20);

/// One client.
pub(crate) struct Calls {
    line: Arc<Line>,
}

struct Line {
    client: RequestClient<str, String>,
    ends: Tally<Ends>,
}

#[derive(Debug, Default)]
struct Ends {
    begun: u64,
    ended: u64,
    flowing: bool,
    replies: BTreeMap<String, u64>,
    errors: BTreeMap<String, u64>,
    /// When the last one ended that failed.
    failed_ns: u64,
}

impl Calls {
    pub(crate) fn new(
        node: &Node,
        topic: &str,
        connect: Vec<String>,
        timeout_ms: Option<u64>,
    ) -> Result<Self, Box<dyn Error>> {
        let timeout = timeout_ms.map_or(TIMEOUT, Duration::from_millis);
        let builder = node.request_client(topic).text().timeout(timeout);
        let builder = connect
            .into_iter()
            .fold(builder, |builder, to| builder.connect(to));
        let (client, ends) = (builder.build()?, Tally::default());
        Ok(Self {
            line: Arc::new(Line { client, ends }),
        })
    }

    pub(crate) fn wait_for_servers(
        &self,
        n: usize,
        timeout: Duration,
    ) -> Result<(), Box<dyn Error>> {
        Ok(self.line.client.wait_for_servers(n, timeout)?)
    }

    /// One after another; these are counted apart.
    pub(crate) fn call(&self, count: u64) -> Value {
        let mut ends = Ends::default();
        for number in 0..count {
            let question = number.to_string();
            ends.note(&question, self.line.client.request(&question).wait());
        }
        ends.told()
    }

    /// All at once.
    pub(crate) fn start(&self, count: u64) {
        for _ in 0..count {
            let question = self.line.ends.update(Ends::begin);
            self.line.clone().ask(question);
        }
    }

    /// One after another, in so many lines.
    pub(crate) fn flow(&self, width: u64) {
        self.line.ends.update(|ends| ends.flowing = true);
        self.start(width);
    }

    pub(crate) fn ended(&self, n: u64) -> Value {
        self.line.ends.wait(|ends| ends.ended >= n).told()
    }

    pub(crate) fn stop(&self) -> Value {
        self.line.ends.update(|ends| ends.flowing = false);
        self.line.ends.wait(|ends| ends.ended == ends.begun).told()
    }
}

impl Line {
    fn ask(self: Arc<Self>, question: String) {
        let line = self.clone();
        let asked = question.clone();
        self.client.request(&question).on_reply(move |reply| {
            let next = line.ends.update(|ends| {
                ends.note(&asked, reply);
                ends.flowing.then(|| ends.begin())
            });
            if let Some(next) = next {
                line.ask(next);
            }
        });
    }
}

impl Ends {
    /// The next question.
    fn begin(&mut self) -> String {
        self.begun += 1;
        self.begun.to_string()
    }

    fn note(&mut self, question: &str, reply: Result<String, RequestError>) {
        self.ended += 1;
        let error = match reply {
            Ok(reply) => match reply.split_once(' ') {
                Some((server, echo)) if echo == question => {
                    *self.replies.entry(server.to_owned()).or_default() += 1;
                    return;
                }
                _ => "WrongReply".to_owned(),
            },
            Err(RequestError::Disconnected { .. }) => "Disconnected".to_owned(),
            Err(RequestError::TimedOut { .. }) => "TimedOut".to_owned(),
            Err(RequestError::NoServer { .. }) => "NoServer".to_owned(),
            Err(other) => other.to_string(),
        };
        *self.errors.entry(error).or_default() += 1;
        self.failed_ns = now_ns();
    }

    fn told(&self) -> Value {
        json!({
            "ended": self.ended,
            "replies": self.replies,
            "errors": self.errors,
            "failed_ns": self.failed_ns,
        })
    }
}
