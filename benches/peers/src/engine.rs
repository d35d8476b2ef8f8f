//! What the rows need of an implementation, and the runtime that all of them run on: tokio's, with a thread for each processor.

use std::future::Future;
use std::sync::OnceLock;

use kit::Result;
use kit::child::Spec;
use tokio::runtime::{Builder, Runtime};

/// Socket types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Push,
    Pull,
    Pub,
    Sub,
    Rep,
    Req,
    Router,
    Dealer,
}

/// A socket of one implementation.
#[allow(async_fn_in_trait)]
pub trait Socket: Send + Sized + 'static {
    /// Listens on a port of its own, and says where.
    async fn bind(kind: Kind, hwm: usize) -> Result<(Self, String)>;
    /// Dials; a SUB subscribes to everything.
    async fn connect(kind: Kind, hwm: usize, address: &str) -> Result<Self>;
    /// Sends a message of one frame; waits for room where the implementation can.
    async fn send(&mut self, payload: &[u8]) -> Result<()>;
    /// Receives a message of one frame.
    async fn receive<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> Result<T>;
    /// REP and ROUTER: receives a message and sends it back; what `see` said of its last frame.
    async fn echo<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> Result<T>;
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = Builder::new_multi_thread().enable_all().build();
        runtime.unwrap_or_else(|error| panic!("no runtime: {error}"))
    })
}

/// Waits for `future` on the calling thread.
pub fn wait<F: Future>(future: F) -> F::Output {
    runtime().handle().block_on(future)
}

/// Messages that may wait on each side.
pub fn hwm(spec: &Spec) -> Result<usize> {
    spec.number("hwm", 1000)
}
