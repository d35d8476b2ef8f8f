//! `Scripted`: a connection after its handshake whose peer is a script: octets go in, and what the socket makes of them comes out, with no
//! transport below. For property tests here and for the fuzz targets (`cfg(fuzzing)`), which also see the stamps of a link by it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::{Bytes, BytesMut};
use colugo_zmtp::{Greeting, Handshake, HandshakeConfig, SocketType, Stamp};

use crate::core::{Core, Sink};
use crate::delivery::deliver;
use crate::event::Handler;
use crate::flow::Flow;
use crate::gate::lock;
use crate::inbox::Inbox;
use crate::link::Link;
use crate::message::{MessageRef, Meta};
use crate::options::{Options, Overflow};
use crate::outbox::Taken;
use crate::parser::Parser;
use crate::peer::Peer;
use crate::runtime::Runtime;
use crate::stamping::{SendClock, Stamping, missing};

/// Octets of the first read, and so of an empty buffer.
const ROOM: usize = 8 << 10;

/// The two sides of a scripted connection.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Our socket.
    pub ours: SocketType,
    /// The peer's.
    pub theirs: SocketType,
    /// The peer announces `X-Colugo`.
    pub colugo: bool,
    /// Messages go to a handler, not into an inbox.
    pub handler: bool,
    /// What a SUB has subscribed to.
    pub topics: Vec<Vec<u8>>,
    /// Octets of a message at most.
    pub max_message: usize,
}

/// What came out of a connection, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A message: its frames, and number and time where it has any.
    Message(Vec<Bytes>, Option<(u64, u64)>),
    /// A command for the handler.
    Command(Vec<u8>, Vec<u8>),
}

/// What a connection has led to besides its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Octets that wait to be sent to the peer.
    pub replies: Vec<u8>,
    /// The peer's subscriptions.
    pub subscriptions: Vec<Vec<u8>>,
    /// Counted: ignored messages, unknown commands, lost messages with a cause and without.
    pub counts: [u64; 4],
}

/// A connection whose peer is a script.
pub struct Scripted {
    core: Arc<Core>,
    link: Arc<Link>,
    flow: Arc<Flow>,
    parser: Parser,
    output: Arc<Mutex<Vec<Output>>>,
    dead: Option<String>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripted")
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}

/// Keeps what it is given.
struct Recorder(Arc<Mutex<Vec<Output>>>);

impl Handler for Recorder {
    fn message(&mut self, _: &Arc<Peer>, message: MessageRef<'_>) {
        let kept = message.to_message();
        lock(&self.0).push(output(kept.into_frames(), message.meta()));
    }

    fn command(&mut self, _: &Arc<Peer>, name: &[u8], data: &[u8]) {
        lock(&self.0).push(Output::Command(name.to_vec(), data.to_vec()));
    }
}

fn output(frames: Vec<Bytes>, meta: Option<Meta>) -> Output {
    Output::Message(frames, meta.map(|meta| (meta.seq, meta.sent_ns)))
}

impl Scripted {
    /// A connection on which nothing was said yet. `None`: the two sides do not go together, or there is no data thread.
    pub fn new(setup: &Setup) -> Option<Self> {
        static RUNTIME: OnceLock<Option<Arc<Runtime>>> = OnceLock::new();
        let runtime = RUNTIME.get_or_init(|| Runtime::acquire().ok()).as_ref()?;
        let mut options = Options::new(Overflow::DropNewest);
        options.max_message = setup.max_message;
        let outputs = Arc::default();
        let sink = if setup.handler {
            Sink::Handler(Mutex::new(Box::new(Recorder(Arc::clone(&outputs)))))
        } else {
            Sink::Inbox(Arc::new(Inbox::default()))
        };
        let core = Arc::new(Core::new(setup.ours, options, sink, None, runtime));
        for topic in &setup.topics {
            core.subscribe(topic).ok()?;
        }
        let link = core.new_link(false);
        let hello = hello(setup)?;
        let peer = Arc::new(Peer::new(link.id, None, None, hello, core.is_router()));
        if let Some(slot) = core.table.lock().get(link.id) {
            slot.peer = Some(peer.clone());
            slot.outbox.session = true;
            // Somebody else writes: replies stay where they can be looked at.
            slot.outbox.writer = true;
        }
        let flow = Arc::new(Flow::default());
        let parser = Parser::new(
            core.clone(),
            link.clone(),
            peer,
            flow.clone(),
            BytesMut::new(),
        );
        Some(Self {
            core,
            link,
            flow,
            parser,
            output: outputs,
            dead: None,
        })
    }

