//! `Endpoint`: where a socket listens or dials, parsed once. Knows nothing of sockets; used by every verb that takes an address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// An address in ZeroMQ's spelling: `tcp://127.0.0.1:5555`, `ipc:///tmp/weather`, `inproc://weather`.
///
/// - `tcp://HOST:PORT`: `tcp://*:0` means every interface and a port chosen by the system; a host name is resolved again at each dial.
/// - `ipc://PATH` (Unix): between processes of one machine. Listening makes the file, which replaces one that a dead process left, and is
///   removed at the end; who may write to it may dial. `ipc://*` is a free path in the directory for temporary files. `ipc://@NAME` (Linux)
///   is an abstract name, which leaves no file.
/// - `inproc://NAME`: between sockets of one process. Either side may come first.
///
/// ```
/// use colugo_socket::Endpoint;
/// let endpoint: Endpoint = "tcp://[::1]:5555".parse()?;
/// assert_eq!(endpoint.port(), Some(5555));
/// assert_eq!(endpoint.to_string(), "tcp://[::1]:5555");
/// assert!("udp://1.2.3.4:5".parse::<Endpoint>().is_err());
/// # Ok::<(), colugo_socket::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    pub(crate) place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    Tcp(Host, u16),
    /// A path, `@` and an abstract name, or `*`.
    Ipc(String),
    Inproc(String),
}

/// Octets of a path of a Unix domain socket at most, as the system has it.
const IPC_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// Octets of an inproc name at most: as long as libzmq takes them.
const INPROC_MAX: usize = 255;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Host {
    Any,
    Ip(IpAddr),
    /// An IPv6 address with a scope (link-local).
    Scoped(Ipv6Addr, u32),
    Name(String),
}

/// Why a text is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The transport is not one this library has.
    #[error(
        "`{0}` is no endpoint: write tcp://HOST:PORT, ipc://PATH or inproc://NAME, for example tcp://127.0.0.1:5555"
    )]
    Transport(String),
    /// The port is missing or no number from 0 to 65535.
    #[error("`{0}` has no port: write tcp://HOST:PORT with a PORT from 0 to 65535")]
    NoPort(String),
    /// The host is empty or no address.
    #[error("`{0}` has no host: write an address, a name, or * for every interface")]
    NoHost(String),
    /// Nothing follows `ipc://` or `inproc://`, or a zero octet is in it.
    #[error("`{0}` has no name: write ipc://PATH, or inproc://NAME")]
    NoName(String),
    /// The path or name is longer than the system takes.
    #[error("`{text}` is too long: at most {limit} octets after ://")]
    TooLong {
        /// The endpoint.
        text: String,
        /// Octets there may be.
        limit: usize,
    },
    /// This system has no Unix domain sockets, or no abstract names for them.
    #[error("`{0}` cannot be used on this system: ipc:// needs Unix, and ipc://@NAME needs Linux")]
    NotHere(String),
}

impl Host {
    pub(crate) fn socket_addr(&self, port: u16) -> Option<SocketAddr> {
        match self {
            Self::Ip(ip) => Some(SocketAddr::new(*ip, port)),
            Self::Scoped(ip, scope) => {
                Some(std::net::SocketAddrV6::new(*ip, port, 0, *scope).into())
            }
            Self::Any | Self::Name(_) => None,
        }
    }

    /// What to dial for a host that means every interface: this machine itself.
    pub(crate) fn dialable(&self) -> Self {
        match self {
            Self::Any => Self::Ip(Ipv4Addr::LOCALHOST.into()),
            Self::Ip(ip) if ip.is_unspecified() => match ip {
                IpAddr::V4(_) => Self::Ip(Ipv4Addr::LOCALHOST.into()),
                IpAddr::V6(_) => Self::Ip(Ipv6Addr::LOCALHOST.into()),
            },
            other => other.clone(),
        }
    }
}

impl Endpoint {
    /// The endpoint of a socket address.
    pub fn tcp(addr: SocketAddr) -> Self {
        let host = match addr {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Host::Scoped(*v6.ip(), v6.scope_id()),
            _ => Host::Ip(addr.ip()),
        };
        Self::tcp_at(host, addr.port())
    }

    pub(crate) fn tcp_at(host: Host, port: u16) -> Self {
        Self {
            place: Place::Tcp(host, port),
        }
    }

    /// `name` is what follows `ipc://`, and known to be good.
    #[cfg(unix)]
    pub(crate) fn ipc_at(name: &str) -> Self {
        Self {
            place: Place::Ipc(name.to_owned()),
        }
    }

    /// The TCP port, 0 where the system is asked for one; None where the transport has no ports.
    pub fn port(&self) -> Option<u16> {
        match &self.place {
            Place::Tcp(_, port) => Some(*port),
            Place::Ipc(_) | Place::Inproc(_) => None,
        }
    }

