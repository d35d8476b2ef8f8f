//! omq-tokio: a context with I/O threads of its own, PUB that does not drop.

use std::sync::OnceLock;

use kit::Result;
use omq_tokio::{Context, Message, Options, Socket as Inner, SocketType};

use crate::engine::{Kind, Socket};

pub struct Omq(Inner);

/// Messages up to here are copied by its own benchmark too.
const COPIED: usize = 4096;

fn open(kind: Kind, hwm: usize) -> Inner {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    let kind = match kind {
        Kind::Push => SocketType::Push,
        Kind::Pull => SocketType::Pull,
        Kind::Pub => SocketType::Pub,
        Kind::Sub => SocketType::Sub,
        Kind::Rep => SocketType::Rep,
        Kind::Req => SocketType::Req,
        Kind::Router => SocketType::Router,
        Kind::Dealer => SocketType::Dealer,
    };
    let mut options = Options::default().send_hwm(hwm as u32).recv_hwm(hwm as u32);
    options.xpub_nodrop = true;
    CONTEXT.get_or_init(Context::new).socket(kind, options)
}

impl Socket for Omq {
    async fn bind(kind: Kind, hwm: usize) -> Result<(Self, String)> {
        let socket = open(kind, hwm);
        let endpoint = socket.bind("tcp://127.0.0.1:0").await?;
        Ok((Self(socket), endpoint.to_string()))
    }

    async fn connect(kind: Kind, hwm: usize, address: &str) -> Result<Self> {
        let socket = open(kind, hwm);
        if kind == Kind::Sub {
            socket.subscribe("").await?;
        }
        socket.connect(address).await?;
        Ok(Self(socket))
    }

    async fn send(&mut self, payload: &[u8]) -> Result<()> {
        let message = if payload.len() < COPIED {
            Message::from_slice(payload)
        } else {
            Message::single(bytes::Bytes::copy_from_slice(payload))
        };
        Ok(self.0.send(message).await?)
    }

    async fn receive<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let message = self.0.recv().await?;
        Ok(see(message.get(0).unwrap_or_default()))
    }

    async fn echo<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let message = self.0.recv().await?;
        let seen = see(&message.iter().last().unwrap_or_default());
        self.0.send(message).await?;
        Ok(seen)
    }
}
