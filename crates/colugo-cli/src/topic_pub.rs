//! `colugo topic pub`: publishes a payload, or the lines of the standard input, on a topic or at an address.

use std::io::{BufRead, IsTerminal, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use colugo::{Encode, EncodeError, Overflow, Publisher, SendError, WaitError};

use crate::args::{NetworkArgs, PubArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::hint::{self, Sought};
use crate::interrupt::{Interrupt, LOOK_EVERY};
use crate::output::say;
use crate::payload::guess_name;
use crate::session::Session;
use crate::target::Target;

/// Longest line of the standard input; longer ones would be over the limit of a message.
const LINE_MAX: usize = 64 << 20;
/// Lines read ahead.
const LINES_AHEAD: usize = 64;
/// How long sending waits for a subscriber that is slow, when no rate is to be kept.
const SLOW_MAX: Duration = Duration::from_secs(10);

pub(crate) fn run(network: &NetworkArgs, args: &PubArgs) -> Outcome {
    if args.connect && args.target.address().is_none() {
        return Err(Failure::with(
            Exit::Usage,
            "--connect needs an address: colugo topic pub --connect tcp://robot:5556 hello",
        ));
    }
    let mut session = Session::for_target(network, "topic-pub", &args.target)?;
    let mut builder = session
        .node
        .publisher(args.target.topic())
        .codec(Declared(encoding(args)));
    if let Some(address) = args.target.address() {
        builder = if args.connect {
            builder.connect(address)
        } else {
            builder.bind(address)
        };
    }
    if args.rate.is_none() {
        builder = builder.overflow(Overflow::Block(SLOW_MAX));
    }
    let publisher = builder
        .build()
        .map_err(|error| bind_failed(error, &args.target))?;
    if args.target.address().is_some() {
        publisher
            .endpoints()
            .iter()
            .for_each(|endpoint| say(format!("listening at {endpoint}")));
    }
    let mut sender = Sender {
        args,
        session: &session,
        publisher: &publisher,
        sent: 0,
        dropped: 0,
        reached: 0,
    };
    let published = sender
        .wait()
        .and_then(|there| if there { sender.publish() } else { Ok(()) });
    let Sender {
        sent,
        dropped,
        reached,
        ..
    } = sender;
    // Who has had its message may be gone by now.
    let to = if args.rate.is_some() {
        publisher.subscriber_count()
    } else {
        reached
    };
    let drained = session.close();
    published?;
    if sent == 0 && session.was_interrupted() {
        return Ok(Exit::Interrupted);
    }
    let plural = |n: u64| if n == 1 { "" } else { "s" };
    let (messages, subscribers) = (
        format!("{sent} message{}", plural(sent)),
        format!("{to} subscriber{}", plural(to as u64)),
    );
    if args.rate.is_some() {
        // They may have come and gone meanwhile.
        say(format!("published {messages}; {subscribers} at the end"));
    } else {
        say(format!("published {messages} to {subscribers}"));
    }
    if dropped > 0 {
        say(format!("{dropped} dropped: a subscriber is too slow"));
    }
    if !drained {
        say("some were not sent: a subscriber does not take them");
    }
    Ok(if dropped > 0 || !drained {
        Exit::Loss
    } else {
        Exit::Done
    })
}

/// Says what else can be done with an address that is not one of this machine.
pub(crate) fn bind_failed(error: colugo::BuildError, target: &Target) -> Failure {
    match (target, &error) {
        (Target::Address(address), colugo::BuildError::Bind { source, .. }) => Failure::new(
            format!("can't listen at {address}: {source} (to dial it instead: --connect)"),
        ),
        _ => error.into(),
    }
}

struct Sender<'a> {
    args: &'a PubArgs,
    session: &'a Session,
    publisher: &'a Publisher,
    sent: u64,
    dropped: u64,
    /// Subscribers that the last message was for.
    reached: usize,
}

impl Sender<'_> {
    /// Waits for the subscribers asked for. False: interrupted.
    fn wait(&self) -> Result<bool, Failure> {
        let unless_told = usize::from(self.args.rate.is_none());
        let wanted = self.args.wait_subscribers.unwrap_or(unless_told);
        let first = hint::AFTER.min(self.args.timeout);
        for (patience, last) in [
            (first, self.args.timeout <= first),
            (self.args.timeout.saturating_sub(first), true),
        ] {
            match self.publisher.wait_for_subscribers(wanted, patience) {
                Ok(()) => return Ok(true),
                Err(WaitError::Closed) => return Ok(false),
                Err(WaitError::TimedOut { have, .. }) if last => {
                    let message = format!(
                        "{have} of {wanted} subscribers of {} came in {:?}; nothing was published (--wait-subscribers, --timeout)",
                        self.args.target, self.args.timeout
                    );
                    return Err(Failure::with(Exit::NoData, message));
                }
                Err(WaitError::TimedOut { .. }) => self.hint(),
                Err(error) => return Err(Failure::new(error)),
            }
        }
        Ok(true)
    }

    fn hint(&self) {
        match &self.args.target {
            Target::Name(name) => hint::about_name(self.session, name, Sought::Subscriber),
            Target::Address(address) => {
                hint::about_address(
                    self.session,
                    address,
                    self.publisher.peers().len(),
                    !self.args.connect,
                    Sought::Subscriber,
                );
            }
        }
    }

    fn publish(&mut self) -> Result<(), Failure> {
        if self.args.payload != "-" {
            let payload = Bytes::from(self.args.payload.clone());
            let unless_told = if self.args.rate.is_some() {
                u64::MAX
            } else {
                1
            };
            let count = self.args.count.unwrap_or(unless_told);
            return self.paced(count, || Ok(Some(payload.clone())));
        }
        if std::io::stdin().is_terminal() {
            say("each line you type is published; Ctrl-D ends");
        }
        let lines = read_lines();
        let interrupt = self.session.interrupt.clone();
        self.paced(self.args.count.unwrap_or(u64::MAX), || {
            next_line(&lines, &interrupt)
        })
    }

    /// Publishes `count` payloads, at the rate asked for; fewer if `next` has no more, or when interrupted.
    fn paced(
        &mut self,
        count: u64,
        mut next: impl FnMut() -> Result<Option<Bytes>, Failure>,
    ) -> Result<(), Failure> {
        let period = self
            .args
            .rate
            .map(|rate| Duration::from_secs_f64(1.0 / rate));
        let mut due = Instant::now();
        while self.sent < count {
            if period.is_some() && !self.session.interrupt.sleep_until(due) {
                break;
            }
            let Some(payload) = next()? else { break };
            match self.publisher.send_bytes(payload) {
                Ok(sent) => {
                    self.dropped += u64::from(sent.dropped);
                    self.reached = (sent.queued + sent.dropped) as usize;
                }
                Err(SendError::Closed) => break,
                Err(error) => return Err(Failure::new(error)),
            }
            self.sent += 1;
            due += period.unwrap_or_default();
        }
        Ok(())
    }
}

