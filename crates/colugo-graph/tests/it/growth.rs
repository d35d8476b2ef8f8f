//! How discovery grows: a hub, and more and more nodes with topics of their own that know nothing but it. `cargo xtask soak growth` goes up to 2,000.

use std::fs::OpenOptions;
use std::io::Write;

use colugo_graph::{Namespace, NodeState};

use crate::net::{MS, Net, SEC};

/// The largest number of nodes.
const VARIABLE: &str = "COLUGO_SOAK_GROWTH";
/// Where the figures are added, a line of JSON each.
const FILE: &str = "COLUGO_SOAK_GROWTH_FILE";
const SIZES: [usize; 9] = [10, 20, 50, 80, 100, 200, 500, 1000, 2000];
const LARGEST: usize = 80;
const TOPICS: u16 = 10;
/// So many are linked with each other whatever their topics.
const MESH: usize = 64;

struct Figures {
    nodes: usize,
    found_ms: u128,
    links: usize,
    told_kb: f64,
    idle_frames: f64,
    idle_octets: f64,
}

#[test]
fn what_a_node_has_to_do_grows_with_what_there_is_to_know() {
    // How far to go is no setting of what is tested.
    let largest = std::env::var_os(VARIABLE).and_then(|n| n.to_str()?.parse().ok());
    let largest = largest.unwrap_or(LARGEST);
    println!(
        "nodes  all known, ms  links a node  told, kB a node  idle: frames/s  octets/s a node"
    );
    for nodes in SIZES.into_iter().filter(|nodes| *nodes <= largest) {
        let figures = grow(nodes);
        println!(
            "{:5}  {:13}  {:12}  {:15.1}  {:14.2}  {:15.1}",
            figures.nodes,
            figures.found_ms,
            figures.links,
            figures.told_kb,
            figures.idle_frames,
            figures.idle_octets
        );
        write(&figures);
        // The hub, and all others or none.
        let others = if nodes < MESH { nodes - 1 } else { 0 };
        assert_eq!(figures.links, 1 + others, "{nodes} nodes");
        // A probe and its answer for each link, at most every 1.3 s, counted at the end that sends.
        assert!(
            figures.idle_frames <= 2.0 * figures.links as f64 / 1.3,
            "{nodes} nodes"
        );
    }
}

fn grow(nodes: usize) -> Figures {
    let mut net = Net::new(nodes as u64);
    let hub = net.add_hub();
    let at = net.host(hub).address;
    let hosts: Vec<_> = (0..nodes)
        .map(|_| {
            let host = net.add_with(false, Namespace::default());
            for topic in 0..TOPICS {
                net.publish(host, &format!("own.{host}.{topic}"), 1 + topic);
            }
            net.add_fixed(host, at);
            host
        })
        .collect();
    let (begin, whole) = (net.now, nodes * usize::from(TOPICS));
    let knows_all = |net: &mut Net| {
        let mut hosts = hosts.iter();
        hosts.all(|host| net.brain(*host).size().announcements == whole)
    };
    while !knows_all(&mut net) {
        assert!(net.now < begin + 60 * SEC, "{nodes} nodes: {}", net.story());
        net.advance(MS);
    }
    let found_ms = (net.now - begin).as_millis();
    let told_kb = net.octets as f64 / nodes as f64 / 1e3;
    // Links between them, if there are to be any, and what is said over them.
    net.advance(10 * SEC);
    let graph = net.brain(hosts[nodes / 2]).snapshot();
    let alive = graph
        .nodes
        .iter()
        .filter(|node| node.state == NodeState::Alive);
    let links = alive
        .filter(|node| node.id != net.id(hosts[nodes / 2]))
        .count();
    const QUIET: u32 = 30;
    let (frames, octets) = (net.frames, net.octets);
    net.advance(QUIET * SEC);
    let a_second = |count: u64| count as f64 / f64::from(QUIET) / nodes as f64;
    Figures {
        nodes,
        found_ms,
        links,
        told_kb,
        idle_frames: a_second(net.frames - frames),
        idle_octets: a_second(net.octets - octets),
    }
}

fn write(figures: &Figures) {
    let Some(file) = std::env::var_os(FILE) else {
        return;
    };
    let Figures {
        nodes,
        found_ms,
        links,
        told_kb,
        idle_octets,
        ..
    } = figures;
    let line = format!(
        r#"{{"sweep":"nodes","x":{nodes},"who":"colugo","found_ms":{found_ms},"links":{links},"told_kb":{told_kb:.3},"idle_octets":{idle_octets:.3}}}"#
    );
    let file = OpenOptions::new().append(true).create(true).open(file);
    let written = file.and_then(|mut file| writeln!(file, "{line}"));
    written.unwrap_or_else(|error| panic!("{FILE}: {error}"));
}
