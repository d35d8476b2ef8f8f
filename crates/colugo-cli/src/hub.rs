//! `colugo hub`: a node that introduces others to each other, at an address that all know, and says who comes and goes.

use std::net::{IpAddr, SocketAddr};

use colugo::{Event, Network, NodeId, Origin};
use serde_json::json;

use crate::args::{HubArgs, NetworkArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::node_list::SCHEMA;
use crate::output::{Out, say};
use crate::session::Session;

/// Where a hub listens unless it is told otherwise, IPv4 too: the address that others are given should be one that can be remembered.
const DEFAULT_LISTEN: &str = "[::]:4747";

pub(crate) fn run(network: &NetworkArgs, args: &HubArgs) -> Outcome {
    let settings = colugo::settings().map_err(|error| Failure::with(Exit::Usage, error))?;
    let told = |key| {
        let row = settings.iter().find(|setting| setting.key == key);
        row.is_some_and(|setting| setting.origin != Origin::Default)
    };
    let listens = network.listen.is_some() || told("listen");
    let mut session = Session::start_with(network, "hub", Network::Lan, |builder| {
        let builder = builder.hub(true);
        if listens {
            builder
        } else {
            builder.listen(DEFAULT_LISTEN)
        }
    })?;
    let mut out = Out::new();
    announce(&session, args.json, &mut out)?;
    while !session.was_interrupted() {
        let Some(event) = session.next_event() else {
            continue;
        };
        if let Some((what, node, name)) = change(&event) {
            if args.json {
                out.line(
                    json!({"v": SCHEMA, "event": what, "name": name, "id": node.to_string()}),
                )?;
            } else {
                let id: String = node.to_string().chars().take(8).collect();
                out.line(format!("{what:7} {name} ({id})"))?;
            }
            out.flush()?;
        }
    }
    session.close();
    Ok(Exit::Done)
}

fn announce(session: &Session, json: bool, out: &mut Out) -> Result<(), Failure> {
    let node = &session.node;
    let address = node
        .control_address()
        .map(|address| format!("tcp://{address}"))
        .unwrap_or_default();
    if json {
        out.line(json!({"v": SCHEMA, "event": "listening", "address": address, "namespace": node.namespace()}))?;
        return out.flush();
    }
    let port = node.control_address().map_or(0, |address| address.port());
    let reached = node
        .graph()
        .interfaces
        .into_iter()
        .filter(|interface| interface.used);
    let mut hosts: Vec<_> = reached
        .map(|interface| interface.address)
        .filter(|address| !address.is_loopback() && !is_for_one_cable(address))
        .map(|address| SocketAddr::new(address, port).to_string())
        .collect();
    hosts.dedup();
    if hosts.is_empty() {
        hosts.push(format!("127.0.0.1:{port}"));
    }
    say(format!(
        "hub of the namespace {:?} at {address}; on the other machines COLUGO_PEERS=tcp://{}, or --peer; Ctrl-C ends",
        node.namespace(),
        hosts.join(" or tcp://")
    ));
    Ok(())
}

fn is_for_one_cable(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

fn change(event: &Event) -> Option<(&'static str, NodeId, &str)> {
    match event {
        Event::NodeJoined { node, name } => Some(("joined", *node, name)),
        Event::NodeLeft { node, name } => Some(("left", *node, name)),
        _ => None,
    }
}
