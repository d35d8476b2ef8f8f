//! All cases, in the order of a connection's life.

mod commands;
mod dialled;
mod frames;
mod greetings;
mod handshakes;
mod patterns;
mod publishing;

use super::case::Case;
use super::fact::Fact;

/// All of them.
pub fn all() -> Vec<Case> {
    let groups = [
        greetings::cases(),
        handshakes::cases(),
        frames::cases(),
        commands::cases(),
        publishing::cases(),
        patterns::cases(),
        dialled::cases(),
    ];
    groups.into_iter().flatten().collect()
}

/// The one of this name.
pub fn named(name: &str) -> Case {
    let found = all().into_iter().find(|case| case.name == name);
    found.unwrap_or_else(|| panic!("there is no case {name}"))
}

fn says(what: &str) -> Fact {
    Fact::Says(what.to_owned())
}

fn delivers(what: &str) -> Fact {
    Fact::Delivers(what.to_owned())
}

// Reasons that several cases share.

/// Of rules that libzmq does not look at.
const LOOSE: &str = "libzmq does not look; what breaks a rule is no ZeroMQ peer, and what follows cannot be trusted";
/// Of sizes without a bound in libzmq.
const UNBOUNDED: &str = "libzmq has no bound by default; one peer must not take the memory of all";
/// Of refusals with a reason.
const TOLD: &str =
    "RFC 37 asks for an ERROR, so that the other side can say what is wrong; libzmq only closes";
