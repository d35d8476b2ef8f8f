//! `Lobby`: the accepted connections of one socket that have not shaken hands yet. Pure: time and addresses are arguments. Who says nothing
//! may stay until the handshake's deadline, unless there is a crowd: then the oldest of the noisiest address goes first, those that have
//! said something last, so that however many connect and say nothing, who does shake hands gets in.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::core::Core;
use crate::gate::lock;
use crate::options::{HANDSHAKE_GRACE, MAX_CROWD, SPEAKER_GRACE};

/// Which of those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

#[derive(Debug)]
pub(crate) struct Lobby<T> {
    /// In all, and per address.
    limits: (usize, usize),
    /// Oldest first.
    guests: VecDeque<Guest<T>>,
    crowds: HashMap<Option<IpAddr>, usize>,
    next: u64,
}

/// One who waits, and what is needed to turn it out.
#[derive(Debug)]
pub(crate) struct Guest<T> {
    ticket: Ticket,
    pub(crate) addr: Option<SocketAddr>,
    since: Instant,
    spoke: Spoke,
    pub(crate) with: T,
}

/// Whether one who waits has said anything; told by its task.
pub(crate) type Spoke = Arc<AtomicBool>;

impl<T> Guest<T> {
    /// How long it may stay in a crowd.
    fn grace(&self) -> Duration {
        if self.spoke.load(Ordering::Relaxed) {
            SPEAKER_GRACE
        } else {
            HANDSHAKE_GRACE
        }
    }
}

/// A connection's stay in the lobby of its socket; it ends when this is dropped.
pub(crate) struct Waiting {
    pub(crate) core: Arc<Core>,
    pub(crate) ticket: Ticket,
    pub(crate) spoke: Spoke,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        lock(&self.core.lobby).leave(self.ticket);
    }
}

impl<T> Lobby<T> {
    pub(crate) fn new(all: usize, per_address: usize) -> Self {
        Self {
            limits: (all, per_address),
            guests: VecDeque::new(),
            crowds: HashMap::new(),
            next: 0,
        }
    }

    /// The ticket of the next to enter.
    pub(crate) fn ticket(&mut self) -> Ticket {
        self.next = self.next.wrapping_add(1);
        Ticket(self.next)
    }

    pub(crate) fn enter(
        &mut self,
        ticket: Ticket,
        addr: Option<SocketAddr>,
        now: Instant,
        spoke: Spoke,
        with: T,
    ) {
        *self.crowds.entry(origin(addr)).or_default() += 1;
        self.guests.push_back(Guest {
            ticket,
            addr,
            since: now,
            spoke,
            with,
        });
    }

    /// Shaken hands, or gone.
    pub(crate) fn leave(&mut self, ticket: Ticket) {
        if let Some(at) = self.guests.iter().position(|guest| guest.ticket == ticket) {
            self.take(at);
        }
        if self.guests.is_empty() {
            self.guests = VecDeque::new();
            self.crowds = HashMap::new();
        }
    }

    fn take(&mut self, at: usize) -> Option<Guest<T>> {
        let guest = self.guests.remove(at)?;
        let origin = origin(guest.addr);
        if let Some(crowd) = self.crowds.get_mut(&origin) {
            *crowd = crowd.saturating_sub(1);
            if *crowd == 0 {
                self.crowds.remove(&origin);
            }
        }
        Some(guest)
    }

    /// One who is to be turned out now.
    pub(crate) fn turn_out(&mut self, now: Instant) -> Option<Guest<T>> {
        let at = self.first_to_go()?;
        let guest = self.guests.get(at)?;
        let early = now.saturating_duration_since(guest.since) < guest.grace();
        if early && self.guests.len() <= MAX_CROWD {
            return None;
        }
        self.take(at)
    }

    /// When the next one is to be turned out, if nobody comes or goes.
    pub(crate) fn next(&self) -> Option<Instant> {
        let guest = self.guests.get(self.first_to_go()?)?;
        Some(guest.since + guest.grace())
    }

    /// The oldest of the noisiest address that has said nothing, or else that has, if there are too many of it or in all.
    fn first_to_go(&self) -> Option<usize> {
        let (all, per_address) = self.limits;
        let noisiest = self.crowds.values().copied().max()?;
        if self.guests.len() <= all && noisiest <= per_address {
            return None;
        }
        let of_noisiest =
            |guest: &Guest<T>| self.crowds.get(&origin(guest.addr)).copied() == Some(noisiest);
        let mute = |guest: &Guest<T>| !guest.spoke.load(Ordering::Relaxed);
        self.guests
            .iter()
            .position(|guest| mute(guest) && of_noisiest(guest))
            .or_else(|| self.guests.iter().position(of_noisiest))
    }
}

