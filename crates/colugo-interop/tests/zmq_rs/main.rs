//! Our sockets and those of zmq.rs (the `zeromq` crate), an implementation independent of libzmq: each pattern, both ways round.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use colugo_socket::{Endpoint, Message, Socket, kind::Kind};
use zeromq::{SocketRecv, SocketSend, ZmqError, ZmqMessage};

mod commands;
mod patterns;

const PATIENCE: Duration = colugo_testkit::PATIENCE;

/// Between two messages to somebody who may not be there yet.
const A_MOMENT: Duration = Duration::from_millis(5);

/// Who listens.
#[derive(Clone, Copy, Debug)]
enum Way {
    We,
    They,
}

const WAYS: [Way; 2] = [Way::We, Way::They];

/// Runs a test with zmq.rs, within a test's patience.
fn with_zmq_rs(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.unwrap() });
}

fn ours<K: Kind>() -> Socket<K> {
    Socket::builder()
        .reconnect(Duration::from_millis(5), Duration::from_millis(50))
        .build()
        .unwrap()
}

async fn join<K: Kind>(way: Way, ours: &Socket<K>, theirs: &mut impl zeromq::Socket) {
    match way {
        Way::We => {
            let endpoint: Endpoint = ours.bind("tcp://127.0.0.1:0").unwrap();
            theirs.connect(&endpoint.to_string()).await.unwrap();
        }
        Way::They => {
            let endpoint = theirs.bind("tcp://127.0.0.1:0").await.unwrap();
            ours.connect(endpoint.to_string().as_str()).unwrap();
        }
    }
}

/// What a socket of theirs gets next.
async fn next(theirs: &mut impl SocketRecv) -> Vec<Bytes> {
    theirs.recv().await.unwrap().into_vec()
}

/// zmq.rs waits for room, but not for its first peer.
async fn send(theirs: &mut impl SocketSend, message: impl Into<ZmqMessage>) {
    let mut message = message.into();
    loop {
        match theirs.send(message).await {
            Ok(()) => return,
            Err(ZmqError::ReturnToSender { message: back, .. }) => message = back,
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(A_MOMENT).await;
    }
}

fn of(frames: &[&'static [u8]]) -> ZmqMessage {
    ZmqMessage::try_from(parts(frames)).unwrap()
}

fn parts(frames: &[&'static [u8]]) -> Vec<Bytes> {
    frames.iter().map(|it| Bytes::from_static(it)).collect()
}

fn frames(message: &Message) -> Vec<Bytes> {
    message.frames().to_vec()
}
