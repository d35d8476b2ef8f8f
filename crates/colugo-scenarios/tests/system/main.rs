//! Whole systems: separate processes that find each other and talk, one scenario a file. `colugo-peer`, this crate's program, is what runs in
//! them; `peer` and `place` start it and speak to it.

mod blocked_callback;
mod call_patterns;
mod coming_and_going;
mod descriptors;
mod figure;
mod first_message;
mod fixed_peers;
mod garbage;
mod interop_original;
mod interop_plain_node;
mod interop_zeroconf;
mod interop_zmq;
mod leaving_servers;
mod leftovers;
mod listening;
mod mistakes;
mod netns_avahi;
mod netns_interfaces;
mod netns_loopback;
mod netns_networks;
mod netns_poison;
mod netns_port_mapping;
mod netns_quiet;
mod netns_two_hosts;
mod peer;
mod place;
mod publish_patterns;
mod repeater;
mod silence;
