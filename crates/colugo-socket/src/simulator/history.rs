//! `History`: everything that happened in a run, and what must be true of it. Knows lives, links and numbers, no sockets.
//!
//! What is checked:
//!
//! - *Per connection* (a pair of links of which at least one was accepted): what arrives is what was queued for it, in that order, from the
//!   first on, without a hole. So a connection neither loses, doubles nor reorders.
//! - *Over all connections*: nothing arrives twice, and nothing that was not sent.
//! - *Accounts of a sender*: what it accepted = handed to the system + dropped for a lost connection, and counted + still queued.
//! - What was handed to the system and did not arrive had its link go down, or its sender or receiver ended.
//! - *Publishing*: numbers grow; what a subscriber wants and misses while its connection lasts was counted as dropped for a full queue, once
//!   per subscriber that misses it.
//! - *Asking*: an answer goes to the life that asked, and once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::message::LinkId;
use crate::stats::Sent;

/// Octets are held up so long at most, by silences and stalls one after the other.
const HELD_UP: Duration = Duration::from_secs(10);

/// A node, and which of its sockets: a restarted node has a new one.
pub(super) type Life = (usize, u32);

pub(super) type Checked = Result<(), String>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    at: Duration,
    who: Life,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Queued { number: u32, link: u32 },
    Published { number: u32, sent: Sent },
    Took { from: Life, number: u32, link: u32 },
    Up(u32),
    Down(u32, String),
    Did(String),
}

#[derive(Debug, Default)]
struct Sender {
    accepted: u64,
    taken: u64,
    /// Which link a message took, and its place there.
    placed: BTreeMap<u32, (LinkId, usize)>,
    links: BTreeMap<LinkId, Lane>,
    /// PUB: what was published, by number.
    published: Vec<Publication>,
}

/// What one link was given.
#[derive(Debug, Default)]
struct Lane {
    accepted: usize,
    taken: usize,
    dialled: bool,
}

#[derive(Debug)]
struct Publication {
    topic: &'static str,
    at: Instant,
    dropped: u32,
    /// Subscribers that miss it for no other reason.
    missed: u32,
}

/// What a socket says of its messages: handed to the system, dropped with a lost connection, still queued; and of those of others: missed
/// without a reason.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub(super) sent: u64,
    pub(super) dropped: u64,
    pub(super) waiting: u64,
    pub(super) unexplained: u64,
}

#[derive(Debug)]
pub(super) struct History {
    start: Instant,
    pub(super) entries: Vec<Entry>,
    names: BTreeMap<LinkId, u32>,
    senders: BTreeMap<Life, Sender>,
    /// Sender, its link, receiver, its link: the place of the last message that arrived.
    runs: BTreeMap<(Life, LinkId, Life, LinkId), usize>,
    arrived: BTreeSet<(Life, u32, Option<Life>)>,
    /// Publisher, subscriber, link: the number that came last.
    heard: BTreeMap<(Life, Life, LinkId), usize>,
    downs: BTreeMap<(Life, LinkId), Vec<Instant>>,
    /// When a subscriber last changed what it wants.
    wishes: BTreeMap<Life, Instant>,
    ended: BTreeSet<Life>,
}

