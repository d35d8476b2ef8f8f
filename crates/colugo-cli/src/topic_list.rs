//! `colugo topic list`: who publishes and subscribes to what, at this moment.

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
    let mut session = Session::discover(network, "topic-list")?;
    let graph = settled(&session, args.wait);
    if session.was_interrupted() {
        return Ok(Exit::Interrupted);
    }
    let mut out = Out::new();
    if args.json {
        let topics = graph.topics.iter().map(|topic| {
            json!({
                "name": topic.name,
                "encodings": topic.encodings,
                "publishers": nodes_json(&graph, &topic.publishers),
                "subscribers": nodes_json(&graph, &topic.subscribers),
                "endpoints": topic.endpoints,
            })
        });
        let topics: Vec<_> = topics.collect();
        out.line(json!({"v": SCHEMA, "namespace": session.node.namespace(), "topics": topics}))?;
    } else if !graph.topics.is_empty() {
        let mut table = Table::new(&["TOPIC", "ENCODING", "PUBLISHERS", "SUBSCRIBERS"]);
        for topic in &graph.topics {
            let encodings = topic.encodings.join(",");
            table.row([
                topic.name.clone(),
                encodings,
                node_names(&graph, &topic.publishers),
                node_names(&graph, &topic.subscribers),
            ]);
        }
        table.lines().iter().try_for_each(|line| out.line(line))?;
    }
    out.flush()?;
    if graph.topics.is_empty() {
        say("nobody publishes or subscribes to anything here");
        hint::surroundings(&graph, session.node.namespace())
            .iter()
            .for_each(say);
    }
    session.close();
    Ok(Exit::Done)
}
