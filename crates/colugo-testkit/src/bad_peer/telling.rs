//! Octets as a reader of the table wants them: frames, commands and messages in a few printable characters.

use super::fact::Fact;
use crate::wire::{COMMAND, MORE};

/// Longer texts are told by their length.
const SHORT: usize = 24;

/// All facts, in a line.
pub(super) fn written(facts: &[Fact]) -> String {
    let facts: Vec<String> = facts.iter().map(Fact::to_string).collect();
    facts.join(", ")
}

/// A message.
pub(super) fn told(frames: &[Vec<u8>]) -> String {
    let frames: Vec<String> = frames.iter().map(|frame| text(frame)).collect();
    frames.join("|")
}

/// Commands, and messages put together.
pub(super) fn said(frames: &[(u8, &[u8])]) -> Vec<String> {
    let mut said = Vec::new();
    let mut message: Vec<Vec<u8>> = Vec::new();
    for (flags, body) in frames {
        if flags & COMMAND != 0 {
            said.push(command(body));
            continue;
        }
        message.push(body.to_vec());
        if flags & MORE == 0 {
            said.push(format!("message {}", told(&std::mem::take(&mut message))));
        }
    }
    said
}

fn command(body: &[u8]) -> String {
    let name_len = body.first().copied().map_or(0, usize::from);
    let (name, data) = body
        .get(1..)
        .and_then(|rest| rest.split_at_checked(name_len))
        .unwrap_or((body, &[]));
    let data = match name {
        b"ERROR" => data.get(1..).unwrap_or_default(),
        _ => data,
    };
    let name = name.escape_ascii();
    match data {
        [] => name.to_string(),
        _ => format!("{name} {}", text(data)),
    }
}

fn text(octets: &[u8]) -> String {
    match octets {
        // The identities that sockets make up themselves: libzmq's and ours.
        [0, ..] if [5, 9].contains(&octets.len()) => "(made up)".to_owned(),
        _ if octets.len() > SHORT || octets.iter().any(|it| *it >= 0x80) => {
            format!("({} octets)", octets.len())
        }
        _ if octets.len() > 8 && octets.iter().any(u8::is_ascii_control) => {
            format!("({} octets)", octets.len())
        }
        _ => octets.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_messages_are_told_in_a_few_characters() {
        let frames: [(u8, &[u8]); 5] = [
            (COMMAND, b"\x05ERROR\x03400"),
            (COMMAND, b"\x04PONG"),
            (MORE, b"\0\x01\x02\x03\x04"),
            (0, b"body"),
            (0, &[7; 300]),
        ];
        let expected = [
            "ERROR 400",
            "PONG",
            "message (made up)|body",
            "message (300 octets)",
        ];
        assert_eq!(said(&frames), expected);
    }
}
