//! `colugo node info`: what is known of one node, and what happened with it since this command looks.

use std::time::Duration;

use colugo::{Graph, GraphNode, NodeState, NodeStep};
use serde_json::{Value, json};

use crate::args::{NetworkArgs, NodeInfoArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::hint;
use crate::node_list::{SCHEMA, node_json};
use crate::output::Out;
use crate::session::Session;
use crate::settle::settled;

pub(crate) fn run(network: &NetworkArgs, args: &NodeInfoArgs) -> Outcome {
    let mut session = Session::discover(network, "node-info")?;
    let graph = settled(&session, args.wait);
    if session.was_interrupted() {
        return Ok(Exit::Interrupted);
    }
    let nodes = meant(&graph, &args.node);
    if nodes.is_empty() {
        return Err(Failure::new(not_there(&graph, &args.node)));
    }
    let mut out = Out::new();
    if args.json {
        let nodes: Vec<_> = nodes.iter().map(|node| json_of(&graph, node)).collect();
        out.line(json!({"v": SCHEMA, "namespace": session.node.namespace(), "nodes": nodes}))?;
    } else {
        for (number, node) in nodes.iter().enumerate() {
            if number > 0 {
                out.line("")?;
            }
            text_of(&graph, node)
                .iter()
                .try_for_each(|line| out.line(crate::payload::harmless(line)))?;
        }
    }
    out.flush()?;
    session.close();
    Ok(Exit::Done)
}

/// The nodes of this name, else those whose id begins so.
fn meant<'a>(graph: &'a Graph, node: &str) -> Vec<&'a GraphNode> {
    let others = || {
        let nodes = graph.nodes.iter();
        nodes.filter(|node| node.state != NodeState::Own)
    };
    let named: Vec<_> = others().filter(|other| other.name == node).collect();
    if !named.is_empty() {
        return named;
    }
    let id = node.to_ascii_lowercase();
    let begins_so = |other: &&GraphNode| other.id.to_string().starts_with(&id);
    others().filter(begins_so).collect()
}

/// Says that nobody of this name is there, and who is.
fn not_there(graph: &Graph, name: &str) -> String {
    let similar = graph.nodes_like(name);
    if !similar.is_empty() {
        return format!(
            "no node {name:?} is heard here; similar: {}",
            similar.join(", ")
        );
    }
    let there = hint::names(hint::neighbours(graph).map(|node| node.name.clone()));
    if !there.is_empty() {
        return format!("no node {name:?} is heard here; those that are: {there}");
    }
    let foreign = |node: &&GraphNode| node.state == NodeState::Foreign;
    match graph.nodes.iter().filter(foreign).count() {
        0 => format!("no node {name:?} is heard here, nor any other"),
        count => format!(
            "no node {name:?} is heard here, nor any other of this namespace; {count} of others (see --namespace)"
        ),
    }
}

/// What it does with topics and services: a word for it, and their names.
fn parts(graph: &Graph, node: &GraphNode) -> [(&'static str, Vec<String>); 4] {
    let topics = |has: fn(&colugo::GraphTopic) -> &Vec<colugo::NodeId>| {
        let all = graph
            .topics
            .iter()
            .filter(|topic| has(topic).contains(&node.id));
        all.map(|topic| topic.name.clone()).collect()
    };
    let services = |has: fn(&colugo::GraphService) -> &Vec<colugo::NodeId>| {
        let all = graph
            .services
            .iter()
            .filter(|service| has(service).contains(&node.id));
        all.map(|service| service.name.clone()).collect()
    };
    [
        ("publishes", topics(|topic| &topic.publishers)),
        ("subscribes", topics(|topic| &topic.subscribers)),
        ("serves", services(|service| &service.servers)),
        ("calls", services(|service| &service.clients)),
    ]
}

fn text_of(graph: &Graph, node: &GraphNode) -> Vec<String> {
    let tcp = |address: &std::net::SocketAddr| format!("tcp://{address}");
    let mut facts = vec![
        ("node", node.name.clone()),
        ("id", node.id.to_string()),
        ("host", node.host.clone()),
        ("namespace", node.namespace.clone()),
        ("state", node.state.as_str().to_owned()),
        ("reached at", node.address.iter().map(tcp).collect()),
        (
            "shown at",
            node.addresses.iter().map(tcp).collect::<Vec<_>>().join(" "),
        ),
        ("round trip", node.round_trip.map(ms).unwrap_or_default()),
        ("clock", node.clock_ahead_ns.map(clock).unwrap_or_default()),
        ("problem", node.problem.clone().unwrap_or_default()),
    ];
    facts.extend(parts(graph, node).map(|(word, names)| (word, names.join(", "))));
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    let mut lines: Vec<_> = facts
        .map(|(word, value)| format!("{word:<11} {value}"))
        .collect();
    if !node.history.is_empty() {
        lines.push("what happened, as seen from here:".to_owned());
        lines.extend(node.history.iter().map(|step| format!(" {step}")));
    }
    lines
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn clock(ahead_ns: i64) -> String {
    let ms = ahead_ns as f64 / 1e6;
    let word = if ahead_ns < 0 { "behind" } else { "ahead" };
    format!("{:.2} ms {word}", ms.abs())
}

fn json_of(graph: &Graph, node: &GraphNode) -> Value {
    let addresses = node.addresses.iter();
    let addresses = addresses.map(|address| format!("tcp://{address}"));
    let history = node.history.iter().map(step_json);
    let mut more = vec![
        ("addresses", addresses.collect::<Value>()),
        ("history", history.collect()),
    ];
    more.extend(parts(graph, node).map(|(word, names)| (word, names.into())));
    let mut json = node_json(node);
    if let Some(json) = json.as_object_mut() {
        json.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }
    json
}

/// One of what happened.
pub(crate) fn step_json(step: &NodeStep) -> Value {
    json!({
        "what": step.what,
        "first_ago_s": step.first.as_secs_f64(),
        "last_ago_s": step.last.as_secs_f64(),
        "times": step.times,
    })
}
