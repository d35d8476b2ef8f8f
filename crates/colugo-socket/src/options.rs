//! Every bound and setting of a socket: default, unit, reason. Nothing here does anything.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::security::Security;

/// Bound of a queue: it is full when either number is reached. An empty queue takes one message of any legal size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimit {
    /// Messages. Default 1000, as in libzmq.
    pub messages: usize,
    /// Octets. Default 16 MiB: libzmq has no such bound, so that a thousand large messages fill the memory.
    pub octets: usize,
}

impl Default for QueueLimit {
    fn default() -> Self {
        Self {
            messages: 1000,
            octets: 16 << 20,
        }
    }
}

/// What happens to a message for a peer whose queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The message is dropped for that peer, and counted: ZeroMQ's own way for PUB and ROUTER.
    DropNewest,
    /// The sender waits for room, at most so long; then the message is dropped for that peer, and counted.
    /// `Duration::MAX` waits for ever.
    Block(Duration),
}

/// Largest message by default, all frames together: 64 MiB.
pub const MAX_MESSAGE_DEFAULT: usize = 64 << 20;
/// Largest settable message: positions in a read buffer are 31 bits wide.
pub const MAX_MESSAGE_LIMIT: usize = 1 << 30;
/// Frames of one message at most: an honest message has a handful.
pub const MAX_FRAMES: usize = 1024;
/// Octets on their way between two sockets of one process (inproc), each way: as many as the engine reads at once.
pub const PIPE_OCTETS: usize = 256 << 10;
/// Connections that wait to be accepted, per listening address; the system may allow fewer.
pub const BACKLOG: usize = 1024;
/// Octets of a command after the handshake at most.
pub const MAX_COMMAND: u64 = 64 << 10;
/// Octets of subscriptions that may wait for a peer beyond the send queue's bound: twice what all that a socket may hold take. A peer that
/// lets more pile up is disconnected, and told what is wanted when it is there again.
pub const MAX_UNREAD_SUBSCRIPTIONS: usize = 4 << 20;
/// Accepted connections of one socket by default.
pub const MAX_CONNECTIONS_DEFAULT: usize = 1024;
/// From the first octet to READY, absolute: dripping octets do not extend it.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Accepted connections of one socket that shake hands at a time, in all and per address. More are let be for a moment
/// ([`HANDSHAKE_GRACE`]); then the oldest of the noisiest address goes.
pub const MAX_HANDSHAKES: (usize, usize) = (64, 8);
/// How long a connection in a crowd may say nothing: an honest one has greeted after one round trip.
pub const HANDSHAKE_GRACE: Duration = Duration::from_millis(250);
/// How long one may be about it that has begun to speak.
pub const SPEAKER_GRACE: Duration = Duration::from_secs(2);
/// Connections that shake hands at a time, at the very most: as many as the system holds ready to be accepted.
pub const MAX_CROWD: usize = 1024;
/// Pause after a failed accept: without descriptors it would fail again at once.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// After so long without descriptors a connection that waits to be accepted is refused: who dials shall not wait for nothing.
pub const SHORTAGE: Duration = Duration::from_secs(1);
/// File descriptors of a process that are kept back while connections are accepted, so that peers that were lost can be dialled again when
/// there are none left, and who waits to be accepted can be told so.
pub const DESCRIPTOR_RESERVE: usize = 16;
/// First and longest pause before dialling again; the pause doubles, with full jitter.
///
/// The longest is what a peer that was away for long may cost once it is back. Who waits for it dials twice a second, libzmq ten times.
pub const RECONNECT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// A link that lived so long starts with the first pause again: a program that crashes every few seconds is heard as soon as it is back. One
/// that flaps is not dialled more often for it.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(1);
/// How long closing waits for what is queued.
pub const LINGER: Duration = Duration::from_secs(1);
/// How long dropping a socket may block its thread.
pub const DROP_WAIT: Duration = Duration::from_millis(100);
/// Longest pause before a closing socket dials again a peer that it still has something for.
pub const CLOSING_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection that is done, but whose peer is still sending, waits for the peer to see that.
pub const LEAVE_WAIT: Duration = Duration::from_millis(100);
/// A silent connection is asked whether it still lives after this time, and then this often; the system gives up after some tries.
pub const KEEPALIVE_AFTER: Duration = Duration::from_secs(10);
/// See [`KEEPALIVE_AFTER`].
pub const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
/// How often a silent peer is asked whether it lives (PING), and how long a silence ends a connection that carries nothing. Two lost
/// chances to answer lie between; a machine that is suspended for a moment is not given up, and a dead one within six seconds.
pub const HEARTBEAT: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(6));
/// A peer is told of as slow until nothing was dropped for it for so long.
pub const SLOW_FOR: Duration = Duration::from_secs(1);
/// Shortest settable interval between two PINGs.
pub const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// Largest ttl of a PING of ours, in tenths of a second: from 656 on libzmq counts wrong, and hangs up at once.
pub const MAX_TTL_DS: u16 = 655;
/// The shortest silence a peer's ttl can end a connection for: less than that may be the scheduler's doing.
pub const MIN_TTL: Duration = Duration::from_secs(1);
/// PONGs that may wait for a peer; of more PINGs before they are written the last ones are answered.
pub const MAX_PONGS: usize = 8;
/// A frame of so many octets does not begin while a PONG waits: it may take longer than the peer's patience.
pub const PONG_BEFORE: usize = 64 << 10;
/// How long the system may hold octets that the peer's system does not take, before it gives the connection up (`TCP_USER_TIMEOUT`, where
/// there is such a thing). Long, because a receiver that is alive and takes nothing looks the same: what the system holds then is lost.
pub const UNTAKEN_TIMEOUT: Duration = Duration::from_secs(300);
/// One TCP connection attempt. The system knocks at once, after one second and after three: the next attempt is sooner than that.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Octets of a lane of a trunk on their way at most, each way, with those that its socket has not read: at a round trip of 5 ms it lets 100 MB pass
/// in a second.
pub const LANE_WINDOW: usize = 512 << 10;
/// Lanes of a trunk at most; who asks for more is refused.
pub const MAX_LANES: usize = 4096;
/// How long a lane is waited for, with the dialling of its trunk, before the peer is dialled by itself.
pub const LANE_WITHIN: Duration = Duration::from_secs(1);
/// Octets that wait for the system to take them, until no more of any lane are added.
pub const TRUNK_OUT: usize = 256 << 10;
/// How long a trunk without lanes stays, on the side that dialled.
pub const TRUNK_IDLE: Duration = Duration::from_secs(2);
/// How long one who takes no trunks is not asked again.
pub const NO_TRUNK_FOR: Duration = Duration::from_secs(60);
/// How long the data thread waits at its end until the other sides of its trunks know.
pub const TRUNKS_LEAVE: Duration = Duration::from_millis(50);

