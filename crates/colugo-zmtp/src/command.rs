//! Commands: `name-len(1) name data` in a frame with the COMMAND flag, and the subscription
//! *messages* that ZMTP 3.0 has in their place. Knows the octets of each; refuses to know when one
//! may be sent. Used by the handshake and by the socket.

use crate::frame::put_header;
use crate::limits::MAX_PING_CONTEXT;
use crate::stamp::Stamp;

/// A command as received or to be sent, borrowed from its body.
///
/// ```
/// use colugo_zmtp::Command;
/// let body = b"\x09SUBSCRIBEabc";
/// assert_eq!(Command::parse(body), Ok(Command::Subscribe(b"abc")));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command<'a> {
    /// End of the handshake, with the sender's metadata as octets; see
    /// [`Metadata::parse`](crate::Metadata::parse).
    Ready(&'a [u8]),
    /// The sender gives up on this connection for good.
    Error {
        /// Its reason: short, and not to be shown unescaped. libzmq's are three digits of ZAP.
        reason: &'a [u8],
    },
    /// Send me messages that begin with these octets.
    Subscribe(&'a [u8]),
    /// Undoes a SUBSCRIBE of the same octets.
    Cancel(&'a [u8]),
    /// Asks for a PONG.
    Ping {
        /// If not zero: after this silence, in tenths of a second, the receiver should drop the
        /// sender.
        ttl_ds: u16,
        /// To be returned in the PONG; at most 16 octets, what is beyond is cut off as libzmq does.
        context: &'a [u8],
    },
    /// Answers a PING.
    Pong {
        /// The PING's context.
        context: &'a [u8],
    },
    /// Sequence number and time of the next message; between Colugo peers only.
    Stamp(Stamp),
    /// Any other command. To be ignored after the handshake, so that later versions can add some.
    Unknown {
        /// Its name, 1 to 255 octets of any value.
        name: &'a [u8],
        /// What follows the name.
        data: &'a [u8],
    },
}

/// Which rule of a command a peer broke.
///
/// ```
/// use colugo_zmtp::{Command, CommandError};
/// assert_eq!(Command::parse(b"\x04PING\x00"), Err(CommandError::PingTooShort));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// No octets, or a name of no octets.
    #[error("the peer sent a command without a name")]
    NoName,
    /// The name runs past the end of the command.
    #[error("the peer sent a command that ends within its name")]
    NameCut,
    /// PING needs its two octets of ttl.
    #[error("the peer sent a PING without a ttl")]
    PingTooShort,
    /// The length of ERROR's reason is not that of the rest of the command.
    #[error("the peer sent an ERROR whose reason has not the length it says")]
    ReasonLength,
    /// STAMP ends before its last field does.
    #[error("the peer sent a STAMP that is cut short")]
    StampCut,
}

impl<'a> Command<'a> {
    /// The command in the body of a command frame.
    ///
    /// # Errors
    /// [`CommandError`] names the rule broken. READY's metadata is not looked into.
    ///
    /// ```
    /// # use colugo_zmtp::Command;
    /// let command = Command::parse(b"\x04PING\x00\x3cCTX");
    /// assert_eq!(command, Ok(Command::Ping { ttl_ds: 60, context: b"CTX" }));
    /// ```
    pub fn parse(body: &'a [u8]) -> Result<Self, CommandError> {
        let (&name_len, rest) = body.split_first().ok_or(CommandError::NoName)?;
        if name_len == 0 {
            return Err(CommandError::NoName);
        }
        let (name, data) = rest
            .split_at_checked(usize::from(name_len))
            .ok_or(CommandError::NameCut)?;
        Ok(match name {
            b"STAMP" => Self::Stamp(Stamp::parse(data).ok_or(CommandError::StampCut)?),
            b"SUBSCRIBE" => Self::Subscribe(data),
            b"CANCEL" => Self::Cancel(data),
            b"PING" => {
                let (ttl_ds, context) =
                    data.split_first_chunk().ok_or(CommandError::PingTooShort)?;
                Self::Ping {
                    ttl_ds: u16::from_be_bytes(*ttl_ds),
                    context: cut_context(context),
                }
            }
            b"PONG" => Self::Pong {
                context: cut_context(data),
            },
            b"READY" => Self::Ready(data),
            b"ERROR" => match data.split_first() {
                Some((len, reason)) if usize::from(*len) == reason.len() => Self::Error { reason },
                _ => return Err(CommandError::ReasonLength),
            },
            _ => Self::Unknown { name, data },
        })
    }

    /// The name on the wire.
    ///
    /// ```
    /// # use colugo_zmtp::Command;
    /// assert_eq!(Command::parse(b"\x04JOINgroup").unwrap().name(), b"JOIN");
    /// ```
    pub fn name(&self) -> &'a [u8] {
        match self {
            Self::Ready(_) => b"READY",
            Self::Error { .. } => b"ERROR",
            Self::Subscribe(_) => b"SUBSCRIBE",
            Self::Cancel(_) => b"CANCEL",
            Self::Ping { .. } => b"PING",
            Self::Pong { .. } => b"PONG",
            Self::Stamp(_) => b"STAMP",
            Self::Unknown { name, .. } => name,
        }
    }

    /// Appends the whole frame, header included.
    ///
    /// Contexts are cut to 16 octets, an ERROR's reason and an unknown command's name to 255.
    ///
    /// ```
    /// # use colugo_zmtp::Command;
    /// let mut out = Vec::new();
    /// Command::Pong { context: b"CTX" }.encode(&mut out);
    /// assert_eq!(out, b"\x04\x08\x04PONGCTX");
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Ready(metadata) => put_command_parts(out, b"READY", &[metadata]),
            Self::Error { reason } => {
                let (len, reason) = cut_to_octet(reason);
                put_command_parts(out, b"ERROR", &[&[len], reason]);
            }
            Self::Subscribe(topic) => put_command_parts(out, b"SUBSCRIBE", &[topic]),
            Self::Cancel(topic) => put_command_parts(out, b"CANCEL", &[topic]),
            Self::Ping { ttl_ds, context } => {
                let ttl = ttl_ds.to_be_bytes();
                put_command_parts(out, b"PING", &[&ttl, cut_context(context)]);
            }
            Self::Pong { context } => put_command_parts(out, b"PONG", &[cut_context(context)]),
            Self::Stamp(ref stamp) => stamp.encode(out),
            Self::Unknown { name, data } => put_command_parts(out, name, &[data]),
        }
    }
}

