//! `ZmqPeer`: sockets of real libzmq, in a Python process, driven from Rust. The other half is `python/peer.py`.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::pattern::{pattern, seed_of};
use crate::program::Program;
use crate::python::Python;
use crate::wait::PATIENCE;

/// Frames longer than this go as a pattern, where they are one.
const LONG: usize = 1024;

/// A process with a libzmq context. One order at a time: an order of another thread waits.
#[derive(Debug)]
pub struct ZmqPeer(Mutex<Program>);

/// A libzmq socket. Dropped, it is closed once it has sent what is queued: one that went on dialling would be let in by whoever listens at that
/// port next.
#[derive(Debug)]
pub struct ZmqSocket<'a> {
    peer: &'a ZmqPeer,
    id: u64,
}

/// An order that is being carried out; meanwhile its process takes no other.
#[derive(Debug)]
#[must_use = "finish() tells how it went"]
pub struct Working<'a>(&'a ZmqPeer);

/// A value of a libzmq option that is made of octets: a subscription, an identity.
pub fn octets(octets: impl AsRef<[u8]>) -> Value {
    Value::String(hex(octets.as_ref()))
}

impl ZmqPeer {
    /// Starts it. None, and said so: the machine has no Python with pyzmq.
    pub fn start() -> Option<Self> {
        Some(Self(Mutex::new(Python::find()?.start("peer.py"))))
    }

    /// Opens a socket of a type ("SUB") with options ("SUBSCRIBE", "RCVHWM") named as libzmq does, without `ZMQ_`.
    pub fn socket(&self, kind: &str, options: &[(&str, Value)]) -> ZmqSocket<'_> {
        let id = self.order(json!({"do": "open", "type": kind, "options": options}));
        ZmqSocket {
            peer: self,
            id: id.as_u64().unwrap_or_default(),
        }
    }

    /// libzmq's version.
    pub fn version(&self) -> String {
        let version = self.order(json!({"do": "version"}));
        version.as_str().unwrap_or_default().to_owned()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.program().id()
    }

    /// Kills the process, as a crash would.
    pub fn kill(&self) {
        self.program().kill();
    }

    fn program(&self) -> std::sync::MutexGuard<'_, Program> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, order: Value) -> Value {
        let mut program = self.program();
        program.say(&order.to_string());
        answer(&mut program)
    }
}

fn answer(program: &mut Program) -> Value {
    // The script's own patience ends first, and says more.
    let Some(line) = program.line(PATIENCE * 2) else {
        panic!("the libzmq peer has ended");
    };
    let mut answer: Value = serde_json::from_str(&line)
        .unwrap_or_else(|error| panic!("the libzmq peer said {line:?}: {error}"));
    if let Some(error) = answer.get("error") {
        panic!("the libzmq peer failed: {error}");
    }
    answer["ok"].take()
}

impl<'a> ZmqSocket<'a> {
    /// Listens; gives the endpoint with its real port.
    pub fn bind(&self, endpoint: &str) -> String {
        let bound = self.order(json!({"do": "bind", "to": endpoint}));
        bound.as_str().unwrap_or_default().to_owned()
    }

    /// Dials.
    pub fn connect(&self, endpoint: impl ToString) {
        self.order(json!({"do": "connect", "to": endpoint.to_string()}));
    }

    /// Stops listening.
    pub fn unbind(&self, endpoint: impl ToString) {
        self.order(json!({"do": "unbind", "to": endpoint.to_string()}));
    }

    /// Stops dialling.
    pub fn disconnect(&self, endpoint: impl ToString) {
        self.order(json!({"do": "disconnect", "to": endpoint.to_string()}));
    }

    /// Sets an option; a number, or [`octets`].
    pub fn set(&self, option: &str, value: impl Into<Value>) {
        self.order(json!({"do": "set", "name": option, "value": value.into()}));
    }

    /// Sends a message of these frames.
    pub fn send<F: AsRef<[u8]>>(&self, frames: &[F]) {
        let frames: Vec<Value> = frames.iter().map(|frame| encode(frame.as_ref())).collect();
        self.order(json!({"do": "send", "frames": frames}));
    }

