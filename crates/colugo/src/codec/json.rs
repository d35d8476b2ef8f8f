//! JSON through serde (feature `json`).

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Decode, DecodeError, Encode, EncodeError};

/// JSON: any serde type. Chosen by `.json()` on a builder.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl<T: Serialize + ?Sized> Encode<T> for Json {
    fn encoding(&self) -> &str {
        "json"
    }

    fn encode<'a>(&self, value: &'a T, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], EncodeError> {
        serde_json::to_writer(&mut *scratch, value).map_err(|e| EncodeError::new("json", e))?;
        Ok(scratch)
    }
}

impl<T: DeserializeOwned> Decode<T> for Json {
    fn encoding(&self) -> &str {
        "json"
    }

    fn decode(&self, payload: &Bytes) -> Result<T, DecodeError> {
        serde_json::from_slice(payload).map_err(|e| DecodeError::new("json", payload, e))
    }
}
