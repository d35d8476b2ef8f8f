//! `Raw`: a TCP connection with the octets of ZMTP in the test's own hands.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use colugo_socket::{Endpoint, PullSocket, PushSocket};

use crate::PATIENCE;

pub(crate) use colugo_testkit::wire::{
    COMMAND, LONG, MORE, command, frame, greeting, header, property, ready,
};

pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) fn dial(endpoint: &Endpoint) -> Self {
        Self::over(TcpStream::connect(("127.0.0.1", endpoint.port().unwrap())).unwrap())
    }

    pub(crate) fn accept(listener: &TcpListener) -> Self {
        Self::over(listener.accept().unwrap().0)
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Dials, and shakes hands as a peer of this type that speaks 3.`minor`.
    pub(crate) fn shaken(endpoint: &Endpoint, socket_type: &str, minor: u8) -> Self {
        let mut raw = Self::dial(endpoint);
        raw.shake(socket_type, minor);
        raw
    }

    pub(crate) fn shake(&mut self, socket_type: &str, minor: u8) {
        self.send(&[greeting(minor), ready(socket_type)].concat());
        self.expect_greeting();
        let (flags, body) = self.frame();
        assert_eq!(flags, COMMAND);
        assert_eq!(&body[..6], b"\x05READY");
    }

    pub(crate) fn expect_greeting(&mut self) {
        assert_eq!(self.take(64), greeting(1));
    }

    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.0.write_all(octets).unwrap();
    }

    /// Sends, to a peer that may have hung up already.
    pub(crate) fn try_send(&mut self, octets: &[u8]) -> bool {
        self.0.write_all(octets).is_ok()
    }

    /// Nothing comes for so long, and the connection stays.
    pub(crate) fn expect_nothing(&mut self, time: Duration) {
        self.0.set_read_timeout(Some(time)).unwrap();
        let read = self.0.read(&mut [0; 1]);
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        let nothing = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
        assert!(
            read.as_ref()
                .is_err_and(|error| nothing.contains(&error.kind())),
            "{read:?}"
        );
    }

    pub(crate) fn take(&mut self, len: usize) -> Vec<u8> {
        let mut octets = vec![0; len];
        self.0.read_exact(&mut octets).unwrap();
        octets
    }

    /// The next frame: flags without the one for the length's form, and the body.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let flags = self.take(1)[0];
        let len = if flags & LONG == 0 {
            u64::from(self.take(1)[0])
        } else {
            u64::from_be_bytes(self.take(8).try_into().unwrap())
        };
        (flags & !LONG, self.take(len as usize))
    }

    /// What comes until the other side hangs up, which it must.
    pub(crate) fn rest(mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        match self.0.read_to_end(&mut octets) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the connection is still open")
            }
            // A reset is an end as well.
            _ => octets,
        }
    }
}

/// A good peer of a PULL gets served, on a connection of its own.
pub(crate) fn serves(pull: &PullSocket, endpoint: &Endpoint) {
    let push = PushSocket::new().unwrap();
    push.connect(endpoint).unwrap();
    push.send("still here").unwrap();
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "still here");
}
