//! `Ports`: ports that this process has listened on for a topic that is closed. Plain ZeroMQ programs redial such a port for ever and can't tell
//! what topic is behind it now, so no other topic gets it (docs/wire.md). Knows numbers and topics, no sockets.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard};

use colugo_graph::{Kind, Topic};

use crate::sync::lock;

/// The ports of this process. At most one entry for each port there is.
static CLOSED: Mutex<Option<Ports>> = Mutex::new(None);

/// What was behind each port, as a hash: names are only compared. Two names of one hash share a port wrongly once in 2^64.
#[derive(Debug, Default)]
pub(crate) struct Ports(HashMap<u16, u64>);

impl Ports {
    /// Remembers that a port was this topic's.
    pub(crate) fn close(&mut self, port: u16, kind: Kind, topic: &Topic) {
        if port != 0 {
            self.0.insert(port, hash(kind, topic));
        }
    }

    /// Whether a topic may have a port: nobody had it, or itself.
    pub(crate) fn allow(&self, port: u16, kind: Kind, topic: &Topic) -> bool {
        let before = self.0.get(&port);
        before.is_none_or(|before| *before == hash(kind, topic))
    }
}

/// Those of this process.
pub(crate) fn with<R>(look: impl FnOnce(&mut Ports) -> R) -> R {
    let mut closed: MutexGuard<'_, Option<Ports>> = lock(&CLOSED);
    look(closed.get_or_insert_default())
}

fn hash(kind: Kind, topic: &Topic) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kind, topic).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_kept_for_what_was_there_last() {
        let [pose, map] = ["pose", "map"].map(|name| Topic::new(name).unwrap());
        let mut ports = Ports::default();
        assert!(ports.allow(5555, Kind::Publisher, &pose));
        ports.close(5555, Kind::Publisher, &pose);
        assert!(ports.allow(5555, Kind::Publisher, &pose));
        assert!(!ports.allow(5555, Kind::Server, &pose));
        assert!(!ports.allow(5555, Kind::Publisher, &map));
        assert!(ports.allow(5556, Kind::Publisher, &map));
        ports.close(0, Kind::Publisher, &pose);
        assert!(ports.allow(0, Kind::Publisher, &map), "0 is any port");
    }
}
