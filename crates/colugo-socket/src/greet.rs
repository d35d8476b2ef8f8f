//! The handshake of one connection, over a stream, within a deadline.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use colugo_zmtp::{
    Decision, Handshake, HandshakeConfig, HandshakeError, PeerHello, Sealing, SocketType,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::event::HandshakeFault;
use crate::options::Options;
use crate::security::Security;
use crate::stream::Stream;

/// Room for an honest handshake; more is read as it comes.
const FIRST_READ: usize = 512;
/// Characters of a peer's property in an error.
const SHOWN: usize = 64;

/// What has passed on a connection that was accepted elsewhere, on a port that several sockets share.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// So many octets of the greeting were sent.
    pub(crate) sent: usize,
    /// What came, from the first octet on.
    pub(crate) heard: BytesMut,
}

/// What a handshake led to.
pub(crate) struct Greeted<A> {
    /// What `admit` gave.
    pub(crate) admitted: A,
    /// What was read beyond the handshake.
    pub(crate) rest: BytesMut,
    /// How traffic is sealed, if it is.
    pub(crate) sealing: Option<Sealing>,
}

/// Shakes hands. None: `admit` did not admit the peer.
///
/// With `peer_first` the peer introduces itself first, so that one who is not admitted never takes itself for connected: what waits at
/// its side is not sent, and not lost. `spoke` is set when the peer has said anything.
// What is passed by reference is not in the future of a connection that may never shake hands.
pub(crate) async fn greet<A>(
    stream: &mut Stream,
    kind: SocketType,
    options: &Options,
    passed: &mut Passed,
    peer_first: bool,
    spoke: &AtomicBool,
    admit: &mut impl FnMut(PeerHello) -> Option<A>,
) -> Result<Option<Greeted<A>>, HandshakeFault> {
    let exchange = exchange(stream, kind, options, passed, peer_first, spoke, admit);
    match tokio::time::timeout(options.handshake_timeout, exchange).await {
        Ok(done) => done,
        Err(_) => Err(HandshakeFault::TimedOut),
    }
}

/// The handshake of one more connection.
fn begin(kind: SocketType, options: &Options) -> Handshake {
    let mut config = HandshakeConfig::new(kind);
    config.identity.clone_from(&options.identity);
    config.properties.clone_from(&options.properties);
    match &options.security {
        Some(security) => Handshake::with_mechanism(config, security.mechanism()),
        None => Handshake::new(config),
    }
}

/// Whether it is who was expected.
fn check(hello: &PeerHello, options: &Options) -> Result<(), HandshakeFault> {
    let text = |octets: &[u8]| {
        let text = String::from_utf8_lossy(octets);
        text.escape_debug().take(SHOWN).collect()
    };
    for (name, expected) in &options.expected {
        if let Some(found) = hello.metadata.get(name).filter(|found| *found != expected) {
            return Err(HandshakeFault::Property {
                name: name.clone(),
                expected: text(expected),
                found: text(found),
            });
        }
    }
    Ok(())
}

async fn exchange<A>(
    stream: &mut Stream,
    kind: SocketType,
    options: &Options,
    passed: &mut Passed,
    peer_first: bool,
    spoke: &AtomicBool,
    admit: &mut impl FnMut(PeerHello) -> Option<A>,
) -> Result<Option<Greeted<A>>, HandshakeFault> {
    let mut handshake = begin(kind, options);
    // Who has to prove something does not begin with READY.
    let peer_first = peer_first && options.security.is_none();
    let mut out = Vec::with_capacity(256);
    let Passed { sent, heard: buf } = passed;
    let mut unseen = !buf.is_empty();
    buf.reserve(FIRST_READ);
    let mut greeted = false;
    loop {
        if !(peer_first && greeted) {
            handshake.transmit(&mut out);
            if !greeted {
                out.drain(..(*sent).min(out.len()));
            }
            greeted = true;
        }
        if !out.is_empty() {
            stream.write_all(&out).await.map_err(fault)?;
            // Nothing is held while the peer is waited for.
            out = Vec::new();
        }
        if !std::mem::take(&mut unseen) && stream.read_buf(buf).await.map_err(fault)? == 0 {
            return Err(HandshakeFault::Eof);
        }
        spoke.store(true, Ordering::Relaxed);
        match advance(&mut handshake, buf, options, stream) {
            Ok(done) => {
                if let Some(hello) = done {
                    check(&hello, options)?;
                    let Some(admitted) = admit(hello) else {
                        return Ok(None);
                    };
                    handshake.transmit(&mut out);
                    stream.write_all(&out).await.map_err(fault)?;
                    return Ok(Some(Greeted {
                        admitted,
                        rest: std::mem::take(buf),
                        sealing: handshake.into_sealing(),
                    }));
                }
            }
            Err(error) => {
                if let Some(farewell) = error.farewell() {
                    handshake.transmit(&mut out);
                    out.extend_from_slice(&farewell);
                    let _ = stream.write_all(&out).await;
                }
                return Err(error.into());
            }
        }
    }
}

/// Takes what is there, and answers what the mechanism asks.
fn advance(
    handshake: &mut Handshake,
    buf: &mut BytesMut,
    options: &Options,
    stream: &Stream,
) -> Result<Option<PeerHello>, HandshakeError> {
    loop {
        let (consumed, done) = handshake.receive(buf)?;
        buf.advance(consumed.min(buf.len()));
        let Some(question) = handshake.question() else {
            return Ok(done);
        };
        let security = options.security.as_deref();
        let decide = |it: &dyn Security| it.decide(question, stream.remote());
        let decision = security.map_or(Decision::Deny, decide);
        if let Some(hello) = handshake.answer(decision)? {
            return Ok(Some(hello));
        }
    }
}

fn fault(error: io::Error) -> HandshakeFault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => HandshakeFault::Eof,
        kind => HandshakeFault::Io(kind),
    }
}

/// Waits for a stream to take the octets of a farewell before it is closed: unread input would turn the close into a reset.
pub(crate) async fn part(stream: &mut Stream) {
    let _ = stream.shutdown().await;
    let drained = poll_fn(|cx| stream.poll_read_ready(cx));
    let _ = tokio::time::timeout(Duration::from_millis(50), drained).await;
}
