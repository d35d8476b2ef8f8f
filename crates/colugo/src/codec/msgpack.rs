//! MessagePack through serde (feature `msgpack`). Structs are written as maps, so that other languages can read them.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Decode, DecodeError, Encode, EncodeError};

/// MessagePack: any serde type, structs as maps with string keys. Chosen by `.msgpack()` on a builder.
#[derive(Clone, Copy, Debug, Default)]
pub struct MsgPack;

impl<T: Serialize + ?Sized> Encode<T> for MsgPack {
    fn encoding(&self) -> &str {
        "msgpack"
    }

    fn encode<'a>(&self, value: &'a T, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], EncodeError> {
        rmp_serde::encode::write_named(scratch, value)
            .map_err(|e| EncodeError::new("msgpack", e))?;
        Ok(scratch)
    }
}

impl<T: DeserializeOwned> Decode<T> for MsgPack {
    fn encoding(&self) -> &str {
        "msgpack"
    }

    fn decode(&self, payload: &Bytes) -> Result<T, DecodeError> {
        rmp_serde::from_slice(payload).map_err(|e| DecodeError::new("msgpack", payload, e))
    }
}
