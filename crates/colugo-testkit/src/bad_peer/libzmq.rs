//! libzmq's socket as the target of a script, by way of pyzmq.

use std::time::Duration;

use serde_json::Value;

use super::case::Settings;
use super::target::{Kind, Target};
use crate::memory::{forget_peak, peak_memory_kib_of};
use crate::zmq_peer::{ZmqPeer, ZmqSocket, octets};

/// One socket in the process of a [`ZmqPeer`].
#[derive(Debug)]
pub struct LibzmqTarget<'a> {
    peer: &'a ZmqPeer,
    socket: ZmqSocket<'a>,
    kind: Kind,
}

impl<'a> LibzmqTarget<'a> {
    /// Opens it.
    pub fn open(peer: &'a ZmqPeer, settings: &Settings) -> Self {
        let handshake = u64::try_from(settings.handshake.as_millis()).unwrap_or(u64::MAX);
        let options: [(&str, Value); 3] = [
            ("HANDSHAKE_IVL", handshake.into()),
            ("RCVHWM", settings.queue.into()),
            ("SNDHWM", settings.queue.into()),
        ];
        Self {
            peer,
            socket: peer.socket(settings.kind.name(), &options),
            kind: settings.kind,
        }
    }
}

impl Target for LibzmqTarget<'_> {
    fn listen(&mut self) -> u16 {
        let bound = self.socket.bind("tcp://127.0.0.1:0");
        let port = bound.rsplit(':').next().and_then(|it| it.parse().ok());
        port.unwrap_or_else(|| panic!("libzmq listens on {bound:?}"))
    }

    fn dial(&mut self, port: u16) {
        self.socket.connect(format!("tcp://127.0.0.1:{port}"));
    }

    fn recv(&mut self, within: Duration) -> Option<Vec<Vec<u8>>> {
        if matches!(self.kind, Kind::Pub | Kind::Push) {
            return None;
        }
        self.socket.recv_within(within.as_millis())
    }

    fn send(&mut self, frames: &[&[u8]]) {
        self.socket.send(frames);
    }

    fn subscribe(&mut self, topic: &[u8]) {
        match self.kind {
            Kind::XSub => self.socket.send(&[[&[1], topic].concat()]),
            _ => self.socket.set("SUBSCRIBE", octets(topic)),
        }
    }

    fn unsubscribe(&mut self, topic: &[u8]) {
        match self.kind {
            Kind::XSub => self.socket.send(&[[&[0], topic].concat()]),
            _ => self.socket.set("UNSUBSCRIBE", octets(topic)),
        }
    }

    fn peak_kib(&self) -> Option<u64> {
        peak_memory_kib_of(self.peer.id())
    }

    fn forget_peak(&mut self) {
        forget_peak(Some(self.peer.id()));
    }
}
