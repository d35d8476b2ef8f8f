//! `Responder`: answers one request, once; and `ServerCore`, what all responders of a server share. A responder that is dropped refuses.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use colugo_socket::{
    LinkId, Message as RawMessage, MessageRef, Outgoing, SendError as RawSendError,
};

use crate::codec::Encoder;
use crate::core::{Closable, DROP_WAIT, LINGER};
use crate::error::ReplyError;
use crate::event::Event;
use crate::handle::Handle;
use crate::stats::count;
use crate::wire::{self, Envelope};

/// Why a request is refused: a code for programs and a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Codes below 100 are Colugo's; the others are yours.
    pub code: u16,
    /// Why.
    pub text: String,
}

impl Refusal {
    /// The responder was dropped unused.
    pub const DROPPED: u16 = 1;
    /// The request is not what the server's codec expects.
    pub const UNDECODABLE: u16 = 2;
    /// The server has too much to do; clients see `Busy`.
    pub const BUSY: u16 = wire::BUSY;
    /// The callback panicked.
    pub const PANICKED: u16 = 4;
    /// The reply could not be written or is over the limit.
    pub const NO_REPLY: u16 = 5;
}

type PlainError = Arc<dyn Fn(&Refusal) -> Option<Bytes> + Send + Sync>;

pub(crate) struct ServerCore {
    pub(crate) handle: Arc<Handle>,
    plain_error: Option<PlainError>,
    unanswered_said: AtomicBool,
    /// Responders that have not answered yet.
    pub(crate) owed: AtomicUsize,
    leaving: AtomicBool,
}

impl ServerCore {
    pub(crate) fn new(handle: Arc<Handle>, plain_error: Option<PlainError>) -> Arc<Self> {
        let this = Arc::new(Self {
            handle,
            plain_error,
            unanswered_said: AtomicBool::new(false),
            owed: AtomicUsize::new(0),
            leaving: AtomicBool::new(false),
        });
        let closable: std::sync::Weak<Self> = Arc::downgrade(&this);
        this.handle.core.adopt(closable);
        this
    }

    /// Splits what a ROUTER's inbox gave (identity first) into body and responder.
    pub(crate) fn accept<R: ?Sized>(
        self: &Arc<Self>,
        raw: &RawMessage,
        encoder: &Encoder<R>,
    ) -> (RawMessage, Responder<R>) {
        let link = raw.link();
        let frames = raw.frames().get(1..).unwrap_or_default().to_vec();
        let rest = RawMessage::multipart(frames).with_origin(link, raw.meta());
        let message = MessageRef::from(&rest);
        let (envelope, skip) = Envelope::parse(&message);
        let colugo = self
            .handle
            .links
            .get(link)
            .is_some_and(|peer| peer.is_colugo());
        (
            wire::body_message(&message, skip),
            self.responder(link, colugo, envelope, encoder),
        )
    }

    pub(crate) fn responder<R: ?Sized>(
        self: &Arc<Self>,
        link: LinkId,
        colugo: bool,
        envelope: Envelope,
        encoder: &Encoder<R>,
    ) -> Responder<R> {
        self.owed.fetch_add(1, Ordering::Relaxed);
        Responder {
            server: self.clone(),
            link,
            colugo,
            envelope,
            encoder: encoder.clone(),
            open: true,
        }
    }

    /// Withdraws the service, lets clients finish what they have here, and ends the links.
    pub(crate) fn leave(&self) {
        self.finish(LINGER, DROP_WAIT);
    }

    fn finish(&self, linger: Duration, wait: Duration) -> bool {
        if self.leaving.swap(true, Ordering::AcqRel) || self.handle.is_closed() {
            return true;
        }
        self.handle.withdraw();
        let Some(socket) = self.handle.socket() else {
            return true;
        };
        let clients = self.handle.links.list();
        for peer in clients.iter().filter(|peer| peer.is_colugo()) {
            socket.send_command_to(peer.link, wire::LEAVING, &[]);
        }
        let quiet = || {
            let colugo = self
                .handle
                .links
                .list()
                .iter()
                .filter(|peer| peer.is_colugo())
                .count();
            colugo == 0 && self.owed.load(Ordering::Acquire) == 0
        };
        // Where waiting would hold up those who are waited for, the links just end.
        if !crate::executor::in_inline()
            && !colugo_socket::on_data_thread()
            && !self.handle.core.executor.is_current()
        {
            self.handle.wait_quietly(wait, &quiet);
        }
        self.handle.shut(linger, wait)
    }

    fn send(
        &self,
        link: LinkId,
        envelope: &Envelope,
        body: Outgoing<'_>,
    ) -> Result<(), ReplyError> {
        let Some(socket) = self.handle.socket() else {
            return Err(ReplyError::Closed);
        };
        envelope
            .with_head(|head| socket.send_to(link, head, body))
            .map_err(|error| match error {
                RawSendError::NoPeer => ReplyError::Disconnected,
                RawSendError::Full => ReplyError::Full,
                RawSendError::TooLarge { octets, limit } => ReplyError::TooLarge { octets, limit },
                _ => ReplyError::Closed,
            })?;
        count(&self.handle.counters.sent);
        Ok(())
    }

