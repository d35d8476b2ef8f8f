//! What a command that sees nothing says that it does see: interfaces, nodes, similar names; or, of an address, whether anybody answers there.

use std::time::Duration;

use colugo::{Graph, GraphNode, NodeId, NodeState};

use crate::output::say;
use crate::session::Session;

/// A command that has seen nothing for so long says what it does see.
pub(crate) const AFTER: Duration = Duration::from_secs(2);
/// More names than these are only counted.
const NAMES_MAX: usize = 8;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sought {
    /// A publisher.
    Topic,
    /// A subscriber.
    Subscriber,
    /// A reply server.
    Service,
}

/// Says what the session's node sees instead of a publisher, subscriber or server of `name`.
pub(crate) fn about_name(session: &Session, name: &str, sought: Sought) {
    let graph = session.node.graph();
    let known = known(&graph, sought);
    let found = known
        .iter()
        .find(|(other, _)| *other == name)
        .map(|(_, who)| *who);
    say(headline(&graph, name, sought, found));
    let mut lines = surroundings(&graph, session.node.namespace());
    if found.is_none() && !known.is_empty() {
        lines.push(similar(&graph, name, sought, &known));
    }
    for line in lines {
        say(line);
    }
    say_refusals(session);
}

fn say_refusals(session: &Session) {
    for reason in session.refusals() {
        say(format!("  refused     {reason}"));
    }
}

/// Says whether anybody is connected at an address: one that is dialled, or `listening` at.
pub(crate) fn about_address(
    session: &Session,
    address: &str,
    connected: usize,
    listening: bool,
    sought: Sought,
) {
    let (does, who) = match sought {
        Sought::Topic => ("nothing was sent yet", "a PUB or XPUB"),
        Sought::Subscriber => ("it has not subscribed", "a SUB or XSUB"),
        Sought::Service => ("it has not replied yet", "a REP or ROUTER"),
    };
    say(match (connected, listening) {
        (0, false) => format!(
            "nobody answers at {address}: does the program run, can this machine reach its port, and is it {who}?"
        ),
        (0, true) => format!("nobody has connected to {address} so far; still waiting"),
        _ => format!("connected at {address}, but {does}; still waiting"),
    });
    say_refusals(session);
}

/// What is known of the name itself.
fn headline(graph: &Graph, name: &str, sought: Sought, found: Option<&[NodeId]>) -> String {
    let who = found.map(|ids| {
        names(
            ids.iter()
                .map(|id| graph.node_name(*id).unwrap_or("?").to_owned()),
        )
    });
    let is_topic = graph
        .topics
        .iter()
        .any(|topic| topic.name == name && !topic.publishers.is_empty());
    let is_service = graph
        .services
        .iter()
        .any(|service| service.name == name && !service.servers.is_empty());
    match (sought, who) {
        (Sought::Topic, Some(who)) => {
            format!("{name:?} is published by {who}, and nothing came yet; still waiting")
        }
        (Sought::Topic, None) if is_service => {
            format!("{name:?} is no topic but a service: colugo service call {name} …")
        }
        (Sought::Topic, None) => format!("nobody publishes {name:?} so far; still waiting"),
        (Sought::Subscriber, Some(who)) => {
            format!("{name:?} is subscribed to by {who}, not connected yet; still waiting")
        }
        (Sought::Subscriber, None) => {
            format!("nobody subscribes to {name:?} so far; still waiting")
        }
        (Sought::Service, Some(who)) => {
            format!("{name:?} is served by {who}, and no reply came yet; still waiting")
        }
        (Sought::Service, None) if is_topic => {
            format!("{name:?} is no service but a topic: colugo topic echo {name}")
        }
        (Sought::Service, None) => format!("nobody serves {name:?} so far; still waiting"),
    }
}