impl History {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            entries: Vec::new(),
            names: BTreeMap::new(),
            senders: BTreeMap::new(),
            runs: BTreeMap::new(),
            arrived: BTreeSet::new(),
            heard: BTreeMap::new(),
            downs: BTreeMap::new(),
            wishes: BTreeMap::new(),
            ended: BTreeSet::new(),
        }
    }

    fn note(&mut self, who: Life, what: What) {
        let at = self.start.elapsed();
        self.entries.push(Entry { at, who, what });
    }

    pub(super) fn did(&mut self, who: Life, what: String) {
        self.note(who, What::Did(what));
    }

    /// Links by the order in which they are met: their numbers differ from run to run.
    fn name(&mut self, link: LinkId) -> u32 {
        let next = self.names.len() as u32;
        *self.names.entry(link).or_insert(next)
    }

    pub(super) fn up(&mut self, who: Life, link: LinkId) {
        let link = self.name(link);
        self.note(who, What::Up(link));
    }

    pub(super) fn down(&mut self, who: Life, link: LinkId, why: String) {
        self.downs
            .entry((who, link))
            .or_default()
            .push(Instant::now());
        let link = self.name(link);
        self.note(who, What::Down(link, why));
    }

    pub(super) fn hung_up(&mut self, who: Life, link: LinkId) {
        self.downs
            .entry((who, link))
            .or_default()
            .push(Instant::now());
    }

    pub(super) fn wishes_changed(&mut self, who: Life) {
        self.wishes.insert(who, Instant::now());
    }

    pub(super) fn ended(&mut self, who: Life) {
        self.ended.insert(who);
    }

    /// A message was accepted for a link.
    pub(super) fn queued(&mut self, who: Life, number: u32, link: LinkId, dialled: bool) {
        let sender = self.senders.entry(who).or_default();
        sender.accepted += 1;
        let lane = sender.links.entry(link).or_default();
        lane.dialled = dialled;
        sender.placed.insert(number, (link, lane.accepted));
        lane.accepted += 1;
        let link = self.name(link);
        self.note(who, What::Queued { number, link });
    }

    /// A question or answer was accepted; the socket does not tell for which link.
    pub(super) fn accepted(&mut self, who: Life, number: u32) {
        self.senders.entry(who).or_default().accepted += 1;
        let link = u32::MAX;
        self.note(who, What::Queued { number, link });
    }

    pub(super) fn published(&mut self, who: Life, topic: &'static str, sent: Sent) {
        let sender = self.senders.entry(who).or_default();
        sender.accepted += u64::from(sent.queued);
        let number = sender.published.len() as u32;
        sender.published.push(Publication {
            topic,
            at: Instant::now(),
            dropped: sent.dropped,
            missed: 0,
        });
        self.note(who, What::Published { number, sent });
    }

    pub(super) fn next_publication(&self, who: Life) -> u32 {
        self.senders
            .get(&who)
            .map_or(0, |sender| sender.published.len() as u32)
    }

    /// A message that was distributed or addressed has arrived.
    pub(super) fn took(&mut self, who: Life, link: LinkId, from: Life, number: u32) -> Checked {
        let name = self.name(link);
        self.note(
            who,
            What::Took {
                from,
                number,
                link: name,
            },
        );
        if !self.arrived.insert((from, number, None)) {
            return Err(format!(
                "{who:?} took message {number} of {from:?}, which had arrived already"
            ));
        }
        let Some(sender) = self.senders.get_mut(&from) else {
            return Err(format!(
                "{who:?} took message {number} of {from:?}, which sent nothing"
            ));
        };
        sender.taken += 1;
        let Some((theirs, place)) = sender.placed.get(&number).copied() else {
            return Ok(());
        };
        let lane = sender.links.entry(theirs).or_default();
        lane.taken += 1;
        let dialled = lane.dialled;
        let last = self.runs.insert((from, theirs, who, link), place);
        match last {
            Some(last) if place == last + 1 => Ok(()),
            Some(last) => Err(format!(
                "{who:?} took message {number} of {from:?}, the {place}th of its link, after the {last}th of the same connection"
            )),
            None if dialled || place == 0 => Ok(()),
            None => Err(format!(
                "{who:?} took message {number} of {from:?} first, the {place}th of a connection"
            )),
        }
    }

    /// An answer or question whose link is not known has arrived.
    pub(super) fn took_loose(&mut self, who: Life, from: Life, number: u32) -> Checked {
        self.took(who, LinkId(u64::MAX), from, number)
    }

    /// A published message has arrived at one who wants `topics`.
    pub(super) fn heard(
        &mut self,
        who: Life,
        topics: &[&'static str],
        link: LinkId,
        from: Life,
        number: u32,
    ) -> Checked {
        let name = self.name(link);
        self.note(
            who,
            What::Took {
                from,
                number,
                link: name,
            },
        );
        if !self.arrived.insert((from, number, Some(who))) {
            return Err(format!("{who:?} heard message {number} of {from:?} twice"));
        }
        let Some(sender) = self.senders.get_mut(&from) else {
            return Err(format!(
                "{who:?} heard of {from:?}, which published nothing"
            ));
        };
        sender.taken += 1;
        let number = number as usize;
        let Some(last) = self.heard.insert((from, who, link), number) else {
            return Ok(());
        };
        if number <= last {
            return Err(format!(
                "{who:?} heard message {number} of {from:?} after {last}"
            ));
        }
        let since = sender.published.get(last).map(|p| p.at);
        let excuse = |at: &Instant| since.is_none_or(|since| *at >= since);
        // What it wishes may be on its way for as long as octets can be held up.
        let wished = |at: &Instant| since.is_none_or(|since| *at + HELD_UP >= since);
        let excused = self.wishes.get(&who).is_some_and(wished)
            || self
                .downs
                .get(&(who, link))
                .is_some_and(|downs| downs.iter().any(excuse));
        if excused {
            return Ok(());
        }
        for (missing, publication) in sender
            .published
            .iter_mut()
            .enumerate()
            .take(number)
            .skip(last + 1)
        {
            if !wants(topics, publication.topic) {
                continue;
            }
            publication.missed += 1;
            if publication.missed > publication.dropped {
                return Err(format!(
                    "{who:?} heard message {number} of {from:?} after {last}, and nothing says why not {missing}"
                ));
            }
        }
        Ok(())
    }

    /// Whether a publication has reached somebody.
    pub(super) fn has_heard(&self, who: Life, from: Life, number: u32) -> bool {
        self.arrived.contains(&(from, number, Some(who)))
    }

    /// For how many subscribers a publication was dropped, and counted.
    pub(super) fn dropped(&self, who: Life, number: u32) -> usize {
        let sender = self.senders.get(&who);
        let publication = sender.and_then(|sender| sender.published.get(number as usize));
        publication.map_or(0, |publication| publication.dropped as usize)
    }

    /// Whether everything a sender accepted has arrived, as far as its links have lasted.
    pub(super) fn all_arrived(&self, who: Life, since: u32) -> bool {
        self.senders.get(&who).is_none_or(|sender| {
            sender
                .placed
                .range(since..)
                .all(|(number, _)| self.arrived.contains(&(who, *number, None)))
        })
    }

    /// The accounts of one life, at its end or that of the run. `waiting`: messages that are still queued.
    pub(super) fn settle(&self, who: Life, says: Account) -> Checked {
        let none = Sender::default();
        let sender = self.senders.get(&who).unwrap_or(&none);
        let counted = says.sent + says.dropped + says.waiting;
        if sender.accepted != counted {
            return Err(format!(
                "{who:?} accepted {} messages, but says {says:?}",
                sender.accepted
            ));
        }
        if says.unexplained > 0 {
            return Err(format!(
                "{who:?} misses messages that no publisher explains: {says:?}"
            ));
        }
        if sender.taken > says.sent {
            return Err(format!(
                "of {who:?} {} messages arrived, but it says {says:?}",
                sender.taken
            ));
        }
        Ok(())
    }

    /// At the end of the run, for who lives: a link that never went down has lost nothing.
    pub(super) fn settle_links(&self) -> Checked {
        for (who, sender) in &self.senders {
            if self.ended.contains(who) {
                continue;
            }
            for (link, lane) in &sender.links {
                if lane.taken < lane.accepted && !self.downs.contains_key(&(*who, *link)) {
                    return Err(format!(
                        "{who:?} lost {} of {} messages on link {:?}, which never went down",
                        lane.accepted - lane.taken,
                        lane.accepted,
                        self.names.get(link)
                    ));
                }
            }
        }
        Ok(())
    }

    pub(super) fn messages(&self) -> u64 {
        self.senders.values().map(|sender| sender.taken).sum()
    }

    pub(super) fn losses(&self) -> u64 {
        self.downs.values().map(|downs| downs.len() as u64).sum()
    }
}

pub(super) fn wants(topics: &[&str], topic: &str) -> bool {
    topics.iter().any(|prefix| topic.starts_with(prefix))
}
