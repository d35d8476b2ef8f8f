//! The task of one trunk: shakes hands, moves octets between the connection and the lanes, opens and ends them.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use colugo_zmtp::{MAX_TRUNK_FRAME, PeerHello, SocketType, TrunkFrame, parse_header};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::lane::{Fault, Lane, Pumped};
use super::lanes::Lanes;
use super::{Desk, OnLane, Trunk, Trunks, VERSION, refuse_all};
use crate::endpoint::{Endpoint, Place};
use crate::event::HandshakeFault;
use crate::gate::lock;
use crate::greet::{Passed, greet};
use crate::options::{Options, Overflow, TRUNK_IDLE, TRUNK_OUT, UNTAKEN_TIMEOUT};
use crate::pipe::Pipe;
use crate::runtime::poll_again;
use crate::stream::Stream;
use crate::tcp;

/// Smallest and largest read. A read that fills its buffer doubles the next one.
const READ_MIN: usize = 8 << 10;
const READ_MAX: usize = 256 << 10;
/// How often the processor is given away while more comes to be written: half a microsecond each when it is idle.
const YIELDS: usize = 4;
/// Octets that wait for the system, with the answers to what the other side asks. Who has read what it was answered before makes no more than a
/// quarter of that of it.
const OUT_MAX: usize = 4 * TRUNK_OUT;
/// Rounds of reading and writing before the other tasks of the thread get their turn.
const ROUNDS: usize = 8;

/// Dials, and runs the trunk until it has ended.
pub(super) async fn dialled(trunks: Arc<Trunks>, to: Endpoint, desk: Arc<Desk>) {
    let _living = trunks.living(&desk);
    let run = async {
        let Place::Tcp(host, port) = &to.place else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut stream = tuned(tcp::connect(host, *port).await?);
        let rest = shake(&mut stream, SocketType::Dealer, Passed::default()).await?;
        Ok((stream, rest))
    };
    let began: io::Result<_> = run.await;
    match began {
        Ok((stream, rest)) => {
            let ended = Task::new(stream, rest, desk.clone(), None).run().await;
            tracing::debug!(%to, ?ended, "a trunk ended");
            refuse_all(&desk, io::ErrorKind::ConnectionAborted);
            trunks.ended(&to, &desk, false);
        }
        Err(error) => {
            tracing::debug!(%to, %error, "no trunk");
            refuse_all(&desk, error.kind());
            trunks.ended(&to, &desk, error.kind() == io::ErrorKind::Unsupported);
        }
    }
}

fn tuned(stream: TcpStream) -> Stream {
    tcp::tune(&stream);
    tcp::set_untaken_timeout(&stream, Some(UNTAKEN_TIMEOUT));
    Stream::Tcp(stream)
}

/// Shakes hands; gives what came after it. `Unsupported`: who is there takes no trunks.
async fn shake(stream: &mut Stream, kind: SocketType, mut passed: Passed) -> io::Result<BytesMut> {
    let mut options = Options::new(Overflow::DropNewest);
    for (name, value) in [("X-Colugo", "1"), (Trunk::PROPERTY, VERSION)] {
        options.properties.push((name.to_owned(), value.into()));
    }
    let spoke = AtomicBool::new(false);
    let mut takes = |hello: PeerHello| {
        let version = hello.metadata.get(Trunk::PROPERTY)?;
        (version == VERSION).then_some(())
    };
    let greeted = greet(
        stream,
        kind,
        &options,
        &mut passed,
        false,
        &spoke,
        &mut takes,
    )
    .await;
    match greeted {
        Ok(Some(greeted)) => Ok(greeted.rest),
        Ok(None) => Err(io::ErrorKind::Unsupported.into()),
        Err(HandshakeFault::Io(kind)) => Err(kind.into()),
        Err(fault) => Err(io::Error::new(io::ErrorKind::InvalidData, fault)),
    }
}

pub(super) struct Task {
    stream: Stream,
    remote: Option<SocketAddr>,
    desk: Arc<Desk>,
    lanes: Lanes,
    /// Of those that were asked for here, until the other side has answered.
    asked: HashMap<u32, (oneshot::Sender<io::Result<Pipe>>, Pipe)>,
    next: u32,
    /// Who takes lanes. None: this side dialled, and asks for them.
    on_lane: Option<OnLane>,
    out: Vec<u8>,
    written: usize,
    /// Lanes with octets in `out`.
    underway: Vec<u32>,
    /// Lanes that have more, once `out` is written.
    waiting: VecDeque<u32>,
    /// Lanes that were rung for; there to be used again.
    rung: Vec<u32>,
    input: BytesMut,
    /// The last frame was not the last one of its message.
    parts: bool,
    read_size: usize,
    idle: Option<Pin<Box<Sleep>>>,
}

impl Task {
    pub(super) fn new(
        stream: Stream,
        input: BytesMut,
        desk: Arc<Desk>,
        on_lane: Option<OnLane>,
    ) -> Box<Self> {
        Box::new(Self {
            remote: stream.remote(),
            stream,
            desk,
            lanes: Lanes::default(),
            asked: HashMap::new(),
            next: 0,
            on_lane,
            out: Vec::new(),
            written: 0,
            underway: Vec::new(),
            waiting: VecDeque::new(),
            rung: Vec::new(),
            input,
            parts: false,
            read_size: READ_MIN,
            idle: None,
        })
    }

