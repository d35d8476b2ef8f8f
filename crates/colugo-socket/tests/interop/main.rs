//! Our sockets and those of real libzmq, by way of pyzmq. `cargo xtask test` sets the Python up; without it these tests say so and pass.

use std::time::Duration;

use colugo_socket::{Builder, Bytes, Message, Socket, kind::Kind};
use colugo_testkit::{ZmqSocket, free_port};

mod dealer_router;
mod handshake;
mod pipeline;
mod pubsub;
mod reqrep;
mod restart;
mod sizes;

const PATIENCE: Duration = colugo_testkit::PATIENCE;

/// Who listens, and whether the other dials before that.
#[derive(Clone, Copy, Debug)]
enum Way {
    WeListen,
    TheyListen,
    WeDialFirst,
    TheyDialFirst,
}

const WAYS: [Way; 4] = [
    Way::WeListen,
    Way::TheyListen,
    Way::WeDialFirst,
    Way::TheyDialFirst,
];

/// A socket that redials often enough for a test.
fn quick<K: Kind>() -> Builder<K> {
    Socket::builder().reconnect(Duration::from_millis(5), Duration::from_millis(50))
}

fn ours<K: Kind>() -> Socket<K> {
    quick().build().unwrap()
}

fn join<K: Kind>(way: Way, ours: &Socket<K>, theirs: &ZmqSocket<'_>) {
    let reserved = format!("tcp://127.0.0.1:{}", free_port());
    match way {
        Way::WeListen => theirs.connect(ours.bind("tcp://127.0.0.1:0").unwrap()),
        Way::TheyListen => ours.connect(theirs.bind("tcp://127.0.0.1:0")).unwrap(),
        Way::WeDialFirst => {
            ours.connect(&reserved).unwrap();
            theirs.bind(&reserved);
        }
        Way::TheyDialFirst => {
            theirs.connect(&reserved);
            ours.bind(&reserved).unwrap();
        }
    }
}

fn parts<F: AsRef<[u8]>>(frames: &[F]) -> Vec<Bytes> {
    let copy = |frame: &F| Bytes::copy_from_slice(frame.as_ref());
    frames.iter().map(copy).collect()
}

/// A message as libzmq's side of a test tells it.
fn frames(message: &Message) -> Vec<Vec<u8>> {
    message
        .frames()
        .iter()
        .map(|frame| frame.to_vec())
        .collect()
}