    /// The next message; fails the test when none comes.
    pub fn recv(&self) -> Vec<Vec<u8>> {
        match self.recv_within(PATIENCE.as_millis()) {
            Some(frames) => frames,
            None => panic!("the libzmq peer received nothing for {PATIENCE:?}"),
        }
    }

    /// The next message, if one comes within so many milliseconds.
    pub fn recv_within(&self, timeout_ms: u128) -> Option<Vec<Vec<u8>>> {
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(u64::MAX);
        let frames = self.order(json!({"do": "recv", "timeout_ms": timeout_ms}));
        Some(frames.as_array()?.iter().map(decode).collect())
    }

    /// A property from the handshake of the peer that sent the next message, which is taken.
    pub fn property(&self, name: &str) -> String {
        let property = self.order(json!({"do": "property", "name": name}));
        property.as_str().unwrap_or_default().to_owned()
    }

    /// Starts to send so many messages: the prefix and a number of eight octets, from 0 on.
    pub fn flood(&self, count: usize, prefix: impl AsRef<[u8]>) -> Working<'a> {
        self.begin(json!({"do": "flood", "count": count, "prefix": hex(prefix.as_ref())}))
    }

    /// Starts to receive so many messages, each with its number after `skip` octets. `finish()` fails the test if one is out of order.
    pub fn count(&self, count: usize, skip: usize) -> Working<'a> {
        self.begin(json!({"do": "count", "count": count, "skip": skip}))
    }

    /// Starts to receive so many messages: the numbers from 0 on, in any order. `finish()` fails the test if one is missing.
    pub fn gather(&self, count: usize) -> Working<'a> {
        self.begin(json!({"do": "gather", "count": count}))
    }

    /// Starts to send so many messages back as they come.
    pub fn echo(&self, count: usize) -> Working<'a> {
        self.begin(json!({"do": "echo", "count": count}))
    }

    /// From here on [`wait_down`](Self::wait_down) waits for the end of a connection.
    pub fn watch(&self) {
        self.order(json!({"do": "watch"}));
    }

    /// Waits until libzmq has noticed that a connection ended.
    pub fn wait_down(&self) {
        self.order(json!({"do": "down"}));
    }

    /// Closes it; what is queued is sent within `linger_ms`.
    pub fn close(self, linger_ms: u64) {
        self.order(json!({"do": "close", "linger_ms": linger_ms}));
    }

    fn order(&self, mut order: Value) -> Value {
        order["socket"] = self.id.into();
        self.peer.order(order)
    }

    fn begin(&self, mut order: Value) -> Working<'a> {
        order["socket"] = self.id.into();
        self.peer.program().say(&order.to_string());
        Working(self.peer)
    }
}

impl Drop for ZmqSocket<'_> {
    fn drop(&mut self) {
        // Without an answer, which would be taken for that of an order that is being carried out; and its process may have been killed.
        let order = json!({"do": "drop", "socket": self.id});
        let _ = self.peer.program().try_say(&order.to_string());
    }
}

impl Working<'_> {
    /// Waits until it is done.
    pub fn finish(self) {
        let result = answer(&mut self.0.program());
        assert!(
            result.is_null(),
            "the libzmq peer missed a number: {result}"
        );
    }
}

fn encode(frame: &[u8]) -> Value {
    let seed = (frame.len() > LONG).then(|| seed_of(frame)).flatten();
    match seed {
        Some(seed) => json!({"fill": frame.len(), "seed": seed}),
        None => json!({"hex": hex(frame)}),
    }
}

fn decode(frame: &Value) -> Vec<u8> {
    if let Some(text) = frame["hex"].as_str() {
        return unhex(text);
    }
    let number = |key: &str| frame[key].as_u64().unwrap_or_default();
    pattern(
        usize::try_from(number("fill")).unwrap_or_default(),
        u8::try_from(number("seed")).unwrap_or_default(),
    )
}

fn hex(octets: &[u8]) -> String {
    use std::fmt::Write;
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_the_way_to_json_and_back() {
        for frame in [&b""[..], b"\x00\xff", &pattern(70_000, 9), &[1; 5000]] {
            assert_eq!(decode(&encode(frame)), frame);
        }
    }
}
