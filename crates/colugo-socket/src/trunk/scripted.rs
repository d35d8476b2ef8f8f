//! `Trunked`: a trunk that was accepted, in memory, whose other side is whatever a test or a fuzzer says. No clock and no runtime.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use tokio::io::ReadBuf;

use super::task::Task;
use super::{Desk, Lane};
use crate::gate::lock;
use crate::pipe::Pipe;
use crate::stream::Stream;

/// Octets of a connection in memory, each way.
const ROOM: usize = 1 << 20;

/// A trunk whose other side is scripted. It has lanes for whoever asks by an address that begins with `a`; its sockets do what
/// [`act`](Self::act) says.
pub struct Trunked {
    task: Box<Task>,
    far: Pipe,
    lanes: Arc<Mutex<Vec<Pipe>>>,
    over: bool,
}

impl fmt::Debug for Trunked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trunked")
            .field("lanes", &self.lanes())
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

impl Default for Trunked {
    fn default() -> Self {
        let (near, far) = Pipe::pair_of(ROOM);
        let lanes: Arc<Mutex<Vec<Pipe>>> = Arc::default();
        let taken = lanes.clone();
        let on_lane = move |address: &[u8], Lane(pipe): Lane| {
            let there = address.first() == Some(&b'a');
            if there {
                lock(&taken).push(pipe);
            }
            there
        };
        let desk = Arc::new(Desk::default());
        let stream = Stream::Pipe(near);
        let task = Task::new(stream, BytesMut::new(), desk, Some(Box::new(on_lane)));
        Self {
            task,
            far,
            lanes,
            over: false,
        }
    }
}

/// Appends what is there, but no more than `most` octets.
fn read(pipe: &Pipe, most: usize, out: &mut Vec<u8>) {
    let cx = Context::from_waker(Waker::noop());
    let mut space = [0; 4096];
    let mut left = most;
    while left > 0 {
        let room = left.min(space.len());
        let mut buf = ReadBuf::new(space.get_mut(..room).unwrap_or_default());
        let _ = pipe.read.poll_read(&cx, &mut buf);
        if buf.filled().is_empty() {
            return;
        }
        left -= buf.filled().len();
        out.extend_from_slice(buf.filled());
    }
}

impl Trunked {
    /// The other side says this. Gives what it is answered, and whether the trunk still lives.
    pub fn hear(&mut self, mut said: &[u8]) -> (Vec<u8>, bool) {
        let mut answer = Vec::new();
        loop {
            if let Ok(written) = self.far.write.try_write(said) {
                said = said.get(written..).unwrap_or_default();
            }
            // Rounds are bounded; what is left is done when it is polled again.
            for _ in 0..4 {
                let polled =
                    (!self.over).then(|| self.task.poll(&mut Context::from_waker(Waker::noop())));
                self.over |= matches!(polled, Some(Poll::Ready(_)));
                read(&self.far, usize::MAX, &mut answer);
            }
            if said.is_empty() || self.over {
                return (answer, !self.over);
            }
        }
    }

    /// One of its sockets reads, writes or ends.
    pub fn act(&mut self, which: u8, what: u8) {
        let mut lanes = lock(&self.lanes);
        if lanes.is_empty() {
            return;
        }
        let at = usize::from(which) % lanes.len();
        let Some(pipe) = lanes.get(at) else { return };
        match what % 4 {
            0 => read(pipe, usize::from(what) << 12, &mut Vec::new()),
            1 => drop(pipe.write.try_write(&vec![what; usize::from(what) << 8])),
            2 => pipe.write.end(),
            _ => drop(lanes.swap_remove(at)),
        }
    }

    /// Lanes whose sockets have not ended.
    pub fn lanes(&self) -> usize {
        lock(&self.lanes).len()
    }
}

#[cfg(test)]
mod tests {
    use colugo_zmtp::TrunkFrame;
    use proptest::prelude::*;

    use super::*;

    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let octets = prop::collection::vec(any::<u8>(), 0..50);
        (0_u8..8, 0_u32..6, octets, any::<bool>()).prop_map(|(kind, lane, octets, much)| {
            let more = vec![7; 50_000];
            let octets = if much { &more } else { &octets };
            let mut out = Vec::new();
            match kind {
                0 | 1 => TrunkFrame::Open {
                    lane,
                    address: b"a",
                },
                2 => TrunkFrame::Open {
                    lane,
                    address: b"b",
                },
                3 | 4 => TrunkFrame::Data { lane, octets },
                5 => TrunkFrame::Credit {
                    lane,
                    octets: 10_000,
                },
                6 => TrunkFrame::End { lane },
                _ => TrunkFrame::Accept { lane },
            }
            .encode(&mut out);
            out
        })
    }

    #[test]
    fn who_asks_on_and_on_and_does_not_read_is_hung_up_on() {
        let mut trunk = Trunked::default();
        let mut asks = Vec::new();
        for lane in 0..1000 {
            let address = b"b";
            TrunkFrame::Open { lane, address }.encode(&mut asks);
        }
        let cx = &mut Context::from_waker(Waker::noop());
        let mut asked = 0;
        loop {
            asked += trunk
                .far
                .write
                .try_write(&asks[asked % asks.len()..])
                .unwrap_or(0);
            if let Poll::Ready(ended) = trunk.task.poll(cx) {
                assert!(ended.is_err());
                break;
            }
            // What is in the pipe is bounded; so is what waits for it.
            assert!(asked < 20 << 20, "it answers on and on");
        }
    }

    proptest! {
        /// However what the other side says is cut, it is answered the same; what was not written yet when it broke the rules is not.
        #[test]
        fn the_same_in_any_pieces(frames in prop::collection::vec(frame(), 0..20), piece in 1_usize..5000) {
            let said = frames.concat();
            let mut whole = Trunked::default();
            let (answer, lives) = whole.hear(&said);
            let mut cut = Trunked::default();
            let (mut in_pieces, mut still) = (Vec::new(), true);
            for piece in said.chunks(piece) {
                let (answer, lives) = cut.hear(piece);
                in_pieces.extend(answer);
                still = lives;
            }
            prop_assert_eq!((still, cut.lanes()), (lives, whole.lanes()));
            prop_assert!(in_pieces.starts_with(&answer));
            prop_assert!(!lives || in_pieces == answer);
        }
    }
}
