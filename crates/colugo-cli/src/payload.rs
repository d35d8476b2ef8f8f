//! `View`: a payload as people and programs read it. Knows encodings by their declared name, and guesses where none is declared: JSON, then
//! MessagePack (only a map with string keys: other octets too often happen to be valid), then text, then octets.

use serde_json::value::RawValue;

use crate::{hex, msgpack};

/// A payload, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// `json`, `msgpack`, `text` or `raw`.
    pub(crate) encoding: &'static str,
    /// The encoding was not declared.
    pub(crate) guessed: bool,
    /// A declared encoding that the payload is not, or that is not known here.
    pub(crate) unlike: Option<String>,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    /// JSON on one line.
    Json(String),
    Text(String),
    Octets(Vec<u8>),
}

impl View {
    /// Understands a payload, of which an encoding may be declared.
    pub(crate) fn of(payload: &[u8], declared: Option<&str>) -> Self {
        let declared = declared.filter(|encoding| !matches!(*encoding, "" | "raw"));
        let known = match declared {
            Some("json") => json(payload).map(|content| ("json", content)),
            Some("msgpack") => {
                msgpack::to_json(payload).map(|content| ("msgpack", Content::Json(content)))
            }
            Some("text") => text(payload).map(|content| ("text", content)),
            _ => None,
        };
        if let Some((encoding, content)) = known {
            return Self {
                encoding,
                guessed: false,
                unlike: None,
                content,
            };
        }
        let (encoding, content) = guess(payload);
        Self {
            encoding,
            guessed: true,
            unlike: declared.map(str::to_owned),
            content,
        }
    }

    /// As people read it; may be several lines. Nothing in it acts on a terminal.
    pub(crate) fn for_people(&self) -> String {
        match &self.content {
            Content::Json(text) | Content::Text(text) => harmless(text),
            Content::Octets(octets) => hex::dump(octets),
        }
    }

    /// As a JSON value.
    pub(crate) fn for_programs(&self) -> String {
        match &self.content {
            Content::Json(json) => json.clone(),
            Content::Text(text) => quoted(text),
            Content::Octets(octets) => format!(
                "{{\"hex\":\"{}\",\"len\":{}}}",
                hex::digits(octets),
                octets.len()
            ),
        }
    }
}

/// What an undeclared payload probably is.
pub(crate) fn guess_name(payload: &[u8]) -> &'static str {
    guess(payload).0
}

fn guess(payload: &[u8]) -> (&'static str, Content) {
    let begins_like_json = payload
        .first()
        .is_some_and(|first| matches!(first, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9'));
    if let Some(json) = begins_like_json.then(|| json(payload)).flatten() {
        return ("json", json);
    }
    if msgpack::is_map(payload)
        && let Some(json) = msgpack::to_json(payload)
    {
        return ("msgpack", Content::Json(json));
    }
    match text(payload) {
        Some(text) => ("text", text),
        None => ("raw", Content::Octets(payload.to_vec())),
    }
}

/// The payload if it is JSON: as it is, so that no number is rounded, but on one line.
fn json(payload: &[u8]) -> Option<Content> {
    let text = std::str::from_utf8(payload).ok()?.trim();
    serde_json::from_str::<&RawValue>(text).ok()?;
    // Line ends in valid JSON only stand between its parts.
    Some(Content::Json(text.replace(['\n', '\r'], " ")))
}

/// The payload if it is text that can be printed.
fn text(payload: &[u8]) -> Option<Content> {
    let text = std::str::from_utf8(payload).ok()?;
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    text.chars()
        .all(printable)
        .then(|| Content::Text(text.to_owned()))
}

/// The text with what acts on a terminal made visible.
pub(crate) fn harmless(text: &str) -> String {
    let acts = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(acts) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| {
            if acts(c) {
                c.escape_unicode().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}

/// The text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(payload: &[u8]) -> (&'static str, String) {
        let view = View::of(payload, None);
        (view.encoding, view.for_programs())
    }

    #[test]
    fn undeclared_payloads_are_guessed_in_order() {
        assert_eq!(named(b"{\"a\": 1.50}"), ("json", "{\"a\": 1.50}".into()));
        assert_eq!(named(b"[1,\n2]"), ("json", "[1, 2]".into()));
        assert_eq!(named(b"\x81\xa1a\x01"), ("msgpack", "{\"a\":1}".into()));
        assert_eq!(
            named(b"\x81\x01\x01"),
            ("raw", "{\"hex\":\"810101\",\"len\":3}".into())
        );
        assert_eq!(named("grüß".as_bytes()), ("text", "\"grüß\"".into()));
        assert_eq!(named(b"{half"), ("text", "\"{half\"".into()));
        assert_eq!(
            named(b"\x1b[2J"),
            ("raw", "{\"hex\":\"1b5b324a\",\"len\":4}".into())
        );
        assert_eq!(named(b""), ("text", "\"\"".into()));
    }

    #[test]
    fn declared_encodings_come_first_and_are_not_believed_blindly() {
        let text = View::of(b"[1]", Some("text"));
        assert_eq!(
            (text.encoding, text.guessed, text.for_programs()),
            ("text", false, "\"[1]\"".into())
        );
        let list = View::of(b"\x92\x01\x02", Some("msgpack"));
        assert_eq!(
            (list.encoding, list.guessed, list.for_people()),
            ("msgpack", false, "[1,2]".into())
        );
        let wrong = View::of(b"hello", Some("json"));
        assert_eq!(
            (wrong.encoding, wrong.guessed, wrong.unlike.as_deref()),
            ("text", true, Some("json"))
        );
        let unknown = View::of(b"\x08\x96\x01", Some("protobuf"));
        assert_eq!(
            (unknown.encoding, unknown.unlike.as_deref()),
            ("raw", Some("protobuf"))
        );
        assert_eq!(View::of(b"x", Some("raw")).unlike, None);
    }

    #[test]
    fn numbers_are_not_rounded() {
        let payload = b"{\"n\": 123456789012345678901234567890, \"z\": 1, \"a\": 2}";
        assert_eq!(named(payload).1.as_bytes(), payload);
    }

    #[test]
    fn nothing_acts_on_the_terminal() {
        assert_eq!(
            View::of("\"\u{9b}2J\"".as_bytes(), None).for_people(),
            "\"\\u{9b}2J\""
        );
        assert_eq!(harmless("a\tb\nc\u{1b}"), "a\tb\nc\\u{1b}");
    }
}
