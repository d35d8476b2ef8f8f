//! The addresses of this machine: which ones discovery uses, which ones others may be told, and which address of a peer
//! is worth trying first.
//!
//! Knows the interfaces at the moment of the call; does not follow changes.

use std::net::{IpAddr, SocketAddr};

use colugo_graph::InterfaceInfo;
use if_addrs::{IfAddr, Interface, get_if_addrs};

/// Interfaces that lead to containers and virtual machines: their addresses are tried last.
const VIRTUAL: [&str; 7] = ["docker", "br-", "veth", "virbr", "vmnet", "vEthernet", "zt"];

/// What the machine has at this moment.
pub(super) struct Interfaces(Vec<Interface>);

impl Interfaces {
    pub(super) fn now() -> Self {
        Self(get_if_addrs().unwrap_or_default())
    }

    /// All addresses, and whether `chosen` (names or addresses; empty: all) lets discovery use them.
    pub(super) fn infos(&self, chosen: &[String]) -> Vec<InterfaceInfo> {
        let info = |interface: &Interface| InterfaceInfo {
            name: interface.name.clone(),
            address: interface.ip(),
            used: is_chosen(interface, chosen),
        };
        self.0.iter().map(info).collect()
    }

    /// What others may be told: not where only this machine is, and link-local only without anything better.
    pub(super) fn for_others(&self, chosen: &[String]) -> Vec<IpAddr> {
        let usable = self
            .0
            .iter()
            .filter(|interface| is_chosen(interface, chosen) && !interface.is_loopback());
        let mut ranked: Vec<_> = usable
            .map(|interface| (own_rank(interface), interface.ip()))
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, ip)| ip).collect()
    }

    /// Puts the addresses of a peer into the order in which to try them.
    pub(super) fn order(&self, addresses: &mut [SocketAddr]) {
        addresses.sort_by_key(|address| self.rank(address.ip()));
    }

    fn rank(&self, ip: IpAddr) -> u8 {
        let near = self.0.iter().find(|interface| same_network(interface, ip));
        match (ip, near) {
            _ if ip.is_loopback() => 0,
            (_, Some(interface)) if is_virtual(interface) => 5,
            (IpAddr::V4(_), Some(_)) => 1,
            (IpAddr::V6(ip), _) if ip.is_unicast_link_local() => 4,
            (IpAddr::V6(_), Some(_)) => 2,
            (_, None) => 3,
        }
    }
}

/// The name of this machine, for people; empty when it does not say.
pub(super) fn host_name() -> String {
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = named
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok());
    named.map(|name| name.trim().to_owned()).unwrap_or_default()
}

fn is_chosen(interface: &Interface, chosen: &[String]) -> bool {
    let matches = |word: &String| *word == interface.name || word.parse() == Ok(interface.ip());
    chosen.is_empty() || chosen.iter().any(matches)
}

fn is_virtual(interface: &Interface) -> bool {
    VIRTUAL
        .iter()
        .any(|prefix| interface.name.starts_with(prefix))
}

fn own_rank(interface: &Interface) -> u8 {
    match interface.ip() {
        _ if is_virtual(interface) => 3,
        IpAddr::V4(_) => 0,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 2,
        IpAddr::V6(_) => 1,
    }
}

fn same_network(interface: &Interface, ip: IpAddr) -> bool {
    match (&interface.addr, ip) {
        (IfAddr::V4(own), IpAddr::V4(ip)) => {
            let mask = u32::from(own.netmask);
            u32::from(own.ip) & mask == u32::from(ip) & mask
        }
        (IfAddr::V6(own), IpAddr::V6(ip)) => {
            let mask = u128::from(own.netmask);
            u128::from(own.ip) & mask == u128::from(ip) & mask
        }
        _ => false,
    }
}
