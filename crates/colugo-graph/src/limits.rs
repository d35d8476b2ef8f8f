//! Every bound of this crate in one place, with its unit and its reason.
//!
//! What is over a bound is refused or cut, and counted in [`Counters`](crate::Counters).

/// Nodes known at once: a flood of records must not grow us.
pub const PEERS: usize = 4096;

/// Nodes with which a node keeps a link although they have no topic in common, if a hub tells of them too. Above this, those links cost
/// more than they are worth: each is a probe a second, and all links of all nodes grow with the square.
pub const MESH: usize = 64;

/// Octets of all directories that hubs have told of: 1,000 nodes of 1,000 topics each. What is over it is not shown.
pub const TOLD_LEN: usize = 64 << 20;

/// Octets of a hub's message after which directories wait for the next one.
pub const TELLING_LEN: usize = 512 << 10;

/// Announcements of one node.
pub const ENTRIES: usize = 4096;

/// Octets of one control message: a snapshot of [`ENTRIES`] entries with names of ordinary length.
pub const MESSAGE_LEN: usize = 2 << 20;

/// Octets of a node's name, and of the word for its machine.
pub const NAME_LEN: usize = 63;

/// Octets of the word for an encoding.
pub const ENCODING_LEN: usize = 64;

/// Octets of a reason that a peer gives.
pub const REASON_LEN: usize = 128;

/// Addresses kept per node: enough for a host with several interfaces in both families.
pub const ADDRESSES: usize = 16;

/// Octets of all TXT strings of a node record: it has to stay in one packet with SRV and addresses.
pub const TXT_LEN: usize = 400;

/// Steps that are remembered of a node.
pub const HISTORY: usize = 24;

/// Links of peers that have not said HELLO yet.
pub const STRANGERS: usize = 256;

/// Sockets of programs that are no nodes of ours: as many as a small network has, as each is a record that anybody can send.
pub const OUTSIDERS: usize = 512;

/// Depth of nested values in a control message that is skipped.
pub const NESTING: usize = 16;

/// Events that wait to be polled; the oldest is dropped first.
pub const EVENTS: usize = 4096;

/// A text of a peer, fit to be shown: at most `max` octets, and nothing that could steer a terminal.
pub(crate) fn shown(text: &str, max: usize) -> String {
    let clean = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    let text: String = cut(text, max).chars().map(clean).collect();
    cut(&text, max).to_owned()
}

/// The start of `text` with at most `max` octets, cut between characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
