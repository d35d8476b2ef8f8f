//! `Command`: what the peer can be told, one JSON object a line: `{"do": "publish", "topic": "pose"}`.

use serde::Deserialize;

/// An order.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Command {
    /// Makes a publisher; tells where it listens.
    Publish {
        topic: String,
        /// An endpoint of its own instead of a free port.
        bind: Option<String>,
    },
    /// Makes a subscriber that counts what it hears.
    Subscribe {
        topic: String,
        /// Dialled besides those that are found.
        #[serde(default)]
        connect: Vec<String>,
    },
    /// Makes a reply server that says its name and the request, or, if it holds, nothing.
    Serve {
        topic: String,
        #[serde(default)]
        hold: bool,
    },
    /// Makes a request client.
    Client {
        topic: String,
        #[serde(default)]
        connect: Vec<String>,
        timeout_ms: Option<u64>,
    },
    /// Waits until so many peers of the topic's publisher, or client, are there.
    Wait { topic: String, n: usize },
    /// Publishes so many numbered messages.
    Send { topic: String, count: u64 },
    /// Waits until so many messages were heard, then tells from whom.
    Heard { topic: String, n: u64 },
    /// Asks so many times, each time waiting for the reply; tells who replied.
    Call { topic: String, count: u64 },
    /// Asks so many times without waiting.
    Start { topic: String, count: u64 },
    /// Asks again whenever there is an answer, so that so many requests are in flight until `stop`.
    Flow { topic: String, width: u64 },
    /// Waits until so many requests of `start` and `flow` have ended; tells how.
    Ended { topic: String, n: u64 },
    /// Ends a flow and waits for what is in flight; tells how all ended.
    Stop { topic: String },
    /// Waits until a server holds so many requests.
    Held { topic: String, n: usize },
    /// Ends all that was made of a topic.
    Drop { topic: String },
    /// Tells who is out there, as the node knows it.
    Graph,
    /// Sleeps in a callback for so long; answers when it has begun.
    Block { ms: u64 },
    /// Opens files until there are no descriptors left.
    Exhaust,
    /// Closes them.
    Release,
    /// Closes the node and waits for it.
    Close,
}
