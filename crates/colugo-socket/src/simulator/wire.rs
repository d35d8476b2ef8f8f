//! `Wire`: one direction of a connection: octets in flight, each piece with the time at which it lands, in order.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;
use tokio::time::{Instant, Sleep};

use super::network::{Connection, Network};
use crate::pipe::{PipeRead, PipeWrite};

const PIECE: usize = 4 << 10;

pub(super) struct Wire {
    network: Arc<Network>,
    connection: Arc<Connection>,
    /// The end the octets come from.
    from: usize,
    way: (usize, usize),
    read: PipeRead,
    into: Arc<PipeWrite>,
    /// An empty piece is the end.
    flying: VecDeque<(Instant, Vec<u8>)>,
    octets: usize,
    /// Octets in flight at most, as a TCP window bounds them.
    window: usize,
    ended: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(super) fn new(
        window: usize,
        network: Arc<Network>,
        connection: Arc<Connection>,
        from: usize,
        way: (usize, usize),
        read: PipeRead,
        into: Arc<PipeWrite>,
    ) -> Self {
        Self {
            network,
            connection,
            from,
            way,
            read,
            into,
            flying: VecDeque::new(),
            octets: 0,
            window,
            ended: false,
            timer: None,
        }
    }

    fn launch(&mut self, piece: Vec<u8>) {
        let soonest = self.flying.back().map(|(due, _)| *due);
        let due = Instant::now() + self.network.delay(self.way);
        self.octets += piece.len();
        self.flying
            .push_back((soonest.map_or(due, |s| s.max(due)), piece));
    }

    /// Takes in what the sender has written. Ready: the sender's end is broken, and says nothing more.
    fn poll_launch(&mut self, cx: &Context<'_>) -> Poll<()> {
        while !self.ended && self.octets < self.window {
            let mut space = [0; PIECE];
            let mut buf = ReadBuf::new(&mut space);
            match self.read.poll_read(cx, &mut buf) {
                Poll::Pending => break,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {
                    self.ended = buf.filled().is_empty();
                    self.launch(buf.filled().to_vec());
                }
            }
        }
        Poll::Pending
    }

    /// Gives the receiver what is due. Ready: the end has landed, or nobody is there.
    fn poll_land(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some((due, piece)) = self.flying.front_mut() {
            if self.network.is_silent(self.way, cx.waker()) {
                return Poll::Pending;
            }
            if self.connection.is_stalled() {
                self.network.wake_later(cx.waker());
                return Poll::Pending;
            }
            if *due > Instant::now() {
                let due = *due;
                let timer = self
                    .timer
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
                if timer.deadline() != due {
                    timer.as_mut().reset(due);
                }
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                continue;
            }
            if piece.is_empty() {
                self.into.end();
                return Poll::Ready(());
            }
            match self.into.try_write(piece) {
                Ok(n) => {
                    self.octets -= n;
                    piece.drain(..n);
                    if piece.is_empty() {
                        self.flying.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.into.poll_write_ready(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                Err(_) => {
                    self.connection.refuse(self.from);
                    return Poll::Ready(());
                }
            }
        }
        Poll::Pending
    }
}

impl Future for Wire {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let before = self.octets;
            if self.poll_launch(cx).is_ready() || self.poll_land(cx).is_ready() {
                return Poll::Ready(());
            }
            // What landed made room for more.
            if before < self.window || self.octets >= self.window {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.network.wire_done(&self.connection);
    }
}
