//! `colugo node list`: which nodes there are; and how the other lists write nodes.

use colugo::{Graph, GraphNode, NodeId, NodeState};
use serde_json::json;

use crate::args::{NetworkArgs, NodeListArgs};
use crate::exit::{Exit, Outcome};
use crate::hint;
use crate::output::{Out, say};
use crate::session::Session;
use crate::settle::settled;
use crate::table::Table;

/// The version of what `--json` prints: a key may be added, none changes its meaning.
pub(crate) const SCHEMA: u32 = 1;
/// So many digits of an id tell nodes of the same name apart.
const ID_DIGITS: usize = 8;

pub(crate) fn run(network: &NetworkArgs, args: &NodeListArgs) -> Outcome {
    let mut session = Session::discover(network, "node-list")?;
    let graph = settled(&session, args.wait);
    if session.was_interrupted() {
        return Ok(Exit::Interrupted);
    }
    let shown = |node: &&GraphNode| match node.state {
        NodeState::Own => false,
        NodeState::Alive | NodeState::Suspect | NodeState::Relayed => true,
        _ => args.all,
    };
    let nodes: Vec<_> = graph.nodes.iter().filter(shown).collect();
    let mut out = Out::new();
    if args.json {
        let nodes: Vec<_> = nodes.iter().map(|node| node_json(node)).collect();
        out.line(json!({"v": SCHEMA, "namespace": session.node.namespace(), "nodes": nodes}))?;
    } else if !nodes.is_empty() {
        table(&nodes, args.all)
            .lines()
            .iter()
            .try_for_each(|line| out.line(line))?;
    }
    out.flush()?;
    if nodes.is_empty() {
        say("no other node here");
        hint::surroundings(&graph, session.node.namespace())
            .iter()
            .for_each(say);
    }
    session.close();
    Ok(Exit::Done)
}

fn table(nodes: &[&GraphNode], all: bool) -> Table {
    let mut head = vec!["NODE", "ID", "HOST", "ADDRESS", "STATE", "ROUND TRIP"];
    if all {
        head.push("NAMESPACE");
    }
    let mut table = Table::new(&head).right(&[5]);
    for node in nodes {
        let address = node
            .address
            .map(|address| format!("tcp://{address}"))
            .unwrap_or_default();
        let round_trip = node
            .round_trip
            .map(|time| format!("{:.2} ms", time.as_secs_f64() * 1e3))
            .unwrap_or_default();
        let id: String = node.id.to_string().chars().take(ID_DIGITS).collect();
        let state = node.state.as_str().to_owned();
        table.row([
            node.name.clone(),
            id,
            node.host.clone(),
            address,
            state,
            round_trip,
            node.namespace.clone(),
        ]);
    }
    table
}

pub(crate) fn node_json(node: &GraphNode) -> serde_json::Value {
    json!({
        "name": node.name,
        "id": node.id.to_string(),
        "host": node.host,
        "namespace": node.namespace,
        "state": node.state.as_str(),
        "address": node.address.map(|address| format!("tcp://{address}")),
        "round_trip_ms": node.round_trip.map(|time| time.as_secs_f64() * 1e3),
        "problem": node.problem,
    })
}

/// The nodes as `[{"name": …, "id": …}]`.
pub(crate) fn nodes_json(graph: &Graph, ids: &[NodeId]) -> serde_json::Value {
    ids.iter()
        .map(|id| json!({"name": graph.node_name(*id), "id": id.to_string()}))
        .collect()
}

/// The nodes' names, in order.
pub(crate) fn node_names(graph: &Graph, ids: &[NodeId]) -> String {
    let mut all: Vec<_> = ids
        .iter()
        .map(|id| graph.node_name(*id).unwrap_or("?").to_owned())
        .collect();
    all.sort_unstable();
    if all.is_empty() {
        "-".to_owned()
    } else {
        hint::names(all.into_iter())
    }
}
