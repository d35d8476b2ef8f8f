//! `Case`: what a bad peer does, and what it sees then of each of the two implementations. Data only.

use std::time::Duration;

use super::fact::Fact;
use super::target::Kind;

/// Who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The socket under trial; the peer dials.
    Listens,
    /// The socket under trial dials the peer, and again when that ends.
    Dials,
}

/// Whose socket is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Colugo's.
    Ours,
    /// libzmq's.
    Libzmq,
}

/// How the socket under trial is set up.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Its type.
    pub kind: Kind,
    /// Longest handshake.
    pub handshake: Duration,
    /// Messages in its receive queue, and in its send queue.
    pub queue: usize,
}

/// One step of the peer's. What it reads in any of them is kept for the verdict.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends octets, in one write.
    Send(Vec<u8>),
    /// Sends the same octets so many times.
    Repeat(usize, Vec<u8>),
    /// Sends octets in pieces of this size, each in a write and a segment of its own.
    Pieces(usize, Vec<u8>),
    /// Sends an octet every 20 ms until the other side hangs up.
    Drip(Vec<u8>),
    /// Reads until so many octets have come in all.
    Read(usize),
    /// Sends greeting and READY as the right peer for the socket, speaking 3.`minor`, and reads both.
    Shake {
        /// Minor version.
        minor: u8,
    },
    /// Reads greeting and READY.
    HearReady,
    /// Has the program send this message until it arrives.
    Until(&'static [u8]),
    /// Waits until so many more frames have come after READY.
    Hear(usize),
    /// Reads for so long; fails the test when a frame comes.
    Silence(Duration),
    /// Reads for so long whatever comes.
    Watch(Duration),
    /// Has the program behind the socket do something.
    Have(Act),
    /// Goes on with a second connection; the first stays.
    Second,
    /// Ends the connection, and where it listens waits for the next.
    HangUp,
    /// Ends it by a reset.
    Reset,
}

/// What the program behind the socket does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Subscribes to a topic.
    Subscribe(&'static [u8]),
    /// Takes one subscription to it back.
    Unsubscribe(&'static [u8]),
    /// Sends a message of one frame.
    Send(&'static [u8]),
    /// Takes so many messages; fails the test when they do not come.
    Take(usize),
}

/// One row.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name of its test.
    pub name: &'static str,
    /// What the peer does, as a clause whose subject it is.
    pub does: &'static str,
    /// Where the rule is, or the fault that it is about.
    pub source: &'static str,
    /// The socket under trial.
    pub settings: Settings,
    /// Whether that listens.
    pub role: Role,
    /// The script.
    pub steps: Vec<Step>,
    /// Whether a PING at the end can tell if the connection is still served.
    pub ping: bool,
    /// What ours does.
    pub ours: Vec<Fact>,
    /// What libzmq 4.3.5 does.
    pub libzmq: Vec<Fact>,
    /// Why the two differ. Empty: they do not.
    pub reason: &'static str,
}

impl Case {
    /// What is expected.
    pub fn verdict(&self, whose: Whose) -> &[Fact] {
        match whose {
            Whose::Ours => &self.ours,
            Whose::Libzmq => &self.libzmq,
        }
    }

    /// Whether its verdict is about memory, so that nothing else may happen in the process meanwhile.
    pub fn weighs(&self) -> bool {
        let memory = |fact: &Fact| matches!(fact, Fact::TakesAtMost(_) | Fact::TakesOver(_));
        self.ours.iter().chain(&self.libzmq).any(memory)
    }
}

/// A case with a socket that listens.
pub(super) fn listens(kind: Kind, name: &'static str, does: &'static str) -> Case {
    case(kind, Role::Listens, name, does)
}

/// A case with a socket that dials.
pub(super) fn dials(kind: Kind, name: &'static str, does: &'static str) -> Case {
    case(kind, Role::Dials, name, does)
}

fn case(kind: Kind, role: Role, name: &'static str, does: &'static str) -> Case {
    Case {
        name,
        does,
        source: "",
        settings: Settings {
            kind,
            handshake: Duration::from_secs(60),
            queue: 1000,
        },
        role,
        steps: Vec::new(),
        ping: true,
        ours: Vec::new(),
        libzmq: Vec::new(),
        reason: "",
    }
}

impl Case {
    pub(super) fn source(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }

    /// The script.
    pub(super) fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }

    /// The script: a handshake as it should be, then these octets.
    pub(super) fn shaken(self, octets: impl AsRef<[u8]>) -> Self {
        self.steps([
            Step::Shake { minor: 1 },
            Step::Send(octets.as_ref().to_vec()),
        ])
    }

    /// The script: these octets from the first on.
    pub(super) fn opens(self, octets: impl AsRef<[u8]>) -> Self {
        self.steps([Step::Send(octets.as_ref().to_vec())])
    }

    /// The script: these octets up to READY, and these others once the socket has said its own.
    pub(super) fn greets(self, handshake: impl AsRef<[u8]>, traffic: impl AsRef<[u8]>) -> Self {
        self.steps([
            Step::Send(handshake.as_ref().to_vec()),
            Step::HearReady,
            Step::Send(traffic.as_ref().to_vec()),
        ])
    }

    /// The handshake is not done at the end of the script, so a PING would be one octet more of it.
    pub(super) fn unfinished(mut self) -> Self {
        self.ping = false;
        self
    }

    /// With a short time for handshakes.
    pub(super) fn deadline(mut self, handshake: Duration) -> Self {
        self.settings.handshake = handshake;
        self
    }

    pub(super) fn queue(mut self, messages: usize) -> Self {
        self.settings.queue = messages;
        self
    }

    pub(super) fn both(mut self, facts: impl IntoIterator<Item = Fact>) -> Self {
        self.ours = facts.into_iter().collect();
        self.libzmq = self.ours.clone();
        self
    }

    pub(super) fn ours(mut self, facts: impl IntoIterator<Item = Fact>) -> Self {
        self.ours = facts.into_iter().collect();
        self
    }

    pub(super) fn libzmq(
        mut self,
        facts: impl IntoIterator<Item = Fact>,
        reason: &'static str,
    ) -> Self {
        self.libzmq = facts.into_iter().collect();
        self.reason = reason;
        self
    }
}
