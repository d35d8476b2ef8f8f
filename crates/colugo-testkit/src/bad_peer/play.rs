//! Plays a case against a socket and compares what was seen with the verdict.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::case::{Act, Case, Role, Settings, Step, Whose};
use super::connection::{Connection, Gone, is_ready};
use super::fact::Fact;
use super::honest::{self, MESSAGE};
use super::target::{Kind, Target};
use super::telling::{told, written};
use crate::wait::PATIENCE;
use crate::wire::{command, greeting, ready};

/// How long it is watched that something does not happen.
const ABSENCE: Duration = Duration::from_millis(500);
/// A busy machine may be so late with a deadline.
const LATE: Duration = Duration::from_secs(15);
/// libzmq dials again after 0.1 to 0.2 s, ours after 0.05 s at first.
const NO_REDIAL: Duration = Duration::from_secs(1);
/// By its answer it is known that all before it was read.
const CONTEXT: &[u8] = b"still there?";

/// Plays `case` against the socket that `open` makes, and fails the test where it does something else than the verdict of `whose` says. An
/// honest peer beside the bad one, or found by dialling again, is always served.
pub fn check<T: Target>(case: &Case, whose: Whose, open: impl FnOnce(&Settings) -> T) {
    let expected = case.verdict(whose);
    let mut target = open(&case.settings);
    if matches!(case.settings.kind, Kind::Sub | Kind::XSub) {
        target.subscribe(MESSAGE);
    }
    let mut play = Play::begin(case, expected, &mut target);
    if case.weighs() {
        play.warm_up();
        play.target.forget_peak();
    }
    let before = play.target.peak_kib();
    let outcome = play.steps();
    let mut seen = play.finish(outcome);
    seen.extend(weigh(expected, before, target.peak_kib()));
    assert_eq!(
        seen,
        expected,
        "{}: it {}, but {whose:?} is to do: {}",
        case.name,
        written(&seen),
        written(expected)
    );
}

struct Play<'a> {
    case: &'a Case,
    expected: &'a [Fact],
    target: &'a mut dyn Target,
    port: u16,
    listener: Option<TcpListener>,
    connections: Vec<Connection>,
}

impl<'a> Play<'a> {
    fn begin(case: &'a Case, expected: &'a [Fact], target: &'a mut dyn Target) -> Self {
        let mut play = Self {
            case,
            expected,
            target,
            port: 0,
            listener: None,
            connections: Vec::new(),
        };
        if case.role == Role::Listens {
            play.port = play.target.listen();
        } else {
            let listener = TcpListener::bind("127.0.0.1:0");
            let listener = listener.unwrap_or_else(|error| panic!("no port to listen on: {error}"));
            let addr = listener.local_addr();
            play.target
                .dial(addr.map(|it| it.port()).unwrap_or_default());
            play.listener = Some(listener);
        }
        play
    }

    fn expects(&self, fact: impl Fn(&Fact) -> bool) -> bool {
        self.expected.iter().any(fact)
    }

    /// What is needed once is there before memory is measured.
    fn warm_up(&mut self) {
        if self.case.role == Role::Listens {
            self.serve_another();
        }
    }

    fn steps(&mut self) -> Result<(), Gone> {
        self.connect();
        for step in &self.case.steps {
            self.step(step)?;
        }
        Ok(())
    }

    fn connect(&mut self) {
        let next = match self.case.role {
            Role::Listens => Some(Connection::dial(self.port)),
            Role::Dials => self.accept(PATIENCE),
        };
        let Some(next) = next else {
            panic!("{}: the socket has not dialled", self.case.name);
        };
        self.connections.push(next);
    }

