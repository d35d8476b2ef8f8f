//! The honest peer beside the bad one, which must be served whatever that does. As bare as the bad one, and one at a time.

use std::time::{Duration, Instant};

use super::connection::{Connection, Gone};
use super::target::{Kind, Target};
use crate::wait::PATIENCE;
use crate::wire::{MORE, command, frame, greeting, ready};

pub(super) const MESSAGE: &[u8] = b"honest";
/// A socket that only sends is asked again and again; so long it is waited for each time.
const ONCE: Duration = Duration::from_millis(20);

/// Gets a message through and gives what else the socket delivered meanwhile.
pub(super) fn serve(
    target: &mut dyn Target,
    kind: Kind,
    connection: &mut Connection,
) -> Vec<Vec<Vec<u8>>> {
    let done = match kind {
        Kind::Pull | Kind::Sub | Kind::XSub | Kind::Dealer | Kind::Router | Kind::Pair => {
            deliver(target, connection)
        }
        Kind::Rep => ask(target, connection),
        Kind::Pub | Kind::Push => get(target, connection),
        Kind::XPub => get(target, connection).map(|_| heard(target)),
        Kind::Req => Ok(Vec::new()),
    };
    done.unwrap_or_else(|Gone| panic!("the honest peer's connection was ended"))
}

pub(super) fn hello(kind: Kind) -> Vec<u8> {
    [greeting(1), ready(kind.peer())].concat()
}

/// What an XPUB hands up but the honest peer's own subscription.
fn heard(target: &mut dyn Target) -> Vec<Vec<Vec<u8>>> {
    let own = [&[1], MESSAGE].concat();
    std::iter::from_fn(|| target.recv(Duration::ZERO))
        .filter(|message| message.first() != Some(&own))
        .collect()
}

/// Sends the message until the program has it.
fn deliver(
    target: &mut dyn Target,
    connection: &mut Connection,
) -> Result<Vec<Vec<Vec<u8>>>, Gone> {
    connection.send(&frame(0, MESSAGE))?;
    let mut others = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let Some(message) = target.recv(deadline.saturating_duration_since(Instant::now())) else {
            panic!("the honest peer's message did not arrive, but {others:?}");
        };
        if message.last().is_some_and(|frame| frame == MESSAGE) {
            break;
        }
        others.push(message);
    }
    // Fair queueing may have let the honest one in first.
    while let Some(message) = target.recv(Duration::ZERO) {
        others.push(message);
    }
    Ok(others)
}

/// Asks the question until the answer is there; answers whatever else was asked.
fn ask(target: &mut dyn Target, connection: &mut Connection) -> Result<Vec<Vec<Vec<u8>>>, Gone> {
    connection.send(&[frame(MORE, b""), frame(0, MESSAGE)].concat())?;
    let mut others = Vec::new();
    let mut answered = false;
    while !answered {
        let Some(message) = target.recv(PATIENCE) else {
            panic!("the honest peer's question did not arrive, but {others:?}");
        };
        target.send(&[b"answer"]);
        answered = message == [MESSAGE];
        if !answered {
            others.push(message);
        }
    }
    while let Some(message) = target.recv(Duration::ZERO) {
        target.send(&[b"answer"]);
        others.push(message);
    }
    let is_answer = |it: &Connection| it.frames().contains(&(0, b"answer"));
    assert!(
        connection.listen_until(PATIENCE, is_answer)?,
        "no answer came to the honest peer, but {:02x?}",
        connection.heard
    );
    Ok(others)
}

/// Has the program send until something arrives.
fn get(target: &mut dyn Target, connection: &mut Connection) -> Result<Vec<Vec<Vec<u8>>>, Gone> {
    connection.send(&command("SUBSCRIBE", MESSAGE))?;
    let deadline = Instant::now() + PATIENCE;
    let arrived = |it: &Connection| it.frames().contains(&(0, MESSAGE));
    loop {
        target.send(&[MESSAGE]);
        if connection.listen_until(ONCE, arrived)? {
            return Ok(Vec::new());
        }
        assert!(
            Instant::now() < deadline,
            "nothing arrived at the honest peer, but {:?}",
            connection.frames()
        );
    }
}
