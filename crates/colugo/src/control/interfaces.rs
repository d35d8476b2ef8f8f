//! The addresses of this machine: which ones discovery uses, which ones others may be told, and which address of a peer
//! is worth trying first.
//!
//! Knows the interfaces at the moment of the call; does not follow changes.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use colugo_graph::{InterfaceInfo, limits};
use if_addrs::{IfAddr, Interface, get_if_addrs};

use super::choice::Choice;

/// Interfaces that lead to containers, virtual machines and tunnels: their addresses are tried last.
const VIRTUAL: [&str; 19] = [
    "docker",
    "br-",
    "veth",
    "virbr",
    "vmnet",
    "vboxnet",
    "vEthernet",
    "lxc",
    "lxd",
    "podman",
    "cni",
    "flannel",
    "zt",
    "tailscale",
    "tun",
    "tap",
    "utun",
    "wg",
    "ppp",
];

/// What the machine has at this moment.
pub(super) struct Interfaces(Vec<Interface>);

impl Interfaces {
    pub(super) fn now() -> Self {
        Self(get_if_addrs().unwrap_or_default())
    }

    /// All addresses, and whether `chosen` lets discovery use them.
    pub(super) fn infos(&self, chosen: &Choice) -> Vec<InterfaceInfo> {
        let info = |interface: &Interface| InterfaceInfo {
            name: interface.name.clone(),
            address: interface.ip(),
            used: chosen.takes(&interface.name, interface.ip()),
        };
        self.0.iter().map(info).collect()
    }

    /// What others may be told: not where only this machine is, and link-local only without anything better.
    pub(super) fn for_others(&self, chosen: &Choice) -> Vec<IpAddr> {
        let usable = self.0.iter().filter(|interface| {
            chosen.takes(&interface.name, interface.ip()) && !interface.is_loopback()
        });
        let mut ranked: Vec<_> = usable
            .map(|interface| (own_rank(interface), interface.ip()))
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, ip)| ip).collect()
    }

    /// What there is and works, to be compared with what there was.
    pub(super) fn working(&self) -> Vec<(String, IpAddr)> {
        let up = self.0.iter().filter(|interface| interface.is_oper_up());
        let mut up: Vec<_> = up
            .map(|interface| (interface.name.clone(), interface.ip()))
            .collect();
        up.sort();
        up.dedup();
        up
    }

    /// The addresses of a peer in the order in which to try them. Loopback addresses of another machine are left out, as
    /// they lead to this one; a link-local one without its interface is tried on each that has such addresses.
    pub(super) fn order(&self, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        let elsewhere = self.is_elsewhere(addresses);
        let meant = addresses
            .iter()
            .filter(|address| !(elsewhere && address.ip().is_loopback()));
        let mut ordered: Vec<_> = meant.flat_map(|address| self.scoped(*address)).collect();
        ordered.sort_by_key(|address| self.rank(address));
        ordered.dedup();
        ordered.truncate(limits::ADDRESSES);
        ordered
    }

    /// It has addresses that mean something beyond its machine, and none of them is ours.
    fn is_elsewhere(&self, addresses: &[SocketAddr]) -> bool {
        let mut beyond = addresses
            .iter()
            .map(SocketAddr::ip)
            .filter(|ip| !ip.is_loopback())
            .peekable();
        beyond.peek().is_some() && !beyond.any(|ip| self.0.iter().any(|own| own.ip() == ip))
    }

    fn scoped(&self, address: SocketAddr) -> Vec<SocketAddr> {
        match address {
            SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0 => {
                let near = self.0.iter().filter(|interface| {
                    matches!(interface.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local())
                });
                near.filter_map(|interface| interface.index)
                    .map(|index| SocketAddrV6::new(*v6.ip(), v6.port(), 0, index).into())
                    .collect()
            }
            other => vec![other],
        }
    }

    fn rank(&self, address: &SocketAddr) -> u8 {
        let ip = address.ip();
        let near = self.near(address);
        match (ip, near) {
            _ if ip.is_loopback() => 0,
            (_, Some(interface)) if is_virtual(interface) => 5,
            (IpAddr::V4(_), Some(_)) => 1,
            (IpAddr::V6(ip), _) if ip.is_unicast_link_local() => 4,
            (IpAddr::V6(_), Some(_)) => 2,
            (_, None) => 3,
        }
    }

    /// The interface by which the address is reached without a router: of overlapping networks the smallest, as the system does it.
    fn near(&self, address: &SocketAddr) -> Option<&Interface> {
        let scope = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Some(v6.scope_id()),
            _ => None,
        };
        self.0
            .iter()
            .filter(|interface| scope.is_none() || interface.index == scope)
            .filter(|interface| same_network(interface, address.ip()))
            .max_by_key(|interface| (prefix(interface), !is_virtual(interface)))
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

