//! A process without file descriptors left: nothing new gets in, nothing that is there is harmed, and all is well once there are some.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::mpsc::channel;

use colugo_socket::limits::DESCRIPTOR_RESERVE;
use colugo_socket::{BindError, BuildError, PullSocket, PushSocket, RefusedWhy, SocketEvent};
use colugo_testkit::{Alone, wait_until};

use crate::PATIENCE;
use crate::raw::Raw;

#[test]
fn accepting_pauses_and_recovers_when_descriptors_run_out() {
    Alone::new().open_files(64).run(
        "descriptors::accepting_pauses_and_recovers_when_descriptors_run_out",
        || {
            let (tell, told) = channel();
            let pull = PullSocket::builder()
                .on_event(move |event| match event {
                    SocketEvent::AcceptFailed(_) => tell.send("failed").unwrap(),
                    SocketEvent::Refused(_, RefusedWhy::NoDescriptors) => {
                        tell.send("refused").unwrap();
                    }
                    _ => {}
                })
                .build()
                .unwrap();
            let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
            let push = PushSocket::new().unwrap();
            push.connect(&endpoint).unwrap();
            assert!(pull.wait_for_peers(1, PATIENCE) && push.wait_for_peers(1, PATIENCE));

            let mut hoard: Vec<File> =
                std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
            for round in 1..=3 {
                // One for the dialling side: the accepting side then finds none.
                hoard.pop();
                let unserved = Raw::dial(&endpoint);
                if round == 1 {
                    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "failed");
                    // Within the second before the spare one is used, which others may snatch.
                    assert!(matches!(
                        PullSocket::new().unwrap().bind("tcp://127.0.0.1:0"),
                        Err(BindError::NoDescriptors(_))
                    ));
                }
                for i in 0..300u32 {
                    push.send(&i.to_be_bytes()).unwrap();
                    let message = pull.recv_timeout(PATIENCE).unwrap();
                    assert_eq!(message.payload()[..], i.to_be_bytes());
                }
                // It does not hang for as long as there are none, and the shortage is not told again.
                assert_eq!(unserved.rest(), b"");
                assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "refused");
                assert_eq!(pull.stats().refused_connections, round);
                hoard.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
            }
            drop(hoard);
            let mut late = Raw::shaken(&endpoint, "PUSH", 1);
            late.send(&crate::raw::frame(0, b"late"));
            assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "late");
        },
    );
}

/// Whoever dialled while there were none, and not for long, is served.
#[test]
fn a_short_shortage_costs_nobody_its_connection() {
    Alone::new().open_files(64).run(
        "descriptors::a_short_shortage_costs_nobody_its_connection",
        || {
            let (tell, told) = channel();
            let pull = PullSocket::builder()
                .on_event(move |event| {
                    if let SocketEvent::AcceptFailed(_) = event {
                        tell.send(()).unwrap();
                    }
                })
                .build()
                .unwrap();
            let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
            // What is on the other side takes no descriptor of this process's then.
            let mut hoard: Vec<File> =
                std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
            hoard.pop();
            let mut late = Raw::dial(&endpoint);
            told.recv_timeout(PATIENCE).unwrap();
            drop(hoard);
            late.shake("PUSH", 1);
            late.send(&crate::raw::frame(0, b"late"));
            assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "late");
        },
    );
}

#[test]
fn dialling_goes_on_when_there_are_descriptors_again() {
    // Room for all connections, both ends of each, beside those that are kept back.
    Alone::new().open_files(128).run(
        "descriptors::dialling_goes_on_when_there_are_descriptors_again",
        || {
            let pull = PullSocket::new().unwrap();
            // One more than there are descriptors kept back for dialling.
            let endpoints: Vec<_> = (0..=DESCRIPTOR_RESERVE)
                .map(|_| pull.bind("tcp://127.0.0.1:0").unwrap())
                .collect();
            let (tell, told) = channel();
            let push = PushSocket::builder()
                .on_event(move |event| {
                    if let SocketEvent::DialFailed(..) = event {
                        let _ = tell.send(());
                    }
                })
                .build()
                .unwrap();
            let hoard: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
            for endpoint in &endpoints {
                push.connect(endpoint).unwrap();
            }
            push.send("kept").unwrap();
            told.recv_timeout(PATIENCE).unwrap();
            drop(hoard);
            assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "kept");
        },
    );
}

