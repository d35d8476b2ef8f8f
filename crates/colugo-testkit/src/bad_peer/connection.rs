//! `Connection`: the peer's TCP connection. Keeps every octet that came, and tells them as frames afterwards. Whatever the other side does
//! is an observation, and no failure.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::wait::PATIENCE;
use crate::wire::{COMMAND, GREETING, LONG};

/// The other side has hung up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// Flags and body.
pub(super) type Frame<'a> = (u8, &'a [u8]);

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    pub(super) since: Instant,
    pub(super) heard: Vec<u8>,
    /// Frames after READY that the script waited for.
    waited_for: usize,
}

impl Connection {
    pub(super) fn over(stream: TcpStream) -> Self {
        Self::over_since(stream, Instant::now())
    }

    fn over_since(stream: TcpStream, since: Instant) -> Self {
        let set = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        set.unwrap_or_else(|error| panic!("a socket took no options: {error}"));
        Self {
            stream,
            since,
            heard: Vec::new(),
            waited_for: 0,
        }
    }

    pub(super) fn dial(port: u16) -> Self {
        let since = Instant::now();
        let stream = TcpStream::connect(("127.0.0.1", port))
            .unwrap_or_else(|error| panic!("nobody listens on {port}: {error}"));
        Self::over_since(stream, since)
    }

    pub(super) fn send(&mut self, octets: &[u8]) -> Result<(), Gone> {
        self.stream.write_all(octets).map_err(|_| Gone)
    }

    /// Reads what is there, or comes within this time; whether something came.
    pub(super) fn listen(&mut self, within: Duration) -> Result<bool, Gone> {
        let within = within.max(Duration::from_millis(1));
        let set = self.stream.set_read_timeout(Some(within));
        set.unwrap_or_else(|error| panic!("a socket took no time limit: {error}"));
        let mut octets = [0; 64 << 10];
        match self.stream.read(&mut octets) {
            Ok(0) => Err(Gone),
            Ok(len) => {
                self.heard.extend_from_slice(&octets[..len]);
                Ok(true)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(false),
                _ => Err(Gone),
            },
        }
    }

    /// Reads until `enough` is content with all that came, or this time is over; whether it is.
    pub(super) fn listen_until(
        &mut self,
        within: Duration,
        enough: impl Fn(&Self) -> bool,
    ) -> Result<bool, Gone> {
        let deadline = Instant::now() + within;
        while !enough(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.listen(left)?;
        }
        Ok(true)
    }

    /// What came after the greeting, as flags without the one for the length's form, and bodies. Ends at the first frame that is not whole.
    /// Without PINGs, which come when it is time for them and are part of no script.
    pub(super) fn frames(&self) -> Vec<Frame<'_>> {
        let mut rest = self.heard.get(GREETING..).unwrap_or_default();
        let mut frames = Vec::new();
        while let Some((frame, after)) = split_frame(rest) {
            if !is_ping(&frame) {
                frames.push(frame);
            }
            rest = after;
        }
        frames
    }

    /// Shakes hands as a peer of this type.
    pub(super) fn shake(&mut self, ours: &[u8]) -> Result<(), Gone> {
        self.send(ours)?;
        self.hear_ready()
    }

    pub(super) fn hear_ready(&mut self) -> Result<(), Gone> {
        match self.listen_until(PATIENCE, |it| it.frames().iter().any(is_ready))? {
            true => Ok(()),
            false => panic!("no READY came, but {:02x?}", self.heard),
        }
    }

    /// Waits for so many frames more after READY than before.
    pub(super) fn hear(&mut self, count: usize) -> Result<(), Gone> {
        self.waited_for += count;
        let want = self.waited_for + 1;
        let enough = self.listen_until(PATIENCE, |it| it.frames().len() >= want)?;
        assert!(
            enough,
            "{want} frames did not come, but {:?}",
            self.frames()
        );
        Ok(())
    }

    /// The end is a reset.
    pub(super) fn reset(self) {
        let farewell = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        farewell.unwrap_or_else(|error| panic!("a socket took no linger: {error}"));
    }
}

pub(super) fn is_ready((flags, body): &Frame<'_>) -> bool {
    *flags == COMMAND && body.starts_with(b"\x05READY")
}

fn is_ping((flags, body): &Frame<'_>) -> bool {
    *flags == COMMAND && body.starts_with(b"\x04PING")
}

fn split_frame(octets: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let (&flags, rest) = octets.split_first()?;
    let (len, rest) = if flags & LONG == 0 {
        let (&len, rest) = rest.split_first()?;
        (u64::from(len), rest)
    } else {
        let (len, rest) = rest.split_first_chunk()?;
        (u64::from_be_bytes(*len), rest)
    };
    let (body, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    Some(((flags & !LONG, body), rest))
}
