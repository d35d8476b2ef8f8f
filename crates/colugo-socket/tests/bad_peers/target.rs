//! Our sockets as the target of a script.

use std::time::Duration;

use colugo_socket::{
    Bytes, DealerSocket, Endpoint, Message, PairSocket, PubSocket, PullSocket, PushSocket,
    RecvError, RepSocket, ReqSocket, RouterSocket, Socket, SubSocket, XPubSocket, XSubSocket, kind,
};
use colugo_testkit::bad_peer::{Kind, Settings, Target};

pub(crate) enum OurTarget {
    Pub(PubSocket),
    Sub(SubSocket),
    Push(PushSocket),
    Pull(PullSocket),
    Req(ReqSocket),
    Rep(RepSocket),
    Dealer(DealerSocket),
    Router(RouterSocket),
    XPub(XPubSocket),
    XSub(XSubSocket),
    Pair(PairSocket),
}

/// Calls the same method on whichever it is.
macro_rules! each {
    ($target:expr, $socket:ident => $call:expr) => {
        match $target {
            OurTarget::Pub($socket) => $call,
            OurTarget::Sub($socket) => $call,
            OurTarget::Push($socket) => $call,
            OurTarget::Pull($socket) => $call,
            OurTarget::Req($socket) => $call,
            OurTarget::Rep($socket) => $call,
            OurTarget::Dealer($socket) => $call,
            OurTarget::Router($socket) => $call,
            OurTarget::XPub($socket) => $call,
            OurTarget::XSub($socket) => $call,
            OurTarget::Pair($socket) => $call,
        }
    };
}

fn build<K: kind::Kind>(settings: &Settings) -> Socket<K> {
    const OCTETS: usize = 16 << 20;
    Socket::builder()
        .handshake_timeout(settings.handshake)
        // As in libzmq by default; `heartbeats` has the tests of ours.
        .no_heartbeat()
        .receive_queue(settings.queue, OCTETS)
        .send_queue(settings.queue, OCTETS)
        .build()
        .unwrap()
}

impl OurTarget {
    pub(crate) fn open(settings: &Settings) -> Self {
        match settings.kind {
            Kind::Pub => Self::Pub(build(settings)),
            Kind::Sub => Self::Sub(build(settings)),
            Kind::Push => Self::Push(build(settings)),
            Kind::Pull => Self::Pull(build(settings)),
            Kind::Req => Self::Req(build(settings)),
            Kind::Rep => Self::Rep(build(settings)),
            Kind::Dealer => Self::Dealer(build(settings)),
            Kind::Router => Self::Router(build(settings)),
            Kind::XPub => Self::XPub(build(settings)),
            Kind::XSub => Self::XSub(build(settings)),
            Kind::Pair => Self::Pair(build(settings)),
        }
    }
}

fn taken(received: Result<Message, RecvError>) -> Option<Vec<Vec<u8>>> {
    let message = received.ok()?;
    Some(
        message
            .frames()
            .iter()
            .map(|frame| frame.to_vec())
            .collect(),
    )
}

impl Target for OurTarget {
    fn listen(&mut self) -> u16 {
        let bound: Endpoint = each!(self, socket => socket.bind("tcp://127.0.0.1:0")).unwrap();
        bound.port().unwrap()
    }

    fn dial(&mut self, port: u16) {
        each!(self, socket => socket.connect(format!("tcp://127.0.0.1:{port}"))).unwrap();
    }

    fn recv(&mut self, within: Duration) -> Option<Vec<Vec<u8>>> {
        match self {
            Self::Pub(_) | Self::Push(_) => None,
            Self::Sub(socket) => taken(socket.recv_timeout(within)),
            Self::Pull(socket) => taken(socket.recv_timeout(within)),
            Self::Req(socket) => taken(socket.recv_timeout(within)),
            Self::Rep(socket) => taken(socket.recv_timeout(within)),
            Self::Dealer(socket) => taken(socket.recv_timeout(within)),
            Self::Router(socket) => taken(socket.recv_timeout(within)),
            Self::XPub(socket) => taken(socket.recv_timeout(within)),
            Self::XSub(socket) => taken(socket.recv_timeout(within)),
            Self::Pair(socket) => taken(socket.recv_timeout(within)),
        }
    }

    /// What cannot be sent is dropped, as it is where nobody listens.
    fn send(&mut self, frames: &[&[u8]]) {
        let frames: Vec<Bytes> = frames.iter().map(|it| Bytes::copy_from_slice(it)).collect();
        let _ = match self {
            Self::Pub(socket) => socket.send(&frames).map(|_| ()),
            Self::Push(socket) => socket.send(&frames).map(|_| ()),
            Self::Req(socket) => socket.send(&frames),
            Self::Rep(socket) => socket.send(&frames),
            Self::Dealer(socket) => socket.send(&frames).map(|_| ()),
            Self::Router(socket) => socket.send(&frames),
            Self::XPub(socket) => socket.send(&frames).map(|_| ()),
            Self::XSub(socket) => socket.send(&frames).map(|_| ()),
            Self::Pair(socket) => socket.send(&frames).map(|_| ()),
            Self::Sub(_) | Self::Pull(_) => panic!("this socket sends nothing"),
        };
    }

    fn subscribe(&mut self, topic: &[u8]) {
        match self {
            Self::Sub(socket) => socket.subscribe(topic).unwrap(),
            Self::XSub(_) => self.send(&[&[&[1], topic].concat()]),
            _ => panic!("this socket subscribes to nothing"),
        }
    }

    fn unsubscribe(&mut self, topic: &[u8]) {
        match self {
            Self::Sub(socket) => assert!(socket.unsubscribe(topic)),
            Self::XSub(_) => self.send(&[&[&[0], topic].concat()]),
            _ => panic!("this socket subscribes to nothing"),
        }
    }

    fn peak_kib(&self) -> Option<u64> {
        colugo_testkit::peak_memory_kib()
    }

    fn forget_peak(&mut self) {
        colugo_testkit::forget_peak(None);
    }
}
