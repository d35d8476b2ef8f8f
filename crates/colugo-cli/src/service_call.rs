//! `colugo service call`: sends one request to a service, or to any ZeroMQ server at an address, and prints the reply.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use bytes::Bytes;
use colugo::{RequestClient, RequestError};

use crate::args::{CallArgs, NetworkArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::form::Printer;
use crate::hint::{self, Sought};
use crate::session::Session;
use crate::target::Target;

/// Largest request read from the standard input.
const REQUEST_MAX: u64 = 64 << 20;

type Client = RequestClient<[u8], Vec<Bytes>>;
type Reply = Result<Vec<Bytes>, RequestError>;

pub(crate) fn run(network: &NetworkArgs, args: &CallArgs) -> Outcome {
    let payload = request(args)?;
    let mut session = Session::for_target(network, "service-call", &args.target)?;
    let mut builder = session.node.request_client(args.target.topic()).parts();
    if let Some(address) = args.target.address() {
        builder = builder.connect(address);
    }
    let client = builder.build()?;
    let (sender, replies) = channel();
    client
        .request_bytes(payload)
        .timeout(args.timeout)
        .on_reply_inline(move |reply| {
            let _ = sender.send(reply);
        });
    let reply = wait(args, &session, &client, &replies);
    let outcome = match reply {
        Some(Ok(frames)) => print(args, &session, &frames),
        _ if session.was_interrupted() => Ok(Exit::Interrupted),
        Some(Err(error)) => Err(failure(args, &error)),
        None => Err(Failure::new("the request ended without an answer")),
    };
    drop(client);
    session.close();
    outcome
}

fn request(args: &CallArgs) -> Result<Bytes, Failure> {
    if args.payload != "-" {
        return Ok(args.payload.clone().into());
    }
    let mut payload = Vec::new();
    let read = std::io::stdin()
        .lock()
        .take(REQUEST_MAX + 1)
        .read_to_end(&mut payload);
    read.map_err(|error| Failure::new(format!("can't read the standard input: {error}")))?;
    if payload.len() as u64 > REQUEST_MAX {
        return Err(Failure::new(format!(
            "the standard input is over the limit of {REQUEST_MAX} octets"
        )));
    }
    Ok(payload.into())
}

/// Waits for the end of the request, and says what is seen when that takes long.
fn wait(
    args: &CallArgs,
    session: &Session,
    client: &Client,
    replies: &Receiver<Reply>,
) -> Option<Reply> {
    match replies.recv_timeout(hint::AFTER) {
        Ok(reply) => return Some(reply),
        Err(RecvTimeoutError::Disconnected) => return None,
        Err(RecvTimeoutError::Timeout) => {}
    }
    match &args.target {
        Target::Name(name) => hint::about_name(session, name, Sought::Service),
        Target::Address(address) => hint::about_address(
            session,
            address,
            client.server_count(),
            false,
            Sought::Service,
        ),
    }
    replies.recv().ok()
}

fn print(args: &CallArgs, session: &Session, frames: &[Bytes]) -> Outcome {
    let name = args.target.as_str();
    let mut printer = Printer::new(args.form, "service", name);
    printer.print(frames, declared(session, &args.target).as_deref(), None)?;
    printer.flush()?;
    Ok(Exit::Done)
}

/// The encoding that the servers declare, if they agree.
pub(crate) fn declared(session: &Session, target: &Target) -> Option<String> {
    let Target::Name(name) = target else {
        return None;
    };
    let service = session
        .node
        .graph()
        .services
        .into_iter()
        .find(|service| service.name == *name)?;
    match service.encodings.as_slice() {
        [encoding] => Some(encoding.clone()),
        _ => None,
    }
}

fn failure(args: &CallArgs, error: &RequestError) -> Failure {
    let target = &args.target;
    match error {
        RequestError::NoServer { waited, .. } => {
            let remedy = match target {
                Target::Name(_) => "`colugo service list` shows those there are",
                Target::Address(_) => "does its program run, and can this machine reach the port?",
            };
            Failure::with(
                Exit::NoData,
                format!("no server of {target} after {waited:?}: {remedy}"),
            )
        }
        RequestError::TimedOut { waited, .. } => Failure::with(
            Exit::NoData,
            format!(
                "{target} did not reply in {waited:?}; it may still do what was asked (--timeout)"
            ),
        ),
        RequestError::Disconnected { .. } => Failure::new(format!(
            "the connection to {target} ended before it replied; it may have done what was asked"
        )),
        error => Failure::new(error),
    }
}
