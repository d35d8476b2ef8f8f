//! Requests and replies: REQ and REP against each other, and against the ROUTER that takes their place.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use colugo_socket::{
    Bytes, Handler, MessageRef, Peer, RecvError, RepSocket, ReqSocket, RouterSocket, SendError,
};
use colugo_testkit::ZmqPeer;

use crate::{PATIENCE, WAYS, frames, join, ours, parts, quick};

#[test]
fn their_req_is_answered_by_our_rep() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let server: RepSocket = ours();
        let client = libzmq.socket("REQ", &[]);
        join(way, &server, &client);
        for question in [&[&b"one"[..]][..], &[b"", b"two", b""], &[b""]] {
            client.send(question);
            assert_eq!(
                frames(&server.recv_timeout(PATIENCE).unwrap()),
                question,
                "{way:?}"
            );
            let answer = [&b"re"[..], b"", &question.concat()];
            server.send(&parts(&answer)).unwrap();
            assert_eq!(client.recv(), answer);
        }
    }
}

#[test]
fn our_req_is_answered_by_their_rep() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let client: ReqSocket = ours();
        let server = libzmq.socket("REP", &[]);
        join(way, &client, &server);
        for question in [&[&b"one"[..]][..], &[b"", b"two", b""], &[b""]] {
            client.send(&parts(question)).unwrap();
            assert!(matches!(
                client.send("out of turn"),
                Err(SendError::Order(_))
            ));
            assert_eq!(server.recv(), question, "{way:?}");
            let answer = [&b"re"[..], b"", &question.concat()];
            server.send(&answer);
            assert_eq!(frames(&client.recv_timeout(PATIENCE).unwrap()), answer);
        }
    }
}

/// A REQ with these options asks again without an answer, and drops what comes for the earlier question.
#[test]
fn a_relaxed_and_correlated_req_gets_the_answer_to_its_last_question() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let relaxed = [("REQ_CORRELATE", 1.into()), ("REQ_RELAXED", 1.into())];
    for &way in WAYS {
        let server: RepSocket = ours();
        let client = libzmq.socket("REQ", &relaxed);
        join(way, &server, &client);
        client.send(&["first"]);
        assert_eq!(server.recv_timeout(PATIENCE).unwrap().payload(), "first");
        client.send(&["second"]);
        // A relaxed REQ ends the connection it asked on before: the asker may have left.
        assert!(matches!(
            server.send("to the first"),
            Ok(()) | Err(SendError::NoPeer)
        ));
        assert_eq!(server.recv_timeout(PATIENCE).unwrap().payload(), "second");
        server.send("to the second").unwrap();
        assert_eq!(client.recv(), [b"to the second"], "{way:?}");
    }
}

#[test]
fn a_correlated_req_is_answered_by_our_rep_and_our_router() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        for correlate in [0, 1] {
            let client = libzmq.socket("REQ", &[("REQ_CORRELATE", correlate.into())]);
            let server: RepSocket = ours();
            join(way, &server, &client);
            client.send(&["question"]);
            assert_eq!(server.recv_timeout(PATIENCE).unwrap().payload(), "question");
            server.send("answer").unwrap();
            assert_eq!(client.recv(), [b"answer"]);

            let client = libzmq.socket("REQ", &[("REQ_CORRELATE", correlate.into())]);
            let router: RouterSocket = ours();
            join(way, &router, &client);
            client.send(&["question"]);
            let mut asked = router.recv_timeout(PATIENCE).unwrap().into_frames();
            let envelope = if correlate == 1 { 3 } else { 2 };
            assert_eq!(asked.len(), envelope + 1, "{asked:?}");
            assert!(asked[envelope - 1].is_empty() && asked[envelope] == "question");
            asked[envelope] = "answer".into();
            router.send(&asked).unwrap();
            assert_eq!(client.recv(), [b"answer"]);
        }
    }
}

