//! Protobuf through prost (feature `protobuf`). Needs no protoc: derive `prost::Message`, or use code that was generated elsewhere.

use bytes::Bytes;
use prost::Message;

use super::{Decode, DecodeError, Encode, EncodeError};

/// Protobuf: any type that implements `prost::Message`. Chosen by `.protobuf()` on a builder.
#[derive(Clone, Copy, Debug, Default)]
pub struct Protobuf;

impl<T: Message> Encode<T> for Protobuf {
    fn encoding(&self) -> &str {
        "protobuf"
    }

    fn encode<'a>(&self, value: &'a T, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], EncodeError> {
        value
            .encode(scratch)
            .map_err(|e| EncodeError::new("protobuf", e))?;
        Ok(scratch)
    }
}

impl<T: Message + Default> Decode<T> for Protobuf {
    fn encoding(&self) -> &str {
        "protobuf"
    }

    fn decode(&self, payload: &Bytes) -> Result<T, DecodeError> {
        T::decode(payload.clone()).map_err(|e| DecodeError::new("protobuf", payload, e))
    }
}