/// With the descriptors that are kept back; who comes from outside gets none of them.
#[test]
#[cfg(target_os = "linux")]
fn a_peer_is_dialled_without_descriptors() {
    Alone::new()
        .open_files(64)
        .run("descriptors::a_peer_is_dialled_without_descriptors", || {
            let peer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = peer.local_addr().unwrap().port();
            let (tell, told) = channel();
            let push = PushSocket::builder()
                .on_event(move |event| match event {
                    SocketEvent::DialFailed(..) => panic!("it could not dial"),
                    SocketEvent::Refused(_, RefusedWhy::NoDescriptors) => tell.send(()).unwrap(),
                    _ => {}
                })
                .build()
                .unwrap();
            let endpoint = push.bind("tcp://127.0.0.1:0").unwrap();
            let mut table = File::open("/proc/self/net/tcp").unwrap();
            let mut hoard: Vec<File> =
                std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
            push.connect(format!("tcp://127.0.0.1:{port}")).unwrap();
            // The system accepts it; this process has no descriptor to do so with.
            wait_until("the peer to be dialled", || {
                established(&mut table, port).then_some(())
            });
            // One for who dials, and one for who accepts.
            hoard.truncate(hoard.len() - 2);
            let unserved = Raw::dial(&endpoint);
            told.recv_timeout(PATIENCE).unwrap();
            assert_eq!(unserved.rest(), b"");
        });
}

/// Whether the table has a connection to this port of the loopback interface that both ends have agreed to.
#[cfg(target_os = "linux")]
fn established(table: &mut File, port: u16) -> bool {
    let mut text = String::new();
    table.seek(SeekFrom::Start(0)).unwrap();
    table.read_to_string(&mut text).unwrap();
    let remote = format!("0100007F:{port:04X}");
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .any(|words| words.get(2) == Some(&remote.as_str()) && words.get(3) == Some(&"01"))
}

#[test]
fn a_socket_that_cannot_be_made_is_an_error() {
    Alone::new().open_files(64).run(
        "descriptors::a_socket_that_cannot_be_made_is_an_error",
        || {
            let hoard: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
            assert!(matches!(PullSocket::new(), Err(BuildError::Thread(_))));
            drop(hoard);
            assert!(PullSocket::new().unwrap().bind("tcp://127.0.0.1:0").is_ok());
        },
    );
}

#[test]
fn sockets_that_come_and_go_leave_no_descriptor() {
    Alone::new().open_files(256).run(
        "descriptors::sockets_that_come_and_go_leave_no_descriptor",
        || {
            let mut first = None;
            for _ in 0..100 {
                let pull = PullSocket::new().unwrap();
                let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
                let push = PushSocket::new().unwrap();
                push.connect(&endpoint).unwrap();
                push.send("work").unwrap();
                pull.recv_timeout(PATIENCE).unwrap();
                drop((pull, push));
                let open = colugo_testkit::open_descriptors().unwrap_or_default();
                let most = *first.get_or_insert(open);
                wait_until("all descriptors to be closed", || {
                    (colugo_testkit::open_descriptors().unwrap_or_default() <= most).then_some(())
                });
            }
        },
    );
}

/// Elsewhere it is free as soon as the data thread has got to it.
#[cfg(target_os = "linux")]
#[test]
fn a_port_that_was_let_go_of_is_free_at_once() {
    let endpoint = format!("tcp://127.0.0.1:{}", colugo_testkit::free_port());
    for _ in 0..100 {
        let first = PullSocket::new().unwrap();
        first.bind(&endpoint).unwrap();
        let push = PushSocket::new().unwrap();
        push.connect(&endpoint).unwrap();
        assert!(first.unbind(&endpoint));
        let second = PullSocket::new().unwrap();
        second.bind(&endpoint).unwrap();
    }
}
