//! rzmq: without io_uring, which not every kernel allows; PUB that does not drop.

use std::sync::OnceLock;

use kit::Result;
use rzmq::socket::options::{LAST_ENDPOINT, RCVHWM, SNDHWM, SUBSCRIBE, XPUB_NODROP};
use rzmq::{Context, Msg, Socket as Inner, SocketType};

use crate::engine::{Kind, Socket};

pub struct Rzmq(Inner);

async fn open(kind: Kind, hwm: usize) -> Result<Inner> {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    let context = match CONTEXT.get() {
        Some(context) => context,
        None => {
            let made = Context::new()?;
            CONTEXT.get_or_init(|| made)
        }
    };
    let socket = context.socket(match kind {
        Kind::Push => SocketType::Push,
        Kind::Pull => SocketType::Pull,
        Kind::Pub => SocketType::Pub,
        Kind::Sub => SocketType::Sub,
        Kind::Rep => SocketType::Rep,
        Kind::Req => SocketType::Req,
        Kind::Router => SocketType::Router,
        Kind::Dealer => SocketType::Dealer,
    })?;
    socket.set_option(SNDHWM, hwm as i32).await?;
    socket.set_option(RCVHWM, hwm as i32).await?;
    Ok(socket)
}

impl Socket for Rzmq {
    async fn bind(kind: Kind, hwm: usize) -> Result<(Self, String)> {
        let socket = open(kind, hwm).await?;
        if kind == Kind::Pub {
            socket.set_option(XPUB_NODROP, 1).await?;
        }
        socket.bind("tcp://127.0.0.1:0").await?;
        let endpoint = socket.get_option(LAST_ENDPOINT).await?;
        let endpoint = String::from_utf8(endpoint)?;
        Ok((Self(socket), endpoint.trim_end_matches('\0').to_owned()))
    }

    async fn connect(kind: Kind, hwm: usize, address: &str) -> Result<Self> {
        let socket = open(kind, hwm).await?;
        socket.connect(address).await?;
        if kind == Kind::Sub {
            socket.set_option_raw(SUBSCRIBE, b"").await?;
        }
        Ok(Self(socket))
    }

    async fn send(&mut self, payload: &[u8]) -> Result<()> {
        Ok(self.0.send(Msg::from_vec(payload.to_vec())).await?)
    }

    async fn receive<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let message = self.0.recv().await?;
        Ok(see(message.data().unwrap_or_default()))
    }

    async fn echo<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let frames = self.0.recv_multipart().await?;
        let last = frames.last().and_then(Msg::data).unwrap_or_default();
        let seen = see(last);
        self.0.send_multipart(frames).await?;
        Ok(seen)
    }
}
