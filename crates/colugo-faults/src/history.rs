//! `History`: what came from whom by which link, and whether that was each message once and in order (reliability F17). Every scenario has one
//! at each receiver. Knows numbers only: that what is missing equals what was counted as dropped is for the scenario to compare.

use std::collections::{BTreeMap, HashMap};

/// All senders that were heard.
#[derive(Debug, Default)]
pub(crate) struct History {
    senders: HashMap<u64, Sender>,
}

#[derive(Debug, Default)]
struct Sender {
    /// What came, as ranges: first number and the one after the last.
    seen: BTreeMap<u64, u64>,
    /// The number that may come next by each link.
    links: HashMap<u64, u64>,
    account: Account,
}

/// What is to be said of one sender, or of all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) received: u64,
    /// Numbers between the first and the last that did not come.
    pub(crate) missing: u64,
    /// Came again.
    pub(crate) duplicates: u64,
    /// Came after a later one, by the same link.
    pub(crate) reordered: u64,
}

impl History {
    /// One message came.
    pub(crate) fn take(&mut self, run: u64, link: u64, number: u64) {
        self.senders.entry(run).or_default().take(link, number);
    }

    /// All senders together.
    pub(crate) fn account(&self) -> Account {
        let accounts = self.senders.values().map(Sender::account);
        accounts.fold(Account::default(), |sum, one| Account {
            received: sum.received + one.received,
            missing: sum.missing + one.missing,
            duplicates: sum.duplicates + one.duplicates,
            reordered: sum.reordered + one.reordered,
        })
    }

    /// One sender; its first and last number, too.
    pub(crate) fn of(&self, run: u64) -> Option<(Account, u64, u64)> {
        let sender = self.senders.get(&run)?;
        let (first, last) = sender.ends()?;
        Some((sender.account(), first, last))
    }
}

impl Sender {
    fn take(&mut self, link: u64, number: u64) {
        self.account.received += 1;
        let next = self.links.entry(link).or_default();
        let late = number < *next;
        *next = (*next).max(number + 1);
        if !self.insert(number) {
            self.account.duplicates += 1;
        } else if late {
            self.account.reordered += 1;
        }
    }

    /// False: it was there.
    fn insert(&mut self, number: u64) -> bool {
        let before = self
            .seen
            .range(..=number)
            .next_back()
            .map(|(first, end)| (*first, *end));
        let mut start = number;
        match before {
            Some((_, end)) if end > number => return false,
            Some((first, end)) if end == number => start = first,
            _ => {}
        }
        let end = self.seen.remove(&(number + 1)).unwrap_or(number + 1);
        self.seen.insert(start, end);
        true
    }

    fn ends(&self) -> Option<(u64, u64)> {
        let (first, _) = self.seen.first_key_value()?;
        let (_, end) = self.seen.last_key_value()?;
        Some((*first, end - 1))
    }

    fn account(&self) -> Account {
        let span = self.ends().map_or(0, |(first, last)| last - first + 1);
        let there: u64 = self.seen.iter().map(|(first, end)| end - first).sum();
        Account {
            missing: span - there,
            ..self.account
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(numbers: &[(u64, u64)]) -> Account {
        let mut history = History::default();
        for (link, number) in numbers {
            history.take(7, *link, *number);
        }
        history.account()
    }

    fn account(received: u64, missing: u64, duplicates: u64, reordered: u64) -> Account {
        Account {
            received,
            missing,
            duplicates,
            reordered,
        }
    }

    #[test]
    fn each_once_and_in_order_is_well_wherever_it_begins() {
        assert_eq!(after(&[(1, 5), (1, 6), (1, 7)]), account(3, 0, 0, 0));
    }

    #[test]
    fn a_gap_is_missing_until_it_is_filled_which_is_out_of_order() {
        assert_eq!(after(&[(1, 0), (1, 3)]), account(2, 2, 0, 0));
        assert_eq!(after(&[(1, 0), (1, 3), (1, 2)]), account(3, 1, 0, 1));
        assert_eq!(
            after(&[(1, 0), (1, 3), (1, 2), (1, 1)]),
            account(4, 0, 0, 2)
        );
    }

    #[test]
    fn what_comes_again_is_a_duplicate_by_whatever_link() {
        assert_eq!(after(&[(1, 0), (1, 1), (1, 1)]), account(3, 0, 1, 0));
        assert_eq!(after(&[(1, 0), (1, 1), (2, 0)]), account(3, 0, 1, 0));
    }

    #[test]
    fn order_is_a_matter_of_each_link() {
        assert_eq!(
            after(&[(1, 0), (2, 2), (1, 1), (2, 3)]),
            account(4, 0, 0, 0)
        );
    }

    #[test]
    fn senders_are_apart() {
        let mut history = History::default();
        history.take(1, 1, 0);
        history.take(2, 1, 0);
        history.take(2, 1, 4);
        assert_eq!(history.account(), account(3, 3, 0, 0));
        assert_eq!(history.of(2), Some((account(2, 3, 0, 0), 0, 4)));
        assert_eq!(history.of(3), None);
    }
}
