//! Whether what nodes offer can be reached: a connection to each port of publishers and servers that are alive, ended at once.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use colugo::Graph;

use crate::doctor::finding::Finding;
use crate::interrupt::Interrupt;

/// How long a port may take. One that is reached answers within a round trip.
const PATIENCE: Duration = Duration::from_secs(1);
/// Ports that are tried at most: each takes that long where a firewall drops what is sent.
const PORTS_MAX: usize = 64;
/// At a time.
const HANDS: usize = 16;

/// What can't be dialled, though its node's control port can.
pub(super) fn data_ports(graph: &Graph, interrupt: &Interrupt) -> Vec<Finding> {
    let topics = graph
        .topics
        .iter()
        .map(|topic| ("topic", &topic.name, &topic.endpoints));
    let services = graph
        .services
        .iter()
        .map(|service| ("service", &service.name, &service.endpoints));
    let doors: Vec<_> = topics
        .chain(services)
        .flat_map(|(kind, name, endpoints)| {
            endpoints.iter().map(move |endpoint| (kind, name, endpoint))
        })
        .filter_map(|(kind, name, endpoint)| {
            let address = endpoint
                .strip_prefix("tcp://")?
                .parse::<SocketAddr>()
                .ok()?;
            Some((kind, name.as_str(), address))
        })
        .collect();
    let mut findings = Vec::new();
    let mut left = doors.len();
    for few in doors.chunks(HANDS).take(PORTS_MAX / HANDS) {
        if interrupt.is_set() {
            break;
        }
        left -= few.len();
        let closed = std::thread::scope(|scope| {
            let tries: Vec<_> = few
                .iter()
                .map(|door| {
                    scope.spawn(move || TcpStream::connect_timeout(&door.2, PATIENCE).err())
                })
                .collect();
            tries
                .into_iter()
                .map(|one| one.join().ok().flatten())
                .collect::<Vec<_>>()
        });
        findings.extend(
            few.iter()
                .zip(closed)
                .filter_map(|((kind, name, address), error)| {
                    let error = error?;
                    Some(
                        Finding::problem("port", format!("{kind} {name:?} at tcp://{address}"))
                            .what("its node is reached, and its own port is not: nodes of Colugo use the control port instead, 0.3 s later; plain ZeroMQ programs can't")
                            .because(error.to_string())
                            .advise(remedy(error.kind())),
                    )
                }),
        );
    }
    if left > 0 {
        findings.push(
            Finding::note("ports", format!("{left} ports"))
                .what("publishers and servers whose own ports were not tried")
                .because(format!(
                    "{} are known, and {PORTS_MAX} are tried at most",
                    doors.len()
                ))
                .advise(
                    "look at those you miss: colugo topic echo NAME, colugo service call NAME …",
                ),
        );
    }
    findings
}

fn remedy(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ConnectionRefused => {
            "it has probably ended this moment: look again; if it stays so, a firewall there refuses what is sent to that port"
        }
        ErrorKind::TimedOut => {
            "a firewall lets the control port pass and not this one: give publishers and servers there a range with \
             COLUGO_PORTS=20000-20100 and open that"
        }
        _ => "check addresses and routes of both machines",
    }
}
