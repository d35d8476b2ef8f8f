//! Who calls at the control port: a node that wants a control link, the socket of one that wants a topic, where no other port lets it in, or the sockets
//! of one that share a connection.
//!
//! Knows the octets of the peer's greeting and READY, which it only looks at, and what this node provides; both kinds of handshake are done by others,
//! from the first octet on.

use std::collections::BTreeMap;
use std::io;

use colugo_graph::{AnnouncementId, Kind, Topic};
use colugo_socket::Trunk;
use colugo_zmtp::{
    Command, GREETING_LEN, Greeting, MAX_HANDSHAKE_COMMAND, MAX_HEADER_LEN, Metadata,
    MetadataLimits, SocketType, parse_header,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::OnKnock;
use super::link::Opened;
use crate::transport::Knock;

/// The most that is kept of what a caller says before it is known what it wants.
const HEARD_MAX: usize = GREETING_LEN + MAX_HEADER_LEN + MAX_HANDSHAKE_COMMAND;

/// What a caller wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// A publisher or server of this topic.
    Topic(Kind, Topic),
    /// Lanes to several.
    Trunk,
    /// A control link, or what its handshake will refuse.
    Link,
}

/// Greets, which is the same for all, and reads until the caller has said what it wants.
pub(super) async fn hear(stream: TcpStream) -> io::Result<(Opened, Wants)> {
    let mut opened = Opened::new(stream);
    let Opened {
        stream,
        sent,
        heard,
    } = &mut opened;
    stream.set_nodelay(true)?;
    let greeting = Greeting::null().encode();
    stream.write_all(&greeting).await?;
    *sent = greeting.len();
    let wants = loop {
        if stream.read_buf(heard).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match introduction(heard) {
            None if heard.len() < HEARD_MAX => {}
            None => break Wants::Link,
            Some(wants) => break wants,
        }
    };
    Ok((opened, wants))
}

/// What a peer says it wants, if it has said it.
fn introduction(heard: &[u8]) -> Option<Wants> {
    let ours = Greeting::null().encode();
    // Signature, and after two octets of version the mechanism: whoever differs here never says READY.
    let differs = |from: usize, to: usize| {
        let known = heard.len().min(to);
        heard.get(from..known).unwrap_or_default() != ours.get(from..known).unwrap_or_default()
    };
    let speaks_3 = heard.get(10).is_none_or(|major| *major >= 3);
    if differs(0, 1) || differs(9, 10) || !speaks_3 || differs(12, 32) {
        return Some(Wants::Link);
    }
    let rest = heard.get(GREETING_LEN..)?;
    let header = match parse_header(rest) {
        Ok(Some(header)) => header,
        Ok(None) => return None,
        Err(_) => return Some(Wants::Link),
    };
    let len = usize::try_from(header.body_len).unwrap_or(usize::MAX);
    if !header.command || len > MAX_HANDSHAKE_COMMAND {
        return Some(Wants::Link);
    }
    let body = rest.get(header.header_len..header.header_len.saturating_add(len))?;
    Some(wanted(body).unwrap_or(Wants::Link))
}

fn wanted(ready: &[u8]) -> Option<Wants> {
    let Ok(Command::Ready(metadata)) = Command::parse(ready) else {
        return None;
    };
    let metadata = Metadata::parse(metadata, &MetadataLimits::default()).ok()?;
    if metadata.get(Trunk::PROPERTY).is_some() {
        return Some(Wants::Trunk);
    }
    let topic = metadata.get("X-Colugo-Topic")?;
    let kind = match SocketType::parse(metadata.get("Socket-Type")?)? {
        SocketType::Sub | SocketType::XSub => Kind::Publisher,
        SocketType::Dealer | SocketType::Req => Kind::Server,
        _ => return None,
    };
    let topic = Topic::new(std::str::from_utf8(topic).ok()?).ok()?;
    Some(Wants::Topic(kind, topic))
}

/// What a lane to the publisher or server of a topic is asked for by.
pub(crate) fn address(kind: Kind, topic: &str) -> String {
    let word = if kind == Kind::Server {
        SERVER
    } else {
        PUBLISHER
    };
    format!("{word} {topic}")
}

const PUBLISHER: &str = "publisher";
const SERVER: &str = "server";

