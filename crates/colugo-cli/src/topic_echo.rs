//! `colugo topic echo`: prints the messages of a topic, or of any ZeroMQ publisher at an address.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use colugo::{LinkId, Message, MessageMeta, RecvError, Subscriber};

use crate::args::{EchoArgs, NetworkArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::form::Printer;
use crate::hint::{self, Sought};
use crate::output::say;
use crate::session::Session;
use crate::target::Target;

/// Waiting without end, in pieces that every clock can add.
const FOREVER: Duration = Duration::from_secs(3600);
/// More publishers than these at once are not followed one by one.
const LINKS_MAX: usize = 4096;

pub(crate) fn run(network: &NetworkArgs, args: &EchoArgs) -> Outcome {
    if args.bind && args.target.address().is_none() {
        return Err(Failure::with(
            Exit::Usage,
            "--bind needs an address: colugo topic echo --bind 'tcp://*:5556'",
        ));
    }
    let mut session = Session::for_target(network, "topic-echo", &args.target)?;
    let mut builder = session
        .node
        .subscriber(args.target.topic())
        .parts()
        .prefix(args.prefix.clone().into_bytes());
    if let Some(address) = args.target.address() {
        builder = if args.bind {
            builder.bind(address)
        } else {
            builder.connect(address)
        };
    }
    let subscriber = builder.build()?;
    for endpoint in subscriber.endpoints() {
        say(format!("listening at {endpoint}"));
    }
    let outcome = Echo::new(args, &session, &subscriber).run();
    drop(subscriber);
    session.close();
    outcome
}

struct Echo<'a> {
    args: &'a EchoArgs,
    session: &'a Session,
    subscriber: &'a Subscriber<Vec<Bytes>>,
    printer: Printer,
    publishers: HashMap<LinkId, Publisher>,
    seen: u64,
    lost: u64,
    hinted: bool,
    /// When the last message came, or the beginning.
    last: Instant,
}

/// What is known of one publisher.
struct Publisher {
    /// The number its next message must have.
    next_seq: Option<u64>,
    declared: Option<String>,
}

impl<'a> Echo<'a> {
    fn new(
        args: &'a EchoArgs,
        session: &'a Session,
        subscriber: &'a Subscriber<Vec<Bytes>>,
    ) -> Self {
        let name = args.target.as_str();
        Self {
            args,
            session,
            subscriber,
            printer: Printer::new(args.form, "topic", name),
            publishers: HashMap::new(),
            seen: 0,
            lost: 0,
            hinted: false,
            last: Instant::now(),
        }
    }

    fn run(mut self) -> Outcome {
        while self.args.count.is_none_or(|count| self.seen < count) {
            let received = match self.subscriber.try_recv() {
                Ok(None) => {
                    self.printer.flush()?;
                    self.subscriber.recv_timeout(self.patience())
                }
                Ok(Some(message)) => Ok(message),
                Err(error) => Err(error),
            };
            match received {
                Ok(message) => self.show(&message)?,
                Err(RecvError::TimedOut(_)) if self.is_over() => break,
                Err(RecvError::TimedOut(_)) => self.hint(),
                Err(RecvError::Closed) => break,
                Err(error) => return Err(Failure::new(error)),
            }
        }
        self.printer.flush()?;
        self.end()
    }

    /// How long to wait before there is something else to do.
    fn patience(&self) -> Duration {
        let waited = self.last.elapsed();
        let hint = if self.hinted || self.seen > 0 {
            FOREVER
        } else {
            hint::AFTER.saturating_sub(waited)
        };
        let end = self
            .args
            .timeout
            .map_or(FOREVER, |timeout| timeout.saturating_sub(waited));
        hint.min(end)
    }

    fn is_over(&self) -> bool {
        self.args
            .timeout
            .is_some_and(|timeout| self.last.elapsed() >= timeout)
    }

    fn hint(&mut self) {
        if self.hinted || self.seen > 0 || self.last.elapsed() < hint::AFTER {
            return;
        }
        self.hinted = true;
        match &self.args.target {
            Target::Name(name) => hint::about_name(self.session, name, Sought::Topic),
            Target::Address(address) => hint::about_address(
                self.session,
                address,
                self.subscriber.publisher_count(),
                self.args.bind,
                Sought::Topic,
            ),
        }
    }

    fn show(&mut self, message: &Message<Vec<Bytes>>) -> Result<(), Failure> {
        let meta = message.meta;
        self.follow(&meta)?;
        let declared = self
            .publishers
            .get(&meta.link)
            .and_then(|publisher| publisher.declared.as_deref());
        self.printer.print(&message.value, declared, Some(&meta))?;
        self.seen += 1;
        self.last = Instant::now();
        Ok(())
    }

    /// Notices what is missing before this message.
    fn follow(&mut self, meta: &MessageMeta) -> Result<(), Failure> {
        if !self.publishers.contains_key(&meta.link) {
            if self.publishers.len() >= LINKS_MAX {
                self.publishers.clear();
            }
            let declared = self.declared();
            self.publishers.insert(
                meta.link,
                Publisher {
                    next_seq: None,
                    declared,
                },
            );
        }
        let (Some(publisher), Some(seq)) = (self.publishers.get_mut(&meta.link), meta.seq) else {
            return Ok(());
        };
        let gap = publisher.next_seq.is_some_and(|next| seq > next);
        publisher.next_seq = Some(seq.saturating_add(1));
        if gap {
            self.say_lost()?;
        }
        Ok(())
    }

    /// Says what the publishers' stamps tell: numbers that are missing because of a filter are no loss.
    fn say_lost(&mut self) -> Result<(), Failure> {
        let lost = self.subscriber.stats().lost;
        if lost > self.lost {
            // In the order in which things happened, also on one terminal.
            self.printer.flush()?;
            say(format!("lost {}", lost - self.lost));
            self.lost = lost;
        }
        Ok(())
    }

    /// The encoding that the topic's publishers declare, if they agree.
    fn declared(&self) -> Option<String> {
        let Target::Name(name) = &self.args.target else {
            return None;
        };
        let graph = self.session.node.graph();
        let topic = graph.topics.into_iter().find(|topic| topic.name == *name)?;
        match topic.encodings.as_slice() {
            [encoding] => Some(encoding.clone()),
            _ => None,
        }
    }

    fn end(mut self) -> Outcome {
        // Those at the end of a stream have no message after them that would tell.
        self.say_lost()?;
        let enough = self.args.count.unwrap_or(1) <= self.seen;
        if self.session.was_interrupted() {
            return Ok(if self.seen > 0 {
                Exit::Done
            } else {
                Exit::Interrupted
            });
        }
        if !enough {
            let timeout = self.args.timeout.unwrap_or_default();
            let what = if self.seen == 0 {
                "nothing came".to_owned()
            } else {
                format!("{} came, then nothing", self.seen)
            };
            return Err(Failure::with(
                Exit::NoData,
                format!("{what} on {} for {timeout:?}", self.args.target),
            ));
        }
        Ok(if self.args.count.is_some() && self.lost > 0 {
            Exit::Loss
        } else {
            Exit::Done
        })
    }
}