/// What counts as one address: of IPv6 the network, since a host has as many addresses in it as it likes; but of those that are only good
/// on the link, the host.
fn origin(addr: Option<SocketAddr>) -> Option<IpAddr> {
    Some(match addr?.ip().to_canonical() {
        IpAddr::V6(ip) if !ip.is_unicast_link_local() => {
            IpAddr::V6((ip.to_bits() & !u128::from(u64::MAX)).into())
        }
        ip => ip,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(host: u8, port: u16) -> Option<SocketAddr> {
        Some(([10, 0, 0, host], port).into())
    }

    fn enter(lobby: &mut Lobby<u16>, addr: Option<SocketAddr>, now: Instant) -> Ticket {
        let ticket = lobby.ticket();
        let port = addr.map_or(0, |addr| addr.port());
        lobby.enter(ticket, addr, now, Spoke::default(), port);
        ticket
    }

    fn turned_out(lobby: &mut Lobby<u16>, now: Instant) -> Vec<u16> {
        std::iter::from_fn(|| lobby.turn_out(now).map(|guest| guest.with)).collect()
    }

    #[test]
    fn nobody_is_turned_out_without_a_crowd() {
        let mut lobby = Lobby::new(4, 2);
        let now = Instant::now();
        for port in 0..2 {
            enter(&mut lobby, from(1, port), now);
            enter(&mut lobby, from(2, port), now);
        }
        assert_eq!(lobby.next(), None);
        assert!(lobby.turn_out(now + HANDSHAKE_GRACE * 100).is_none());
    }

    #[test]
    fn the_oldest_of_the_noisiest_address_goes_first_when_it_had_its_time() {
        let mut lobby = Lobby::new(4, 3);
        let now = Instant::now();
        enter(&mut lobby, from(1, 1), now);
        for port in 10..14 {
            enter(&mut lobby, from(2, port), now);
        }
        assert_eq!(lobby.next(), Some(now + HANDSHAKE_GRACE));
        assert_eq!(
            turned_out(&mut lobby, now),
            [0; 0],
            "it may still shake hands"
        );
        assert_eq!(turned_out(&mut lobby, now + HANDSHAKE_GRACE), [10]);
        assert_eq!(lobby.next(), None);
        // A newcomer is one too many in all; the quiet address is not to blame.
        let later = now + HANDSHAKE_GRACE;
        enter(&mut lobby, from(3, 1), later);
        assert_eq!(turned_out(&mut lobby, later), [11]);
    }

    #[test]
    fn who_shakes_hands_makes_room() {
        let mut lobby = Lobby::new(2, 2);
        let now = Instant::now();
        let first = enter(&mut lobby, from(1, 1), now);
        enter(&mut lobby, from(1, 2), now);
        lobby.leave(first);
        lobby.leave(first);
        enter(&mut lobby, from(1, 3), now);
        assert_eq!(lobby.next(), None);
        assert_eq!(turned_out(&mut lobby, now + HANDSHAKE_GRACE), [0; 0]);
    }

    #[test]
    fn a_flood_is_held_at_the_crowds_limit_at_once() {
        let mut lobby = Lobby::new(64, 8);
        let now = Instant::now();
        let mut out = 0;
        for port in 0..5000 {
            enter(&mut lobby, from(1, port), now);
            out += turned_out(&mut lobby, now).len();
        }
        assert_eq!(out, 5000 - MAX_CROWD);
        out += turned_out(&mut lobby, now + HANDSHAKE_GRACE).len();
        assert_eq!(out, 5000 - 8);
    }

    #[test]
    fn who_has_said_something_goes_last() {
        let mut lobby = Lobby::new(1, 1);
        let now = Instant::now();
        let ticket = lobby.ticket();
        lobby.enter(ticket, from(1, 1), now, Arc::new(true.into()), 1);
        enter(&mut lobby, from(1, 2), now);
        enter(&mut lobby, from(1, 3), now);
        assert_eq!(turned_out(&mut lobby, now + HANDSHAKE_GRACE), [2, 3]);
        let ticket = lobby.ticket();
        lobby.enter(ticket, from(1, 4), now, Arc::new(true.into()), 4);
        assert_eq!(lobby.next(), Some(now + SPEAKER_GRACE));
        assert_eq!(turned_out(&mut lobby, now + SPEAKER_GRACE), [1]);
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let at = |text: &str| origin(Some(text.parse().unwrap()));
        assert_eq!(at("[2001:db8::1]:1"), at("[2001:db8::ffff:1]:2"));
        assert_ne!(at("[2001:db8:0:1::1]:1"), at("[2001:db8:0:2::1]:1"));
        assert_ne!(at("[fe80::1]:1"), at("[fe80::2]:1"));
        assert_eq!(at("[::ffff:10.0.0.1]:1"), at("10.0.0.1:9"));
    }
}