    /// One read that brings these octets. `Err`: the connection has ended, and why.
    ///
    /// # Errors
    /// The peer broke the protocol; every later call says the same.
    pub fn receive(&mut self, octets: &[u8]) -> Result<(), String> {
        if let Some(why) = &self.dead {
            return Err(why.clone());
        }
        self.parser.buffer(ROOM).extend_from_slice(octets);
        let parsed = self.parser.parse();
        let keep = matches!(self.core.sink, Sink::Inbox(_));
        if let Some(batch) = self.parser.take_batch(keep) {
            deliver(&self.core, &self.flow, batch);
        }
        parsed.map_err(|fault| {
            let why = fault.to_string();
            self.dead = Some(why.clone());
            why
        })
    }

    /// What came out since the last call.
    pub fn take_output(&self) -> Vec<Output> {
        let mut all = std::mem::take(&mut *lock(&self.output));
        if let Sink::Inbox(inbox) = &self.core.sink {
            while let Ok(message) = inbox.try_recv() {
                let meta = message.meta();
                all.push(output(message.into_frames(), meta));
            }
        }
        all
    }

    /// Everything else. What waits for the peer is taken out by it.
    pub fn state(&self) -> State {
        let mut table = self.core.table.lock();
        let mut taken = Taken::default();
        let mut subscriptions = Vec::new();
        if let Some(slot) = table.get(self.link.id) {
            slot.outbox
                .take_into(&mut taken, crate::QueueLimit::default());
            subscriptions = slot.subscriptions.iter().map(<[u8]>::to_vec).collect();
        }
        drop(table);
        let mut replies: Vec<u8> = taken.chunks.iter().flat_map(|c| c.to_vec()).collect();
        replies.extend_from_slice(&taken.tail);
        let counters = &self.core.counters;
        State {
            replies,
            subscriptions,
            counts: [
                &counters.ignored,
                &counters.unknown_commands,
                &counters.lost,
                &counters.lost_unexplained,
            ]
            .map(|counter| counter.load(Ordering::Relaxed)),
        }
    }
}

/// What a handshake with such a peer leads to.
fn hello(setup: &Setup) -> Option<colugo_zmtp::PeerHello> {
    let mut config = HandshakeConfig::new(setup.theirs);
    if setup.colugo {
        config.properties.push(("X-Colugo".into(), "1".into()));
    }
    config.identity = Some("peer".into());
    let mut theirs = Handshake::new(config);
    let mut octets = Vec::new();
    theirs.receive(&Greeting::null().encode()).ok()?;
    theirs.transmit(&mut octets);
    let mut ours = Handshake::new(HandshakeConfig::new(setup.ours));
    ours.receive(&octets).ok()?.1
}

/// The stamps of one link as its publisher makes them, with the clock as an argument.
#[derive(Debug, Default)]
pub struct Stamps(Stamping);

impl Stamps {
    /// The stamp to put before message `seq`, if one is needed.
    pub fn before(&mut self, seq: u64, queue_was_empty: bool, now_ns: u64) -> Option<Stamp> {
        self.0
            .before(seq, queue_was_empty, &mut SendClock::at(now_ns))
    }

    /// Message `seq` was lost: the queue was full.
    pub fn lost(&mut self, seq: u64) {
        self.0.lost(seq);
    }

    /// Message `seq` was not for this peer.
    pub fn filtered(&mut self, seq: u64) {
        self.0.filtered(seq);
    }

    /// The queue is empty.
    pub fn drained(&mut self) -> Option<Stamp> {
        self.0.on_drained()
    }

    /// The publisher closes.
    pub fn close(&mut self) -> Option<Stamp> {
        self.0.on_close()
    }

    /// What a subscriber that expects `seq` learns from a stamp: lost with a cause, filtered, and unexplained.
    pub fn learnt(expected: Option<u64>, stamp: &Stamp) -> (u64, u64, u64) {
        missing(expected, stamp)
    }
}

#[cfg(test)]
mod tests;
