//! `Target`: what the user named: a topic or service to be found by name, or an address to dial or listen at.

use std::fmt;
use std::str::FromStr;

/// A name or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Found by discovery.
    Name(String),
    /// `tcp://HOST:PORT`, of any ZeroMQ program.
    Address(String),
}

/// The topic that handles of an address get: a label only, nobody is told of it.
pub(crate) const LABEL: &str = "address";

impl Target {
    /// The topic to make a handle with.
    pub(crate) fn topic(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Address(_) => LABEL,
        }
    }

    /// As it was typed.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Name(text) | Self::Address(text) => text,
        }
    }

    pub(crate) fn address(&self) -> Option<&str> {
        match self {
            Self::Name(_) => None,
            Self::Address(address) => Some(address),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains("://") {
            if text.starts_with('/') {
                let bare = text.trim_matches('/');
                return Err(format!("names have no leading slash here; write {bare:?}"));
            }
            return match colugo::Topic::new(text) {
                Ok(_) => Ok(Self::Name(text.to_owned())),
                Err(error) => Err(error.fault.to_string()),
            };
        }
        match text.parse::<colugo::Endpoint>() {
            Ok(_) => Ok(Self::Address(text.to_owned())),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl fmt::Display for Target {
    /// As in a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name:?}"),
            Self::Address(address) => f.write_str(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        assert_eq!("robot/pose".parse(), Ok(Target::Name("robot/pose".into())));
        assert_eq!(
            "tcp://*:5556".parse(),
            Ok(Target::Address("tcp://*:5556".into()))
        );
        for nonsense in ["", "a b", "/pose", "udp://x:1", "tcp://x", "a..b"] {
            assert!(nonsense.parse::<Target>().is_err(), "{nonsense}");
        }
    }
}
