//! `Ports`: a multicast socket for each IPv4 address of this machine that may be used, followed as they come and go.
//!
//! Knows sockets; does not know what is in a packet. Port 5353 is shared with everybody who speaks multicast DNS here.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::control::choice::Choice;
use crate::control::dns::Packet;
use crate::control::interfaces::Interfaces;

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;
/// RFC 6762, section 11.
const HOPS: u32 = 255;
/// The longest packet (RFC 6762, section 17).
const PACKET_MAX: usize = 9000;
/// Packets that wait to be looked at; further ones wait in the system, which drops those it has no room for.
const QUEUE: usize = 64;
/// Interfaces used at once.
const PORTS_MAX: usize = 32;

/// A packet, on the interface with which address, and from whom.
pub(super) struct Received {
    pub(super) on: Ipv4Addr,
    pub(super) from: SocketAddr,
    /// It answers a question, to us alone.
    pub(super) direct: bool,
    pub(super) octets: Vec<u8>,
}

pub(super) struct Port {
    pub(super) interface: String,
    pub(super) ip: Ipv4Addr,
    socket: Arc<UdpSocket>,
    /// Who is asked from a port that is not mDNS's answers there and at once (RFC 6762, section 6.7), where others may be waited for
    /// for more than a second.
    asker: Arc<UdpSocket>,
    readers: [AbortHandle; 2],
}

impl Port {
    pub(super) async fn ask(&self, packet: &Packet) {
        let mut octets = packet.write();
        // Not the same octets again: python-zeroconf takes no notice of a packet like the last one, for a second, whoever sent it.
        let mut id = [0; 2];
        if getrandom::fill(&mut id).is_ok()
            && let Some(place) = octets.get_mut(..2)
        {
            place.copy_from_slice(&id);
        }
        let group = SocketAddrV4::new(GROUP, PORT);
        if let Err(error) = self.asker.send_to(&octets, group).await {
            tracing::debug!(interface = self.interface, %error, "a question for the original's records is not sent");
        }
        self.send(packet).await;
    }

    pub(super) async fn send(&self, packet: &Packet) {
        let octets = packet.write();
        let group = SocketAddrV4::new(GROUP, PORT);
        if let Err(error) = self.socket.send_to(&octets, group).await {
            tracing::debug!(interface = self.interface, %error, "a record of the original's kind is not sent");
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.readers.iter().for_each(AbortHandle::abort);
    }
}

pub(super) struct Ports {
    all: Vec<Port>,
    own: Vec<IpAddr>,
    sender: mpsc::Sender<Received>,
    receiver: mpsc::Receiver<Received>,
}

impl Ports {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        Self {
            all: Vec::new(),
            own: Vec::new(),
            sender,
            receiver,
        }
    }

    pub(super) fn all(&self) -> &[Port] {
        &self.all
    }

    /// Whether somebody on this machine has sent it.
    pub(super) fn is_own(&self, from: SocketAddr) -> bool {
        self.own.contains(&from.ip())
    }

    /// Opens and closes what interfaces came and went. True: one came.
    pub(super) fn follow(&mut self, chosen: &Choice) -> bool {
        let infos = Interfaces::now().infos(chosen);
        self.own = infos.iter().map(|info| info.address).collect();
        let mut wanted = Vec::new();
        for info in infos.into_iter().filter(|info| info.used) {
            if let IpAddr::V4(ip) = info.address
                && wanted.len() < PORTS_MAX
            {
                wanted.push((info.name, ip));
            }
        }
        self.all
            .retain(|port| wanted.iter().any(|(_, ip)| *ip == port.ip));
        let mut came = false;
        for (interface, ip) in wanted {
            if self.all.iter().any(|port| port.ip == ip) {
                continue;
            }
            match open(ip) {
                Ok([socket, asker]) => {
                    let readers = [(&socket, false), (&asker, true)].map(|(socket, direct)| {
                        let reading = read(socket.clone(), ip, direct, self.sender.clone());
                        tokio::spawn(reading).abort_handle()
                    });
                    self.all.push(Port {
                        interface,
                        ip,
                        socket,
                        asker,
                        readers,
                    });
                    came = true;
                }
                Err(error) => {
                    tracing::debug!(interface, %ip, %error, "no records of the original's kind here");
                }
            }
        }
        came
    }

    /// The next packet. Cancel-safe.
    pub(super) async fn receive(&mut self) -> Received {
        match self.receiver.recv().await {
            Some(received) => received,
            // Not while `sender` is there.
            None => std::future::pending().await,
        }
    }
}

fn open(ip: Ipv4Addr) -> io::Result<[Arc<UdpSocket>; 2]> {
    let shared = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT);
    let asker = socket(SocketAddrV4::new(ip, 0), ip)?;
    let socket = socket(shared, ip)?;
    socket.join_multicast_v4(GROUP, ip)?;
    Ok([Arc::new(socket), Arc::new(asker)])
}

fn socket(bound: SocketAddrV4, ip: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    // Only what comes by this interface.
    #[cfg(target_os = "linux")]
    socket.set_multicast_all_v4(false)?;
    socket.bind(&bound.into())?;
    socket.set_multicast_if_v4(&ip)?;
    socket.set_multicast_loop_v4(true)?;
    socket.set_multicast_ttl_v4(HOPS)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

async fn read(socket: Arc<UdpSocket>, on: Ipv4Addr, direct: bool, to: mpsc::Sender<Received>) {
    let mut octets = vec![0; PACKET_MAX];
    loop {
        match socket.recv_from(&mut octets).await {
            Ok((len, from)) => {
                let octets = octets.get(..len).unwrap_or_default().to_vec();
                let received = Received {
                    on,
                    from,
                    direct,
                    octets,
                };
                if to.send(received).await.is_err() {
                    return;
                }
            }
            // Told of what was sent, e.g. that a network is down; the interface's end is seen elsewhere.
            Err(error) => {
                tracing::trace!(%on, %error, "reading records of the original's kind");
                tokio::time::sleep(super::engine::ANSWER_EVERY).await;
            }
        }
    }
}
