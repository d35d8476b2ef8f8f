//! Names of topics and namespaces, as users and peers give them.

use colugo_graph::{MAX_NAMESPACE_LEN, MAX_TOPIC_LEN, Namespace, Topic};

/// A name is taken exactly if the grammar says so, and kept as it is; a refusal can be shown.
pub fn topic_names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let word = |octet: u8| octet.is_ascii_alphanumeric() || b"_-".contains(&octet);
    let levels = text.split(['.', '/']);
    let is_topic = (1..=MAX_TOPIC_LEN).contains(&text.len())
        && levels
            .clone()
            .all(|level| !level.is_empty() && level.bytes().all(word));
    match Topic::new(&text) {
        Ok(topic) => {
            assert!(is_topic, "{text:?}");
            assert_eq!(topic.as_str(), text);
            assert_eq!(topic.to_string().parse(), Ok(topic));
        }
        Err(error) => refused(is_topic, &text, &error.to_string()),
    }
    let is_namespace = (1..=MAX_NAMESPACE_LEN).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|octet| word(octet) || octet == b'.');
    match Namespace::new(&text) {
        Ok(namespace) => {
            assert!(is_namespace, "{text:?}");
            assert_eq!(namespace.as_str(), text);
        }
        Err(error) => refused(is_namespace, &text, &error.to_string()),
    }
}

fn refused(should_not: bool, text: &str, error: &str) {
    assert!(!should_not, "{text:?}: {error}");
    assert!(error.len() < 1200, "{error}");
    assert!(!error.chars().any(char::is_control), "{error:?}");
}
