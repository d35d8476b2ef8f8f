//! `Lan`: hosts made of Linux network namespaces, joined by a switch that is one too. Gone when dropped. Knows nothing of what runs on them.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::skipped;

/// Set where namespaces must be possible: a test is not skipped there, it fails.
const VARIABLE: &str = "COLUGO_TEST_NETNS";
/// The hosts' network, of which the last octet is the host's number from 1 on.
const NETWORK: [u8; 3] = [10, 91, 0];

/// The networks of hosts that only a router joins: the third octet is the host's number.
const ROUTED: [u8; 2] = [10, 93];

/// The network of a host and the one behind it.
const BEHIND: [u8; 3] = [10, 92, 0];

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A switch and its hosts.
#[derive(Debug)]
pub struct Lan {
    switch: Option<Namespace>,
    hosts: Vec<Host>,
}

/// One host.
#[derive(Debug)]
pub struct Host {
    namespace: Namespace,
    ip: IpAddr,
}

impl Lan {
    /// So many hosts that reach each other, IPv4 and IPv6, multicast included. None, and said so: not possible here.
    pub fn new(hosts: u8) -> Option<Self> {
        let lan = possible()?.and_then(|()| Self::build(hosts));
        Some(lan.unwrap_or_else(|why| panic!("the network could not be made: {why}")))
    }

    /// So many hosts, each in a network of its own, that reach each other through a router only. What is sent to all stays in its network.
    pub fn routed(hosts: u8) -> Option<Self> {
        let lan = possible()?.and_then(|()| Self::build_routed(hosts));
        Some(lan.unwrap_or_else(|why| panic!("the networks could not be made: {why}")))
    }

    /// One host with nothing but its loopback interface.
    pub fn loopback_only() -> Option<Host> {
        let host = possible()?.and_then(|()| {
            Ok(Host {
                namespace: Namespace::new("lo")?,
                ip: Ipv4Addr::LOCALHOST.into(),
            })
        });
        Some(host.unwrap_or_else(|why| panic!("the host could not be made: {why}")))
    }

    /// Host `number`, from 0 on.
    pub fn host(&self, number: usize) -> &Host {
        &self.hosts[number]
    }

    fn build(count: u8) -> Result<Self, String> {
        let switch = Namespace::new("switch")?;
        let name = &switch.0;
        ip(&format!(
            "-n {name} link add br0 type bridge mcast_snooping 0"
        ))?;
        ip(&format!("-n {name} link set br0 up"))?;
        let mut hosts = Vec::new();
        for number in 1..=count {
            let host = Namespace::new(&format!("host{number}"))?;
            host.join(&switch, number)?;
            let [a, b, c] = NETWORK;
            let ip = Ipv4Addr::new(a, b, c, number).into();
            hosts.push(Host {
                namespace: host,
                ip,
            });
        }
        Ok(Self {
            switch: Some(switch),
            hosts,
        })
    }
}

impl Lan {
    fn build_routed(count: u8) -> Result<Self, String> {
        let switch = Namespace::new("router")?;
        let router = &switch.0;
        let [a, b] = ROUTED;
        let mut hosts = Vec::new();
        for number in 1..=count {
            let namespace = Namespace::new(&format!("host{number}"))?;
            let host = &namespace.0;
            for order in [
                format!(
                    "link add eth0 netns {host} type veth peer name port{number} netns {router}"
                ),
                format!("-n {router} addr add {a}.{b}.{number}.254/24 dev port{number}"),
                format!("-n {router} link set port{number} up"),
                format!("-n {host} addr add {a}.{b}.{number}.1/24 dev eth0"),
                format!("-n {host} link set eth0 up"),
                format!("-n {host} route add default via {a}.{b}.{number}.254"),
            ] {
                ip(&order)?;
            }
            hosts.push(Host {
                namespace,
                ip: Ipv4Addr::new(a, b, number, 1).into(),
            });
        }
        run_in(router, "echo 1 >/proc/sys/net/ipv4/ip_forward")?;
        Ok(Self {
            switch: Some(switch),
            hosts,
        })
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        // The cables go with the switch, before the hosts do.
        self.switch = None;
    }
}

