//! What a measuring process can be started as. Knows the sides, and nothing of rows.

use crate::child::{Link, Spec};
use crate::report::Report;
use crate::{
    Result, bare, beside, discovery_side, flood, machine, memory, node_side, paced, sending,
    socket_side, tcp_side, topics, zmq_side,
};

/// A part in a run: takes its settings, talks to the runner, comes back with its figures.
pub type Role = fn(&Spec, &Link) -> Result<Report>;

/// Plays the role called `name` until it is done. Never comes back.
pub fn play(name: &str, args: &[String]) -> ! {
    machine::allow_descriptors();
    let link = Link::open();
    let known = [
        zmq_side::ROLES,
        tcp_side::ROLES,
        socket_side::ROLES,
        node_side::ROLES,
        discovery_side::ROLES,
        flood::ROLES,
        paced::ROLES,
        sending::ROLES,
        beside::ROLES,
        topics::ROLES,
        memory::ROLES,
        bare::ROLES,
    ]
    .concat();
    let outcome = match known.iter().find(|(known, _)| *known == name) {
        None => Err(format!("no role is called {name:?}").into()),
        Some((_, role)) => Spec::parse(args).and_then(|spec| role(&spec, &link)),
    };
    match outcome {
        Ok(report) => link.done(&report),
        Err(error) => link.failed(&format!("{name}: {error}")),
    }
}
