//! `Fact`: one thing that a bad peer, or the program behind the socket, can see a socket do.

use std::fmt;

/// What was seen, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// Said to the bad peer, beyond greeting and READY: `ERROR Invalid metadata`, `PONG x`, `message a|b`.
    Says(String),
    /// Told so many octets and no more.
    Tells(usize),
    /// Closed the connection at once.
    Closes,
    /// Closed the connection when the time for handshakes was over, and not before.
    ClosesAtDeadline,
    /// Keeps the connection, and answers on it where that can be asked.
    StaysOpen,
    /// Keeps the connection, and answers nothing on it.
    GoesMute,
    /// Handed this message to its program: frames parted by `|`.
    Delivers(String),
    /// Dialled again, and served the honest peer it then found.
    DialsAgain,
    /// Did not dial again within a second.
    GivesUp,
    /// Took at most so many KiB of memory.
    TakesAtMost(u64),
    /// Took more than so many KiB of memory.
    TakesOver(u64),
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Says(what) => write!(f, "says `{what}`"),
            Self::Tells(octets) => write!(f, "sends {octets} octets"),
            Self::Closes => f.write_str("closes"),
            Self::ClosesAtDeadline => f.write_str("closes at the handshake's deadline"),
            Self::StaysOpen => f.write_str("stays open"),
            Self::GoesMute => f.write_str("stays open, answers nothing"),
            Self::Delivers(what) => write!(f, "delivers `{what}`"),
            Self::DialsAgain => f.write_str("dials again"),
            Self::GivesUp => f.write_str("never dials again"),
            Self::TakesAtMost(kib) => write!(f, "takes ≤ {}", Kib(*kib)),
            Self::TakesOver(kib) => write!(f, "takes > {}", Kib(*kib)),
        }
    }
}

struct Kib(u64);

impl fmt::Display for Kib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            kib if kib % 1024 == 0 => write!(f, "{} MiB", kib / 1024),
            kib => write!(f, "{kib} KiB"),
        }
    }
}
