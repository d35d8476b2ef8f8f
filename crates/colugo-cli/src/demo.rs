//! `colugo demo`: six processes that find each other by discovery alone and talk, and a table of how they fare.
//!
//! This is the process that watches: it starts the others in a namespace of their own, hears their reports over pipes, and is no node itself.
//! The others are in [`part`]; they end with their standard input, so at the latest with this process.

mod board;
mod part;
mod process;
mod report;

use std::hash::{BuildHasher, RandomState};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::args::{DemoArgs, NetworkArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::output::{Out, say};

use board::Board;
pub(crate) use part::run as run_part;
use process::{Heard, Process};

/// What a process of the demo does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Publishes [`TOPIC`].
    Publisher,
    /// Subscribes to it.
    Subscriber,
    /// Serves [`SERVICE`].
    Server,
    /// Calls it.
    Client,
}

impl Role {
    fn does(self) -> String {
        match self {
            Self::Publisher => format!("publishes {TOPIC}"),
            Self::Subscriber => format!("subscribes to {TOPIC}"),
            Self::Server => format!("serves {SERVICE}"),
            Self::Client => format!("calls {SERVICE}"),
        }
    }

    /// Those who begin; they are stopped first, so that what is under way arrives.
    fn begins(self) -> bool {
        matches!(self, Self::Publisher | Self::Client)
    }
}

/// What is published, and called.
const TOPIC: &str = "pose";
const SERVICE: &str = "add";
/// The processes.
const PARTS: [(&str, Role); 6] = [
    ("talker", Role::Publisher),
    ("listener-1", Role::Subscriber),
    ("listener-2", Role::Subscriber),
    ("adder", Role::Server),
    ("asker-1", Role::Client),
    ("asker-2", Role::Client),
];

/// Who is not found by then is reported missing.
const FIND_MAX: Duration = Duration::from_secs(20);
/// How long the processes may take to end.
const END_MAX: Duration = Duration::from_secs(5);
/// How often reports are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) fn run(network: &NetworkArgs, args: &DemoArgs) -> Outcome {
    let interrupt = Interrupt::watch()?;
    let mut out = Out::new();
    let namespace = format!(
        "demo-{:08x}",
        RandomState::new().hash_one(std::process::id()) as u32
    );
    let (sender, heard) = channel();
    let start = |(index, (name, role)): (usize, &(&'static str, Role))| {
        Process::start(index, name, *role, &namespace, network, &sender)
    };
    let processes = PARTS
        .iter()
        .enumerate()
        .map(start)
        .collect::<Result<Vec<_>, _>>()?;
    let mut demo = Demo {
        processes,
        heard,
        interrupt,
        board: Board::new(&namespace, args.json),
        began: Instant::now(),
    };
    demo.board.open(&mut out)?;
    demo.until(&mut out, Instant::now() + FIND_MAX, Demo::all_found)?;
    if demo.all_found() {
        demo.until(&mut out, Instant::now() + args.seconds, |demo| {
            demo.somebody_ended()
        })?;
    }
    let talked = demo.began.elapsed();
    demo.stop(&mut out)?;
    demo.board.close(&mut out, &demo.processes, talked)?;
    demo.verdict()
}

struct Demo {
    processes: Vec<Process>,
    heard: Receiver<Heard>,
    interrupt: Interrupt,
    board: Board,
    began: Instant,
}

impl Demo {
    fn all_found(&self) -> bool {
        self.processes
            .iter()
            .all(|process| process.report.found_ms.is_some())
    }

    fn somebody_ended(&self) -> bool {
        self.processes.iter().any(|process| process.ended)
    }

    /// Hears reports and shows them until `done`, the deadline, or Ctrl-C.
    fn until(
        &mut self,
        out: &mut Out,
        deadline: Instant,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), Failure> {
        while !done(self) && Instant::now() < deadline && !self.interrupt.is_set() {
            self.hear();
            self.board
                .show(out, &self.processes, self.began.elapsed())?;
        }
        Ok(())
    }

    /// Takes in the reports that came.
    fn hear(&mut self) {
        let mut next = self.heard.recv_timeout(LOOK_EVERY).ok();
        while let Some(heard) = next {
            if let Some(process) = self.processes.get_mut(heard.index) {
                process.hear(heard.report);
            }
            next = self.heard.try_recv().ok();
        }
    }

    /// Ends those who begin, then those who answer, once all that was under way has come.
    fn stop(&mut self, out: &mut Out) -> Result<(), Failure> {
        for beginners in [true, false] {
            let concerned = |process: &&mut Process| process.role.begins() == beginners;
            self.processes
                .iter_mut()
                .filter(concerned)
                .for_each(Process::stop);
            let deadline = Instant::now() + END_MAX;
            let over = |demo: &Self| {
                demo.processes
                    .iter()
                    .filter(|p| p.role.begins() == beginners)
                    .all(|p| p.ended)
            };
            while !over(self) && Instant::now() < deadline {
                self.hear();
                self.board
                    .show(out, &self.processes, self.began.elapsed())?;
            }
        }
        Ok(())
    }

    fn verdict(&self) -> Outcome {
        for process in self.processes.iter().filter(|process| !process.report.done) {
            say(format!(
                "{} did not end in order{}",
                process.name,
                process.last_words()
            ));
        }
        let missing: Vec<_> = self
            .processes
            .iter()
            .filter(|process| process.report.found_ms.is_none())
            .map(|p| p.name)
            .collect();
        if !missing.is_empty() {
            if self.interrupt.is_set() {
                return Ok(Exit::Interrupted);
            }
            return Err(Failure::new(format!(
                "{} did not find all others in {FIND_MAX:?}. Does a firewall block local connections? Try: colugo demo --interface lo",
                missing.join(", ")
            )));
        }
        if self.processes.iter().any(|process| !process.report.done) {
            return Ok(Exit::Failed);
        }
        let lost = report::lost(&self.processes);
        if lost > 0 {
            return Err(Failure::with(
                Exit::Loss,
                format!("{lost} messages or calls were lost"),
            ));
        }
        Ok(Exit::Done)
    }
}
