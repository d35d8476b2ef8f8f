//! `Source`: the sending half of a peer process: a thread that sends numbered messages at a rate, and the account of what became of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use colugo_socket::{Outgoing, PubSocket, PushSocket};
use serde_json::{Value, json};

use crate::parcel::{LEAST, Parcel, now_ns};

/// What numbered messages are sent with.
#[derive(Debug)]
pub(crate) enum Out {
    Pub(PubSocket),
    Push(PushSocket),
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default)]
struct Ledger {
    /// Given a number.
    numbers: u64,
    /// Into how many queues they went.
    queued: u64,
    /// How many queues had no room.
    dropped: u64,
    /// Nobody wanted them.
    unheard: u64,
}

/// A sender with its account.
#[derive(Debug)]
pub(crate) struct Source {
    run: u64,
    ledger: Ledger,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Ledger>>,
}

impl Source {
    pub(crate) fn new() -> Self {
        use std::hash::{BuildHasher, RandomState};
        Self {
            run: RandomState::new().hash_one(std::process::id()),
            ledger: Ledger::default(),
            stop: Arc::default(),
            thread: None,
        }
    }

    pub(crate) fn run(&self) -> u64 {
        self.run
    }

    pub(crate) fn flow(
        &mut self,
        out: Arc<Out>,
        rate: u32,
        size: usize,
        count: Option<u64>,
    ) -> Result<Value, String> {
        if self.thread.is_some() {
            return Err("there is a flow already".into());
        }
        self.stop = Arc::default();
        let (stop, run, mut ledger) = (self.stop.clone(), self.run, self.ledger);
        let pause = Duration::from_secs(1).checked_div(rate).unwrap_or_default();
        let thread = std::thread::Builder::new().spawn(move || {
            let end = count.map_or(u64::MAX, |count| ledger.numbers.saturating_add(count));
            let mut next = Instant::now();
            let mut payload = vec![0; size.max(LEAST)];
            while !stop.load(Ordering::Relaxed) && ledger.numbers < end {
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
                next += pause;
                let parcel = Parcel {
                    run,
                    number: ledger.numbers,
                    sent_ns: now_ns(),
                };
                parcel.write(&mut payload);
                out.send(&payload, &mut ledger);
            }
            ledger
        });
        self.thread = Some(thread.map_err(|error| error.to_string())?);
        Ok(Value::Null)
    }

    pub(crate) fn halt(&mut self, wait: bool) -> Result<Value, String> {
        if !wait {
            self.stop.store(true, Ordering::Relaxed);
        }
        if let Some(thread) = self.thread.take() {
            self.ledger = thread.join().map_err(|_| "the sending thread panicked")?;
        }
        let ledger = self.ledger;
        Ok(json!({
            "run": self.run,
            "numbers": ledger.numbers,
            "queued": ledger.queued,
            "dropped": ledger.dropped,
            "unheard": ledger.unheard,
        }))
    }
}

impl Out {
    fn send(&self, payload: &[u8], ledger: &mut Ledger) {
        ledger.numbers += 1;
        match self {
            Self::Pub(socket) => match socket.send(Outgoing::Slice(payload)) {
                Ok(sent) => {
                    ledger.queued += u64::from(sent.queued);
                    ledger.dropped += u64::from(sent.dropped);
                    ledger.unheard += u64::from(sent.queued + sent.dropped == 0);
                }
                Err(_) => ledger.unheard += 1,
            },
            Self::Push(socket) => match socket.send(Bytes::copy_from_slice(payload)) {
                Ok(_) => ledger.queued += 1,
                Err(_) => ledger.unheard += 1,
            },
        }
    }
}
