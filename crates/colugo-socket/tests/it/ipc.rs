//! What only `ipc://` and `inproc://` have: files, and names within a process.

use std::time::Duration;

use colugo_socket::{BindError, ConnectError, PullSocket, PushSocket, SocketEvent};

use crate::{PATIENCE, Transport};

#[test]
fn a_name_within_the_process_is_taken_once() {
    let endpoint = Transport::Inproc.certain();
    let first = PullSocket::new().unwrap();
    first.bind(&endpoint).unwrap();
    let second = PullSocket::new().unwrap();
    let taken = second.bind(&endpoint);
    assert!(matches!(taken, Err(BindError::InUse(name)) if name == endpoint));
    assert!(first.unbind(&endpoint));
    second.bind(&endpoint).unwrap();
    let push = PushSocket::new().unwrap();
    push.connect(&endpoint).unwrap();
    push.send("to the second").unwrap();
    assert_eq!(
        second.recv_timeout(PATIENCE).unwrap().payload(),
        "to the second"
    );
}

#[test]
fn a_peer_within_the_process_has_no_address() {
    let endpoint = Transport::Inproc.certain();
    let pull = PullSocket::new().unwrap();
    assert_eq!(pull.bind(&endpoint).unwrap().port(), None);
    let push = PushSocket::new().unwrap();
    push.connect(&endpoint).unwrap();
    assert!(pull.wait_for_peers(1, PATIENCE));
    let peer = pull.peers().remove(0);
    assert_eq!((peer.addr(), peer.outgoing()), (None, false));
}

#[test]
fn dialling_nobody_within_the_process_ends_with_the_socket() {
    let (tell, told) = std::sync::mpsc::channel();
    let push = PushSocket::builder()
        .linger(Duration::from_millis(10))
        .on_event(move |event| {
            if let SocketEvent::Closed(unsent) = event {
                let _ = tell.send(*unsent);
            }
        })
        .build()
        .unwrap();
    push.connect(Transport::Inproc.certain()).unwrap();
    push.send("to nobody").unwrap();
    assert!(!push.close(), "it was not sent");
    assert_eq!(told.try_recv(), Ok(1), "all tasks have ended");
}

#[cfg(unix)]
mod files {
    use std::os::unix::net::UnixListener;
    use std::path::{Path, PathBuf};

    use super::*;

    fn path_of(endpoint: &str) -> PathBuf {
        endpoint.strip_prefix("ipc://").unwrap().into()
    }

    #[test]
    fn the_file_is_there_while_somebody_listens() {
        let endpoint = Transport::Ipc.certain();
        let path = path_of(&endpoint);
        let pull = PullSocket::new().unwrap();
        pull.bind(&endpoint).unwrap();
        assert!(path.exists());
        assert!(pull.unbind(&endpoint));
        assert!(!path.exists(), "unbind removes it");
        pull.bind(&endpoint).unwrap();
        assert!(path.exists());
        drop(pull);
        assert!(!path.exists(), "and so does the end of the socket");
    }

    #[test]
    fn a_star_becomes_a_free_path_and_cannot_be_dialled() {
        let pull = PullSocket::new().unwrap();
        let first = pull.bind("ipc://*").unwrap();
        let second = pull.bind("ipc://*").unwrap();
        assert_ne!(first, second);
        assert!(path_of(&first.to_string()).exists());
        let refused = PushSocket::new().unwrap().connect("ipc://*");
        assert!(matches!(refused, Err(ConnectError::PortZero(_))));
    }

    #[test]
    fn the_file_of_a_dead_process_is_replaced_and_that_of_a_live_one_is_not() {
        let endpoint = Transport::Ipc.certain();
        let path = path_of(&endpoint);
        // Dropping a listener of the standard library leaves its file, as the death of a process does.
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let first = PullSocket::new().unwrap();
        first.bind(&endpoint).unwrap();
        let second = PullSocket::new().unwrap();
        assert!(matches!(second.bind(&endpoint), Err(BindError::InUse(_))));
        let push = PushSocket::new().unwrap();
        push.connect(&endpoint).unwrap();
        push.send("still the first").unwrap();
        assert_eq!(
            first.recv_timeout(PATIENCE).unwrap().payload(),
            "still the first"
        );
    }

    #[test]
    fn a_file_that_somebody_else_put_there_is_left_alone() {
        let endpoint = Transport::Ipc.certain();
        let path = path_of(&endpoint);
        let pull = PullSocket::new().unwrap();
        pull.bind(&endpoint).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "mine").unwrap();
        drop(pull);
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        let pull = PullSocket::new().unwrap();
        assert!(matches!(
            pull.bind(&endpoint),
            Err(BindError::NotASocket(_))
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let pull = PullSocket::new().unwrap();
        let error = pull.bind("ipc:///nowhere/at/all").unwrap_err().to_string();
        assert!(error.contains("ipc:///nowhere/at/all"), "{error}");
        assert!(!Path::new("/nowhere").exists());
    }

    #[test]
    fn dialling_a_path_where_nobody_listens_is_told_and_tried_again() {
        let endpoint = Transport::Ipc.certain();
        let (tell, told) = std::sync::mpsc::channel();
        let push = PushSocket::builder()
            .reconnect(Duration::from_millis(5), Duration::from_millis(20))
            .on_event(move |event| {
                if let SocketEvent::DialFailed(endpoint, kind) = event {
                    let _ = tell.send((endpoint.to_string(), *kind));
                }
            })
            .build()
            .unwrap();
        push.connect(&endpoint).unwrap();
        let expected = (endpoint.clone(), std::io::ErrorKind::NotFound);
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), expected);
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), expected);
        let pull = PullSocket::new().unwrap();
        pull.bind(&endpoint).unwrap();
        push.send("at last").unwrap();
        assert_eq!(pull.recv_timeout(PATIENCE).unwrap().payload(), "at last");
    }
}
