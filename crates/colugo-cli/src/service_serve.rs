//! `colugo service serve`: answers requests with themselves, a text, or what a command prints; by name, or at an address for any ZeroMQ client.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use colugo::{RecvError, ReplyServer, Responder};

use crate::args::{NetworkArgs, ServeArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::form::Printer;
use crate::interrupt::LOOK_EVERY;
use crate::output::say;
use crate::session::Session;
use crate::shell::Shell;
use crate::target::Target;
use crate::topic_pub::bind_failed;

/// The refusal of a request whose command failed.
const EXEC_FAILED: u16 = 100;

pub(crate) fn run(network: &NetworkArgs, args: &ServeArgs) -> Outcome {
    if args.connect && args.target.address().is_none() {
        return Err(Failure::with(
            Exit::Usage,
            "--connect needs an address: colugo service serve --connect tcp://robot:5557 --echo",
        ));
    }
    let mut session = Session::for_target(network, "service-serve", &args.target)?;
    let mut builder = session.node.reply_server(args.target.topic()).parts();
    if let Some(address) = args.target.address() {
        builder = if args.connect {
            builder.connect(address)
        } else {
            builder.bind(address)
        };
    }
    let server = builder
        .build()
        .map_err(|error| bind_failed(error, &args.target))?;
    announce(&args.target, &server.endpoints());
    let name = args.target.as_str();
    let serving = Serving {
        session: &session,
        server: &server,
        answer: Answer::of(args),
        printer: Mutex::new(Printer::new(args.form, "service", name)),
        left: AtomicU64::new(args.count.unwrap_or(u64::MAX)),
        over: AtomicBool::new(false),
        answered: AtomicU64::new(0),
    };
    let jobs = if args.exec.is_some() { args.jobs } else { 1 };
    let outcome = serving.run(jobs);
    let answered = serving.answered.load(Ordering::Relaxed);
    drop(server);
    session.close();
    outcome?;
    Ok(if session.was_interrupted() && answered == 0 {
        Exit::Interrupted
    } else {
        Exit::Done
    })
}

fn announce(target: &Target, endpoints: &[String]) {
    let at = if endpoints.is_empty() {
        String::new()
    } else {
        format!(" at {}", endpoints.join(", "))
    };
    match target {
        Target::Name(name) => say(format!("serving {name:?}{at}; Ctrl-C ends")),
        Target::Address(address) if endpoints.is_empty() => {
            say(format!("serving by {address}; Ctrl-C ends"))
        }
        Target::Address(_) => say(format!("serving{at}; Ctrl-C ends")),
    }
}

enum Answer {
    Echo,
    Text(Bytes),
    Exec(Shell),
}

impl Answer {
    fn of(args: &ServeArgs) -> Self {
        match (&args.exec, &args.reply) {
            (Some(line), _) => Self::Exec(Shell {
                line: line.clone(),
                timeout: args.exec_timeout,
            }),
            (None, Some(text)) => Self::Text(text.clone().into()),
            (None, None) => Self::Echo,
        }
    }
}

/// What the threads that answer share.
struct Serving<'a> {
    session: &'a Session,
    server: &'a ReplyServer<Vec<Bytes>>,
    answer: Answer,
    printer: Mutex<Printer>,
    /// Requests that may still be taken.
    left: AtomicU64,
    /// A thread can't go on, so that none shall.
    over: AtomicBool,
    answered: AtomicU64,
}

impl Serving<'_> {
    fn run(&self, jobs: u16) -> Result<(), Failure> {
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..jobs).map(|_| scope.spawn(|| self.work())).collect();
            let own = self.work();
            let failed = others
                .into_iter()
                .filter_map(|other| other.join().ok()?.err());
            failed.fold(own, |outcome, failure| outcome.and(Err(failure)))
        })
    }

    /// Answers requests until none is to be taken any more.
    fn work(&self) -> Result<(), Failure> {
        while self.claim() {
            let Some((request, responder)) = self.next()? else {
                break;
            };
            self.show(&request)
                .inspect_err(|_| self.over.store(true, Ordering::Relaxed))?;
            self.reply(&request, responder);
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn claim(&self) -> bool {
        let less = |left: u64| left.checked_sub(1);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }

    /// The next request; none if it is time to end.
    fn next(&self) -> Result<Option<(Vec<Bytes>, Responder)>, Failure> {
        while !self.over.load(Ordering::Relaxed) {
            match self.server.recv_timeout(LOOK_EVERY) {
                Ok(next) => return Ok(Some(next)),
                Err(RecvError::TimedOut(_)) => {}
                Err(RecvError::Closed) => return Ok(None),
                Err(error) => return Err(Failure::new(error)),
            }
        }
        Ok(None)
    }

    fn show(&self, request: &[Bytes]) -> Result<(), Failure> {
        let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
        printer.print(request, None, None)?;
        printer.flush()
    }

    fn reply(&self, request: &[Bytes], responder: Responder) {
        let sent = match &self.answer {
            Answer::Echo => responder.reply_parts(request),
            Answer::Text(text) => responder.reply_bytes(text.clone()),
            Answer::Exec(shell) => match shell.answer(request, &self.session.interrupt) {
                Ok(mut printed) => {
                    // As `$(…)` of a shell does: the line end is not part of what is meant.
                    if printed.last() == Some(&b'\n') {
                        printed.pop();
                    }
                    responder.reply_bytes(printed)
                }
                Err(reason) => {
                    say(&reason);
                    responder.refuse(EXEC_FAILED, &reason);
                    Ok(())
                }
            },
        };
        if let Err(error) = sent {
            say(error);
        }
    }
}
