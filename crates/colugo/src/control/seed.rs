//! `Seed`: a fixed peer as the user wrote it, and how it is turned into addresses: `tcp://host:port`, or
//! `dns-sd:domain`, for whom the domain's name server names under `_colugo-node._tcp`.
//!
//! Knows how to ask; what an answer looks like is in `srv`, who is behind an address in `dial`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use colugo_graph::{DialFailure, limits};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::dial;
use super::srv::{Answer, Kind, Question};

const PREFIX: &str = "dns-sd:";
const SERVICE: &str = "_colugo-node._tcp";
const DNS_PORT: u16 = 53;

/// How long a name server may take; then the next one is asked.
const ANSWER_WITHIN: Duration = Duration::from_millis(700);

/// How many name servers are asked, and how many instances of a domain.
const SERVERS_MAX: usize = 3;
const INSTANCES_MAX: usize = 8;

/// Longer answers are cut by the server, and what is whole of them is used.
const ANSWER_MAX: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seed {
    Host(String, u16),
    /// Asked of this server, or of those that the machine is set to.
    Domain(String, Option<SocketAddr>),
}

impl Seed {
    /// `None`: neither `tcp://host:port` nor `dns-sd:domain`, to which `@server` or `@server:port` may be added.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Some(rest) = text.trim().strip_prefix(PREFIX) else {
            return dial::parse(text).map(|(host, port)| Self::Host(host, port));
        };
        let (domain, server) = match rest.split_once('@') {
            Some((domain, server)) => (domain, Some(server_address(server)?)),
            None => (rest, None),
        };
        let domain = domain.trim_end_matches('.');
        Question::new(0, &full(domain), Kind::Srv).encode()?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        (!domain.is_empty() && domain.chars().all(fits))
            .then(|| Self::Domain(domain.to_owned(), server))
    }

    /// Where it leads at this moment, what is to be tried first first.
    pub(super) async fn resolve(&self) -> Result<Vec<SocketAddr>, DialFailure> {
        match self {
            Self::Host(host, port) => dial::resolve(host, *port).await,
            Self::Domain(domain, server) => {
                let servers = match server {
                    Some(server) => vec![*server],
                    None => name_servers(),
                };
                services(&servers, &full(domain)).await
            }
        }
    }

    /// The order of the addresses is the domain's wish.
    pub(super) fn is_ordered(&self) -> bool {
        matches!(self, Self::Domain(..))
    }
}

/// Whether a text names a fixed peer by its domain, and well.
pub(crate) fn is_seed(text: &str) -> bool {
    matches!(Seed::parse(text), Some(Seed::Domain(..)))
}

fn full(domain: &str) -> String {
    format!("{SERVICE}.{domain}")
}

fn server_address(text: &str) -> Option<SocketAddr> {
    let ip = || text.parse::<IpAddr>().ok();
    text.parse()
        .ok()
        .or_else(|| ip().map(|ip| SocketAddr::new(ip, DNS_PORT)))
}

/// The name servers of this machine.
fn name_servers() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let words = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next())?
    });
    words.filter_map(server_address).take(SERVERS_MAX).collect()
}

/// The services of a name itself, else of the instances that it points to.
async fn services(servers: &[SocketAddr], name: &str) -> Result<Vec<SocketAddr>, DialFailure> {
    let mut found = ask(servers, name, Kind::Srv).await?;
    if found.is_empty() {
        let instances = ask(servers, name, Kind::Ptr).await?;
        for instance in instances.into_iter().take(INSTANCES_MAX) {
            if let Answer::Ptr(instance) = instance {
                found.extend(ask(servers, &instance, Kind::Srv).await?);
            }
        }
        found.sort();
    }
    let mut addresses = Vec::new();
    for service in found.into_iter().take(INSTANCES_MAX) {
        if let Answer::Srv { host, port, .. } = service {
            // One host without an address does not make the others worse.
            addresses.extend(dial::resolve(&host, port).await.unwrap_or_default());
        }
    }
    addresses.truncate(limits::ADDRESSES);
    if addresses.is_empty() {
        return Err(DialFailure::Unresolved);
    }
    Ok(addresses)
}

async fn ask(servers: &[SocketAddr], name: &str, kind: Kind) -> Result<Vec<Answer>, DialFailure> {
    for server in servers {
        if let Ok(Some(answers)) = timeout(ANSWER_WITHIN, ask_one(*server, name, kind)).await {
            return Ok(answers);
        }
    }
    Err(DialFailure::Unresolved)
}

async fn ask_one(server: SocketAddr, name: &str, kind: Kind) -> Option<Vec<Answer>> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).ok()?;
    let question = Question::new(u16::from_be_bytes(id), name, kind);
    let own: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((own, 0)).await.ok()?;
    // Only from there anything is taken then.
    socket.connect(server).await.ok()?;
    socket.send(&question.encode()?).await.ok()?;
    let mut octets = [0; ANSWER_MAX];
    loop {
        let len = socket.recv(&mut octets).await.ok()?;
        if let Some(answers) = octets.get(..len).and_then(|octets| question.read(octets)) {
            return Some(answers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_domains_are_told_apart() {
        let domain = |name: &str, server: Option<&str>| {
            Some(Seed::Domain(
                name.to_owned(),
                server.map(|server| server.parse().unwrap()),
            ))
        };
        assert_eq!(
            Seed::parse("tcp://a.local:47"),
            Some(Seed::Host("a.local".to_owned(), 47))
        );
        assert_eq!(
            Seed::parse("dns-sd:example.org"),
            domain("example.org", None)
        );
        assert_eq!(
            Seed::parse("dns-sd:example.org."),
            domain("example.org", None)
        );
        assert_eq!(
            Seed::parse("dns-sd:lab@10.0.0.1"),
            domain("lab", Some("10.0.0.1:53"))
        );
        assert_eq!(
            Seed::parse("dns-sd:lab@[::1]:5300"),
            domain("lab", Some("[::1]:5300"))
        );
        for wrong in [
            "dns-sd:",
            "dns-sd:a..b",
            "dns-sd:a b",
            "dns-sd:a@",
            "dns-sd:a@b",
            "dns-sd:a:53",
        ] {
            assert_eq!(Seed::parse(wrong), None, "{wrong}");
        }
    }
}
