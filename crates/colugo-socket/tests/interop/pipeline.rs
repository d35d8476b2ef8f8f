//! PUSH and PULL.

use colugo_socket::{PullSocket, PushSocket};
use colugo_testkit::ZmqPeer;

use crate::{PATIENCE, WAYS, frames, join, ours, parts};

const MANY: usize = 20_000;

#[test]
fn their_pull_gets_all_our_work_in_order() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let push: PushSocket = ours();
        let pull = libzmq.socket("PULL", &[]);
        join(way, &push, &pull);
        let multipart = [&b""[..], b"part", b""];
        push.send(&parts(&multipart)).unwrap();
        assert_eq!(pull.recv(), multipart, "{way:?}");
        let count = pull.count(MANY, 0);
        for i in 0..MANY as u64 {
            push.send(&i.to_be_bytes()).unwrap();
        }
        count.finish();
    }
}

#[test]
fn our_pull_gets_all_their_work_in_order() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let pull: PullSocket = ours();
        let push = libzmq.socket("PUSH", &[]);
        join(way, &pull, &push);
        let multipart = [&b""[..], b"part", b""];
        push.send(&multipart);
        let message = pull.recv_timeout(PATIENCE).unwrap();
        assert_eq!(frames(&message), multipart, "{way:?}");
        let flood = push.flood(MANY, "");
        for i in 0..MANY as u64 {
            let message = pull.recv_timeout(PATIENCE).unwrap();
            assert_eq!(message.payload()[..], i.to_be_bytes());
        }
        flood.finish();
    }
}

#[test]
fn work_goes_round_their_pulls() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let push: PushSocket = ours();
    let pulls: Vec<_> = (0..4).map(|_| libzmq.socket("PULL", &[])).collect();
    for pull in &pulls {
        join(WAYS[0], &push, pull);
    }
    assert!(push.wait_for_peers(4, PATIENCE));
    for i in 0..40u8 {
        push.send(&[i]).unwrap();
    }
    for pull in &pulls {
        let got: Vec<u8> = (0..10).map(|_| pull.recv()[0][0]).collect();
        assert!(got.windows(2).all(|two| two[1] == two[0] + 4), "{got:?}");
    }
}

/// libzmq stops reading when its queue is full, and so do we: the sender is slowed down, nothing is lost, and memory stays bounded.
#[test]
fn a_slow_receiver_slows_the_sender_down_on_either_side() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let pull = PullSocket::builder()
        .receive_queue(10, 1 << 20)
        .build()
        .unwrap();
    let push = libzmq.socket("PUSH", &[("SNDHWM", 10.into())]);
    join(WAYS[0], &pull, &push);
    let flood = push.flood(MANY, [7; 1000]);
    for i in 0..MANY as u64 {
        let message = pull.recv_timeout(PATIENCE).unwrap();
        assert_eq!(message.payload()[1000..], i.to_be_bytes());
    }
    flood.finish();

    let push = PushSocket::builder()
        .send_queue(10, 1 << 20)
        .build()
        .unwrap();
    let pull = libzmq.socket("PULL", &[("RCVHWM", 10.into())]);
    join(WAYS[0], &push, &pull);
    let count = pull.count(MANY, 1000);
    for i in 0..MANY as u64 {
        push.send([&[7; 1000][..], &i.to_be_bytes()].concat())
            .unwrap();
    }
    count.finish();
}

#[test]
fn several_threads_send_through_one_socket() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let push: PushSocket = ours();
    let pull = libzmq.socket("PULL", &[]);
    join(WAYS[0], &push, &pull);
    let count = pull.gather(4 * 2000);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let push = &push;
            scope.spawn(move || {
                for i in 0..2000u64 {
                    push.send(&(thread * 2000 + i).to_be_bytes()).unwrap();
                }
            });
        }
    });
    count.finish();
}
