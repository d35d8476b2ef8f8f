//! `Topic` and `Namespace`: names, checked once.
//!
//! Knows which names are allowed and why one is not; does not know what is sent under them. Whoever holds one of these
//! types need not check again.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The most octets a topic name may have.
pub const MAX_TOPIC_LEN: usize = 255;

/// The most octets a namespace may have: it has to fit a DNS TXT entry beside others.
pub const MAX_NAMESPACE_LEN: usize = 63;

/// The name of a topic or of a service: 1–255 octets of `A–Z a–z 0–9 _ - . /`.
///
/// `/` and `.` both separate levels and are different characters (`a.b` is not `a/b`); no level may be empty. Cheap to
/// clone.
///
/// ```
/// use colugo_graph::Topic;
/// let topic: Topic = "arm/left.pose".parse()?;
/// assert_eq!(topic.as_str(), "arm/left.pose");
///
/// let error = "arm pose".parse::<Topic>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "\"arm pose\" is no topic name: ' ' at position 4 is not allowed (letters, digits, _ - . / are)"
/// );
/// # Ok::<(), colugo_graph::TopicError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

impl Topic {
    /// Checks a name.
    ///
    /// # Errors
    /// Says which character or level is at fault.
    pub fn new(name: &str) -> Result<Self, TopicError> {
        let fault = if name.is_empty() {
            Some(NameFault::Empty)
        } else if name.len() > MAX_TOPIC_LEN {
            Some(NameFault::TooLong {
                len: name.len(),
                max: MAX_TOPIC_LEN,
            })
        } else {
            forbidden_character(
                name,
                |c| matches!(c, '_' | '-' | '.' | '/'),
                "letters, digits, _ - . / are",
            )
            .or_else(|| empty_level(name))
        };
        match fault {
            None => Ok(Self(name.into())),
            Some(fault) => Err(TopicError {
                name: shortened(name),
                fault,
            }),
        }
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({:?})", &*self.0)
    }
}

impl AsRef<str> for Topic {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(name: &str) -> Result<Self, TopicError> {
        Self::new(name)
    }
}

impl TryFrom<&str> for Topic {
    type Error = TopicError;

    fn try_from(name: &str) -> Result<Self, TopicError> {
        Self::new(name)
    }
}

/// A name that can't be a [`Topic`], and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no topic name: {fault}")]
pub struct TopicError {
    /// The name that was given, cut to a length fit for a message.
    pub name: String,
    /// What is wrong with it.
    pub fault: NameFault,
}

/// Nodes of one namespace find each other; nodes of different ones don't.
///
/// 1–63 octets of `A–Z a–z 0–9 _ - .`, the first one no dot. [`Namespace::default`] is `default`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(Arc<str>);

impl Namespace {
    /// Checks a name.
    ///
    /// # Errors
    /// Says which character is at fault.
    pub fn new(name: &str) -> Result<Self, NamespaceError> {
        let fault = if name.is_empty() {
            Some(NameFault::Empty)
        } else if name.len() > MAX_NAMESPACE_LEN {
            Some(NameFault::TooLong {
                len: name.len(),
                max: MAX_NAMESPACE_LEN,
            })
        } else if name.starts_with('.') {
            Some(NameFault::Character {
                found: '.',
                position: 1,
                allowed: "it may not be the first",
            })
        } else {
            forbidden_character(
                name,
                |c| matches!(c, '_' | '-' | '.'),
                "letters, digits, _ - . are",
            )
        };
        match fault {
            None => Ok(Self(name.into())),
            Some(fault) => Err(NamespaceError {
                name: shortened(name),
                fault,
            }),
        }
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self("default".into())
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Namespace {
    type Err = NamespaceError;

    fn from_str(name: &str) -> Result<Self, NamespaceError> {
        Self::new(name)
    }
}

/// A name that can't be a [`Namespace`], and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no namespace: {fault}")]
pub struct NamespaceError {
    /// The name that was given, cut to a length fit for a message.
    pub name: String,
    /// What is wrong with it.
    pub fault: NameFault,
}

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameFault {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is longer than a name may be.
    #[error("it has {len} octets, at most {max} are allowed")]
    TooLong {
        /// Its length in octets.
        len: usize,
        /// The most octets allowed.
        max: usize,
    },
    /// A character that names can't have.
    #[error("{found:?} at position {position} is not allowed ({allowed})")]
    Character {
        /// The character.
        found: char,
        /// Which character of the name it is, counted from 1.
        position: usize,
        /// What would be allowed.
        allowed: &'static str,
    },
    /// Two separators in a row, or one at either end.
    #[error("the level at position {position} is empty (no separator at either end, none doubled)")]
    EmptyLevel {
        /// Where the empty level is, counted in characters from 1.
        position: usize,
    },
}

fn forbidden_character(
    name: &str,
    extra: impl Fn(char) -> bool,
    allowed: &'static str,
) -> Option<NameFault> {
    name.chars()
        .enumerate()
        .find(|(_, c)| !(c.is_ascii_alphanumeric() || extra(*c)))
        .map(|(index, found)| NameFault::Character {
            found,
            position: index + 1,
            allowed,
        })
}

fn empty_level(name: &str) -> Option<NameFault> {
    let mut position = 1;
    for level in name.split(['.', '/']) {
        if level.is_empty() {
            return Some(NameFault::EmptyLevel { position });
        }
        position += level.len() + 1;
    }
    None
}

fn shortened(name: &str) -> String {
    const SHOWN: usize = 60;
    if name.chars().count() <= SHOWN {
        return name.to_owned();
    }
    name.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_names_are_kept_as_given() {
        for name in ["a", "pub.topic", "a/b", "A_b-c.d/e9", &"x".repeat(255)] {
            assert_eq!(Topic::new(name).map(|t| t.to_string()), Ok(name.to_owned()));
        }
        assert_ne!(Topic::new("a.b"), Topic::new("a/b"));
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        let refused = |name: &str| Topic::new(name).unwrap_err().to_string();
        assert!(refused("").contains("it is empty"));
        assert!(refused(&"x".repeat(256)).contains("256 octets, at most 255"));
        assert!(refused("a b").contains("' ' at position 2"));
        assert!(refused("höhe").contains("'ö' at position 2"));
        assert!(refused("a..b").contains("level at position 3 is empty"));
        assert!(refused("/a").contains("level at position 1 is empty"));
        assert!(refused("a/").contains("level at position 3 is empty"));
        assert!(refused("a*").contains("'*'"));
        assert!(refused(&"é".repeat(300)).len() < 300);
    }

    #[test]
    fn namespaces_can_be_file_names() {
        assert_eq!(Namespace::default().as_str(), "default");
        assert!(Namespace::new("lab-2.b_c").is_ok());
        for name in ["", ".", "..", "a/b", "a b", &"x".repeat(64)] {
            assert!(Namespace::new(name).is_err(), "{name}");
        }
    }
}
