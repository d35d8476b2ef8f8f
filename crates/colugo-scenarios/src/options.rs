//! `Options`: the command line. Knows the settings of a node by name, not what they do.

use std::error::Error;

use colugo::{Network, Node, NodeBuilder};

/// What the node is made with.
pub(crate) struct Options {
    pub(crate) builder: NodeBuilder,
    /// Whether the library may speak on the standard error.
    pub(crate) log: bool,
}

impl Options {
    /// `NAME [--network lan|host|peers] [--peer ENDPOINT] [--listen ADDRESS] [--interface NAME] [--advertise ADDRESS] [--log]`
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let name = words.next().ok_or("a name is missing")?;
        let mut builder = Node::builder(&name);
        let mut log = false;
        while let Some(word) = words.next() {
            if word == "--log" {
                log = true;
                continue;
            }
            let value = words
                .next()
                .ok_or_else(|| format!("{word} needs a value"))?;
            builder = match word.as_str() {
                "--network" => builder.network(network(&value)?),
                "--peer" => builder.peer(value),
                "--listen" => builder.listen(value),
                "--interface" => builder.interface(value),
                "--advertise" => builder.advertise(value),
                _ => return Err(format!("there is no option {word}").into()),
            };
        }
        Ok(Self { builder, log })
    }
}

fn network(word: &str) -> Result<Network, String> {
    match word {
        "lan" => Ok(Network::Lan),
        "host" => Ok(Network::Host),
        "peers" => Ok(Network::Peers),
        _ => Err(format!("there is no network {word}")),
    }
}
