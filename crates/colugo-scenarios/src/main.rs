//! `colugo-peer`: a node that does what it is told. Its first line on the standard output is `{"ready": …}` or `{"error": TEXT}`; then it answers
//! each command of its standard input by `{"ok": …}` or `{"error": TEXT}`, and tells events of the node as `{"event": …}` in between. It ends when
//! its input does. Uses only Colugo's public API; the scenarios in `tests/system` are who tells it.

mod calls;
mod command;
mod events;
mod hearing;
mod options;
mod peer;
mod say;
mod serving;
mod tally;

use std::io::BufRead;
use std::process::ExitCode;

use serde_json::json;

use command::Command;
use options::Options;
use peer::Peer;
use say::say;

fn main() -> ExitCode {
    let started =
        Options::parse(std::env::args().skip(1)).and_then(|options| Peer::start(&options));
    let mut peer = match started {
        Ok(peer) => peer,
        Err(error) => {
            say(&json!({"error": error.to_string()}));
            return ExitCode::FAILURE;
        }
    };
    say(&json!({"ready": peer.introduction()}));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let answer = serde_json::from_str::<Command>(&line)
            .map_err(Into::into)
            .and_then(|command| peer.obey(command));
        say(&match answer {
            Ok(value) => json!({"ok": value}),
            Err(error) => json!({"error": error.to_string()}),
        });
    }
    ExitCode::SUCCESS
}
