//! Trunks: connections that several sockets of two processes share, where each has one of its own otherwise. What a socket has of one is a lane:
//! a stream of octets like any other, with a bound of its own, so that a lane whose socket does not read holds up no other.
//!
//! Knows how lanes travel on one TCP connection, and which trunks this process has dialled; does not know what travels on a lane. `dial` asks for
//! lanes, who accepts trunks (by [`Trunk::adopt`]) gives them to sockets. Two small nodes with a hundred topics need one system call for what a
//! hundred links of their own need a hundred for; what a lane costs is one copy more on each side, and a wake-up of the data thread.

mod lane;
mod lanes;
#[cfg(any(test, fuzzing))]
mod scripted;
mod task;

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::endpoint::Endpoint;
use crate::gate::{Gate, WakerSlot, lock};
use crate::greet::Passed;
use crate::options::{LANE_WITHIN, NO_TRUNK_FOR, TRUNKS_LEAVE};
use crate::pipe::Pipe;
use crate::runtime::Runtime;
#[cfg(any(test, fuzzing))]
pub use scripted::Trunked;
use task::Task;

/// What [`Trunk::PROPERTY`] says: the version of what is said on a trunk.
const VERSION: &str = "1";

/// Takes lanes that were asked for by such an address. False: there is nothing there.
type OnLane = Box<dyn FnMut(&[u8], Lane) -> bool + Send>;

/// One lane of a trunk, for [`Socket::take_lane`](crate::Socket::take_lane).
#[derive(Debug)]
pub struct Lane(pub(crate) Pipe);

/// A trunk that was accepted. Dropping it ends it when all its lanes have ended.
#[derive(Debug)]
pub struct Trunk(Arc<Desk>);

impl Trunk {
    /// The property in READY of who dials a trunk, and of who takes it as one.
    pub const PROPERTY: &'static str = "X-Colugo-Lanes";

    /// Takes in a connection of which READY has [`PROPERTY`](Self::PROPERTY): `sent` octets of the ZMTP greeting were sent on it, and `heard` is all that was
    /// read from it. `on_lane` is called by whoever reads the network with each lane that the other side asks for, and by what address; it is to give it to a
    /// [socket](crate::Socket::take_lane), or false: there is nothing there. It must not block.
    ///
    /// # Errors
    /// There is no socket in this process, or the system does not take the stream.
    pub fn adopt(
        stream: TcpStream,
        sent: usize,
        heard: &[u8],
        on_lane: impl FnMut(&[u8], Lane) -> bool + Send + 'static,
    ) -> io::Result<Self> {
        let (handle, trunks) = Runtime::running().ok_or(io::ErrorKind::NotConnected)?;
        stream.set_nonblocking(true)?;
        let entered = handle.enter();
        let stream = tokio::net::TcpStream::from_std(stream)?;
        drop(entered);
        let desk = Arc::new(Desk::default());
        let passed = Passed {
            sent,
            heard: heard.into(),
        };
        let task = Task::accepted(trunks, stream, passed, desk.clone(), Box::new(on_lane));
        handle.spawn(task);
        Ok(Self(desk))
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        lock(&self.0.asked).is_none()
    }
}

impl Drop for Trunk {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Where others leave word for a trunk's task.
#[derive(Debug)]
struct Desk {
    /// Lanes to look at.
    rung: Mutex<Vec<u32>>,
    /// Lanes that are asked for. None: the trunk has ended.
    asked: Mutex<Option<Vec<Asked>>>,
    task: WakerSlot,
    /// It is to end with its last lane.
    leaving: AtomicBool,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            rung: Mutex::default(),
            asked: Mutex::new(Some(Vec::new())),
            task: WakerSlot::default(),
            leaving: false.into(),
        }
    }
}

impl Desk {
    fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
        self.task.wake();
    }
}

/// A lane that somebody waits for.
#[derive(Debug)]
struct Asked {
    address: Bytes,
    tell: oneshot::Sender<io::Result<Pipe>>,
}

