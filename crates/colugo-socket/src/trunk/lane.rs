//! One lane of a trunk: what goes from its socket's pipe to the connection, as far as the other side has room for it, and what comes from there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use colugo_zmtp::{MAX_LANE_CHUNK, TrunkFrame, put_lane_data};

use super::Desk;
use crate::gate::lock;
use crate::options::LANE_WINDOW;
use crate::pipe::{Look, Pipe};

/// So much is to have been read before the other side is told that there is room again.
const WORTH_TELLING: usize = LANE_WINDOW / 4;

/// Marks its lane as one to look at: its socket has written, read, or ended.
#[derive(Debug)]
struct Bell {
    lane: u32,
    rung: AtomicBool,
    desk: Arc<Desk>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            lock(&self.desk.rung).push(self.lane);
            self.desk.task.wake();
        }
    }
}

/// The other side breaks the rules: the trunk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault(pub(super) &'static str);

/// What became of a look at a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pumped {
    /// It is heard of when there is more to do.
    All,
    /// There is more, once the connection has taken what is there.
    More,
}

#[derive(Debug)]
pub(super) struct Lane {
    id: u32,
    pipe: Pipe,
    bell: Arc<Bell>,
    waker: Waker,
    /// Octets that the other side has room for.
    credit: usize,
    /// Octets that this side has room for, as the other side knows.
    window: usize,
    /// Octets at the front of the pipe that are with the connection, and not yet with the system.
    taken: usize,
    said_end: bool,
    heard_end: bool,
}

