//! Our sockets and those of real libzmq, by way of pyzmq. `cargo xtask test` sets the Python up; without it these tests say so and pass.

use std::time::Duration;

use colugo_socket::{Builder, Bytes, Message, Socket, kind::Kind};
use colugo_testkit::{ZmqSocket, free_port};

mod dealer_router;
mod handshake;
mod pair;
mod pipeline;
mod proxy;
mod pubsub;
mod reqrep;
mod restart;
mod sizes;
mod xpub;

const PATIENCE: Duration = colugo_testkit::PATIENCE;

/// Who listens, and whether the other dials before that; over TCP, or over Unix domain sockets.
#[derive(Clone, Copy, Debug)]
enum Way {
    WeListen,
    TheyListen,
    WeDialFirst,
    TheyDialFirst,
    #[cfg(unix)]
    WeListenIpc,
    #[cfg(unix)]
    TheyListenIpc,
    #[cfg(unix)]
    WeDialFirstIpc,
    #[cfg(unix)]
    TheyDialFirstIpc,
    #[cfg(target_os = "linux")]
    WeListenAbstract,
    #[cfg(target_os = "linux")]
    TheyListenAbstract,
}

const WAYS: &[Way] = &[
    Way::WeListen,
    Way::TheyListen,
    Way::WeDialFirst,
    Way::TheyDialFirst,
    #[cfg(unix)]
    Way::WeListenIpc,
    #[cfg(unix)]
    Way::TheyListenIpc,
    #[cfg(unix)]
    Way::WeDialFirstIpc,
    #[cfg(unix)]
    Way::TheyDialFirstIpc,
    #[cfg(target_os = "linux")]
    Way::WeListenAbstract,
    #[cfg(target_os = "linux")]
    Way::TheyListenAbstract,
];

/// A path, or an abstract name, that no other test has.
#[cfg(unix)]
fn fresh_name() -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("colugo-interop-{}-{count}", std::process::id())
}

#[cfg(unix)]
fn fresh_path() -> String {
    format!(
        "ipc://{}",
        std::env::temp_dir().join(fresh_name()).display()
    )
}

/// A socket that redials often enough for a test.
fn quick<K: Kind>() -> Builder<K> {
    Socket::builder().reconnect(Duration::from_millis(5), Duration::from_millis(50))
}

fn ours<K: Kind>() -> Socket<K> {
    quick().build().unwrap()
}

fn join<K: Kind>(way: Way, ours: &Socket<K>, theirs: &ZmqSocket<'_>) {
    let reserved = || format!("tcp://127.0.0.1:{}", free_port());
    match way {
        Way::WeListen => we_listen(ours, theirs, "tcp://127.0.0.1:0"),
        Way::TheyListen => they_listen(ours, theirs, "tcp://127.0.0.1:0"),
        Way::WeDialFirst => we_dial_first(ours, theirs, &reserved()),
        Way::TheyDialFirst => they_dial_first(ours, theirs, &reserved()),
        #[cfg(unix)]
        Way::WeListenIpc => we_listen(ours, theirs, "ipc://*"),
        #[cfg(unix)]
        Way::TheyListenIpc => they_listen(ours, theirs, &fresh_path()),
        #[cfg(unix)]
        Way::WeDialFirstIpc => we_dial_first(ours, theirs, &fresh_path()),
        #[cfg(unix)]
        Way::TheyDialFirstIpc => they_dial_first(ours, theirs, &fresh_path()),
        #[cfg(target_os = "linux")]
        Way::WeListenAbstract => we_listen(ours, theirs, &format!("ipc://@{}", fresh_name())),
        #[cfg(target_os = "linux")]
        Way::TheyListenAbstract => they_listen(ours, theirs, &format!("ipc://@{}", fresh_name())),
    }
}

fn we_listen<K: Kind>(ours: &Socket<K>, theirs: &ZmqSocket<'_>, at: &str) {
    theirs.connect(ours.bind(at).unwrap());
}

fn they_listen<K: Kind>(ours: &Socket<K>, theirs: &ZmqSocket<'_>, at: &str) {
    ours.connect(theirs.bind(at)).unwrap();
    remove_file(ours, at);
}

fn we_dial_first<K: Kind>(ours: &Socket<K>, theirs: &ZmqSocket<'_>, at: &str) {
    ours.connect(at).unwrap();
    theirs.bind(at);
    remove_file(ours, at);
}

/// libzmq's process is killed at the end of a test and leaves its file behind; once we are connected nobody needs it.
fn remove_file<K: Kind>(ours: &Socket<K>, at: &str) {
    if let Some(path) = at.strip_prefix("ipc:///") {
        assert!(ours.wait_for_peers(1, PATIENCE));
        std::fs::remove_file(format!("/{path}")).unwrap();
    }
}

fn they_dial_first<K: Kind>(ours: &Socket<K>, theirs: &ZmqSocket<'_>, at: &str) {
    theirs.connect(at);
    ours.bind(at).unwrap();
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