    /// Until either side ends it; what the system has taken is delivered.
    async fn run(mut self: Box<Self>) -> io::Result<()> {
        // What came with the handshake.
        let ended = match self.hear() {
            Ok(()) => poll_fn(|cx| self.poll(cx)).await,
            Err(error) => Err(error),
        };
        // Its lanes end with it.
        self.lanes.clear();
        self.stream.leave().await;
        ended
    }

    /// Runs a trunk that was accepted until it has ended.
    pub(super) async fn accepted(
        trunks: Arc<Trunks>,
        stream: TcpStream,
        passed: Passed,
        desk: Arc<Desk>,
        on_lane: OnLane,
    ) {
        let _living = trunks.living(&desk);
        let mut stream = tuned(stream);
        let remote = stream.remote();
        let ended = match shake(&mut stream, SocketType::Router, passed).await {
            Ok(rest) => {
                let task = Self::new(stream, rest, desk.clone(), Some(on_lane));
                task.run().await
            }
            Err(error) => Err(error),
        };
        tracing::debug!(?remote, ?ended, "a trunk ended");
        refuse_all(&desk, io::ErrorKind::ConnectionAborted);
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.desk.task.register(cx.waker());
        for _ in 0..ROUNDS {
            self.take_asked();
            self.gather();
            let wrote = self.poll_write(cx)?;
            let read = self.poll_read(cx)?;
            if let Poll::Ready(false) = read {
                return Poll::Ready(Ok(()));
            }
            if self.out.is_empty() && self.is_done(cx) {
                return Poll::Ready(Ok(()));
            }
            let more = !self.out.is_empty() && wrote.is_ready();
            if read.is_pending() && !more && self.waiting.is_empty() {
                return Poll::Pending;
            }
            if read.is_pending() && wrote.is_pending() {
                return Poll::Pending;
            }
        }
        poll_again(cx);
        Poll::Pending
    }