impl Lane {
    /// A lane, and the end of it that its socket is to have.
    pub(super) fn new(id: u32, desk: &Arc<Desk>) -> (Self, Pipe) {
        let (near, far) = Pipe::carried(LANE_WINDOW);
        let bell = Arc::new(Bell {
            lane: id,
            rung: AtomicBool::new(false),
            desk: desk.clone(),
        });
        let lane = Self {
            id,
            pipe: near,
            waker: bell.clone().into(),
            bell,
            credit: LANE_WINDOW,
            window: LANE_WINDOW,
            taken: 0,
            said_end: false,
            heard_end: false,
        };
        // What its socket writes first is to be heard of.
        lane.bell.wake_by_ref();
        (lane, far)
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Looks what there is to do, and appends it to `out` as far as that may grow.
    pub(super) fn pump(&mut self, out: &mut Vec<u8>, most: usize) -> Pumped {
        self.bell.rung.store(false, Ordering::SeqCst);
        self.give_credit(out);
        let cx = Context::from_waker(&self.waker);
        while self.credit > 0 && !self.said_end {
            if out.len() >= most {
                return Pumped::More;
            }
            let (lane, octets) = (self.id, self.credit.min(MAX_LANE_CHUNK));
            let look = self.pipe.read.look(&cx, self.taken, octets, |pieces| {
                put_lane_data(out, lane, pieces);
            });
            match look {
                Look::Seen(octets) => {
                    self.taken += octets;
                    self.credit -= octets;
                }
                Look::NoneNow => break,
                Look::NoMore => {
                    TrunkFrame::End { lane: self.id }.encode(out);
                    self.said_end = true;
                }
            }
        }
        Pumped::All
    }

    /// The system has all that was appended to `out`.
    pub(super) fn was_written(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        if taken > 0 {
            self.pipe.read.consume(taken);
        }
    }

    /// Whether some of it is with the connection.
    pub(super) fn is_underway(&self) -> bool {
        self.taken > 0
    }

    pub(super) fn hear(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.heard_end {
            return Err(Fault("octets after the end of a lane"));
        }
        self.window = self
            .window
            .checked_sub(octets.len())
            .ok_or(Fault("more octets than a lane has room for"))?;
        // Who does not read any more has ended, and the other side will hear of it.
        let _ = self.pipe.write.try_write(octets);
        self.give_credit(out);
        Ok(())
    }

    /// The other side has room for so many octets more.
    pub(super) fn hear_credit(&mut self, octets: u32) -> Result<(), Fault> {
        self.credit = usize::try_from(octets)
            .ok()
            .and_then(|octets| self.credit.checked_add(octets))
            .filter(|credit| *credit <= LANE_WINDOW)
            .ok_or(Fault("more credit than a lane has room for"))?;
        self.bell.wake_by_ref();
        Ok(())
    }

    pub(super) fn hear_end(&mut self) -> Result<(), Fault> {
        if std::mem::replace(&mut self.heard_end, true) {
            return Err(Fault("a lane ended twice"));
        }
        self.pipe.write.end();
        Ok(())
    }

    /// Both sides have said all.
    pub(super) fn is_over(&self) -> bool {
        self.said_end && self.heard_end && self.taken == 0
    }

    fn give_credit(&mut self, out: &mut Vec<u8>) {
        let given = LANE_WINDOW - self.window;
        if given < WORTH_TELLING || self.heard_end {
            return;
        }
        let unread = self.pipe.write.unread(&Context::from_waker(&self.waker));
        let read = given.saturating_sub(unread);
        if read >= WORTH_TELLING {
            self.window += read;
            let octets = u32::try_from(read).unwrap_or(u32::MAX);
            TrunkFrame::Credit {
                lane: self.id,
                octets,
            }
            .encode(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::ReadBuf;

    fn lane() -> (Lane, Pipe, Arc<Desk>) {
        let desk = Arc::new(Desk::default());
        let (lane, far) = Lane::new(7, &desk);
        (lane, far, desk)
    }

    fn read(far: &Pipe, most: usize) -> usize {
        let mut space = vec![0; most];
        let mut buf = ReadBuf::new(&mut space);
        let _ = far
            .read
            .poll_read(&Context::from_waker(Waker::noop()), &mut buf);
        buf.filled().len()
    }

    #[test]
    fn what_was_written_is_out_only_when_the_system_has_it() {
        let (mut lane, far, _desk) = lane();
        far.write.try_write(b"hello").unwrap();
        let mut out = Vec::new();
        assert_eq!(lane.pump(&mut out, 1000), Pumped::All);
        assert_eq!(out, b"\0\x0a\x03\0\0\0\x07hello");
        assert!(lane.is_underway());
        let cx = Context::from_waker(Waker::noop());
        assert!(far.write.poll_flushed(&cx).is_pending());
        lane.was_written();
        assert!(far.write.poll_flushed(&cx).is_ready());
        assert_eq!(lane.pump(&mut out, 1000), Pumped::All);
        assert_eq!(out.len(), 12, "it is said once");
    }

    #[test]
    fn more_than_the_other_side_has_room_for_waits_for_its_word() {
        let (mut lane, far, desk) = lane();
        let window = far.write.try_write(&vec![1; LANE_WINDOW + 1]).unwrap();
        assert_eq!(window, LANE_WINDOW);
        let mut out = Vec::new();
        assert_eq!(lane.pump(&mut out, 2 * LANE_WINDOW), Pumped::All);
        lane.was_written();
        far.write.try_write(b"more").unwrap();
        let before = out.len();
        lane.pump(&mut out, 2 * LANE_WINDOW);
        assert_eq!(out.len(), before);
        lock(&desk.rung).clear();
        lane.hear_credit(3).unwrap();
        assert_eq!(*lock(&desk.rung), [7], "it is looked at again");
        lane.pump(&mut out, 2 * LANE_WINDOW);
        assert!(out.ends_with(b"\0\x08\x03\0\0\0\x07mor"));
        let too_much = LANE_WINDOW as u32 + 1;
        assert!(lane.hear_credit(too_much).is_err());
    }

    #[test]
    fn a_long_queue_leaves_room_for_others() {
        let (mut lane, far, _desk) = lane();
        far.write.try_write(&vec![1; LANE_WINDOW]).unwrap();
        let mut out = Vec::new();
        assert_eq!(lane.pump(&mut out, MAX_LANE_CHUNK), Pumped::More);
        assert!(out.len() < MAX_LANE_CHUNK + 20);
    }

    #[test]
    fn who_is_given_room_for_a_window_may_send_that_and_no_more() {
        let (mut lane, far, desk) = lane();
        let mut out = Vec::new();
        for _ in 0..LANE_WINDOW / MAX_LANE_CHUNK {
            lane.hear(&[0; MAX_LANE_CHUNK], &mut out).unwrap();
        }
        assert!(out.is_empty(), "nobody has read");
        let fault = Fault("more octets than a lane has room for");
        assert_eq!(lane.hear(b"x", &mut out), Err(fault));

        let (mut lane, far) = {
            drop(far);
            Lane::new(8, &desk)
        };
        lane.hear(&[0; MAX_LANE_CHUNK], &mut out).unwrap();
        lane.hear(&[0; MAX_LANE_CHUNK], &mut out).unwrap();
        lock(&desk.rung).clear();
        lane.pump(&mut out, 1000);
        assert_eq!(read(&far, LANE_WINDOW), 2 * MAX_LANE_CHUNK);
        assert_eq!(*lock(&desk.rung), [8], "its socket has read");
        lane.pump(&mut out, 1000);
        assert_eq!(out, b"\0\x09\x04\0\0\0\x08\0\x02\0\0");
        for _ in 0..LANE_WINDOW / MAX_LANE_CHUNK {
            lane.hear(&[0; MAX_LANE_CHUNK], &mut out).unwrap();
        }
    }

    #[test]
    fn a_lane_is_over_when_both_sides_have_said_all() {
        let (mut lane, far, _desk) = lane();
        far.write.try_write(b"x").unwrap();
        drop(far);
        let mut out = Vec::new();
        lane.pump(&mut out, 1000);
        assert!(out.ends_with(b"x\0\x05\x05\0\0\0\x07"));
        // What still comes goes nowhere, and is given room for.
        let mut credit = Vec::new();
        lane.hear(&[0; MAX_LANE_CHUNK], &mut credit).unwrap();
        lane.hear(&[0; MAX_LANE_CHUNK], &mut credit).unwrap();
        assert!(!credit.is_empty());
        lane.hear_end().unwrap();
        assert!(!lane.is_over(), "the system does not have it yet");
        lane.was_written();
        assert!(lane.is_over());
        assert!(lane.hear_end().is_err() && lane.hear(b"x", &mut out).is_err());
    }
}
