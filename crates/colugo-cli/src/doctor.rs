//! `colugo doctor`: looks at this machine and at who is heard from it, and says what is wrong, why it thinks so, and what to do.
//! Finding out is [`examine`]'s and [`knock`]'s business; here is the order of things, and how they are shown.

mod examine;
mod finding;
mod knock;
mod multicast;

use colugo::{Graph, GraphNode, NodeState};
use serde_json::json;

use crate::args::{DoctorArgs, NetworkArgs};
use crate::doctor::finding::{Finding, Weight};
use crate::exit::{Exit, Outcome};
use crate::hint;
use crate::node_list::SCHEMA;
use crate::output::{Out, say};
use crate::session::Session;
use crate::settle::settled;

pub(crate) fn run(network: &NetworkArgs, args: &DoctorArgs) -> Outcome {
    let mut session = Session::discover(network, "doctor")?;
    if !args.json {
        let wait = args.wait.as_secs_f64();
        say(format!("listening for {wait} s at most …"));
    }
    let graph = settled(&session, args.wait);
    if session.was_interrupted() {
        return Ok(Exit::Interrupted);
    }
    let namespace = session.node.namespace();
    let mut findings = examine::nodes(&graph, namespace);
    findings.extend(examine::fixed_peers(&graph));
    findings.extend(examine::topics(&graph));
    findings.extend(knock::data_ports(&graph, &session.interrupt));
    findings.extend(multicast::interfaces(&graph));
    findings.extend(examine::elsewhere(&graph, namespace));
    findings.extend(examine::loneliness(&graph, &findings));
    // What is worst comes first, else in the order in which it was looked for.
    findings.sort_by_key(|finding| finding.weight);
    let mut out = Out::new();
    if args.json {
        let all: Vec<_> = findings.iter().map(Finding::json).collect();
        let healthy = problems(&findings) == 0;
        out.line(
            json!({"v": SCHEMA, "namespace": namespace, "healthy": healthy, "findings": all}),
        )?;
    } else {
        out.line(verdict(&graph, &findings))?;
        for line in hint::surroundings(&graph, namespace) {
            out.line(crate::payload::harmless(&line))?;
        }
        for finding in &findings {
            for line in finding.lines() {
                out.line(crate::payload::harmless(&line))?;
            }
        }
    }
    out.flush()?;
    session.close();
    Ok(if problems(&findings) == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn problems(findings: &[Finding]) -> usize {
    let problems = findings
        .iter()
        .filter(|finding| finding.weight == Weight::Problem);
    problems.count()
}

/// The first line: all that somebody in a hurry wants to know.
fn verdict(graph: &Graph, findings: &[Finding]) -> String {
    let met = |node: &&GraphNode| {
        matches!(
            node.state,
            NodeState::Alive | NodeState::Suspect | NodeState::Relayed
        )
    };
    let met = graph.nodes.iter().filter(met).count();
    let nodes = if met == 1 { "node" } else { "nodes" };
    match (problems(findings), findings.first()) {
        (0, _) => format!("healthy: {met} other {nodes}, all reached"),
        (1, Some(worst)) => format!(
            "1 problem ({met} other {nodes} reached): {}: {}",
            worst.about, worst.what
        ),
        (many, Some(worst)) => {
            format!(
                "{many} problems ({met} other {nodes} reached), among them {}: {}",
                worst.about, worst.what
            )
        }
        (_, None) => String::new(),
    }
}
