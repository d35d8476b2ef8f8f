//! What a graph says about what is wrong. Pure: the same graph gives the same findings.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use colugo::{DialFailure, Graph, GraphNode, NodeState};

use crate::doctor::finding::Finding;
use crate::hint::names;

/// Clocks that are further apart make times in logs and recordings misleading.
const CLOCKS_APART_NS: u64 = 1_000_000_000;

/// Nodes that are heard of and not reached, or are elsewhere, or whose clocks are off.
pub(super) fn nodes(graph: &Graph, namespace: &str) -> Vec<Finding> {
    let others = graph
        .nodes
        .iter()
        .filter(|node| node.state != NodeState::Own);
    others
        .filter_map(|node| match node.state {
            NodeState::Foreign => foreign(node, namespace),
            NodeState::Heard => unreached(node),
            NodeState::Suspect => Some(
                Finding::problem("silent", &*node.name)
                    .after(&node.history)
                    .what("it does not answer at the moment")
                    .because("its control link is up, and nothing came on it for more than 1.8 s")
                    .advise("see whether its process is stopped or its machine overloaded, and whether the cable is in"),
            ),
            _ => clock(node),
        })
        .collect()
}

/// One of another version; those of other namespaces are no problem, and may be many.
fn foreign(node: &GraphNode, namespace: &str) -> Option<Finding> {
    (node.namespace.is_empty() || node.namespace == namespace).then(|| {
        Finding::problem("version", &*node.name)
            .what("it speaks another version of the protocol")
            .because(node.problem.clone().unwrap_or_default())
            .advise("use the same major version of Colugo on both sides")
    })
}

/// Who is heard and is elsewhere: the usual reason why two that should meet do not.
pub(super) fn elsewhere(graph: &Graph, namespace: &str) -> Vec<Finding> {
    let mut others: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in &graph.nodes {
        let foreign = node.state == NodeState::Foreign && !node.namespace.is_empty();
        if foreign && node.namespace != namespace {
            others.entry(&node.namespace).or_default().push(&node.name);
        }
    }
    let finding = |(other, nodes): (&str, Vec<&str>)| {
        let count = nodes.len();
        let nodes = names(nodes.into_iter().map(str::to_owned));
        Finding::note("namespace", format!("namespace {other:?}"))
            .what(format!(
                "{count} of the nodes heard {} in it, and not in {namespace:?}",
                if count == 1 { "is" } else { "are" }
            ))
            .because(format!("records in discovery: {nodes}"))
            .advise(
                "if they should be met, use one namespace for all: --namespace or COLUGO_NAMESPACE",
            )
    };
    others.into_iter().map(finding).collect()
}

fn unreached(node: &GraphNode) -> Option<Finding> {
    let tried = places(&node.addresses);
    let finding = Finding::problem("unreachable", &*node.name).after(&node.history);
    Some(match node.failure {
        Some(failure) => finding
            .what("discovery shows it, and it can't be reached")
            .because(format!("{failure} at {tried}"))
            .advise(remedy(failure)),
        None => finding
            .what("discovery shows it, and it has not answered yet")
            .because(format!("no answer so far at {tried}"))
            .advise("wait longer (--wait); if that does not help, a firewall may drop what is sent to that port, or its process is stopped"),
    })
}

fn places(addresses: &[SocketAddr]) -> String {
    if addresses.is_empty() {
        return "an address that its record does not have yet".to_owned();
    }
    names(addresses.iter().map(|address| format!("tcp://{address}")))
}

/// What to do about a dial that fails so.
fn remedy(failure: DialFailure) -> &'static str {
    match failure {
        DialFailure::Refused => {
            "it has probably ended without a goodbye, or another program has its address: start it again, or wait two minutes \
             until its record is gone"
        }
        DialFailure::TimedOut => {
            "a firewall drops what is sent to that port, or the address is of a network that can't be reached from here (Docker, \
             VPN), or its process is stopped: open the port there and fix it with COLUGO_LISTEN=0.0.0.0:4747, or say the right address with COLUGO_ADVERTISE"
        }
        DialFailure::Unreachable => {
            "this machine has no way to that network: check addresses and routes, or use a hub that both reach (colugo hub)"
        }
        DialFailure::Unresolved => "check the spelling of the host, or use its IP address",
        DialFailure::NotANode => {
            "another service has that port: check the port; a topic's own port is no control port"
        }
        DialFailure::OtherNode => {
            "another machine has the same private address, or the node was started again: check which network is meant, or set \
             COLUGO_ADVERTISE there"
        }
        DialFailure::OtherNamespace => "start both with the same --namespace or COLUGO_NAMESPACE",
        DialFailure::OtherVersion => "use the same major version of Colugo on both sides",
        DialFailure::Full => "it knows as many nodes as it may: split the system by namespace",
        _ => "look at the other side's log (COLUGO_LOG=debug)",
    }
}