/// Where was looked, and who was heard.
pub(crate) fn surroundings(graph: &Graph, namespace: &str) -> Vec<String> {
    let mut lines = vec![
        format!("  namespace   {namespace}"),
        format!("  interfaces  {}", interfaces(graph)),
    ];
    let here = || neighbours(graph);
    if here().next().is_none() {
        lines.push("  nodes       none heard in this namespace".to_owned());
    } else {
        lines.push(format!("  nodes       {}", names(here().map(describe))));
    }
    for node in here() {
        lines.extend(
            node.problem
                .as_ref()
                .map(|problem| format!("              {}: {problem}", node.name)),
        );
    }
    let mut elsewhere: Vec<_> = graph
        .nodes
        .iter()
        .filter(|node| node.state == NodeState::Foreign)
        .map(|node| node.namespace.clone())
        .collect();
    elsewhere.sort_unstable();
    elsewhere.dedup();
    elsewhere.retain(|other| !other.is_empty() && other != namespace);
    if !elsewhere.is_empty() {
        lines.push(format!(
            "  elsewhere   nodes in other namespaces: {} (see --namespace)",
            names(elsewhere.into_iter())
        ));
    } else if here().next().is_none() {
        lines.push("  to reach    nodes that multicast does not: --peer tcp://HOST:PORT, theirs started with --listen".to_owned());
    }
    lines
}

/// The other nodes of this namespace.
pub(crate) fn neighbours(graph: &Graph) -> impl Iterator<Item = &GraphNode> {
    let elsewhere = |node: &GraphNode| matches!(node.state, NodeState::Own | NodeState::Foreign);
    graph.nodes.iter().filter(move |node| !elsewhere(node))
}

fn describe(node: &GraphNode) -> String {
    let host = if node.host.is_empty() {
        String::new()
    } else {
        format!(" on {}", node.host)
    };
    let name = if node.name.is_empty() {
        "unnamed"
    } else {
        &node.name
    };
    match node.state {
        NodeState::Alive => format!("{name}{host}"),
        state => format!("{name}{host} ({})", state.as_str()),
    }
}

/// Each interface that is used, with its addresses.
fn interfaces(graph: &Graph) -> String {
    let mut used: Vec<String> = Vec::new();
    for interface in graph.interfaces.iter().filter(|interface| interface.used) {
        let address = interface.address.to_string();
        match used
            .iter_mut()
            .find(|other| other.split(' ').next() == Some(&interface.name))
        {
            Some(other) => {
                other.push(' ');
                other.push_str(&address);
            }
            None => used.push(format!("{} {address}", interface.name)),
        }
    }
    if used.is_empty() {
        return "none: check --interface and COLUGO_INTERFACES".to_owned();
    }
    names(used.into_iter())
}

/// The names that somebody provides, and who.
fn known(graph: &Graph, sought: Sought) -> Vec<(&str, &[NodeId])> {
    let all: Vec<(&str, &[NodeId])> = match sought {
        Sought::Topic => graph
            .topics
            .iter()
            .map(|topic| (&*topic.name, &*topic.publishers))
            .collect(),
        Sought::Subscriber => graph
            .topics
            .iter()
            .map(|topic| (&*topic.name, &*topic.subscribers))
            .collect(),
        Sought::Service => graph
            .services
            .iter()
            .map(|service| (&*service.name, &*service.servers))
            .collect(),
    };
    all.into_iter().filter(|(_, who)| !who.is_empty()).collect()
}

/// Names that are like the one that was not found, else those there are.
fn similar(graph: &Graph, name: &str, sought: Sought, known: &[(&str, &[NodeId])]) -> String {
    let like = match sought {
        Sought::Topic | Sought::Subscriber => graph.topics_like(name),
        Sought::Service => graph.services_like(name),
    };
    let mut like = like
        .into_iter()
        .filter(|other| known.iter().any(|(name, _)| name == other))
        .peekable();
    if like.peek().is_some() {
        return format!("  similar     {}", names(like.map(str::to_owned)));
    }
    let label = if sought == Sought::Service {
        "services"
    } else {
        "topics  "
    };
    format!(
        "  {label}    {}",
        names(known.iter().map(|(name, _)| (*name).to_owned()))
    )
}

/// Names by comma; if there are many, the first ones and how many more.
pub(crate) fn names(all: impl Iterator<Item = String>) -> String {
    let mut all: Vec<_> = all.collect();
    let more = all.len().saturating_sub(NAMES_MAX);
    all.truncate(NAMES_MAX);
    let mut text = all.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
