//! Events of the node as lines, each with its time.

use colugo::{Event, Events};
use serde_json::{Value, json};

use crate::say::{now_ns, say};

/// Tells them until the node is closed.
pub(crate) fn tell(events: Events) {
    for event in events {
        if let Some(mut told) = told(&event) {
            told["at_ns"] = now_ns().into();
            say(&told);
        }
    }
}

fn told(event: &Event) -> Option<Value> {
    Some(match event {
        Event::NodeJoined { name, .. } => json!({"event": "joined", "name": name}),
        Event::NodeLeft { name, .. } => json!({"event": "left", "name": name}),
        Event::PeerDisconnected { handle, reason, .. } => {
            json!({"event": "parted", "name": &**handle, "text": reason})
        }
        Event::Notice { text } => json!({"event": "notice", "text": text}),
        Event::PeerRefused { handle, reason } => {
            json!({"event": "refused", "text": format!("{handle}: {reason}")})
        }
        Event::CallbackPanicked { handle, message } => {
            json!({"event": "panicked", "text": format!("{handle}: {message}")})
        }
        _ => return None,
    })
}