    fn settle(&self) {
        if self.owed.fetch_sub(1, Ordering::AcqRel) == 1 && self.leaving.load(Ordering::Acquire) {
            self.handle.links.changed.notify();
        }
    }
}

impl Closable for ServerCore {
    fn close(&self, linger: Duration, wait: Duration) -> bool {
        self.finish(linger, wait)
    }
}

/// Answers one request. May be kept, moved to another thread, and used later. Dropped unused, the client gets `Refused` at once.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use colugo::RequestError;
/// let net = colugo::testing::Net::new();
/// let node = net.node("a")?;
/// let server = node.reply_server("door").text().build()?;
/// let door = node.request_client("door").text().build()?;
/// let (first, second) = (door.request("open").start(), door.request("close").start());
/// let (_, responder) = server.recv()?;
/// responder.refuse(100, "it is locked");
/// drop(server.recv()?);
/// assert!(matches!(first.wait(), Err(RequestError::Refused { code: 100, .. })));
/// assert!(matches!(second.wait(), Err(RequestError::Refused { code: 1, .. })));
/// # Ok(()) }
/// ```
#[must_use = "a responder that is dropped refuses the request"]
pub struct Responder<R: ?Sized = [u8]> {
    server: Arc<ServerCore>,
    link: LinkId,
    colugo: bool,
    envelope: Envelope,
    encoder: Encoder<R>,
    open: bool,
}

impl<R: ?Sized> Responder<R> {
    /// Sends the reply.
    ///
    /// # Errors
    /// The codec can't write it, or the client is gone.
    pub fn reply(mut self, value: &R) -> Result<(), ReplyError> {
        let sent = match self.encoder.encode(value, |octets| {
            self.server
                .send(self.link, &self.envelope, Outgoing::Slice(octets))
        }) {
            Ok(sent) => sent,
            Err(error) => Err(error.into()),
        };
        self.close(sent)
    }

    /// Sends octets as they are, past the codec. Large ones are not copied.
    ///
    /// # Errors
    /// The client is gone.
    pub fn reply_bytes(mut self, payload: impl Into<Bytes>) -> Result<(), ReplyError> {
        let sent = self
            .server
            .send(self.link, &self.envelope, Outgoing::Owned(payload.into()));
        self.close(sent)
    }

    /// Sends a reply of several frames, past the codec.
    ///
    /// # Errors
    /// The client is gone.
    pub fn reply_parts(mut self, parts: &[Bytes]) -> Result<(), ReplyError> {
        // libzmq takes an envelope without a body for no message at all.
        let body = if parts.is_empty() {
            Outgoing::Slice(&[])
        } else {
            Outgoing::Parts(parts)
        };
        let sent = self.server.send(self.link, &self.envelope, body);
        self.close(sent)
    }

    /// Says no: the client gets `Refused` with this code and text. Codes from 100 on are yours; see [`Refusal`].
    pub fn refuse(mut self, code: u16, text: &str) {
        self.say_no(code, text);
    }

    /// The link the request came by.
    pub fn link(&self) -> LinkId {
        self.link
    }

    fn close(&mut self, sent: Result<(), ReplyError>) -> Result<(), ReplyError> {
        match &sent {
            Ok(()) => self.settle(),
            Err(error @ (ReplyError::Encode(_) | ReplyError::TooLarge { .. })) => {
                self.say_no(Refusal::NO_REPLY, &error.to_string())
            }
            Err(_) => self.settle(),
        }
        sent
    }

    fn settle(&mut self) {
        if std::mem::take(&mut self.open) {
            self.server.settle();
        }
    }

    fn say_no(&mut self, code: u16, text: &str) {
        if !self.open {
            return;
        }
        let server = self.server.clone();
        let handle = &server.handle;
        match (self.envelope.id(), handle.socket()) {
            (Some(id), Some(socket)) if self.colugo => {
                socket.send_command_to(self.link, wire::STATUS, &wire::status(id, code, text))
            }
            _ => {
                let refusal = Refusal {
                    code,
                    text: text.to_owned(),
                };
                let reply = server.plain_error.as_ref().and_then(|make| {
                    handle
                        .core
                        .contain(&handle.label, None, || make(&refusal))
                        .flatten()
                });
                let answered = reply.is_some_and(|reply| {
                    server
                        .send(self.link, &self.envelope, Outgoing::Owned(reply))
                        .is_ok()
                });
                if !answered {
                    count(&handle.counters.unanswered);
                    if !server.unanswered_said.swap(true, Ordering::Relaxed) {
                        tracing::warn!(
                            handle = &*handle.label,
                            text,
                            "a plain ZeroMQ client was refused and can't be told: see `plain_error`"
                        );
                        handle.core.events.emit(Event::Unanswered {
                            handle: handle.label.clone(),
                            reason: text.to_owned(),
                        });
                    }
                }
            }
        }
        self.settle();
    }
}

impl<R: ?Sized> Drop for Responder<R> {
    fn drop(&mut self) {
        if self.open {
            if std::thread::panicking() {
                self.say_no(Refusal::PANICKED, "the server's callback panicked");
            } else {
                self.say_no(Refusal::DROPPED, "the server dropped the request");
            }
        }
    }
}

impl<R: ?Sized> fmt::Debug for Responder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("link", &self.link)
            .field("envelope", &self.envelope)
            .finish_non_exhaustive()
    }
}
