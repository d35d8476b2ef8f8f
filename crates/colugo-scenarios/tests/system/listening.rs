//! The TCP ports on which a process listens, and what it has open, as the kernel tells.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// Where it can be reached from this machine.
pub(crate) fn listening(process: u32) -> Vec<SocketAddr> {
    let sockets: BTreeSet<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|entry| {
            std::fs::read_link(entry.ok()?.path())
                .ok()?
                .into_os_string()
                .into_string()
                .ok()
        })
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = Vec::new();
    for (table, host) in [
        ("tcp", Ipv4Addr::LOCALHOST.into()),
        ("tcp6", Ipv6Addr::LOCALHOST.into()),
    ] {
        let table =
            std::fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        found.extend(table.lines().skip(1).filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let listens = words.get(3) == Some(&"0A") && sockets.contains(*words.get(9)?);
            let port = words.get(1)?.rsplit_once(':')?.1;
            listens.then_some(SocketAddr::new(host, u16::from_str_radix(port, 16).ok()?))
        }));
    }
    found
}

/// How many threads it has.
pub(crate) fn threads(process: u32) -> usize {
    entries(format!("/proc/{process}/task"))
}

/// How many descriptors it has open.
pub(crate) fn descriptors(process: u32) -> usize {
    entries(format!("/proc/{process}/fd"))
}

fn entries(folder: impl AsRef<Path>) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}
