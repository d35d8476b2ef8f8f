//! `History`: what happened with one node, step by step, for who asks why.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use crate::brain::Source;
use crate::{DialFailure, Kind, LeaveReason, Topic, limits};

/// One thing that happened with a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Something shows it, anew or at other addresses.
    Shown(Source),
    /// It is of another namespace or version.
    Foreign(String),
    /// It is dialled, at all of these addresses.
    Dialled(Vec<SocketAddr>),
    /// It was not reached.
    NotReached(DialFailure),
    /// A control link to it is up.
    Linked {
        /// Its control port, or where the link comes from.
        address: SocketAddr,
        /// Whether this side dialled.
        dialled: bool,
    },
    /// It offers something that is wanted here.
    Matched(Kind, Topic),
    /// It has not answered for a while.
    Suspect,
    /// It answers again.
    Recovered,
    /// Its control link ended, and it may be back.
    LinkLost(LeaveReason),
    /// It is gone.
    Left(LeaveReason),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shown(Source::Mdns) => write!(f, "shown by multicast DNS"),
            Self::Shown(Source::Machine) => write!(f, "shown by its file on this machine"),
            Self::Shown(Source::Hub(hub)) => write!(f, "shown by hub {}", hub.short()),
            Self::Foreign(why) => write!(f, "left alone: {why}"),
            Self::Dialled(addresses) => {
                write!(f, "dialled at")?;
                addresses
                    .iter()
                    .try_for_each(|address| write!(f, " tcp://{address}"))
            }
            Self::NotReached(why) => write!(f, "not reached: {why}"),
            Self::Linked { address, dialled } => {
                let how = if *dialled { "by us" } else { "by it" };
                write!(f, "linked at tcp://{address}, dialled {how}")
            }
            Self::Matched(kind, topic) => write!(f, "matched: {} {topic}", kind.as_str()),
            Self::Suspect => write!(f, "does not answer"),
            Self::Recovered => write!(f, "answers again"),
            Self::LinkLost(why) => write!(f, "link lost: {why}"),
            Self::Left(why) => write!(f, "gone: {why}"),
        }
    }
}

/// A step, when, and how often in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Noted {
    /// What happened.
    pub step: Step,
    /// When it happened first.
    pub first: Instant,
    /// And when last.
    pub last: Instant,
    /// How often: attempts that fail alike are one entry.
    pub times: u32,
}

/// The latest steps, at most [`limits::HISTORY`].
#[derive(Clone, Debug, Default)]
pub(crate) struct History(VecDeque<Noted>);

/// Steps that come in turn, as dialling and failing do, are counted and not listed again.
const IN_TURN: usize = 2;

impl History {
    pub(crate) fn note(&mut self, now: Instant, step: Step) {
        let mut latest = self.0.iter_mut().rev().take(IN_TURN);
        if let Some(noted) = latest.find(|noted| noted.step == step) {
            noted.times = noted.times.saturating_add(1);
            noted.last = now;
            return;
        }
        if self.0.len() >= limits::HISTORY {
            self.0.pop_front();
        }
        self.0.push_back(Noted {
            step,
            first: now,
            last: now,
            times: 1,
        });
    }

    pub(crate) fn to_vec(&self) -> Vec<Noted> {
        self.0.iter().cloned().collect()
    }
}