    /// The next connection of a socket that dials, if it comes within this time.
    fn accept(&self, within: Duration) -> Option<Connection> {
        let listener = self.listener.as_ref()?;
        let deadline = Instant::now() + within;
        listener.set_nonblocking(true).ok()?;
        loop {
            if let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(false).ok()?;
                return Some(Connection::over(stream));
            }
            if Instant::now() > deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), Gone> {
        let peer = self.case.settings.kind.peer();
        let bad = match step {
            Step::Second => {
                self.connect();
                return Ok(());
            }
            Step::Have(act) => {
                self.act(act);
                return Ok(());
            }
            Step::Until(message) => return self.until(message),
            Step::HangUp => {
                self.connections.pop();
                return Ok(());
            }
            Step::Reset => {
                if let Some(bad) = self.connections.pop() {
                    bad.reset();
                }
                return Ok(());
            }
            _ => self.connections.last_mut(),
        };
        let Some(bad) = bad else {
            panic!("{}: the script hung up before {step:?}", self.case.name);
        };
        match step {
            Step::Send(octets) => bad.send(octets),
            Step::Repeat(times, octets) => (0..*times).try_for_each(|_| bad.send(octets)),
            Step::Pieces(size, octets) => octets.chunks(*size).try_for_each(|it| bad.send(it)),
            Step::Drip(octets) => octets.iter().cycle().try_for_each(|octet| {
                bad.send(&[*octet])?;
                bad.listen(Duration::from_millis(20)).map(|_| ())
            }),
            Step::Read(len) => {
                let enough = bad.listen_until(PATIENCE, |it| it.heard.len() >= *len)?;
                assert!(enough, "{len} octets did not come, but {:02x?}", bad.heard);
                Ok(())
            }
            Step::Shake { minor } => bad.shake(&[greeting(*minor), ready(peer)].concat()),
            Step::HearReady => bad.hear_ready(),
            Step::Hear(count) => bad.hear(*count),
            Step::Silence(time) => {
                let before = bad.frames().len();
                let heard = bad.listen_until(*time, |it| it.frames().len() > before)?;
                assert!(!heard, "{}: it says {:?}", self.case.name, bad.frames());
                Ok(())
            }
            Step::Watch(time) => bad.listen_until(*time, |_| false).map(|_| ()),
            Step::Second | Step::Have(_) | Step::Until(_) | Step::HangUp | Step::Reset => Ok(()),
        }
    }