/// A receiver of lone messages reads the network by itself while it waits. With its message in hand it has so long to come back for the next
/// one until the data thread goes on in its place: what else comes meanwhile waits.
pub const AWAY: Duration = Duration::from_micros(50);
/// It reads until so long before its timeout, and sleeps for the rest: the timers of whoever reads are exact to a millisecond or two.
pub const READ_BEFORE: Duration = Duration::from_millis(3);

/// When to ask whether a peer lives, and when to give it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

impl Heartbeat {
    /// The timeout as the ttl of a PING; 0 where it is longer than a PING may say.
    pub(crate) fn ttl_ds(self) -> u16 {
        u16::try_from(self.timeout.as_millis() / 100)
            .ok()
            .filter(|ttl| *ttl <= MAX_TTL_DS)
            .unwrap_or(0)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) identity: Option<Bytes>,
    pub(crate) properties: Vec<(String, Bytes)>,
    /// What a peer must announce of these, if it announces them.
    pub(crate) expected: Vec<(String, Bytes)>,
    pub(crate) send_queue: QueueLimit,
    pub(crate) receive_queue: QueueLimit,
    pub(crate) overflow: Overflow,
    pub(crate) immediate: bool,
    pub(crate) linger: Duration,
    pub(crate) max_message: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_handshakes: (usize, usize),
    pub(crate) handshake_timeout: Duration,
    pub(crate) reconnect: (Duration, Duration),
    pub(crate) stamped: bool,
    pub(crate) handover: bool,
    pub(crate) verbose: bool,
    pub(crate) heartbeat: Option<Heartbeat>,
    pub(crate) untaken_timeout: Option<Duration>,
    /// None: NULL.
    pub(crate) security: Option<Arc<dyn Security>>,
}

impl Options {
    pub(crate) fn new(overflow: Overflow) -> Self {
        Self {
            identity: None,
            properties: Vec::new(),
            expected: Vec::new(),
            send_queue: QueueLimit::default(),
            receive_queue: QueueLimit::default(),
            overflow,
            immediate: false,
            linger: LINGER,
            max_message: MAX_MESSAGE_DEFAULT,
            max_connections: MAX_CONNECTIONS_DEFAULT,
            max_handshakes: MAX_HANDSHAKES,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            reconnect: RECONNECT,
            stamped: false,
            handover: false,
            verbose: false,
            heartbeat: Some(Heartbeat {
                interval: HEARTBEAT.0,
                timeout: HEARTBEAT.1,
            }),
            untaken_timeout: Some(UNTAKEN_TIMEOUT),
            security: None,
        }
    }
}
