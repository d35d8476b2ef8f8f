//! `Setup` and `Order`: what a peer process is made with and can be told, one JSON object a line.

use serde::Deserialize;

/// The socket of a peer process.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    /// "pub", "push", "sub", "pull".
    pub(crate) kind: String,
    /// Messages and octets.
    pub(crate) send_queue: Option<(usize, usize)>,
    pub(crate) receive_queue: Option<(usize, usize)>,
    pub(crate) reconnect_ms: Option<(u64, u64)>,
    /// Interval and timeout.
    pub(crate) heartbeat_ms: Option<(u64, u64)>,
    pub(crate) max_connections: Option<usize>,
    /// `X-Colugo-Topic`, and with it `X-Colugo` and stamps; a publisher also has an `X-Colugo-Run`.
    pub(crate) topic: Option<String>,
    /// Refuses peers that announce another topic.
    #[serde(default)]
    pub(crate) only_topic: bool,
    /// Receives into a queue and takes from it only when told, not as it comes.
    #[serde(default)]
    pub(crate) queued: bool,
}

/// What it can be told.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Order {
    /// Listens; tells the endpoint.
    Bind { to: String },
    /// Stops listening.
    Unbind { to: String },
    /// Dials.
    Connect { to: String },
    /// Stops dialling.
    Disconnect { to: String },
    /// Waits until so many peers, or for a publisher subscribers, are there.
    Wait { n: usize },
    /// Waits until at most so many are there.
    WaitGone { n: usize },
    /// Sends so many a second, of so many octets each, until `halt` or `count`. Rate 0: as fast as it goes.
    Flow {
        rate: u32,
        size: usize,
        count: Option<u64>,
    },
    /// Ends a flow, or waits for its end where it has one; tells what became of its messages.
    Halt {
        #[serde(default)]
        wait: bool,
    },
    /// Looks out for the next message that was sent after this time, and has arrived after this order.
    Watch {
        #[serde(default)]
        sent_after_ns: u64,
    },
    /// Waits until it has come; tells when.
    Found { within_ms: u64 },
    /// Waits until this message of this sender has come.
    Reached { run: u64, number: u64 },
    /// Waits until so many messages have come in all.
    Received { n: u64 },
    /// A receiver with a queue takes what comes, or, before this and after `hold`, nothing.
    GoOn,
    /// See `go_on`.
    Hold,
    /// Tells what was received, of all and of each sender, and how long it took since the last `report`.
    Report,
    /// Tells the socket's counters, and how often each event was.
    Stats,
    /// Opens files until there are no descriptors left, but for so many.
    Exhaust { but: usize },
    /// Closes them.
    Release,
}