/// The opposite of [`address`].
pub(super) fn addressed(address: &[u8]) -> Option<(Kind, Topic)> {
    let (word, topic) = std::str::from_utf8(address).ok()?.split_once(' ')?;
    let kind = match word {
        PUBLISHER => Kind::Publisher,
        SERVER => Kind::Server,
        _ => return None,
    };
    Some((kind, Topic::new(topic).ok()?))
}

/// What this node provides, and who takes the connections for it.
#[derive(Default)]
pub(super) struct Provided(BTreeMap<AnnouncementId, ((Kind, Topic), OnKnock)>);

impl Provided {
    pub(super) fn add(&mut self, id: AnnouncementId, named: (Kind, Topic), on_knock: OnKnock) {
        self.0.insert(id, (named, on_knock));
    }

    pub(super) fn remove(&mut self, id: AnnouncementId) -> Option<OnKnock> {
        self.0.remove(&id).map(|(_, on_knock)| on_knock)
    }

    /// Hands a connection to whoever provides this; a node provides a topic at most once.
    pub(super) fn hand_on(&self, kind: Kind, topic: &Topic, knock: Knock) -> io::Result<()> {
        let mut provided = self.0.values();
        let found = provided.find(|(named, _)| named.0 == kind && named.1 == *topic);
        let Some((_, on_knock)) = found else {
            let why = format!("this node provides no {topic}");
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        };
        on_knock(knock)
    }
}

#[cfg(test)]
mod tests {
    use colugo_zmtp::{Handshake, HandshakeConfig};

    use super::*;

    fn said(kind: SocketType, topic: Option<&str>) -> Vec<u8> {
        let mut config = HandshakeConfig::new(kind);
        if let Some(topic) = topic {
            let topic = topic.to_owned().into();
            config.properties.push(("X-Colugo-Topic".to_owned(), topic));
        }
        let mut handshake = Handshake::new(config);
        handshake.receive(&Greeting::null().encode()).unwrap();
        let mut said = Vec::new();
        handshake.transmit(&mut said);
        said
    }

    #[test]
    fn a_topic_is_heard_when_its_last_octet_is_there() {
        for (kind, provides) in [
            (SocketType::Sub, Kind::Publisher),
            (SocketType::Dealer, Kind::Server),
        ] {
            let said = said(kind, Some("pose"));
            for len in 0..said.len() {
                assert_eq!(introduction(&said[..len]), None, "{len}");
            }
            let wanted = Some(Wants::Topic(provides, Topic::new("pose").unwrap()));
            assert_eq!(introduction(&said), wanted);
            assert_eq!(introduction(&[&said[..], b"\x04\x09more"].concat()), wanted);
        }
    }

    #[test]
    fn who_wants_lanes_says_so() {
        let mut config = HandshakeConfig::new(SocketType::Dealer);
        config
            .properties
            .push(("X-Colugo-Lanes".to_owned(), "1".into()));
        let mut handshake = Handshake::new(config);
        handshake.receive(&Greeting::null().encode()).unwrap();
        let mut said = Vec::new();
        handshake.transmit(&mut said);
        assert_eq!(introduction(&said), Some(Wants::Trunk));
    }

    #[test]
    fn what_a_lane_is_to_is_read_as_it_is_written() {
        for kind in [Kind::Publisher, Kind::Server] {
            let topic = Topic::new("arm.left/pose").unwrap();
            let address = address(kind, topic.as_str());
            assert_eq!(addressed(address.as_bytes()), Some((kind, topic)));
        }
        for wrong in [
            "",
            "publisher",
            "publisher ",
            "subscriber t",
            "server a..b",
            "server  t",
        ] {
            assert_eq!(addressed(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn others_are_left_to_the_handshake() {
        let other = |heard: &[u8]| assert_eq!(introduction(heard), Some(Wants::Link));
        other(&said(SocketType::Dealer, None));
        other(&said(SocketType::Push, Some("pose")));
        other(&said(SocketType::Sub, Some("")));
        other(b"GET / HTTP/1.1");
        // An older version, a mechanism of which the caller waits for our turn, a message instead of READY.
        other(b"\xff\0\0\0\0\0\0\0\x01\x7f\x01");
        let mut plain = Greeting::null().encode();
        plain[12..17].copy_from_slice(b"PLAIN");
        other(&plain);
        other(&[&Greeting::null().encode()[..], b"\0\x01m"].concat());
    }
}
