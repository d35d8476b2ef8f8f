//! Waiting until a graph is as complete as it will soon be: for lists, which show one moment.

use std::time::{Duration, Instant};

use colugo::{Graph, NodeState};

use crate::interrupt::Interrupt;
use crate::session::Session;

/// Nodes of this machine are there after some 10 ms, those of the network answer within 120 ms by the rules of mDNS.
const AT_LEAST: Duration = Duration::from_millis(300);
/// A graph that has not changed for so long, and in which everybody who was heard has answered, is complete.
const QUIET: Duration = Duration::from_millis(200);
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The graph once it is complete, or after `limit`.
pub(crate) fn settled(session: &Session, limit: Duration) -> Graph {
    let begun = Instant::now();
    let deadline = begun + limit;
    let mut graph = session.node.graph();
    let mut changed = begun;
    while Instant::now() < deadline {
        if is_complete(&graph) && begun.elapsed() >= AT_LEAST && changed.elapsed() >= QUIET {
            break;
        }
        if !pause(&session.interrupt, deadline) {
            break;
        }
        let now = session.node.graph();
        if shape(&now) != shape(&graph) {
            changed = Instant::now();
        }
        graph = now;
    }
    graph
}

fn pause(interrupt: &Interrupt, deadline: Instant) -> bool {
    interrupt.sleep_until(deadline.min(Instant::now() + LOOK_EVERY))
}

/// Somebody else is there, and nobody who was heard of is still to answer.
fn is_complete(graph: &Graph) -> bool {
    let others = graph
        .nodes
        .iter()
        .filter(|node| node.state != NodeState::Own);
    let (mut alive, mut pending) = (0, 0);
    for node in others {
        match node.state {
            NodeState::Alive | NodeState::Suspect | NodeState::Relayed => alive += 1,
            NodeState::Heard => pending += 1,
            _ => {}
        }
    }
    alive > 0 && pending == 0
}

/// What of a graph matters for whether it still changes; round trips always do.
fn shape(graph: &Graph) -> impl PartialEq + '_ {
    let nodes: Vec<_> = graph
        .nodes
        .iter()
        .map(|node| (node.id, node.state))
        .collect();
    (nodes, &graph.topics, &graph.services)
}
