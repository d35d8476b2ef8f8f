//! Whether this machine can send to multicast DNS by each interface that discovery uses.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use colugo::Graph;

use crate::doctor::finding::Finding;

const MDNS: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 251), 5353);

/// A question that nobody answers: a header without entries.
const EMPTY_QUERY: [u8; 12] = [0; 12];

/// Interfaces by which nothing can be sent to all.
pub(super) fn interfaces(graph: &Graph) -> Vec<Finding> {
    let used = graph
        .interfaces
        .iter()
        .filter(|interface| interface.used && !interface.address.is_loopback());
    used.filter_map(|interface| {
        let IpAddr::V4(address) = interface.address else {
            return None;
        };
        // Bound to the address of the interface, the system sends by it, or says why not.
        let sent = UdpSocket::bind((address, 0)).and_then(|socket| socket.send_to(&EMPTY_QUERY, MDNS));
        let error = sent.err()?;
        Some(
            Finding::problem("multicast", format!("interface {} ({address})", interface.name))
                .what("multicast can't be sent by it: nobody there is found, or finds us")
                .because(format!("sending to 224.0.0.251:5353: {error}"))
                .advise(
                    "allow UDP 5353 to 224.0.0.251 in this machine's firewall; or leave the interface out (COLUGO_INTERFACES) and name \
                     peers or a hub (COLUGO_PEERS)",
                ),
        )
    })
    .collect()
}
