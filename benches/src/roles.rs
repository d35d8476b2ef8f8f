//! What a measuring process can be started as. Knows the sides and the loads, and nothing of rows.

use crate::{
    bare, beside, discovery_side, flood, memory, memory_peers, node_side, paced, sending,
    socket_side, tcp_side, topics, zmq_side,
};

/// Plays the role called `name` until it is done. Never comes back.
pub fn play(name: &str, args: &[String]) -> ! {
    let known = [
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
    ];
    kit::play(&known.concat(), name, args)
}
