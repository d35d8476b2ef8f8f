//! Requests over real sockets: sync, async and by callback, many at once, to servers that stay and that go.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use colugo::RequestError;

use crate::sockets::Place;
use crate::{Done, SOON, ms};

#[test]
fn many_requests_in_flight_get_their_own_replies() -> Done {
    let place = Place::new();
    let (a, b) = (place.node("a")?, place.node("b")?);
    let _server = b
        .reply_server("echo")
        .on_request_inline(|q, reply| reply.reply(q.payload()).unwrap_or_default())?;
    let client = a.request_client("echo").timeout(SOON).build()?;
    client.wait_for_server(SOON)?;
    let pending: Vec<_> = (0..500_u32)
        .map(|n| client.request(&n.to_be_bytes()).start())
        .collect();
    for (n, pending) in (0..500_u32).zip(pending) {
        assert_eq!(pending.wait()?[..], n.to_be_bytes());
    }
    let (tx, rx) = mpsc::channel();
    for n in 0..500_u32 {
        let tx = tx.clone();
        client
            .request(&n.to_be_bytes())
            .on_reply_inline(move |reply| drop(tx.send((n, reply))));
    }
    for _ in 0..500 {
        let (n, reply) = rx.recv_timeout(SOON)?;
        assert_eq!(reply?[..], n.to_be_bytes());
    }
    assert_eq!(client.in_flight(), 0);
    Ok(())
}

#[test]
fn requests_and_messages_are_awaited_on_any_executor() -> Done {
    let place = Place::new();
    let node = place.node("a")?;
    let server = node.reply_server("up").text().build()?;
    let up = node.request_client("up").text().timeout(SOON).build()?;
    let served = std::thread::spawn(move || {
        pollster::block_on(async {
            for _ in 0..3 {
                let (text, reply) = server.recv_async().await.map_err(|e| e.to_string())?;
                reply
                    .reply(&text.to_uppercase())
                    .map_err(|e| e.to_string())?;
            }
            Ok::<_, String>(())
        })
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        up.wait_for_server_async().await?;
        for text in ["a", "b", "c"] {
            assert_eq!(up.request(text).await?, text.to_uppercase());
        }
        node.close().await?;
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;
    served.join().map_err(|_| "panicked")??;
    Ok(())
}

#[test]
fn timeouts_and_missing_servers_take_the_time_given() -> Done {
    let place = Place::new();
    let node = place.node("a")?;
    let _silent = node.reply_server("silent").build()?;
    let silent = node.request_client("silent").build()?;
    silent.wait_for_server(SOON)?;
    let nobody = node.request_client("nobody").build()?;
    let begun = Instant::now();
    assert!(matches!(
        silent.request(b"?").timeout(ms(50)).wait(),
        Err(RequestError::TimedOut { .. })
    ));
    assert!(matches!(
        nobody.request(b"?").timeout(ms(50)).wait(),
        Err(RequestError::NoServer { .. })
    ));
    assert!(matches!(
        pollster::block_on(async { silent.request(b"?").timeout(ms(50)).await }),
        Err(RequestError::TimedOut { .. })
    ));
    let (tx, rx) = mpsc::channel();
    silent
        .request(b"?")
        .timeout(ms(50))
        .on_reply_inline(move |ended| drop(tx.send(ended)));
    assert!(matches!(
        rx.recv_timeout(SOON)?,
        Err(RequestError::TimedOut { .. })
    ));
    assert!((ms(200)..SOON).contains(&begun.elapsed()));
    Ok(())
}

#[test]
fn a_dropped_responder_and_a_vanished_server_end_requests_at_once() -> Done {
    let place = Place::new();
    let (a, b) = (place.node("a")?, place.node("b")?);
    let server = b.reply_server("q").build()?;
    let client = a.request_client("q").timeout(SOON).build()?;
    client.wait_for_server(SOON)?;
    let refused = client.request(b"?").start();
    drop(server.recv_timeout(SOON)?);
    assert!(matches!(refused.wait(), Err(RequestError::Refused { .. })));
    let lost = client.request(b"?").start();
    let kept = server.recv_timeout(SOON)?;
    let begun = Instant::now();
    drop(b);
    let ended = lost.wait();
    assert!(
        matches!(ended, Err(RequestError::Disconnected { .. })),
        "{ended:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(kept);
    Ok(())
}

#[test]
fn a_callback_may_wait_for_another_node_and_not_for_its_own() -> Done {
    let place = Place::new();
    let (a, b) = (place.node("a")?, place.node("b")?);
    let _own = a
        .reply_server("own")
        .text()
        .on_request(|_, reply| reply.reply("never").unwrap_or_default())?;
    let _other = b
        .reply_server("other")
        .text()
        .on_request(|_, reply| reply.reply("fine").unwrap_or_default())?;
    let (own, other) = (
        a.request_client("own").text().timeout(SOON).build()?,
        a.request_client("other").text().timeout(SOON).build()?,
    );
    own.wait_for_server(SOON)?;
    other.wait_for_server(SOON)?;
    a.spawn()?;
    b.spawn()?;
    let (tx, rx) = mpsc::channel();
    let _ask = a.after(ms(0), move || {
        drop(tx.send((other.request("?").wait(), own.request("?").wait())))
    })?;
    let (from_other, from_own) = rx.recv_timeout(SOON)?;
    assert_eq!(from_other?, "fine");
    assert!(matches!(from_own, Err(RequestError::WouldDeadlock)));
    Ok(())
}