    /// Whether there is nothing left that it is there for.
    fn is_done(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.lanes.is_empty() || !self.asked.is_empty() {
            self.idle = None;
            return false;
        }
        let leaving = self.desk.leaving.load(Ordering::SeqCst);
        if leaving || self.on_lane.is_some() {
            return leaving;
        }
        let idle = self
            .idle
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(TRUNK_IDLE)));
        if idle.as_mut().poll(cx).is_pending() {
            return false;
        }
        // Who asks from now on is told that it has ended, and has another one dialled.
        let mut asked = lock(&self.desk.asked);
        let nobody = asked.as_ref().is_none_or(Vec::is_empty);
        if nobody {
            *asked = None;
        }
        nobody
    }

    /// Asks for the lanes that others want.
    fn take_asked(&mut self) {
        let asked = match &mut *lock(&self.desk.asked) {
            Some(asked) if !asked.is_empty() => std::mem::take(asked),
            _ => return,
        };
        for asked in asked {
            if asked.tell.is_closed() {
                continue;
            }
            let Some(id) = self.lanes.free_from(self.next) else {
                let _ = asked.tell.send(Err(io::ErrorKind::QuotaExceeded.into()));
                continue;
            };
            self.next = id.wrapping_add(1);
            let address = &asked.address;
            TrunkFrame::Open { lane: id, address }.encode(&mut self.out);
            let far = self.add(id);
            self.asked.insert(id, (asked.tell, far));
        }
    }

    fn add(&mut self, id: u32) -> Pipe {
        let (lane, mut far) = Lane::new(id, &self.desk);
        far.remote = self.remote;
        self.lanes.insert(lane);
        far
    }

    /// Gathers what the lanes have to say. Who has written to one may be about to write to others, and may have had to give up the processor to this
    /// thread.
    fn gather(&mut self) {
        for _ in 0..YIELDS {
            let before = self.out.len();
            self.pump();
            if self.out.len() == before || self.out.len() >= TRUNK_OUT {
                return;
            }
            std::thread::yield_now();
        }
        self.pump();
    }

    fn pump(&mut self) {
        std::mem::swap(&mut *lock(&self.desk.rung), &mut self.rung);
        self.waiting.extend(self.rung.drain(..));
        for _ in 0..self.waiting.len() {
            if self.out.len() >= TRUNK_OUT {
                return;
            }
            let Some(id) = self.waiting.pop_front() else {
                return;
            };
            let Some(lane) = self.lanes.get_mut(id) else {
                continue;
            };
            let was_underway = lane.is_underway();
            if lane.pump(&mut self.out, TRUNK_OUT) == Pumped::More {
                self.waiting.push_back(id);
            }
            if lane.is_underway() && !was_underway {
                self.underway.push(id);
            }
            if lane.is_over() {
                self.lanes.remove(id);
            }
        }
    }

    /// Pending: the system takes no more for now.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        let wrote = self.stream.poll_write_all(cx, &self.out, &mut self.written);
        if wrote?.is_pending() {
            return Ok(Poll::Pending);
        }
        self.out.clear();
        self.written = 0;
        if self.waiting.is_empty() && self.out.capacity() > READ_MIN {
            self.out = Vec::new();
        }
        for id in self.underway.drain(..) {
            if let Some(lane) = self.lanes.get_mut(id) {
                lane.was_written();
                if lane.is_over() {
                    self.lanes.remove(id);
                }
            }
        }
        Ok(Poll::Ready(()))
    }

    /// Reads once and hands on what came. False: the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<bool>> {
        self.input.reserve(self.read_size);
        let room = self.input.capacity() - self.input.len();
        let Poll::Ready(read) = pin!(self.stream.read_buf(&mut self.input)).poll(cx) else {
            if self.input.is_empty() && self.input.capacity() > READ_MIN {
                self.input = BytesMut::new();
            }
            return Ok(Poll::Pending);
        };
        let read = read?;
        if read == 0 {
            return Ok(Poll::Ready(false));
        }
        if read >= room {
            self.read_size = (self.read_size * 2).min(READ_MAX);
        } else if read < self.read_size / 4 {
            self.read_size = (self.read_size / 2).max(READ_MIN);
        }
        self.hear()?;
        Ok(Poll::Ready(true))
    }

    /// Hands on the whole frames that have come.
    fn hear(&mut self) -> io::Result<()> {
        let mut input = std::mem::take(&mut self.input);
        let heard = self.hear_frames(&mut input);
        self.input = input;
        heard.map_err(|Fault(what)| io::Error::new(io::ErrorKind::InvalidData, what))
    }

    fn hear_frames(&mut self, input: &mut BytesMut) -> Result<(), Fault> {
        loop {
            if self.out.len() > OUT_MAX {
                return Err(Fault("asks on and on, and does not read the answers"));
            }
            let header = match parse_header(input) {
                Ok(Some(header)) => header,
                Ok(None) => return Ok(()),
                Err(_) => return Err(Fault("no frame")),
            };
            let len = usize::try_from(header.body_len).unwrap_or(usize::MAX);
            if len > MAX_TRUNK_FRAME {
                return Err(Fault("a frame over the limit"));
            }
            let Some(body) = input.get(header.header_len..header.header_len + len) else {
                return Ok(());
            };
            // Commands, and messages of several frames: what a later version may say.
            if !header.command {
                if !header.more && !self.parts {
                    let said = TrunkFrame::parse(body).ok_or(Fault("what no version says"))?;
                    self.heard(said)?;
                }
                self.parts = header.more;
            }
            input.advance(header.header_len + len);
        }
    }

    fn heard(&mut self, said: TrunkFrame<'_>) -> Result<(), Fault> {
        match said {
            TrunkFrame::Open { lane: id, address } => self.open(id, address),
            TrunkFrame::Accept { lane: id } => {
                let (tell, far) = self.asked.remove(&id).ok_or(Fault("accepted unasked"))?;
                // If nobody waits any more, the lane ends: its other end is dropped.
                let _ = tell.send(Ok(far));
                Ok(())
            }
            TrunkFrame::Data { lane: id, octets } => match self.lanes.get_mut(id) {
                Some(lane) => lane.hear(octets, &mut self.out),
                None => Err(Fault("octets of no lane")),
            },
            TrunkFrame::Credit { lane: id, octets } => {
                // A lane that is over here was not there when this was said.
                let Some(lane) = self.lanes.get_mut(id) else {
                    return Ok(());
                };
                lane.hear_credit(octets)
            }
            TrunkFrame::End { lane: id } => self.end(id),
            _ => Ok(()),
        }
    }

    fn open(&mut self, id: u32, address: &[u8]) -> Result<(), Fault> {
        if self.on_lane.is_none() || self.lanes.get_mut(id).is_some() {
            return Err(Fault("asks for a lane that it may not have"));
        }
        if !self.lanes.has_place(id) || self.desk.leaving.load(Ordering::SeqCst) {
            TrunkFrame::End { lane: id }.encode(&mut self.out);
            return Ok(());
        }
        let far = self.add(id);
        let on_lane = self.on_lane.as_mut();
        let taken = on_lane.is_some_and(|on_lane| on_lane(address, super::Lane(far)));
        if taken {
            TrunkFrame::Accept { lane: id }.encode(&mut self.out);
        } else {
            self.lanes.remove(id);
            TrunkFrame::End { lane: id }.encode(&mut self.out);
        }
        Ok(())
    }

    fn end(&mut self, id: u32) -> Result<(), Fault> {
        if let Some((tell, _)) = self.asked.remove(&id) {
            self.lanes.remove(id);
            let _ = tell.send(Err(io::ErrorKind::ConnectionRefused.into()));
            return Ok(());
        }
        let lane = self.lanes.get_mut(id).ok_or(Fault("the end of no lane"))?;
        lane.hear_end()?;
        if lane.is_over() {
            self.lanes.remove(id);
        }
        Ok(())
    }
}
