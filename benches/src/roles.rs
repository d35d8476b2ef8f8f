//! What a measuring process can be started as. Knows the sides and the loads, and nothing of rows.

use kit::Role;

use crate::{
    bare, beside, discovery_side, flood, memory, memory_peers, node_side, paced, sending,
    socket_side, tcp_side, topics, zmq_side,
};

/// All roles by their names.
fn all() -> Vec<(&'static str, Role)> {
    [
        zmq_side::ROLES,
        tcp_side::ROLES,
        socket_side::ROLES,
        node_side::ROLES,
        discovery_side::ROLES,
        flood::ROLES,
        paced::ROLES,
        sending::ROLES,
        beside::ROLES,
        topics::ROLES,
        memory::ROLES,
        memory_peers::ROLES,
        bare::ROLES,
    ]
    .concat()
}

/// Plays the role called `name` until it is done. Never comes back.
pub fn play(name: &str, args: &[String]) -> ! {
    kit::play(&all(), name, args)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_roles_have_one_name() {
        let names: Vec<_> = all().iter().map(|(name, _)| *name).collect();
        let different: BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
    }
}