fn prefix(interface: &Interface) -> u8 {
    match &interface.addr {
        IfAddr::V4(own) => own.prefixlen,
        IfAddr::V6(own) => own.prefixlen,
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use if_addrs::{IfOperStatus, Ifv4Addr, Ifv6Addr};

    use super::*;

    /// `name index address/prefix` each.
    fn interfaces(all: &[&str]) -> Interfaces {
        let interface = |line: &&str| {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("three words");
            let (name, index) = (word().to_owned(), word().parse().ok());
            let (ip, prefixlen) = word().split_once('/').expect("a prefix");
            let prefixlen: u8 = prefixlen.parse().expect("a prefix");
            let addr = match ip.parse().expect("an address") {
                IpAddr::V4(ip) => IfAddr::V4(Ifv4Addr {
                    ip,
                    netmask: Ipv4Addr::from(u32::MAX << (32 - prefixlen)),
                    prefixlen,
                    broadcast: None,
                }),
                IpAddr::V6(ip) => IfAddr::V6(Ifv6Addr {
                    ip,
                    netmask: Ipv6Addr::from(u128::MAX << (128 - prefixlen)),
                    prefixlen,
                    broadcast: None,
                }),
            };
            Interface {
                name,
                addr,
                index,
                oper_status: IfOperStatus::Up,
                is_p2p: false,
                #[cfg(windows)]
                adapter_name: String::new(),
            }
        };
        Interfaces(all.iter().map(interface).collect())
    }

    fn order(own: &[&str], peer: &[&str]) -> Vec<String> {
        let peer: Vec<_> = peer
            .iter()
            .map(|a| a.parse().expect("an address"))
            .collect();
        let ordered = interfaces(own).order(&peer);
        ordered.iter().map(ToString::to_string).collect()
    }

    const MACHINE: [&str; 7] = [
        "lo 1 127.0.0.1/8",
        "docker0 2 172.17.0.1/16",
        "wg0 3 10.8.0.1/24",
        "vEthernet 4 172.30.0.1/20",
        "eth0 5 10.0.0.1/24",
        "eth0 5 fd00::1/64",
        "eth0 5 fe80::1/64",
    ];

    #[test]
    fn near_ones_come_first_and_virtual_ones_last_but_all_are_tried() {
        let peer = [
            "172.17.0.9:1",
            "10.8.0.9:1",
            "172.30.0.9:1",
            "192.168.1.9:1",
            "[fd00::9]:1",
            "10.0.0.9:1",
        ];
        let wanted = [
            "10.0.0.9:1",
            "[fd00::9]:1",
            "192.168.1.9:1",
            "172.17.0.9:1",
            "10.8.0.9:1",
            "172.30.0.9:1",
        ];
        assert_eq!(order(&MACHINE, &peer), wanted);
    }

    #[test]
    fn loopback_addresses_are_tried_for_the_same_machine_only() {
        assert_eq!(
            order(&MACHINE, &["10.0.0.9:1", "127.0.0.1:1"]),
            ["10.0.0.9:1"]
        );
        let here = ["10.0.0.1:1", "127.0.0.1:1"];
        assert_eq!(order(&MACHINE, &here), ["127.0.0.1:1", "10.0.0.1:1"]);
        assert_eq!(
            order(&MACHINE, &["127.0.0.1:1", "[::1]:1"]),
            ["127.0.0.1:1", "[::1]:1"]
        );
    }

    #[test]
    fn a_link_local_address_without_its_interface_is_tried_on_each() {
        let own = [
            "eth0 5 fe80::1/64",
            "eth1 7 fe80::2/64",
            "eth2 8 10.0.0.1/24",
        ];
        assert_eq!(
            order(&own, &["[fe80::9]:1"]),
            ["[fe80::9%5]:1", "[fe80::9%7]:1"]
        );
        assert_eq!(order(&own, &["[fe80::9%7]:1"]), ["[fe80::9%7]:1"]);
    }

    #[test]
    fn of_overlapping_networks_the_smallest_counts() {
        let own = ["eth0 1 172.16.0.1/12", "docker0 2 172.17.0.1/16"];
        let peer = ["172.17.0.9:1", "172.18.0.9:1"];
        assert_eq!(order(&own, &peer), ["172.18.0.9:1", "172.17.0.9:1"]);
    }

    #[test]
    fn others_are_told_of_what_is_chosen_but_of_no_loopback_address() {
        let told = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            let told = interfaces(&MACHINE).for_others(&Choice::new(&words));
            told.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let last = ["172.17.0.1", "10.8.0.1", "172.30.0.1"];
        assert_eq!(
            told(&[]),
            [&["10.0.0.1", "fd00::1", "fe80::1"][..], &last].concat()
        );
        assert_eq!(told(&["wg0", "lo"]), ["10.8.0.1"]);
        assert_eq!(told(&["!eth0"]), last);
    }
}
