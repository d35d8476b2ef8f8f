//! What an XSUB has beyond a SUB: it subscribes by sending `01 topic`, ends that with `00 topic`, and what else it sends goes to all its
//! publishers (RFC 29). In which form a subscription travels is the peer's version's affair.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use colugo_zmtp::parse_subscription_message;

use crate::core::Core;
use crate::error::{SendError, SubscribeError};
use crate::link::Pushed;
use crate::message::Outgoing;
use crate::sending::Kicks;
use crate::socket::XSubSocket;
use crate::stats::Sent;

impl XSubSocket {
    /// Sends to all publishers. A message whose first frame is `01 topic` subscribes to what begins with that topic, now and after each
    /// reconnect; `00 topic` takes one such subscription back; frames after it are a message of their own. Never waits: what finds a queue
    /// full is dropped for that peer and counted.
    ///
    /// ```
    /// use colugo_socket::{XPubSocket, XSubSocket};
    /// let publisher = XPubSocket::new()?;
    /// let subscriber = XSubSocket::new()?;
    /// subscriber.connect(publisher.bind("tcp://127.0.0.1:0")?)?;
    /// subscriber.send(b"\x01pose")?;
    /// assert_eq!(publisher.recv()?.payload()[..], *b"\x01pose");
    /// publisher.send("pose 1 2")?;
    /// assert_eq!(subscriber.recv()?.payload(), "pose 1 2");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send<'a>(&self, message: impl Into<Outgoing<'a>>) -> Result<Sent, SendError> {
        self.core.send_upstream(&message.into())
    }

    /// The same as sending `01 prefix`.
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError> {
        if self.core.is_closing() {
            return Err(SubscribeError::Closed);
        }
        self.core.subscribe(prefix.as_ref()).map(|_| ())
    }

    /// The same as sending `00 prefix`. False: there was no such subscription.
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> bool {
        self.core.unsubscribe(prefix.as_ref()).is_some()
    }
}

impl Core {
    pub(crate) fn send_upstream(&self, out: &Outgoing<'_>) -> Result<Sent, SendError> {
        if self.is_closing() {
            return Err(SendError::Closed);
        }
        self.check_size(out)?;
        let told = match parse_subscription_message(out.first()) {
            Some((true, topic)) => self.subscribe(topic)?,
            Some((false, topic)) => self.unsubscribe(topic).unwrap_or(0),
            None => return Ok(self.broadcast(out)),
        };
        let rest: &[Bytes] = match out {
            Outgoing::Parts(parts) => parts.get(1..).unwrap_or_default(),
            Outgoing::Frames(parts) => parts.get(1..).unwrap_or_default(),
            Outgoing::Slice(_) | Outgoing::Owned(_) => &[],
        };
        if rest.is_empty() {
            return Ok(Sent {
                queued: u32::try_from(told).unwrap_or(u32::MAX),
                dropped: 0,
            });
        }
        Ok(self.broadcast(&Outgoing::Parts(rest)))
    }

    /// To every peer; full queues drop it.
    fn broadcast(&self, out: &Outgoing<'_>) -> Sent {
        let mut sent = Sent::default();
        let mut kicks = Kicks::default();
        let mut table = self.table.lock();
        let limit = table.limit();
        for slot in table.slots_mut() {
            match slot.push(limit, None, |outbox| outbox.push(&[], out)) {
                Pushed::Queued => sent.queued += 1,
                pushed @ (Pushed::Writer | Pushed::Plenty) => {
                    sent.queued += 1;
                    kicks.add(&slot.link, pushed);
                }
                Pushed::Full => {
                    sent.dropped += 1;
                    slot.link.dropped.fetch_add(1, Ordering::Relaxed);
                }
                Pushed::Gone => {}
            }
        }
        let alone = table.sessions == 1;
        drop(table);
        kicks.kick(alone, out);
        sent
    }
}