fn clock(node: &GraphNode) -> Option<Finding> {
    let ahead = node.clock_ahead_ns?;
    (ahead.unsigned_abs() > CLOCKS_APART_NS).then(|| {
        let seconds = ahead as f64 / 1e9;
        Finding::note("clock", &*node.name)
            .what(format!("its clock is {seconds:+.1} s from this one's"))
            .because("a probe over its control link; half of the round trip is uncertain")
            .advise(
                "set both by NTP: times of messages and recordings from there are off by that much",
            )
    })
}

/// Peers that were given by address and do not answer.
pub(super) fn fixed_peers(graph: &Graph) -> Vec<Finding> {
    let waiting = graph.fixed_peers.iter().filter(|peer| peer.node.is_none());
    let found = waiting.map(|peer| {
        let problem = peer.problem.as_deref().unwrap_or("no answer so far");
        let unanswered = if peer.problem.is_some() {
            "leave it out"
        } else {
            "wait longer (--wait); if that does not help, a firewall may drop what is sent to that port"
        };
        let advice = peer.failure.map_or(unanswered, |failure| match failure {
            DialFailure::Refused => "start a node there with COLUGO_LISTEN and this port, or a hub (colugo hub); check the port",
            other => remedy(other),
        });
        Finding::problem("peer", &*peer.address)
            .what("this fixed peer is not reached")
            .because(problem)
            .advise(advice)
    });
    found.collect()
}

/// Names that somebody uses and nobody provides, where another name is meant, or another kind.
pub(super) fn topics(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    let published = |name: &str| {
        graph
            .topics
            .iter()
            .any(|topic| topic.name == name && !topic.publishers.is_empty())
    };
    let served = |name: &str| {
        graph
            .services
            .iter()
            .any(|service| service.name == name && !service.servers.is_empty())
    };
    let who = |ids: &[colugo::NodeId]| {
        names(
            ids.iter()
                .map(|id| graph.node_name(*id).unwrap_or("?").to_owned()),
        )
    };
    for topic in graph
        .topics
        .iter()
        .filter(|topic| topic.publishers.is_empty())
    {
        let like = graph.topics_like(&topic.name);
        let like = like.into_iter().filter(|name| published(name));
        let meant = (served(&topic.name).then(|| {
            format!(
                "{:?} is a service: call it, or publish under that name",
                topic.name
            )
        }))
        .or_else(|| suggestion(like));
        findings.extend(meant.map(|advice| {
            Finding::problem("topic", format!("topic {:?}", topic.name))
                .what("it is subscribed to and nobody publishes it")
                .because(format!("{} subscribes", who(&topic.subscribers)))
                .advise(advice)
        }));
    }
    for service in graph
        .services
        .iter()
        .filter(|service| service.servers.is_empty())
    {
        let like = graph.services_like(&service.name);
        let like = like.into_iter().filter(|name| served(name));
        let meant = (published(&service.name).then(|| {
            format!(
                "{:?} is a topic: subscribe to it, or serve under that name",
                service.name
            )
        }))
        .or_else(|| suggestion(like));
        findings.extend(meant.map(|advice| {
            Finding::problem("service", format!("service {:?}", service.name))
                .what("it is called and nobody serves it")
                .because(format!("{} calls", who(&service.clients)))
                .advise(advice)
        }));
    }
    for topic in &graph.topics {
        if topic.encodings.len() > 1 {
            findings.push(
                Finding::note("encodings", format!("topic {:?}", topic.name))
                    .what("its publishers write it in different ways")
                    .because(topic.encodings.join(", "))
                    .advise("use one encoding for a topic, or two names"),
            );
        }
    }
    findings
}

fn suggestion<'a>(like: impl Iterator<Item = &'a str>) -> Option<String> {
    let like: Vec<_> = like.map(|name| format!("{name:?}")).collect();
    (!like.is_empty()).then(|| {
        format!(
            "if {} is meant, correct the name or use COLUGO_REMAP",
            like.join(" or ")
        )
    })
}

/// Nobody is there, and nothing that was found says why.
pub(super) fn loneliness(graph: &Graph, found: &[Finding]) -> Option<Finding> {
    let met = |node: &&GraphNode| matches!(node.state, NodeState::Alive | NodeState::Suspect);
    if graph.nodes.iter().any(|node| met(&node)) {
        return None;
    }
    let explained = |kind| found.iter().any(|finding| finding.kind == kind);
    if explained("unreachable") || explained("peer") || explained("version") {
        return None;
    }
    let finding = Finding::problem("alone", "no other node")
        .what("no node of this namespace was heard on this machine or network");
    let outside = graph
        .interfaces
        .iter()
        .any(|interface| interface.used && !interface.address.is_loopback());
    Some(if outside {
        finding
            .because("multicast DNS (UDP 5353) and the directory of this machine show none")
            .advise(
                "if one runs on this network, its machine or a switch may block multicast, as guest Wi-Fi, clouds and Docker do; if \
                 it runs on another network, multicast does not get there: name it with --peer or COLUGO_PEERS=tcp://HOST:PORT, or \
                 run a hub that both reach (colugo hub)",
            )
    } else {
        finding
            .because("only loopback interfaces are used: other machines can't be heard")
            .advise("check the network, --interface and COLUGO_INTERFACES")
    })
}
