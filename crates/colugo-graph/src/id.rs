//! `NodeId`: the name a process gives each of its nodes for as long as it lives.
//!
//! Knows its two spellings (16 octets on links, 32 lower-case hex digits in records and for people); does not know
//! where the randomness comes from. Used by everything.

use std::fmt;
use std::str::FromStr;

/// The identity of one node: 16 random octets, chosen anew at each start.
///
/// There is no clock in it and no order in time: a restarted program is another node. The order of two ids only
/// decides which of two simultaneous connections stays.
///
/// ```
/// use colugo_graph::NodeId;
/// let id = NodeId([0xab; 16]);
/// assert_eq!(id.to_string(), "abababababababababababababababab");
/// assert_eq!(id.to_string().parse(), Ok(id));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 16]);

impl NodeId {
    /// The first eight hex digits: enough to tell nodes apart on a screen, not enough to compare.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for octet in self.0 {
            write!(f, "{octet:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// A text is not a [`NodeId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node id is 32 hex digits")]
pub struct InvalidNodeId;

impl FromStr for NodeId {
    type Err = InvalidNodeId;

    fn from_str(text: &str) -> Result<Self, InvalidNodeId> {
        let digits: Vec<u8> = text
            .chars()
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()
            .ok_or(InvalidNodeId)?;
        let mut id = [0; 16];
        if digits.len() != id.len() * 2 {
            return Err(InvalidNodeId);
        }
        for (octet, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *octet = pair.iter().fold(0, |value, digit| value << 4 | digit);
        }
        Ok(Self(id))
    }
}

impl TryFrom<&[u8]> for NodeId {
    type Error = InvalidNodeId;

    fn try_from(octets: &[u8]) -> Result<Self, InvalidNodeId> {
        octets.try_into().map(Self).map_err(|_| InvalidNodeId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_no_ids_are_refused() {
        for text in [
            "",
            "ab",
            "zz",
            &"a".repeat(31),
            &"a".repeat(33),
            &"é".repeat(32),
        ] {
            assert_eq!(text.parse::<NodeId>(), Err(InvalidNodeId), "{text}");
        }
        assert_eq!(
            "ABABABABABABABABABABABABABABABAB".parse(),
            Ok(NodeId([0xab; 16]))
        );
    }
}
