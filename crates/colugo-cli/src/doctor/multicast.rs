//! Whether multicast DNS works on this machine, by each interface that discovery uses: port 5353 can be shared, what is sent to all gets out, and what
//! is sent to all comes in, for which the own question is listened for.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use colugo::Graph;
use socket2::{Domain, Protocol, Socket, Type};

use crate::doctor::finding::Finding;

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;

/// How long the own question may take to come back, within this machine.
const PATIENCE: Duration = Duration::from_millis(300);
/// It is asked again: one packet may be lost where there are many.
const ATTEMPTS: usize = 3;

/// What does not work.
enum Fault {
    /// Another program has the port for itself.
    Port(io::Error),
    /// Nothing can be sent to all.
    Out(io::Error),
    /// What is sent to all does not come in.
    In,
}

/// Interfaces by which nothing can be sent to all, or nothing is heard of what is.
pub(super) fn interfaces(graph: &Graph) -> Vec<Finding> {
    let used = graph
        .interfaces
        .iter()
        .filter(|interface| interface.used && !interface.address.is_loopback());
    used.filter_map(|interface| {
        let IpAddr::V4(address) = interface.address else {
            return None;
        };
        let about = format!("interface {} ({address})", interface.name);
        Some(finding(&about, check(address).err()?))
    })
    .collect()
}

fn finding(about: &str, fault: Fault) -> Finding {
    let instead =
        "or leave the interface out (COLUGO_INTERFACES) and name peers or a hub (COLUGO_PEERS)";
    match fault {
        Fault::Port(error) => Finding::problem("port-5353", about)
            .what("UDP port 5353 can't be shared: discovery does not hear by it")
            .because(format!("opening it: {error}"))
            .advise(format!(
                "find the program that has it for itself (ss -ulpn 'sport = 5353') and let it share the port; {instead}"
            )),
        Fault::Out(error) => Finding::problem("multicast", about)
            .what("multicast can't be sent by it: nobody there is found, or finds us")
            .because(format!("sending to {GROUP}:{PORT}: {error}"))
            .advise(format!(
                "allow UDP {PORT} to {GROUP} in this machine's firewall; {instead}"
            )),
        Fault::In => Finding::problem("multicast-in", about)
            .what("multicast does not come in by it: we are found, and find nobody there")
            .because(format!("the own question to {GROUP}:{PORT} was not heard, {ATTEMPTS} times"))
            .advise(format!(
                "let UDP {PORT} to {GROUP} in through this machine's firewall (nft list ruleset, iptables -S); {instead}"
            )),
    }
}

fn check(address: Ipv4Addr) -> Result<(), Fault> {
    // Bound to the address of the interface, the system sends by it, or says why not.
    let sender = UdpSocket::bind((address, 0)).map_err(Fault::Out)?;
    let listener = listener(address).map_err(Fault::Port)?;
    for attempt in 0..ATTEMPTS {
        let question = question(attempt);
        sender
            .send_to(&question, (GROUP, PORT))
            .map_err(Fault::Out)?;
        if hears(&listener, &question) {
            return Ok(());
        }
    }
    Err(Fault::In)
}

/// Port 5353, shared with everybody who speaks multicast DNS here.
fn listener(address: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into())?;
    socket.join_multicast_v4(&GROUP, &address)?;
    Ok(socket.into())
}

/// A question that nobody answers: a header without entries, its number one that nobody else has just now.
fn question(attempt: usize) -> [u8; 12] {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.unwrap_or_default().subsec_nanos();
    let number = nanos ^ std::process::id().rotate_left(16) ^ attempt as u32;
    let mut question = [0; 12];
    let (id, _) = question.split_at_mut(2);
    id.copy_from_slice(&(number as u16 ^ (number >> 16) as u16).to_be_bytes());
    question
}

/// Whether it arrives.
fn hears(listener: &UdpSocket, question: &[u8]) -> bool {
    let deadline = Instant::now() + PATIENCE;
    let mut packet = [0; 1500];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || listener.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        match listener.recv(&mut packet) {
            Ok(len) if packet.get(..len) == Some(question) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}
