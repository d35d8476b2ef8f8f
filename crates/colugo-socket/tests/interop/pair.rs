//! PAIR.

use colugo_socket::PairSocket;
use colugo_testkit::{ZmqPeer, wait_until};

use crate::{PATIENCE, WAYS, frames, join, ours, parts};

#[test]
fn our_pair_talks_with_theirs_both_ways() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let ours: PairSocket = ours();
        let theirs = libzmq.socket("PAIR", &[]);
        join(way, &ours, &theirs);
        let multipart = [&b""[..], b"part", b""];
        theirs.send(&multipart);
        let message = ours.recv_timeout(PATIENCE).unwrap();
        assert_eq!(frames(&message), multipart, "{way:?}");
        ours.send(&parts(&multipart)).unwrap();
        assert_eq!(theirs.recv(), multipart);
        let count = theirs.count(5000, 0);
        for i in 0..5000u64 {
            ours.send(&i.to_be_bytes()).unwrap();
        }
        count.finish();
        let flood = theirs.flood(5000, "");
        for i in 0..5000u64 {
            let message = ours.recv_timeout(PATIENCE).unwrap();
            assert_eq!(message.payload()[..], i.to_be_bytes());
        }
        flood.finish();
    }
}

#[test]
fn a_second_pair_of_theirs_waits_until_the_first_has_left() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let ours: PairSocket = ours();
    let endpoint = ours.bind("tcp://127.0.0.1:0").unwrap();
    let first = libzmq.socket("PAIR", &[]);
    first.connect(&endpoint);
    assert!(ours.wait_for_peers(1, PATIENCE));
    let second = libzmq.socket("PAIR", &[]);
    second.connect(&endpoint);
    second.send(&["kept"]);
    wait_until("a refusal", || {
        (ours.stats().refused_peers > 0).then_some(())
    });
    ours.send("for the first").unwrap();
    assert_eq!(first.recv(), [b"for the first"]);
    first.close(0);
    let message = ours.recv_timeout(PATIENCE).unwrap();
    assert_eq!(message.payload(), "kept");
    ours.send("for the second").unwrap();
    assert_eq!(second.recv(), [b"for the second"]);
}

#[test]
fn what_we_sent_waits_for_their_restarted_pair() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let ours: PairSocket = ours();
    let theirs = libzmq.socket("PAIR", &[]);
    let endpoint = theirs.bind("tcp://127.0.0.1:0");
    ours.connect(&endpoint).unwrap();
    ours.send("before").unwrap();
    assert_eq!(theirs.recv(), [b"before"]);
    libzmq.kill();
    wait_until("the end of the connection", || {
        ours.peers().is_empty().then_some(())
    });
    for i in 0..500u64 {
        ours.send(&i.to_be_bytes()).unwrap();
    }
    let libzmq = ZmqPeer::start().unwrap();
    let theirs = libzmq.socket("PAIR", &[]);
    theirs.bind(&endpoint);
    theirs.count(500, 0).finish();
}
