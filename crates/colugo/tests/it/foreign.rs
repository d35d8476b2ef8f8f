//! Plain ZeroMQ sockets as peers: publishers, subscribers, servers and clients that know nothing of Colugo.

use std::time::Duration;

use colugo::{Network, Node, RequestError};
use colugo_socket::{
    Bytes, DealerSocket, Message, PubSocket, RepSocket, ReqSocket, RouterSocket, SubSocket,
};

use crate::{Done, SOON, ms};

fn alone(name: &str) -> Result<Node, colugo::NodeError> {
    Node::builder(name).network(Network::Peers).build()
}

fn local(endpoints: Vec<String>) -> Result<String, &'static str> {
    let endpoint = endpoints.into_iter().next().ok_or("it does not listen")?;
    let (_, port) = endpoint.rsplit_once(':').ok_or("no port")?;
    Ok(format!("tcp://127.0.0.1:{port}"))
}

#[test]
fn plain_publishers_and_subscribers_are_peers() -> Done {
    let node = alone("a")?;
    let publisher = node.publisher("t").build()?;
    let sub = SubSocket::new()?;
    sub.subscribe("")?;
    sub.connect(local(publisher.endpoints())?)?;
    publisher.wait_for_subscribers(1, SOON)?;
    publisher.send_parts(&["a".into(), "b".into()])?;
    assert_eq!(sub.recv_timeout(SOON)?.frames(), ["a", "b"]);

    let plain = PubSocket::new()?;
    let endpoint = plain.bind("tcp://127.0.0.1:0")?;
    let seen = node
        .subscriber("anything")
        .text()
        .connect(endpoint.to_string())
        .build()?;
    assert!(plain.wait_for_subscribers(1, SOON));
    plain.send("hello")?;
    let message = seen.recv_timeout(SOON)?;
    assert_eq!((message.value.as_str(), message.meta.seq), ("hello", None));
    assert!(!seen.peers()[0].is_colugo());
    Ok(())
}

#[test]
fn a_plain_req_is_answered_and_a_refusal_is_counted_or_put_into_words() -> Done {
    let node = alone("a")?;
    let server = node.reply_server("q").text().build()?;
    let req = ReqSocket::new()?;
    req.connect(local(server.endpoints())?)?;
    req.send("hello")?;
    let (text, reply) = server.recv_timeout(SOON)?;
    reply.reply(&text.to_uppercase())?;
    assert_eq!(req.recv_timeout(SOON)?.payload(), "HELLO");
    req.send("again")?;
    drop(server.recv_timeout(SOON)?);
    assert_eq!(server.stats().unanswered, 1);

    let worded = node
        .reply_server("w")
        .plain_error(|refusal| Some(refusal.text.clone().into()))
        .build()?;
    let req = ReqSocket::new()?;
    req.connect(local(worded.endpoints())?)?;
    req.send("hello")?;
    worded.recv_timeout(SOON)?.1.refuse(100, "no");
    assert_eq!(req.recv_timeout(SOON)?.payload(), "no");
    assert_eq!(worded.stats().unanswered, 0);
    Ok(())
}

#[test]
fn dealers_with_and_without_envelopes_are_answered_in_kind() -> Done {
    let node = alone("a")?;
    let _echo = node
        .reply_server("q")
        .parts()
        .on_request(|q, reply| reply.reply_parts(&q).unwrap_or_default())?;
    node.spawn()?;
    let dealer = DealerSocket::new()?;
    dealer.connect(local(_echo.endpoints())?)?;
    let frames = |parts: &[&'static str]| {
        parts
            .iter()
            .map(|p| Bytes::from_static(p.as_bytes()))
            .collect::<Vec<_>>()
    };
    for request in [
        frames(&["", "body"]),
        frames(&["id", "", "body"]),
        frames(&["a", "b", "", "x", "y"]),
        frames(&["bare"]),
    ] {
        dealer.send(&request)?;
        assert_eq!(dealer.recv_timeout(SOON)?.frames(), request);
    }
    Ok(())
}

#[test]
fn a_plain_rep_serves_many_requests_in_flight() -> Done {
    let node = alone("a")?;
    let rep = RepSocket::new()?;
    let client = node
        .request_client("q")
        .connect(rep.bind("tcp://127.0.0.1:0")?.to_string())
        .timeout(SOON)
        .build()?;
    client.wait_for_server(SOON)?;
    let pending: Vec<_> = (0..50_u8).map(|n| client.request(&[n]).start()).collect();
    for _ in 0..50 {
        let question = rep.recv_timeout(SOON)?;
        rep.send(question.into_payload())?;
    }
    for (n, pending) in (0..50_u8).zip(pending) {
        assert_eq!(pending.wait()?[..], [n]);
    }
    Ok(())
}

/// Answers the next request of a ROUTER with `text`.
fn answer(router: &RouterSocket, request: Message, text: &'static str) -> Done {
    let mut frames = request.into_frames();
    frames.pop();
    frames.push(text.into());
    router.send(Message::multipart(frames))?;
    Ok(())
}

#[test]
fn a_plain_router_gets_no_ids_and_its_late_reply_is_given_to_nobody() -> Done {
    let node = alone("a")?;
    let router = RouterSocket::new()?;
    let endpoint = router.bind("tcp://127.0.0.1:0")?.to_string();
    let client = node
        .request_client("q")
        .connect(endpoint)
        .timeout(SOON)
        .build()?;
    client.wait_for_server(SOON)?;
    let first = client.request(b"one").start();
    assert!(matches!(
        client.request(b"two").wait(),
        Err(RequestError::Busy { .. })
    ));
    let request = router.recv_timeout(SOON)?;
    assert_eq!(request.frames()[1..], ["", "one"]);
    answer(&router, request, "first")?;
    assert_eq!(first.wait()?, "first");

    let late = client.request(b"slow").timeout(ms(50)).wait();
    assert!(matches!(late, Err(RequestError::TimedOut { .. })));
    let slow = router.recv_timeout(SOON)?;
    // The link was dialled again: the late reply has nowhere to go, and the next request gets its own.
    client.wait_for_server(SOON)?;
    let next = client.request(b"next").start();
    let request = router.recv_timeout(SOON)?;
    answer(&router, slow, "late").ok();
    answer(&router, request, "right")?;
    assert_eq!(next.wait()?, "right");
    Ok(())
}

#[test]
fn a_killed_plain_server_fails_only_what_it_had() -> Done {
    let node = alone("a")?;
    let rep = RepSocket::new()?;
    let endpoint = rep.bind("tcp://127.0.0.1:0")?.to_string();
    let client = node
        .request_client("q")
        .connect(endpoint.clone())
        .timeout(SOON)
        .build()?;
    client.wait_for_server(SOON)?;
    let lost = client.request(b"?").start();
    rep.recv_timeout(SOON)?;
    drop(rep);
    assert!(matches!(
        lost.wait(),
        Err(RequestError::Disconnected { .. })
    ));
    // It comes back at its old port; what is asked meanwhile waits for it.
    let waiting = client
        .request(b"again")
        .timeout(Duration::from_secs(20))
        .start();
    let rep = RepSocket::new()?;
    rep.bind(endpoint)?;
    let question = rep.recv_timeout(2 * SOON)?;
    rep.send(question.into_payload())?;
    assert_eq!(waiting.wait()?, "again");
    Ok(())
}
