//! Peers that read late, when the socket they read from is closed already.

use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use colugo_socket::{DealerSocket, Endpoint, PushSocket, SocketEvent};
use colugo_testkit::{Alone, wait_until};

use crate::PATIENCE;
use crate::raw::{Raw, frame};

const MANY: u64 = 300;

/// So many messages of this size are more than a system buffers.
fn message(number: u64) -> Vec<u8> {
    let mut message = vec![0; 60_000];
    message[..8].copy_from_slice(&number.to_be_bytes());
    message
}

fn data_threads() -> usize {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return 0;
    };
    let name = |path: std::path::PathBuf| std::fs::read_to_string(path.join("comm")).ok();
    tasks
        .flatten()
        .filter_map(|task| name(task.path()))
        .filter(|name| name.trim() == "colugo-data")
        .count()
}

/// It is the last socket of its process, and its data thread goes on for it; then it ends.
#[test]
fn what_the_last_socket_has_queued_is_sent_after_its_drop() {
    Alone::new().run(
        "linger::what_the_last_socket_has_queued_is_sent_after_its_drop",
        || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let push = PushSocket::builder()
                .linger(PATIENCE)
                .send_queue(1000, 1 << 30)
                .build()
                .unwrap();
            push.connect(Endpoint::tcp(listener.local_addr().unwrap()))
                .unwrap();
            let mut raw = Raw::accept(&listener);
            raw.shake("PULL", 1);
            for i in 0..MANY {
                push.send(message(i)).unwrap();
            }
            let began = Instant::now();
            drop(push);
            assert!(began.elapsed() < PATIENCE / 2, "a drop does not wait long");
            for i in 0..MANY {
                let (flags, body) = raw.frame();
                assert_eq!((flags, &body[..8]), (0, &i.to_be_bytes()[..]));
            }
            assert!(raw.rest().is_empty());
            wait_until("the end of the data thread", || {
                (data_threads() == 0).then_some(())
            });
        },
    );
}

/// Octets that nobody has read turn the end of a connection into a reset, which would take what is on its way with it.
#[test]
fn a_peer_that_was_still_sending_gets_the_last_messages() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (tell, told) = channel();
    let dealer = DealerSocket::builder()
        .linger(PATIENCE)
        .receive_queue(1, 1)
        .on_event(move |event| {
            if let SocketEvent::Closed(unsent) = event {
                let _ = tell.send(*unsent);
            }
        })
        .build()
        .unwrap();
    dealer
        .connect(Endpoint::tcp(listener.local_addr().unwrap()))
        .unwrap();
    let mut raw = Raw::accept(&listener);
    raw.shake("DEALER", 1);
    for _ in 0..10 {
        raw.send(&frame(0, &[7; 20_000]));
    }
    for i in 0..10 {
        dealer.send(message(i)).unwrap();
    }
    drop(dealer);
    // Where the system buffers all of it, the socket has ended before the peer reads anything.
    let early = told.recv_timeout(Duration::from_secs(1));
    for i in 0..10u64 {
        let (flags, body) = raw.frame();
        assert_eq!((flags, &body[..8]), (0, &i.to_be_bytes()[..]));
    }
    assert!(raw.rest().is_empty());
    let unsent = early.or_else(|_| told.recv_timeout(PATIENCE)).unwrap();
    assert_eq!(unsent, 0);
}