/// The encoding to declare.
fn encoding(args: &PubArgs) -> String {
    match &args.encoding {
        Some(encoding) => encoding.clone(),
        None if args.payload == "-" => "raw".to_owned(),
        None => guess_name(args.payload.as_bytes()).to_owned(),
    }
}

/// Octets as they are, under an encoding's name.
struct Declared(String);

impl Encode<[u8]> for Declared {
    fn encoding(&self) -> &str {
        &self.0
    }

    fn encode<'a>(&self, value: &'a [u8], _: &'a mut Vec<u8>) -> Result<&'a [u8], EncodeError> {
        Ok(value)
    }
}

type Line = Result<Bytes, String>;

/// Reads the standard input on a thread of its own: a read can't be interrupted.
fn read_lines() -> Receiver<Line> {
    let (sender, lines) = sync_channel(LINES_AHEAD);
    let read = move || {
        let mut stdin = std::io::stdin().lock();
        while let Some(line) = read_line(&mut stdin) {
            let failed = line.is_err();
            if sender.send(line).is_err() || failed {
                break;
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("stdin".into()).spawn(read) {
        say(format!("can't start a thread: {error}"));
    }
    lines
}

/// The next line, without its end.
fn read_line(from: &mut impl BufRead) -> Option<Line> {
    let mut line = Vec::new();
    match from
        .by_ref()
        .take(LINE_MAX as u64 + 1)
        .read_until(b'\n', &mut line)
    {
        Ok(0) => None,
        Ok(_) if line.len() > LINE_MAX => {
            Some(Err(format!("a line is longer than {LINE_MAX} octets")))
        }
        Ok(_) => {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            Some(Ok(line.into()))
        }
        Err(error) => Some(Err(format!("can't read the standard input: {error}"))),
    }
}

fn next_line(lines: &Receiver<Line>, interrupt: &Interrupt) -> Result<Option<Bytes>, Failure> {
    loop {
        match lines.recv_timeout(LOOK_EVERY) {
            Ok(line) => return line.map(Some).map_err(Failure::new),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) if interrupt.is_set() => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lose_their_ends() {
        let mut input = &b"a\r\n\nb"[..];
        let lines: Vec<_> = std::iter::from_fn(|| read_line(&mut input)).collect();
        assert_eq!(
            lines,
            [Ok(Bytes::from("a")), Ok(Bytes::new()), Ok(Bytes::from("b"))]
        );
    }
}