    /// A socket that publishes learns of a subscription at some time of its own.
    fn until(&mut self, message: &'static [u8]) -> Result<(), Gone> {
        let Some(bad) = self.connections.last_mut() else {
            return Err(Gone);
        };
        let count = |it: &Connection| it.frames().iter().filter(|it| it.1 == message).count();
        let before = count(bad);
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.target.send(&[message]);
            if bad.listen_until(Duration::from_millis(20), |it| count(it) > before)? {
                return Ok(());
            }
            let name = self.case.name;
            assert!(
                Instant::now() < deadline,
                "{name}: {message:?} did not arrive"
            );
        }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Subscribe(topic) => self.target.subscribe(topic),
            Act::Unsubscribe(topic) => self.target.unsubscribe(topic),
            Act::Send(message) => self.target.send(&[message]),
            Act::Take(count) => {
                for number in 0..*count {
                    let taken = self.target.recv(PATIENCE);
                    assert!(taken.is_some(), "{}: only {number} came", self.case.name);
                }
            }
        }
    }

    /// What is to be seen after the script.
    fn finish(&mut self, outcome: Result<(), Gone>) -> Vec<Fact> {
        let end = outcome
            .and_then(|()| self.how_it_stands())
            .unwrap_or_else(|Gone| Some(self.closed()));
        let mut seen = self.said();
        seen.extend(end.clone());
        let (delivered, dialled) = match self.case.role {
            // It has one peer, and that is the bad one.
            Role::Listens if self.case.settings.kind == Kind::Pair => (self.drain(), None),
            Role::Listens => (self.serve_another(), None),
            Role::Dials if matches!(end, Some(Fact::StaysOpen)) => (self.serve_this(), None),
            Role::Dials if end == Some(Fact::GoesMute) => (self.drain(), None),
            Role::Dials => self.serve_redialled(),
        };
        let tell = |message: &Vec<Vec<u8>>| Fact::Delivers(told(message));
        seen.extend(delivered.iter().map(tell));
        seen.extend(dialled);
        seen
    }

    fn how_it_stands(&mut self) -> Result<Option<Fact>, Gone> {
        let may_stay = self.expects(|it| matches!(it, Fact::StaysOpen | Fact::GoesMute));
        let may_be_mute = self.expects(|it| *it == Fact::GoesMute);
        let ping = self.case.ping && may_stay;
        let deadline = self.case.settings.handshake;
        let absence = if deadline < PATIENCE {
            deadline + ABSENCE
        } else {
            ABSENCE
        };
        let Some(bad) = self.connections.last_mut() else {
            return Ok(None);
        };
        if !ping {
            let patience = if may_stay { absence } else { PATIENCE };
            bad.listen_until(patience, |_| false)?;
            return Ok(Some(Fact::StaysOpen));
        }
        bad.send(&command("PING", &[&[0, 0], CONTEXT].concat()))?;
        let patience = if may_be_mute { ABSENCE } else { PATIENCE };
        let answered = self.pong_within(patience)?;
        Ok(Some(match answered {
            true => Fact::StaysOpen,
            false => Fact::GoesMute,
        }))
    }

    /// libzmq takes subscriptions in, and with them all that came behind, only while something is published: a script that waits for a message goes
    /// on with it.
    fn pong_within(&mut self, patience: Duration) -> Result<bool, Gone> {
        let pong = [b"\x04PONG", CONTEXT].concat();
        let published = self.case.steps.iter().rev().find_map(|step| match step {
            Step::Until(message) => Some(*message),
            _ => None,
        });
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let slice = match published {
                Some(message) => {
                    self.target.send(&[message]);
                    left.min(Duration::from_millis(20))
                }
                None => left,
            };
            let Some(bad) = self.connections.last_mut() else {
                return Err(Gone);
            };
            let answered = |it: &Connection| it.frames().iter().any(|(_, body)| *body == pong);
            let answered = bad.listen_until(slice, answered)?;
            if answered || Instant::now() >= deadline {
                return Ok(answered);
            }
        }
    }

    fn closed(&self) -> Fact {
        // A socket that dials has begun to wait before the connection was accepted here, and libzmq's clock is coarse.
        let deadline = self.case.settings.handshake;
        let earliest = match self.case.role {
            Role::Listens => deadline * 9 / 10,
            Role::Dials => deadline / 2,
        };
        let lived = self.connections.last().map(|it| it.since.elapsed());
        if lived.is_none_or(|lived| lived < earliest) {
            return Fact::Closes;
        }
        let late = lived.filter(|lived| *lived > deadline + LATE);
        assert_eq!(late, None, "{}: it closes too late", self.case.name);
        Fact::ClosesAtDeadline
    }

    /// What was said to the bad peer, beyond what is said to every peer.
    fn said(&self) -> Vec<Fact> {
        let Some(bad) = self.connections.last() else {
            return Vec::new();
        };
        if self.expects(|it| matches!(it, Fact::Tells(_))) {
            return vec![Fact::Tells(bad.heard.len())];
        }
        let pong = [b"\x04PONG", CONTEXT].concat();
        let subscribed = [b"\x09SUBSCRIBE", MESSAGE].concat();
        let usual = |frame: &(u8, &[u8])| {
            is_ready(frame) || frame.1 == pong || frame.1 == subscribed || frame.1[..] == old_form()
        };
        let mut frames = bad.frames();
        frames.retain(|frame| !usual(frame));
        if !self.case.ping {
            frames.retain(|(_, body)| body.starts_with(b"\x05ERROR"));
        }
        let mut said = super::telling::said(&frames);
        // What was sent until it arrived may have arrived more often.
        said.dedup_by(|a, b| a == b && a.starts_with("message"));
        said.into_iter().map(Fact::Says).collect()
    }

    fn serve_another(&mut self) -> Vec<Vec<Vec<u8>>> {
        let mut honest = Connection::dial(self.port);
        self.serve(&mut honest)
    }

    fn serve(&mut self, honest: &mut Connection) -> Vec<Vec<Vec<u8>>> {
        let kind = self.case.settings.kind;
        let shaken = honest.shake(&honest::hello(kind));
        assert_eq!(shaken, Ok(()), "{}: the honest peer", self.case.name);
        honest::serve(self.target, kind, honest)
    }

    /// The bad peer turns honest.
    fn serve_this(&mut self) -> Vec<Vec<Vec<u8>>> {
        match self.connections.pop() {
            Some(mut bad) if self.case.ping => {
                honest::serve(self.target, self.case.settings.kind, &mut bad)
            }
            _ => self.drain(),
        }
    }

    fn serve_redialled(&mut self) -> (Vec<Vec<Vec<u8>>>, Option<Fact>) {
        let gives_up = self.expects(|it| *it == Fact::GivesUp);
        self.connections.clear();
        let patience = if gives_up { NO_REDIAL } else { PATIENCE };
        match self.accept(patience) {
            Some(mut honest) => (self.serve(&mut honest), Some(Fact::DialsAgain)),
            None => (self.drain(), Some(Fact::GivesUp)),
        }
    }

    fn drain(&mut self) -> Vec<Vec<Vec<u8>>> {
        if matches!(self.case.settings.kind, Kind::Pub | Kind::Push) {
            return Vec::new();
        }
        std::iter::from_fn(|| self.target.recv(Duration::ZERO)).collect()
    }
}

/// The subscription that every SUB under trial has, as a message.
fn old_form() -> Vec<u8> {
    [&[1], MESSAGE].concat()
}

fn weigh(expected: &[Fact], before: Option<u64>, after: Option<u64>) -> Option<Fact> {
    let memory = |fact: &&Fact| matches!(fact, Fact::TakesAtMost(_) | Fact::TakesOver(_));
    let bound = expected.iter().find(memory)?;
    let (Some(before), Some(after)) = (before, after) else {
        return Some(bound.clone());
    };
    let taken = after.saturating_sub(before);
    println!("{taken} KiB taken");
    let (Fact::TakesAtMost(kib) | Fact::TakesOver(kib)) = *bound else {
        return None;
    };
    Some(if taken > kib {
        Fact::TakesOver(kib)
    } else {
        Fact::TakesAtMost(kib)
    })
}
