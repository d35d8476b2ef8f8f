//! Every bound of this crate, with its unit and its reason. Knows numbers and nothing else; all
//! modules read it.

/// Octets of body a command may have before the handshake is done: four times what any honest
/// handshake needs.
pub const MAX_HANDSHAKE_COMMAND: usize = 8 * 1024;

/// Octets of body a command may have after the handshake. The socket enforces it; no command of
/// ZMTP 3.1 comes near.
pub const MAX_COMMAND: usize = 64 * 1024;

/// Largest frame body that ZMTP can express, in octets: 2^63 − 1.
pub const MAX_FRAME_BODY: u64 = i64::MAX as u64;

/// Octets of a peer's identity; the length is one octet on the wire of ZMTP 1.0 and the limit of
/// RFC 37.
pub const MAX_IDENTITY: usize = 255;

/// Properties in one READY. A Colugo peer sends six.
pub const MAX_PROPERTIES: usize = 32;

/// Octets of metadata in one READY, names, values and their lengths together.
pub const MAX_METADATA: usize = 4 * 1024;

/// Subscriptions one peer may hold.
pub const MAX_SUBSCRIPTIONS: usize = 4096;

/// Octets of one subscription's prefix.
pub const MAX_SUBSCRIPTION_LEN: usize = 512;

/// Octets of context in PING and PONG (RFC 37).
pub const MAX_PING_CONTEXT: usize = 16;

/// Different causes one [`Losses`](crate::Losses) tells apart; twice the known ones. Nothing is
/// lost beyond it: see there.
pub const MAX_LOSS_CAUSES: usize = 8;

/// Octets of what a lane of a trunk is asked for by: twice the longest topic with a word before it.
pub const MAX_LANE_ADDRESS: usize = 512;

/// Octets of one lane in a frame of a trunk, while others wait.
pub const MAX_LANE_CHUNK: usize = 64 * 1024;

/// Octets of body of a frame of a trunk: a chunk, with what it is and whose before it.
pub const MAX_TRUNK_FRAME: usize = 5 + MAX_LANE_CHUNK;
