//! Events of the node as lines, each with its time.

use colugo::{Event, Events, GraphNode, Node, NodeState};
use serde_json::{Value, json};

use crate::say::{now_ns, say};

/// Tells of the nodes that are there already.
pub(crate) fn tell_present(node: &Node) {
    let present = |it: &&GraphNode| it.id != node.id() && it.state == NodeState::Alive;
    for it in node.graph().nodes.iter().filter(present) {
        say(&json!({"event": "joined", "name": it.name, "at_ns": now_ns()}));
    }
}

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