fn cut_context(context: &[u8]) -> &[u8] {
    context.get(..MAX_PING_CONTEXT).unwrap_or(context)
}

fn cut_to_octet(octets: &[u8]) -> (u8, &[u8]) {
    let cut = octets.get(..255).unwrap_or(octets);
    (cut.len() as u8, cut)
}

/// Appends a command frame with this name, cut to 255 octets, and the parts of its data one after
/// the other.
pub(crate) fn put_command_parts(out: &mut Vec<u8>, name: &[u8], parts: &[&[u8]]) {
    let (name_len, name) = cut_to_octet(name);
    let data_len = parts
        .iter()
        .fold(0, |sum: usize, part| sum.saturating_add(part.len()));
    let body_len = data_len.saturating_add(name.len()).saturating_add(1);
    out.reserve(body_len.saturating_add(crate::MAX_HEADER_LEN));
    put_header(out, body_len, false, true);
    out.push(name_len);
    out.extend_from_slice(name);
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Appends a command frame of any name: `name` has 1 to 255 octets and is cut if longer.
///
/// ```
/// let mut out = Vec::new();
/// colugo_zmtp::put_command(&mut out, "HISTORY", &[0, 0, 0, 1]);
/// assert_eq!(out, b"\x04\x0c\x07HISTORY\0\0\0\x01");
/// ```
pub fn put_command(out: &mut Vec<u8>, name: &str, data: &[u8]) {
    put_command_parts(out, name.as_bytes(), &[data]);
}

/// Appends a subscription to `topic` for a peer of ZMTP 3.`minor`: a SUBSCRIBE command from 3.1, a
/// message before.
///
/// ```
/// let mut out = Vec::new();
/// colugo_zmtp::put_subscribe(&mut out, b"abc", 0);
/// assert_eq!(out, b"\x00\x04\x01abc");
/// ```
pub fn put_subscribe(out: &mut Vec<u8>, topic: &[u8], minor: u8) {
    match minor {
        0 => put_subscription_message(out, 1, topic),
        _ => Command::Subscribe(topic).encode(out),
    }
}

/// Appends the end of a subscription to `topic` for a peer of ZMTP 3.`minor`: a CANCEL command from
/// 3.1, a message before.
///
/// ```
/// let mut out = Vec::new();
/// colugo_zmtp::put_cancel(&mut out, b"abc", 1);
/// assert_eq!(out, b"\x04\x0a\x06CANCELabc");
/// ```
pub fn put_cancel(out: &mut Vec<u8>, topic: &[u8], minor: u8) {
    match minor {
        0 => put_subscription_message(out, 0, topic),
        _ => Command::Cancel(topic).encode(out),
    }
}

fn put_subscription_message(out: &mut Vec<u8>, first: u8, topic: &[u8]) {
    put_header(out, topic.len().saturating_add(1), false, false);
    out.push(first);
    out.extend_from_slice(topic);
}

/// A one-frame message of a subscriber read as ZMTP 3.0 subscription: whether it subscribes (or
/// cancels), and the topic.
///
/// libzmq takes this form from any 3.x peer, so do the same. `None`: not a subscription, which a
/// PUB socket discards.
///
/// ```
/// use colugo_zmtp::parse_subscription_message;
/// assert_eq!(parse_subscription_message(b"\x01abc"), Some((true, &b"abc"[..])));
/// assert_eq!(parse_subscription_message(b"\x02abc"), None);
/// ```
pub fn parse_subscription_message(body: &[u8]) -> Option<(bool, &[u8])> {
    match body.split_first()? {
        (1, topic) => Some((true, topic)),
        (0, topic) => Some((false, topic)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_header;
    use crate::stamp::{Cause, Losses};

    fn frame(command: &Command<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        command.encode(&mut out);
        out
    }

    fn body(command: &Command<'_>) -> Vec<u8> {
        let mut out = frame(command);
        let header = parse_header(&out).unwrap().unwrap();
        assert!(header.command && !header.more);
        assert_eq!(out.len() as u64, header.header_len as u64 + header.body_len);
        out.split_off(header.header_len)
    }

    fn stamp() -> Stamp {
        let mut losses = Losses::default();
        losses.add(Cause::Full, 9);
        losses.add(Cause::TooLarge, 1);
        Stamp {
            seq: 5,
            time_ns: 6,
            retained: true,
            finale: false,
            losses,
        }
    }

    fn all() -> [Command<'static>; 8] {
        [
            Command::Ready(b"\x03X-A\0\0\0\x011"),
            Command::Error { reason: b"400" },
            Command::Subscribe(b"abc"),
            Command::Cancel(b"abc"),
            Command::Ping {
                ttl_ds: 600,
                context: b"context",
            },
            Command::Pong {
                context: b"context",
            },
            Command::Stamp(stamp()),
            Command::Unknown {
                name: b"JOIN",
                data: b"group",
            },
        ]
    }

    #[test]
    fn every_command_is_read_back() {
        for command in all() {
            assert_eq!(Command::parse(&body(&command)), Ok(command));
        }
    }

    #[test]
    fn every_command_cut_at_every_length_is_refused_or_shorter() {
        for command in all() {
            let body = body(&command);
            let name_len = usize::from(body[0]);
            for len in 0..body.len() {
                let cut = Command::parse(&body[..len]);
                let data = body.get(name_len + 1..len).unwrap_or_default();
                let expected = match command {
                    _ if len == 0 => Err(CommandError::NoName),
                    _ if len <= name_len => Err(CommandError::NameCut),
                    Command::Ready(_) => Ok(Command::Ready(data)),
                    Command::Error { .. } => Err(CommandError::ReasonLength),
                    Command::Subscribe(_) => Ok(Command::Subscribe(data)),
                    Command::Cancel(_) => Ok(Command::Cancel(data)),
                    Command::Ping { .. } if data.len() < 2 => Err(CommandError::PingTooShort),
                    Command::Ping { ttl_ds, .. } => Ok(Command::Ping {
                        ttl_ds,
                        context: &data[2..],
                    }),
                    Command::Pong { .. } => Ok(Command::Pong { context: data }),
                    Command::Stamp(_) => Err(CommandError::StampCut),
                    Command::Unknown { name, .. } => Ok(Command::Unknown { name, data }),
                };
                assert_eq!(cut, expected, "{command:?} cut at {len}");
            }
        }
    }

    #[test]
    fn a_command_without_a_name_is_refused() {
        for body in [&b""[..], b"\0", b"\0data"] {
            assert_eq!(Command::parse(body), Err(CommandError::NoName));
        }
    }

    #[test]
    fn names_are_case_sensitive_and_unknown_ones_are_passed_on() {
        let unknown = Command::Unknown {
            name: b"ready",
            data: b"x",
        };
        assert_eq!(Command::parse(b"\x05readyx"), Ok(unknown));
        let odd = Command::Unknown {
            name: b"\xff\0",
            data: b"",
        };
        assert_eq!(Command::parse(b"\x02\xff\0"), Ok(odd));
    }

    #[test]
    fn a_long_context_is_cut_to_16_octets_as_libzmq_does() {
        let parsed = Command::parse(b"\x04PING\0\x000123456789abcdefXYZ").unwrap();
        let Command::Ping { context, .. } = parsed else {
            panic!("{parsed:?}")
        };
        assert_eq!(context, b"0123456789abcdef");
        assert_eq!(body(&Command::Pong { context: &[7; 40] }).len(), 5 + 16);
    }

    #[test]
    fn an_error_reason_has_exactly_the_length_it_says() {
        assert_eq!(
            Command::parse(b"\x05ERROR\0"),
            Ok(Command::Error { reason: b"" })
        );
        for body in [&b"\x05ERROR"[..], b"\x05ERROR\x04400", b"\x05ERROR\x02400"] {
            assert_eq!(Command::parse(body), Err(CommandError::ReasonLength));
        }
        let long = body(&Command::Error {
            reason: &[b'x'; 300],
        });
        assert_eq!(
            Command::parse(&long),
            Ok(Command::Error {
                reason: &[b'x'; 255]
            })
        );
    }

    #[test]
    fn long_commands_have_a_long_header() {
        let topic = [b't'; 512];
        assert_eq!(
            frame(&Command::Subscribe(&topic))[..9],
            [6, 0, 0, 0, 0, 0, 0, 2, 10]
        );
        assert_eq!(
            Command::parse(&body(&Command::Subscribe(&topic))),
            Ok(Command::Subscribe(&topic))
        );
    }

    #[test]
    fn a_name_over_255_octets_is_cut() {
        let mut out = Vec::new();
        put_command(&mut out, &"N".repeat(300), b"data");
        let parsed = Command::parse(&out[9..]);
        assert_eq!(
            parsed,
            Ok(Command::Unknown {
                name: &[b'N'; 255],
                data: b"data"
            })
        );
    }

    #[test]
    fn subscriptions_take_the_form_of_the_peers_version() {
        let written = |put: fn(&mut Vec<u8>, &[u8], u8), minor| {
            let mut out = Vec::new();
            put(&mut out, b"abc", minor);
            out
        };
        assert_eq!(written(put_subscribe, 0), b"\x00\x04\x01abc");
        assert_eq!(written(put_cancel, 0), b"\x00\x04\x00abc");
        assert_eq!(written(put_subscribe, 1), b"\x04\x0d\x09SUBSCRIBEabc");
        assert_eq!(written(put_cancel, 2), b"\x04\x0a\x06CANCELabc");
    }

    #[test]
    fn only_messages_that_begin_with_0_or_1_are_subscriptions() {
        assert_eq!(parse_subscription_message(b""), None);
        assert_eq!(parse_subscription_message(b"\x01"), Some((true, &b""[..])));
        assert_eq!(
            parse_subscription_message(b"\x00x"),
            Some((false, &b"x"[..]))
        );
        for first in 2..=255 {
            assert_eq!(parse_subscription_message(&[first, b'x']), None);
        }
    }
}