#[test]
fn our_req_asks_their_router_with_the_plain_envelope() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    for &way in WAYS {
        let client: ReqSocket = ours();
        let server = libzmq.socket("ROUTER", &[]);
        join(way, &client, &server);
        client.send("question").unwrap();
        let mut asked = server.recv();
        assert_eq!(asked[1..], [&b""[..], b"question"], "{way:?}");
        // What is not an answer to this question is dropped: no delimiter, no body, not asked.
        server.send(&[&asked[0][..], b"no delimiter"]);
        server.send(&[&asked[0][..], b""]);
        asked[2] = b"answer".to_vec();
        server.send(&asked);
        assert_eq!(client.recv_timeout(PATIENCE).unwrap().payload(), "answer");
    }
}

#[test]
fn a_late_answer_from_their_rep_is_not_taken_for_the_next() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let client: ReqSocket = ours();
    let server = libzmq.socket("REP", &[]);
    join(WAYS[1], &client, &server);
    client.send("first").unwrap();
    assert_eq!(server.recv(), [b"first"]);
    let nothing = client.recv_timeout(Duration::from_millis(1));
    assert_eq!(nothing, Err(RecvError::TimedOut));
    client.send("second").unwrap();
    server.send(&["to the first"]);
    assert_eq!(server.recv(), [b"second"]);
    server.send(&["to the second"]);
    assert_eq!(
        client.recv_timeout(PATIENCE).unwrap().payload(),
        "to the second"
    );
}

#[test]
fn requests_go_round_their_reps_and_theirs_round_ours() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let client: ReqSocket = ours();
    let servers = [libzmq.socket("REP", &[]), libzmq.socket("REP", &[])];
    for server in &servers {
        join(WAYS[1], &client, server);
    }
    assert!(client.wait_for_peers(2, PATIENCE));
    for _ in 0..4 {
        let mut asked = [0, 0];
        for _ in 0..2 {
            client.send("question").unwrap();
            let at = colugo_testkit::wait_until("the question", || {
                (0..2).find(|i| servers[*i].recv_within(1).is_some())
            });
            asked[at] += 1;
            servers[at].send(&["answer"]);
            client.recv_timeout(PATIENCE).unwrap();
        }
        assert_eq!(asked, [1, 1]);
    }

    let client = libzmq.socket("REQ", &[]);
    let servers: [RepSocket; 2] = [ours(), ours()];
    for server in &servers {
        join(WAYS[0], server, &client);
        assert!(server.wait_for_peers(1, PATIENCE));
    }
    let mut asked = [0, 0];
    for _ in 0..8 {
        client.send(&["question"]);
        let at = colugo_testkit::wait_until("the question", || {
            (0..2).find(|i| servers[*i].recv_timeout(Duration::from_millis(1)).is_ok())
        });
        asked[at] += 1;
        servers[at].send("answer").unwrap();
        assert_eq!(client.recv(), [b"answer"]);
    }
    assert_eq!(asked, [4, 4]);
}

/// Answers on the data thread.
struct Inline(Arc<OnceLock<RouterSocket>>);

impl Handler for Inline {
    fn message(&mut self, peer: &Arc<Peer>, message: MessageRef<'_>) {
        let frames: Vec<&[u8]> = message.frames().collect();
        let [envelope @ .., question] = &frames[..] else {
            return;
        };
        let answer = Bytes::from([b"re: ", *question].concat());
        self.0
            .get()
            .unwrap()
            .send_with(peer.id(), envelope, answer)
            .unwrap();
    }
}

#[test]
fn an_inline_handler_answers_many_clients_at_once() {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let place = Arc::new(OnceLock::new());
    let handler = Inline(place.clone());
    let router = quick().handler(handler).build().unwrap();
    let router: &RouterSocket = place.get_or_init(|| router);
    let clients: Vec<_> = (0..10)
        .map(|i| libzmq.socket("REQ", &[("REQ_CORRELATE", (i % 2).into())]))
        .collect();
    for client in &clients {
        join(WAYS[0], router, client);
    }
    for round in 0..20u8 {
        for (i, client) in clients.iter().enumerate() {
            client.send(&[[round, i as u8]]);
        }
        for (i, client) in clients.iter().enumerate() {
            assert_eq!(client.recv(), [[&b"re: "[..], &[round, i as u8]].concat()]);
        }
    }
    drop(clients);
    drop(libzmq);
}
