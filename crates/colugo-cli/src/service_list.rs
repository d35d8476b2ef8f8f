//! `colugo service list`: who serves and calls what, at this moment.

use serde_json::json;

use crate::args::{ListArgs, NetworkArgs};
use crate::exit::{Exit, Outcome};
use crate::hint;
use crate::node_list::{SCHEMA, node_names, nodes_json};
use crate::output::{Out, say};
use crate::session::Session;
use crate::settle::settled;
use crate::table::Table;

pub(crate) fn run(network: &NetworkArgs, args: &ListArgs) -> Outcome {
    let mut session = Session::discover(network, "service-list")?;
    let graph = settled(&session, args.wait);
    if session.was_interrupted() {
        return Ok(Exit::Interrupted);
    }
    let mut out = Out::new();
    if args.json {
        let services = graph.services.iter().map(|service| {
            json!({
                "name": service.name,
                "encodings": service.encodings,
                "servers": nodes_json(&graph, &service.servers),
                "clients": nodes_json(&graph, &service.clients),
                "endpoints": service.endpoints,
            })
        });
        let services: Vec<_> = services.collect();
        out.line(
            json!({"v": SCHEMA, "namespace": session.node.namespace(), "services": services}),
        )?;
    } else if !graph.services.is_empty() {
        let mut table = Table::new(&["SERVICE", "ENCODING", "SERVERS", "CLIENTS"]);
        for service in &graph.services {
            let encodings = service.encodings.join(",");
            table.row([
                service.name.clone(),
                encodings,
                node_names(&graph, &service.servers),
                node_names(&graph, &service.clients),
            ]);
        }
        table.lines().iter().try_for_each(|line| out.line(line))?;
    }
    out.flush()?;
    if graph.services.is_empty() {
        say("nobody serves or calls anything here");
        hint::surroundings(&graph, session.node.namespace())
            .iter()
            .for_each(say);
    }
    session.close();
    Ok(Exit::Done)
}