/// The trunks of this process, and where those go that its sockets have dialled. Kept by the data thread's runtime.
#[derive(Debug, Default)]
pub(crate) struct Trunks {
    known: Mutex<HashMap<Endpoint, Known>>,
    living: Mutex<Vec<Arc<Desk>>>,
    fewer: Gate,
}

/// A trunk, for as long as its task lives.
struct Living(Arc<Trunks>, Arc<Desk>);

impl Drop for Living {
    fn drop(&mut self) {
        let Self(trunks, desk) = self;
        lock(&trunks.living).retain(|other| !Arc::ptr_eq(other, desk));
        trunks.fewer.notify();
    }
}

#[derive(Debug)]
enum Known {
    Dialled(Arc<Desk>),
    /// There is somebody who takes no trunks.
    TakesNone(Instant),
}

impl Trunks {
    /// A lane to what has this address, on the trunk to there, which is dialled if need be. On the data thread.
    pub(crate) async fn open(self: &Arc<Self>, to: &Endpoint, address: Bytes) -> io::Result<Pipe> {
        let (tell, told) = oneshot::channel();
        let asked = Asked { address, tell };
        let desk = loop {
            let desk = self.desk(to)?;
            if let Some(waiting) = &mut *lock(&desk.asked) {
                waiting.push(asked);
                break desk.clone();
            }
            // It has just ended, and is no longer known when this is asked again.
        };
        desk.task.wake();
        match tokio::time::timeout(LANE_WITHIN, told).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(io::ErrorKind::ConnectionAborted.into()),
            Err(_) => {
                // Who is there answers much sooner. What it has stays with it; who asks next has another one dialled.
                self.forget(to, &desk);
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    fn forget(&self, to: &Endpoint, desk: &Arc<Desk>) {
        let mut known = lock(&self.known);
        if matches!(known.get(to), Some(Known::Dialled(other)) if Arc::ptr_eq(other, desk)) {
            known.remove(to);
        }
    }

    fn desk(self: &Arc<Self>, to: &Endpoint) -> io::Result<Arc<Desk>> {
        let mut known = lock(&self.known);
        match known.get(to) {
            Some(Known::TakesNone(until)) if Instant::now() < *until => {
                return Err(io::ErrorKind::Unsupported.into());
            }
            Some(Known::Dialled(desk)) if lock(&desk.asked).is_some() => return Ok(desk.clone()),
            _ => {}
        }
        let desk = Arc::new(Desk::default());
        known.insert(to.clone(), Known::Dialled(desk.clone()));
        tokio::spawn(task::dialled(self.clone(), to.clone(), desk.clone()));
        Ok(desk)
    }

    fn living(self: &Arc<Self>, desk: &Arc<Desk>) -> Living {
        lock(&self.living).push(desk.clone());
        Living(self.clone(), desk.clone())
    }

    /// Ends all trunks, which have no lanes any more, and waits until the other sides know.
    pub(crate) async fn leave(&self) {
        lock(&self.living).iter().for_each(|desk| desk.leave());
        let all = poll_fn(|cx| {
            self.fewer.register(cx);
            if lock(&self.living).is_empty() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let _ = tokio::time::timeout(TRUNKS_LEAVE, all).await;
    }

    /// The trunk to there has ended.
    fn ended(&self, to: &Endpoint, desk: &Arc<Desk>, takes_none: bool) {
        self.forget(to, desk);
        let mut known = lock(&self.known);
        if takes_none {
            let until = Instant::now() + NO_TRUNK_FOR;
            known.insert(to.clone(), Known::TakesNone(until));
        }
        // Who is gone for good is not remembered for good.
        known.retain(|_, known| match known {
            Known::Dialled(_) => true,
            Known::TakesNone(until) => Instant::now() < *until,
        });
    }
}

/// Whoever is left waiting is told.
fn refuse_all(desk: &Desk, why: io::ErrorKind) {
    let asked = lock(&desk.asked).take();
    for asked in asked.into_iter().flatten() {
        let _ = asked.tell.send(Err(why.into()));
    }
}