impl Host {
    /// Its address.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// A call of a program on this host, with the arguments still to be given.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace.0])
            .arg(program);
        command
    }

    /// A host behind this one, as a container is behind its machine: it reaches the network by this one's address, and who dials these
    /// TCP ports of this one (`4747, 20000-20010`) gets that one.
    pub fn contain(&self, ports: &str) -> Self {
        let contained = self.build_contained(ports);
        contained.unwrap_or_else(|why| panic!("the host could not be made: {why}"))
    }

    fn build_contained(&self, ports: &str) -> Result<Self, String> {
        let inner = Namespace::new("inner")?;
        let (inside, outside) = (&inner.0, &self.namespace.0);
        let [a, b, c] = BEHIND;
        for order in [
            format!("link add eth0 netns {inside} type veth peer name inner netns {outside}"),
            format!("-n {outside} addr add {a}.{b}.{c}.1/24 dev inner"),
            format!("-n {outside} link set inner up"),
            format!("-n {inside} addr add {a}.{b}.{c}.2/24 dev eth0"),
            format!("-n {inside} link set eth0 up"),
            format!("-n {inside} route add default via {a}.{b}.{c}.1"),
        ] {
            ip(&order)?;
        }
        let rules = format!(
            "add table ip nat
             add chain ip nat before {{ type nat hook prerouting priority -100; }}
             add rule ip nat before iifname eth0 tcp dport {{ {ports} }} dnat to {a}.{b}.{c}.2
             add chain ip nat after {{ type nat hook postrouting priority 100; }}
             add rule ip nat after oifname eth0 masquerade"
        );
        let script = format!("echo 1 >/proc/sys/net/ipv4/ip_forward && nft '{rules}'");
        run_in(&self.namespace.0, &script)?;
        Ok(Self {
            namespace: inner,
            ip: Ipv4Addr::new(a, b, c, 2).into(),
        })
    }

    /// Lets nothing in that was sent to a group of hosts, as many wireless networks and all clouds do.
    pub fn block_multicast(&self) {
        self.filter("input", "iifname eth0 meta pkttype multicast drop");
    }

    /// Lets others send nothing to all from it.
    pub fn let_no_multicast_out(&self) {
        self.filter("output", "oifname eth0 ip daddr 224.0.0.0/4 drop");
    }

    /// Lets others connect to this TCP port only, and drops what else they begin.
    pub fn let_in_only(&self, port: u16) {
        let rule = format!("iifname eth0 tcp flags & (syn | ack) == syn tcp dport != {port} drop");
        self.filter("input", &rule);
    }

    fn filter(&self, hook: &str, rule: &str) {
        let rules = format!(
            "add table inet {hook}_filter
             add chain inet {hook}_filter rules {{ type filter hook {hook} priority 0; }}
             add rule inet {hook}_filter rules {rule}"
        );
        let script = format!("nft '{rules}'");
        run_in(&self.namespace.0, &script).unwrap_or_else(|why| panic!("{why}"));
    }

    /// Takes its IPv4 address away: it has its IPv6 ones only.
    pub fn forget_ipv4(&self) {
        let order = format!("-n {} -4 addr flush dev eth0", self.namespace.0);
        ip(&order).unwrap_or_else(|why| panic!("{why}"));
    }

    /// Pulls its cable out.
    pub fn unplug(&self) {
        self.link("eth0", "down");
    }

    /// Takes its loopback interface away.
    pub fn stop_loopback(&self) {
        self.link("lo", "down");
    }

    /// Gives it back.
    pub fn start_loopback(&self) {
        self.link("lo", "up");
    }

    /// Puts it back.
    pub fn plug(&self) {
        self.link("eth0", "up");
        let route = format!("-n {} route replace default dev eth0", self.namespace.0);
        ip(&route).unwrap_or_else(|why| panic!("{why}"));
    }

    fn link(&self, interface: &str, state: &str) {
        let order = format!("-n {} link set {interface} {state}", self.namespace.0);
        ip(&order).unwrap_or_else(|why| panic!("{why}"));
    }
}

/// A named network namespace, removed on drop.
#[derive(Debug)]
struct Namespace(String);

impl Namespace {
    fn new(hint: &str) -> Result<Self, String> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("colugo-{}-{number}-{hint}", std::process::id());
        ip(&format!("netns add {name}"))?;
        let namespace = Self(name);
        ip(&format!("-n {} link set lo up", namespace.0))?;
        Ok(namespace)
    }

    /// A cable to the switch. No duplicate address detection: it would make the IPv6 address wait for a second.
    fn join(&self, switch: &Self, number: u8) -> Result<(), String> {
        let (host, switch) = (&self.0, &switch.0);
        let [a, b, c] = NETWORK;
        ip(&format!(
            "link add eth0 netns {host} type veth peer name port{number} netns {switch}"
        ))?;
        ip(&format!("-n {switch} link set port{number} master br0 up"))?;
        for order in [
            format!("addr add {a}.{b}.{c}.{number}/24 dev eth0"),
            format!("addr add fd91::{number:x}/64 dev eth0 nodad"),
            "link set eth0 up".to_owned(),
            "route add default dev eth0".to_owned(),
        ] {
            ip(&format!("-n {host} {order}"))?;
        }
        Ok(())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = ip(&format!("netns del {}", self.0));
    }
}

/// None, and said so: no namespaces can be made here.
fn possible() -> Option<Result<(), String>> {
    let tried = Namespace::new("try").map(drop);
    if tried.is_err() && std::env::var_os(VARIABLE).is_none() {
        skipped(
            "tests between several hosts need network namespaces, which this user may not make",
            "cargo xtask test --only namespaces",
        );
        return None;
    }
    Some(tried)
}

/// A line of shell in a namespace.
fn run_in(namespace: &str, script: &str) -> Result<(), String> {
    let script = format!("PATH=$PATH:/usr/sbin:/sbin; {script}");
    let output = Command::new("ip")
        .args(["netns", "exec", namespace, "sh", "-c", &script])
        .output()
        .map_err(|error| format!("{script}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        let text = String::from_utf8_lossy(&output.stderr);
        Err(format!("{script}: {}", text.trim()))
    }
}

/// `ip` with these words. The path of an ordinary user lacks the folder it is in.
fn ip(words: &str) -> Result<(), String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("ip")
        .args(words.split_whitespace())
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .output()
        .map_err(|error| format!("ip {words}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        let text = String::from_utf8_lossy(&output.stderr);
        Err(format!("ip {words}: {}", text.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_reach_each_other_and_are_gone_after() {
        let Some(lan) = Lan::new(2) else { return };
        let name = lan.host(0).namespace.0.clone();
        // Nobody listens there: a host that is reached says so, one that is not says nothing.
        let knock = format!("exec 3<>/dev/tcp/{}/9", lan.host(1).ip());
        let knock = || {
            let output = lan.host(0).command("bash").args(["-c", &knock]).output();
            output.map(|o| String::from_utf8_lossy(&o.stderr).into_owned())
        };
        assert!(knock().is_ok_and(|said| said.contains("refused")));
        lan.host(0).unplug();
        assert!(knock().is_ok_and(|said| said.contains("unreachable")));
        lan.host(0).plug();
        assert!(knock().is_ok_and(|said| said.contains("refused")));
        drop(lan);
        assert!(ip(&format!("-n {name} link show")).is_err());
    }
}
