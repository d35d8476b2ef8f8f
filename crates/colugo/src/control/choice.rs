//! `Choice`: which interfaces discovery may use, as the user's words say: names and addresses, with `!` those it may not.
//!
//! Knows the words; does not know which interfaces there are.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// Words about interfaces. None allowed by name: all are, but for those that are denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) allowed: BTreeSet<String>,
    pub(super) denied: BTreeSet<String>,
}

impl Choice {
    pub(super) fn new(words: &[String]) -> Self {
        let mut choice = Self::default();
        for word in words.iter().map(|word| word.trim()) {
            match word.strip_prefix('!') {
                Some(denied) => choice.denied.insert(denied.trim().to_owned()),
                None => choice.allowed.insert(word.to_owned()),
            };
        }
        choice
    }

    /// Whether it lets discovery use this address of this interface.
    pub(super) fn takes(&self, interface: &str, address: IpAddr) -> bool {
        let is = |word: &String| *word == interface || word.parse() == Ok(address);
        (self.allowed.is_empty() || self.allowed.iter().any(is)) && !self.denied.iter().any(is)
    }

    /// What several who share a socket use together: all that any of them may.
    pub(super) fn any_of<'a>(choices: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut choices = choices.into_iter();
        let mut shared = choices.next().cloned().unwrap_or_default();
        for choice in choices {
            if shared.allowed.is_empty() || choice.allowed.is_empty() {
                shared.allowed.clear();
            } else {
                shared.allowed.extend(choice.allowed.iter().cloned());
            }
            shared.denied.retain(|word| choice.denied.contains(word));
        }
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(words: &[&str]) -> Choice {
        Choice::new(
            &words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn words_allow_and_deny_by_name_and_address() {
        let takes = |words: &[&str], name: &str, ip: &str| {
            ip.parse().is_ok_and(|ip| choice(words).takes(name, ip))
        };
        assert!(takes(&[], "eth0", "10.0.0.1"));
        assert!(takes(&["eth0"], "eth0", "10.0.0.1"));
        assert!(!takes(&["eth0"], "eth1", "10.0.0.1"));
        assert!(takes(&["10.0.0.1"], "eth1", "10.0.0.1"));
        assert!(takes(&["!docker0"], "eth0", "10.0.0.1"));
        assert!(!takes(&["!docker0"], "docker0", "172.17.0.1"));
        assert!(!takes(&["eth0", "!fe80::1"], "eth0", "fe80::1"));
        assert!(takes(&["eth0", "!fe80::1"], "eth0", "10.0.0.1"));
    }

    #[test]
    fn who_shares_a_socket_uses_what_any_of_them_may() {
        let shared = |a: &[&str], b: &[&str]| Choice::any_of(&[choice(a), choice(b)]);
        assert_eq!(shared(&["a"], &["b"]), choice(&["a", "b"]));
        assert_eq!(shared(&["a"], &[]), choice(&[]));
        assert_eq!(shared(&["!a", "!b"], &["!b"]), choice(&["!b"]));
        assert_eq!(shared(&["!a"], &["a"]), choice(&[]));
    }
}
