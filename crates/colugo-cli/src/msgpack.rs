//! MessagePack as JSON. Octets that JSON has no words for become objects: `{"hex": …}`, `{"ext": …, "hex": …}`.

use rmpv::{Utf8String, Value};

use crate::hex;
use crate::payload::quoted;

/// Deeper nesting is not looked at, as with serde_json.
const DEPTH_MAX: usize = 128;

/// Whether the payload begins with a map that is not empty and has string keys: what a guess asks for.
pub(crate) fn is_map(payload: &[u8]) -> bool {
    match read(payload) {
        Some(Value::Map(entries)) => {
            !entries.is_empty() && entries.iter().all(|(key, _)| key.is_str())
        }
        _ => false,
    }
}

/// The payload as JSON, if it is one MessagePack value and nothing else.
pub(crate) fn to_json(payload: &[u8]) -> Option<String> {
    read(payload).map(|value| json(&value))
}

fn read(mut payload: &[u8]) -> Option<Value> {
    let value = rmpv::decode::read_value_with_max_depth(&mut payload, DEPTH_MAX).ok()?;
    payload.is_empty().then_some(value)
}

fn json(value: &Value) -> String {
    match value {
        Value::Nil => "null".to_owned(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::F32(number) => finite(f64::from(*number), number.to_string()),
        Value::F64(number) => finite(*number, serde_json::Value::from(*number).to_string()),
        Value::String(text) => string(text),
        Value::Binary(octets) => format!("{{\"hex\":\"{}\"}}", hex::digits(octets)),
        Value::Ext(kind, octets) => {
            format!("{{\"ext\":{kind},\"hex\":\"{}\"}}", hex::digits(octets))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(","))
        }
        Value::Map(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| format!("{}:{}", name(key), json(value)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
    }
}

/// JSON has no infinity and no NaN.
fn finite(number: f64, text: String) -> String {
    if number.is_finite() {
        text
    } else {
        "null".to_owned()
    }
}

fn string(text: &Utf8String) -> String {
    quoted(&String::from_utf8_lossy(text.as_bytes()))
}

/// A key: JSON only has strings.
fn name(key: &Value) -> String {
    match key {
        Value::String(text) => string(text),
        other => quoted(&json(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_json() {
        let cases: [(&[u8], &str); 8] = [
            (b"\xc0", "null"),
            (b"\x93\x01\xd0\xff\xc3", "[1,-1,true]"),
            (b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "1.5"),
            (b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", "null"),
            (b"\xc4\x02\x00\xff", "{\"hex\":\"00ff\"}"),
            (b"\xd4\x05\xaa", "{\"ext\":5,\"hex\":\"aa\"}"),
            (b"\x81\x07\xa1\"", "{\"7\":\"\\\"\"}"),
            (b"\xa2\xff\xfe", "\"\u{fffd}\u{fffd}\""),
        ];
        for (octets, expected) in cases {
            assert_eq!(to_json(octets).as_deref(), Some(expected), "{octets:?}");
            assert!(
                serde_json::from_str::<serde_json::Value>(expected).is_ok(),
                "{expected}"
            );
        }
    }

    #[test]
    fn what_is_cut_or_too_long_or_too_deep_is_none() {
        for octets in [
            &b""[..],
            b"\x92\x01",
            b"\x01\x02",
            b"\xdd\xff\xff\xff\xff",
            &[0x91; 10_000],
        ] {
            assert_eq!(to_json(octets), None);
        }
    }
}
