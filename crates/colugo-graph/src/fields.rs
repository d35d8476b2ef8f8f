//! `Map`: the keys and values that all control messages are made of, read and written.
//!
//! Knows that unknown keys are stepped over and how a key that is needed is missed; does not know any message.

use crate::limits;
use crate::msgpack::{Reader, put_map, put_str, put_uint};
use crate::{MessageError, NodeId};

/// The pairs of a map whose values are not read yet.
pub(crate) struct Map<'a> {
    pairs: Vec<(&'a str, Reader<'a>)>,
}

impl<'a> Map<'a> {
    /// More pairs than any version will have.
    const PAIRS: usize = 64;

    pub(crate) fn new(octets: &'a [u8]) -> Result<Self, MessageError> {
        Self::read(&mut Reader::new(octets))
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, MessageError> {
        let len = at_most(Self::PAIRS, "keys", reader.map()?)?;
        let mut pairs = Vec::with_capacity(len);
        for _ in 0..len {
            let key = reader.str()?;
            pairs.push((key, reader.clone()));
            reader.skip()?;
        }
        Ok(Self { pairs })
    }

    pub(crate) fn value(&self, key: &'static str) -> Result<Reader<'a>, MessageError> {
        let found = self.pairs.iter().find(|(name, _)| *name == key);
        found
            .map(|(_, value)| value.clone())
            .ok_or(MessageError::Missing(key))
    }

    pub(crate) fn string(&self, key: &'static str) -> Result<&'a str, MessageError> {
        Ok(self.value(key)?.str()?)
    }

    pub(crate) fn uint(&self, key: &'static str) -> Result<u64, MessageError> {
        Ok(self.value(key)?.uint()?)
    }

    /// A list of texts, at most [`limits::ADDRESSES`] of them; none where the key is missing.
    pub(crate) fn strings(
        &self,
        key: &'static str,
    ) -> Result<impl Iterator<Item = &'a str> + use<'a>, MessageError> {
        let Ok(mut value) = self.value(key) else {
            return Ok(Vec::new().into_iter());
        };
        let len = value.array()?.min(limits::ADDRESSES);
        let texts = (0..len)
            .map(|_| value.str())
            .collect::<Result<Vec<_>, _>>()?;
        Ok(texts.into_iter())
    }
}

/// A length, if it is within a limit.
pub(crate) fn at_most(limit: usize, unit: &'static str, len: usize) -> Result<usize, MessageError> {
    if len > limit {
        return Err(MessageError::TooLarge { limit, unit });
    }
    Ok(len)
}

pub(crate) fn node_id(octets: &[u8], key: &'static str) -> Result<NodeId, MessageError> {
    NodeId::try_from(octets).map_err(|_| MessageError::Invalid(key))
}

pub(crate) fn put_start(out: &mut Vec<u8>, name: &str, pairs: usize) {
    put_map(out, pairs + 1);
    put_pair_str(out, "m", name);
}

pub(crate) fn put_pair_str(out: &mut Vec<u8>, key: &str, value: &str) {
    put_str(out, key);
    put_str(out, value);
}

pub(crate) fn put_pair_uint(out: &mut Vec<u8>, key: &str, value: u64) {
    put_str(out, key);
    put_uint(out, value);
}
