//! One control link: a connection with its ZMTP handshake, frames in, frames out.
//!
//! Knows ZMTP and that each control message is one frame; does not know what messages mean. The dialling side is a
//! DEALER, the accepting one a ROUTER, so that any ZeroMQ program can take part.
//!
//! It does not use `colugo-socket`: its data threads run users' inline callbacks, and no callback may delay a heartbeat.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use colugo_graph::{LinkId, NodeId, limits};
use colugo_zmtp::{Command, Handshake, HandshakeConfig, SocketType, parse_header, put_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;

use super::node::NodeControl;

/// A peer that does not read while this much waits for it is given up.
const QUEUE_MAX: usize = 8 << 20;

/// Octets of the first frame: HELLO is short, and whoever has not said it may not make us hold more.
const FIRST_MAX: usize = 16 << 10;

/// How long the other side may take to read our last words.
const FAREWELL: Duration = Duration::from_millis(80);

/// A connection whose ZMTP handshake is done.
pub(super) struct Established {
    pub(super) stream: TcpStream,
    pub(super) remote: SocketAddr,
    /// Who the other side says it is in READY. A plain ZeroMQ program may say nothing.
    pub(super) node: Option<NodeId>,
    /// Octets that came after READY.
    input: Vec<u8>,
}

/// The end of the link that the node holds.
#[derive(Debug, Default)]
pub(super) struct LinkHandle {
    out: Mutex<Out>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Out {
    octets: Vec<u8>,
    /// No more will come: flush and close.
    closing: bool,
    overflow: bool,
}

impl LinkHandle {
    pub(super) fn send(&self, frame: &[u8]) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if out.octets.len() + frame.len() > QUEUE_MAX {
            out.overflow = true;
        } else {
            put_frame(&mut out.octets, frame, false);
        }
        drop(out);
        self.changed.notify_one();
    }

    pub(super) fn close(&self) {
        self.out
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closing = true;
        self.changed.notify_one();
    }

    fn take(&self, pending: &mut Vec<u8>) -> io::Result<bool> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if out.overflow {
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "the peer does not read",
            ));
        }
        if pending.is_empty() {
            std::mem::swap(pending, &mut out.octets);
        }
        Ok(out.closing && out.octets.is_empty())
    }
}

/// A connection before its handshake, and how far it has come.
pub(super) struct Opened {
    pub(super) stream: TcpStream,
    /// Octets of the greeting that were sent.
    pub(super) sent: usize,
    /// All that was read.
    pub(super) heard: Vec<u8>,
}

impl Opened {
    /// Nothing was said on it yet.
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            sent: 0,
            heard: Vec::with_capacity(512),
        }
    }
}

