//! zeromq (zmq.rs): a type for each pattern. Its PUB always drops when a queue is full, and its queues have a fixed size.

use kit::Result;
use zeromq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    Socket as _, SocketRecv, SocketSend, SubSocket, ZmqMessage, ZmqResult,
};

use crate::engine::{Kind, Socket};

pub enum ZeroMq {
    Push(PushSocket),
    Pull(PullSocket),
    Pub(PubSocket),
    Sub(SubSocket),
    Rep(RepSocket),
    Req(ReqSocket),
    Router(RouterSocket),
    Dealer(DealerSocket),
}

const WRONG: &str = "a socket of this kind does not do that";

macro_rules! each {
    ($socket:expr, $one:ident => $do:expr) => {
        match $socket {
            ZeroMq::Push($one) => $do,
            ZeroMq::Pull($one) => $do,
            ZeroMq::Pub($one) => $do,
            ZeroMq::Sub($one) => $do,
            ZeroMq::Rep($one) => $do,
            ZeroMq::Req($one) => $do,
            ZeroMq::Router($one) => $do,
            ZeroMq::Dealer($one) => $do,
        }
    };
}

impl ZeroMq {
    fn open(kind: Kind) -> Self {
        match kind {
            Kind::Push => Self::Push(PushSocket::new()),
            Kind::Pull => Self::Pull(PullSocket::new()),
            Kind::Pub => Self::Pub(PubSocket::new()),
            Kind::Sub => Self::Sub(SubSocket::new()),
            Kind::Rep => Self::Rep(RepSocket::new()),
            Kind::Req => Self::Req(ReqSocket::new()),
            Kind::Router => Self::Router(RouterSocket::new()),
            Kind::Dealer => Self::Dealer(DealerSocket::new()),
        }
    }

    async fn recv(&mut self) -> Result<ZmqMessage> {
        let message: ZmqResult<_> = match self {
            Self::Pull(socket) => socket.recv().await,
            Self::Sub(socket) => socket.recv().await,
            Self::Rep(socket) => socket.recv().await,
            Self::Req(socket) => socket.recv().await,
            Self::Router(socket) => socket.recv().await,
            Self::Dealer(socket) => socket.recv().await,
            Self::Push(_) | Self::Pub(_) => return Err(WRONG.into()),
        };
        Ok(message?)
    }

    async fn put(&mut self, message: ZmqMessage) -> Result<()> {
        let sent: ZmqResult<()> = match self {
            Self::Push(socket) => socket.send(message).await,
            Self::Pub(socket) => socket.send(message).await,
            Self::Rep(socket) => socket.send(message).await,
            Self::Req(socket) => socket.send(message).await,
            Self::Router(socket) => socket.send(message).await,
            Self::Dealer(socket) => socket.send(message).await,
            Self::Pull(_) | Self::Sub(_) => return Err(WRONG.into()),
        };
        Ok(sent?)
    }
}

impl Socket for ZeroMq {
    async fn bind(kind: Kind, _hwm: usize) -> Result<(Self, String)> {
        let mut socket = Self::open(kind);
        let endpoint = each!(&mut socket, one => one.bind("tcp://127.0.0.1:0").await)?;
        Ok((socket, endpoint.to_string()))
    }

    async fn connect(kind: Kind, _hwm: usize, address: &str) -> Result<Self> {
        let mut socket = Self::open(kind);
        each!(&mut socket, one => one.connect(address).await)?;
        if let Self::Sub(socket) = &mut socket {
            socket.subscribe("").await?;
        }
        Ok(socket)
    }

    async fn send(&mut self, payload: &[u8]) -> Result<()> {
        self.put(payload.to_vec().into()).await
    }

    async fn receive<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let message = self.recv().await?;
        Ok(see(message.get(0).map_or(&[], |frame| &frame[..])))
    }

    async fn echo<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let message = self.recv().await?;
        let last = message.iter().last().map_or(&[][..], |frame| &frame[..]);
        let seen = see(last);
        self.put(message).await?;
        Ok(seen)
    }
}