    /// The socket address, for TCP, where the host is an address and no name.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match &self.place {
            Place::Tcp(host, port) => host.socket_addr(*port),
            Place::Ipc(_) | Place::Inproc(_) => None,
        }
    }

    /// What to dial for an endpoint that was bound to every interface: this machine itself.
    pub(crate) fn dialable(&self) -> Self {
        match &self.place {
            Place::Tcp(host, port) => Self::tcp_at(host.dialable(), *port),
            Place::Ipc(_) | Place::Inproc(_) => self.clone(),
        }
    }

    /// It asks for a port or path that is free: good for listening only.
    pub(crate) fn is_wildcard(&self) -> bool {
        match &self.place {
            Place::Tcp(_, port) => *port == 0,
            Place::Ipc(name) => name == "*",
            Place::Inproc(_) => false,
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let place = if let Some(rest) = text.strip_prefix("tcp://") {
            parse_tcp(text, rest)?
        } else if let Some(name) = text.strip_prefix("ipc://") {
            if !cfg!(unix) || (name.starts_with('@') && !cfg!(target_os = "linux")) {
                return Err(EndpointError::NotHere(text.into()));
            }
            Place::Ipc(check_name(text, name, IPC_MAX)?)
        } else if let Some(name) = text.strip_prefix("inproc://") {
            Place::Inproc(check_name(text, name, INPROC_MAX)?)
        } else {
            return Err(EndpointError::Transport(text.into()));
        };
        Ok(Self { place })
    }
}

fn check_name(text: &str, name: &str, limit: usize) -> Result<String, EndpointError> {
    if name.is_empty() || name == "@" || name.contains('\0') {
        return Err(EndpointError::NoName(text.into()));
    }
    if name.len() > limit {
        let text = text.into();
        return Err(EndpointError::TooLong { text, limit });
    }
    Ok(name.into())
}

fn parse_tcp(text: &str, rest: &str) -> Result<Place, EndpointError> {
    let (host, port) = rest
        .rsplit_once(':')
        .ok_or_else(|| EndpointError::NoPort(text.into()))?;
    let port = match port {
        "*" => 0,
        digits => digits
            .parse()
            .map_err(|_| EndpointError::NoPort(text.into()))?,
    };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host = match bare {
        Some(v6) => parse_v6(v6).ok_or_else(|| EndpointError::NoHost(text.into()))?,
        None if host == "*" => Host::Any,
        None if host.is_empty() || host.contains(['/', ':', '[', ']', ' ']) => {
            return Err(EndpointError::NoHost(text.into()));
        }
        None => host
            .parse()
            .map_or_else(|_| Host::Name(host.into()), Host::Ip),
    };
    Ok(Place::Tcp(host, port))
}

fn parse_v6(text: &str) -> Option<Host> {
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Some(Host::Ip(ip.into()));
    }
    let (ip, scope) = text.split_once('%')?;
    Some(Host::Scoped(ip.parse().ok()?, scope.parse().ok()?))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = match &self.place {
            Place::Tcp(host, port) => (host, port),
            Place::Ipc(name) => return write!(f, "ipc://{name}"),
            Place::Inproc(name) => return write!(f, "inproc://{name}"),
        };
        match host {
            Host::Any => write!(f, "tcp://*:{port}"),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "tcp://[{ip}]:{port}"),
            Host::Ip(ip) => write!(f, "tcp://{ip}:{port}"),
            Host::Scoped(ip, scope) => write!(f, "tcp://[{ip}%{scope}]:{port}"),
            Host::Name(name) => write!(f, "tcp://{name}:{port}"),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self::tcp(addr)
    }
}

/// What `bind` and `connect` take: an [`Endpoint`], a `SocketAddr`, or a text.
pub trait ToEndpoint {
    /// The endpoint meant, or why it is none.
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError>;
}

impl ToEndpoint for Endpoint {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        Ok(self.clone())
    }
}

impl ToEndpoint for SocketAddr {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::tcp(*self))
    }
}

impl ToEndpoint for str {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        self.parse()
    }
}

impl ToEndpoint for String {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        self.parse()
    }
}

impl<T: ToEndpoint + ?Sized> ToEndpoint for &T {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        (**self).to_endpoint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_survive_a_round_trip() {
        for text in [
            "tcp://127.0.0.1:1",
            "tcp://[::1]:65535",
            "tcp://*:0",
            "tcp://robot.local:5555",
            "tcp://[fe80::1%3]:7",
            "inproc://a name/of:any kind",
        ] {
            assert_eq!(
                text.parse::<Endpoint>().map(|e| e.to_string()),
                Ok(text.into())
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_of_unix_sockets_are_as_long_as_the_system_takes_them() {
        for text in [
            "ipc:///tmp/a b:c",
            "ipc://relative",
            "ipc://@abstract",
            "ipc://*",
        ] {
            assert_eq!(
                text.parse::<Endpoint>().map(|e| (e.port(), e.to_string())),
                Ok((None, text.into()))
            );
        }
        let longest = format!("ipc:///{}", "x".repeat(IPC_MAX - 1));
        assert!(longest.parse::<Endpoint>().is_ok());
        let longer = format!("{longest}x").parse::<Endpoint>();
        assert!(matches!(
            longer,
            Err(EndpointError::TooLong { limit: 107, .. })
        ));
        assert!("ipc://@".parse::<Endpoint>().is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "tcp://",
            "tcp://:5",
            "tcp://a",
            "tcp://a:65536",
            "ipc://",
            "inproc://",
            "inproc://a\0b",
            "udp://a:5",
            "tcp://[::1:5",
            "tcp://a b:5",
            "tcp://::1:5",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
