//! What a node says of itself in DNS-SD, from the octets of a TXT record.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use colugo_graph::{Namespace, NodeRecord, SERVICE_TYPE, limits};

use crate::input::Input;
use crate::memory::within;

/// Any name, TXT octets and addresses: what is taken for a node is fit to be shown, bounded, and can be announced again.
pub fn dns_record(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.octet();
    let instance = if flags & 1 != 0 {
        "000102030405060708090a0b0c0d0e0f".to_owned()
    } else {
        String::from_utf8_lossy(input.octets()).into_owned()
    };
    let addresses: Vec<IpAddr> = (0..flags >> 1 & 31)
        .map(|_| match input.octet() {
            0..128 => IpAddr::V4(Ipv4Addr::from(input.number() as u32)),
            _ => IpAddr::V6(Ipv6Addr::from(u128::from(input.number()) << 64)),
        })
        .collect();
    let port = u16::from(input.octet());
    let txt = input.rest();
    let name = format!("{instance}.{SERVICE_TYPE}");
    // mdns-sd's own copies of the strings are counted too.
    let most = (32 << 10) + 64 * txt.len();
    let record = within(most, || {
        colugo::fuzzing::record(&name, port, &addresses, txt)
    });
    if let Some(record) = record {
        check(&record);
        assert!(record.addresses.len() <= limits::ADDRESSES.min(addresses.len()));
        for address in &record.addresses {
            assert!(addresses.contains(&address.ip()) && address.port() == port);
        }
    }
    // Without mdns-sd, which keeps the first of each key only: pairs as they come.
    let pairs = txt.split(|octet| *octet == 0).filter_map(|pair| {
        let (key, value) = pair.split_at_checked(pair.iter().position(|octet| *octet == b'=')?)?;
        Some((std::str::from_utf8(key).ok()?, &value[1..]))
    });
    let addresses = addresses.iter().map(|ip| SocketAddr::new(*ip, port));
    if let Ok(record) = within(most, || NodeRecord::parse(&instance, pairs, addresses)) {
        check(&record);
    }
}

/// Packets of DNS, each after its length in two octets, as who shows and looks for the original's records hears them: whatever they say, what is
/// shown is bounded and can be dialled.
pub fn dns_packets(data: &[u8]) {
    let mut rest = data;
    let packets = std::iter::from_fn(move || {
        let (len, after) = rest.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_be_bytes(*len)).min(after.len());
        let (packet, after) = after.split_at(len);
        rest = after;
        Some(packet)
    });
    // A pointer of two octets stands for a name of 255.
    let most = (64 << 10) + 1024 * data.len();
    let outsiders = within(most, || colugo::fuzzing::outsiders(Instant::now(), packets));
    assert!(outsiders.len() <= limits::OUTSIDERS);
    for outsider in outsiders {
        assert!(outsider.endpoint.port() != 0 && outsider.endpoint.is_ipv4());
    }
}

fn check(record: &NodeRecord) {
    assert!(record.version.major > 0 && !record.namespace.is_empty());
    for text in [&record.namespace, &record.name, &record.host] {
        assert!(text.len() <= limits::NAME_LEN);
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    let Ok(namespace) = Namespace::new(&record.namespace) else {
        return;
    };
    let txt = NodeRecord::txt(
        record.version,
        &namespace,
        &record.name,
        &record.host,
        record.hub,
    );
    let again = NodeRecord::parse(
        &record.node.to_string(),
        txt.iter()
            .map(|(key, value)| (key.as_str(), value.as_bytes())),
        record.addresses.iter().copied(),
    );
    assert_eq!(again.as_ref(), Ok(record));
}
