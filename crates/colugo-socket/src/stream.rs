//! `Stream`: the octets of one connection, whatever carries them. Knows the transports' streams and nothing of ZMTP; the engine above
//! (`greet`, `session`, `writer`) knows nothing of transports. A match per call tells them apart, no table of functions.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, tcp};
#[cfg(unix)]
use tokio::net::{UnixStream, unix};

use crate::options::LEAVE_WAIT;
use crate::pipe::{Pipe, PipeRead, PipeWrite};

/// A whole connection, before it has shaken hands.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Pipe(Pipe),
}

/// The half the session reads from.
#[derive(Debug)]
pub(crate) enum ReadHalf {
    Tcp(tcp::OwnedReadHalf),
    #[cfg(unix)]
    Unix(unix::OwnedReadHalf),
    Pipe(PipeRead),
}

/// The half the writer writes to, from any thread. Dropping it tells the peer that nothing more comes.
#[derive(Debug)]
pub(crate) enum WriteHalf {
    Tcp(tcp::OwnedWriteHalf),
    #[cfg(unix)]
    Unix(unix::OwnedWriteHalf),
    Pipe(PipeWrite),
}

impl Stream {
    /// Who is at the other end, where the transport has addresses.
    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
            Self::Pipe(pipe) => pipe.remote,
        }
    }

    /// Sets what the system is to do for it.
    pub(crate) fn tune(&self) {
        match self {
            Self::Tcp(stream) => crate::tcp::tune(stream),
            #[cfg(unix)]
            Self::Unix(_) => {}
            Self::Pipe(_) => {}
        }
    }

    /// Writes from `written` on, which it moves along. Pending: the system takes no more for now.
    pub(crate) fn poll_write_all(
        &mut self,
        cx: &mut Context<'_>,
        octets: &[u8],
        written: &mut usize,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = octets.get(*written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut *self).poll_write(cx, rest)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(more) => *written += more,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Says that no more comes, and waits a while until the other side has seen that: unread octets would turn the end into a reset.
    pub(crate) async fn leave(&mut self) {
        let seen = async {
            let _ = self.shutdown().await;
            let mut scrap = [0; 1024];
            while self.read(&mut scrap).await.is_ok_and(|read| read > 0) {}
        };
        let _ = tokio::time::timeout(LEAVE_WAIT, seen).await;
    }

    pub(crate) fn split(self) -> (ReadHalf, WriteHalf) {
        match self {
            Self::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Tcp(read), WriteHalf::Tcp(write))
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Unix(read), WriteHalf::Unix(write))
            }
            Self::Pipe(pipe) => (ReadHalf::Pipe(pipe.read), WriteHalf::Pipe(pipe.write)),
        }
    }

    /// Ready when there is something to read, or the end.
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            #[cfg(unix)]
            Self::Unix(stream) => stream.poll_read_ready(cx),
            Self::Pipe(pipe) => pipe.read.poll_read_ready(cx),
        }
    }
}

impl WriteHalf {
    pub(crate) fn try_write(&self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(half) => half.try_write(octets),
            #[cfg(unix)]
            Self::Unix(half) => half.try_write(octets),
            Self::Pipe(half) => half.try_write(octets),
        }
    }

    pub(crate) fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(half) => half.try_write_vectored(pieces),
            #[cfg(unix)]
            Self::Unix(half) => half.try_write_vectored(pieces),
            Self::Pipe(half) => half.try_write_vectored(pieces),
        }
    }

    /// Ready when the system has what was written, or will never have it.
    pub(crate) fn poll_flushed(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(_) => Poll::Ready(()),
            #[cfg(unix)]
            Self::Unix(_) => Poll::Ready(()),
            Self::Pipe(half) => half.poll_flushed(cx),
        }
    }

    /// How long the system may hold octets that the other side does not take, where the transport has such a bound.
    pub(crate) fn set_untaken_timeout(&self, timeout: Option<Duration>) {
        match self {
            Self::Tcp(half) => crate::tcp::set_untaken_timeout(half.as_ref(), timeout),
            #[cfg(unix)]
            Self::Unix(_) => {}
            Self::Pipe(_) => {}
        }
    }

    /// Ready when there is room again, or writing would fail.
    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => half.as_ref().poll_write_ready(cx),
            #[cfg(unix)]
            Self::Unix(half) => half.as_ref().poll_write_ready(cx),
            Self::Pipe(half) => half.poll_write_ready(cx),
        }
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // Not `try_read`: this one knows that a short read has emptied the system's buffer, and saves the call that would say so.
            Self::Tcp(half) => Pin::new(half).poll_read(cx, buf),
            #[cfg(unix)]
            Self::Unix(half) => Pin::new(half).poll_read(cx, buf),
            Self::Pipe(half) => half.poll_read(cx, buf),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Pipe(pipe) => pipe.read.poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, octets),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Pipe(pipe) => pipe.write.poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Pipe(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Pipe(pipe) => {
                pipe.write.end();
                Poll::Ready(Ok(()))
            }
        }
    }
}