/// Does the ZMTP handshake on a connection.
pub(super) async fn establish(
    opened: Opened,
    remote: SocketAddr,
    own: NodeId,
    socket_type: SocketType,
) -> io::Result<Established> {
    let Opened {
        mut stream,
        sent,
        heard,
    } = opened;
    stream.set_nodelay(true)?;
    let mut config = HandshakeConfig::new(socket_type);
    config
        .properties
        .push(("X-Colugo".to_owned(), Bytes::from_static(b"1")));
    config
        .properties
        .push(("X-Colugo-Node".to_owned(), Bytes::copy_from_slice(&own.0)));
    let mut handshake = Handshake::new(config);
    let mut unseen = !heard.is_empty();
    let mut input = heard;
    let mut output = Vec::new();
    handshake.transmit(&mut output);
    output.drain(..sent.min(output.len()));
    loop {
        handshake.transmit(&mut output);
        stream.write_all(&output).await?;
        output.clear();
        if !std::mem::take(&mut unseen) && stream.read_buf(&mut input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match handshake.receive(&input) {
            Ok((taken, hello)) => {
                input.drain(..taken);
                if let Some(hello) = hello {
                    handshake.transmit(&mut output);
                    stream.write_all(&output).await?;
                    let node = hello
                        .metadata
                        .get("X-Colugo-Node")
                        .and_then(|id| NodeId::try_from(&**id).ok());
                    return Ok(Established {
                        stream,
                        remote,
                        node,
                        input,
                    });
                }
            }
            Err(error) => {
                if let Some(farewell) = error.farewell() {
                    let _ = stream.write_all(&farewell).await;
                }
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }
}

/// Runs a link until either side ends it. The node hears of every frame, and of the end.
pub(super) async fn run(
    node: Arc<NodeControl>,
    id: LinkId,
    handle: Arc<LinkHandle>,
    established: Established,
) {
    let Established {
        mut stream,
        input,
        remote,
        ..
    } = established;
    let ended = converse(&node, id, &handle, &mut stream, input).await;
    if let Err(error) = &ended {
        tracing::debug!(%remote, %error, "control link ended");
    }
    drop(stream);
    node.link_ended(id);
}

async fn converse(
    node: &Arc<NodeControl>,
    id: LinkId,
    handle: &LinkHandle,
    stream: &mut TcpStream,
    mut input: Vec<u8>,
) -> io::Result<()> {
    let (mut reader, mut writer) = stream.split();
    let mut pending = Vec::new();
    let mut written = 0;
    let mut progress = Progress {
        parts: false,
        max: FIRST_MAX,
    };
    loop {
        take_frames(node, id, handle, &mut input, &mut progress)?;
        if written == pending.len() {
            pending.clear();
            written = 0;
        }
        if handle.take(&mut pending)? && pending.is_empty() {
            return part(&mut reader, &mut writer).await;
        }
        let rest = pending.get(written..).unwrap_or_default();
        tokio::select! {
            biased;
            sent = writer.write(rest), if !rest.is_empty() => written += sent?,
            read = reader.read_buf(&mut input) => if read? == 0 {
                return Ok(());
            },
            () = handle.changed.notified() => {}
        }
    }
}

/// Ends our direction and waits for the other: closing at once could destroy our last words on their way.
async fn part(reader: &mut ReadHalf<'_>, writer: &mut WriteHalf<'_>) -> io::Result<()> {
    writer.shutdown().await?;
    let mut ignored = [0; 1024];
    let drained = async { while reader.read(&mut ignored).await.is_ok_and(|read| read > 0) {} };
    let _ = tokio::time::timeout(FAREWELL, drained).await;
    Ok(())
}

/// How far a link has come.
struct Progress {
    /// The last frame was not the last of its message.
    parts: bool,
    /// The most octets that the next frame may have.
    max: usize,
}

/// Hands the whole frames at the start of `input` to the node.
fn take_frames(
    node: &Arc<NodeControl>,
    id: LinkId,
    handle: &LinkHandle,
    input: &mut Vec<u8>,
    progress: &mut Progress,
) -> io::Result<()> {
    let mut taken = 0;
    loop {
        let rest = input.get(taken..).unwrap_or_default();
        let Some(header) = parse_header(rest)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?
        else {
            break;
        };
        let too_large = || {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "a control message over the limit",
            )
        };
        let len = usize::try_from(header.body_len).map_err(|_| too_large())?;
        if len > progress.max {
            return Err(too_large());
        }
        let Some(body) = rest.get(header.header_len..header.header_len + len) else {
            break;
        };
        if header.command {
            answer(handle, body);
        } else {
            // A message of several frames is nothing that this version knows.
            if !header.more && !progress.parts {
                node.frame(id, body);
                progress.max = limits::MESSAGE_LEN;
            }
            progress.parts = header.more;
        }
        taken += header.header_len + len;
    }
    input.drain(..taken);
    if input.is_empty() && input.capacity() > 64 << 10 {
        *input = Vec::new();
    }
    Ok(())
}

fn answer(handle: &LinkHandle, command: &[u8]) {
    if let Ok(Command::Ping { context, .. }) = Command::parse(command) {
        let mut out = handle.out.lock().unwrap_or_else(PoisonError::into_inner);
        if out.octets.len() < QUEUE_MAX {
            Command::Pong { context }.encode(&mut out.octets);
        }
        drop(out);
        handle.changed.notify_one();
    }
}
