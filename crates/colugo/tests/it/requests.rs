//! Requests on the virtual clock: every one ends, at its time, with its own reply.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use colugo::testing::Net;
use colugo::{Refusal, RequestError};

use crate::{Done, ms};

#[test]
fn timeouts_fire_exactly_at_their_time() -> Done {
    let net = Net::new();
    let (a, b) = (net.node("a")?, net.node("b")?);
    let _silent = b.reply_server("silent").build()?;
    let client = a.request_client("silent").build()?;
    for timeout in [0, 1, 7, 2_000] {
        let begun = net.now();
        let ended = client.request(b"?").timeout(ms(timeout)).wait();
        assert!(
            matches!(ended, Err(RequestError::TimedOut { waited, .. }) if waited == ms(timeout)),
            "{ended:?}"
        );
        assert_eq!(net.now() - begun, ms(timeout));
    }
    let begun = net.now();
    let times = Arc::new(Mutex::new(Vec::new()));
    for timeout in [30, 10, 20] {
        let (times, net) = (times.clone(), net.clone());
        client
            .request(b"?")
            .timeout(ms(timeout))
            .on_reply(move |ended| {
                assert!(matches!(ended, Err(RequestError::TimedOut { .. })));
                times.lock().unwrap().push((net.now() - begun).as_millis());
            });
    }
    net.advance(ms(100));
    assert_eq!(*times.lock().unwrap(), [10, 20, 30]);
    assert_eq!(client.in_flight(), 0);
    Ok(())
}

#[test]
fn the_default_timeout_is_two_seconds() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let _silent = node.reply_server("silent").build()?;
    let client = node.request_client("silent").build()?;
    let begun = net.now();
    assert!(client.request(b"?").wait().is_err());
    assert_eq!(net.now() - begun, Duration::from_secs(2));
    Ok(())
}

#[test]
fn no_server_is_reported_after_the_wait_given_and_not_as_a_timeout() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let client = node.request_client("nobody").build()?;
    let begun = net.now();
    let ended = client
        .request(b"?")
        .timeout(ms(900))
        .server_wait(ms(250))
        .wait();
    assert!(
        matches!(ended, Err(RequestError::NoServer { waited, .. }) if waited == ms(250)),
        "{ended:?}"
    );
    assert_eq!(net.now() - begun, ms(250));
    let ended = client.request(b"?").server_wait(Duration::ZERO).wait();
    assert!(matches!(ended, Err(RequestError::NoServer { .. })));
    assert_eq!(net.now() - begun, ms(250));
    let pending = client.request(b"?").timeout(ms(50)).start();
    net.advance(ms(49));
    assert!(!pending.is_done());
    net.advance(ms(1));
    assert!(pending.is_done());
    assert!(matches!(pending.wait(), Err(RequestError::NoServer { .. })));
    Ok(())
}

#[test]
fn a_request_waits_for_its_server_to_come() -> Done {
    let net = Net::new();
    let (a, b) = (net.node("a")?, net.node("b")?);
    let client = a.request_client("late").text().build()?;
    let waiting: Vec<_> = (0..5)
        .map(|n| client.request(&n.to_string()).timeout(ms(1000)).start())
        .collect();
    net.advance(ms(500));
    let _server = b
        .reply_server("late")
        .text()
        .on_request(|q, reply| reply.reply(&format!("re {q}")).unwrap_or_default())?;
    for (n, pending) in waiting.into_iter().enumerate() {
        assert_eq!(pending.wait()?, format!("re {n}"));
    }
    Ok(())
}

#[test]
fn a_hundred_thousand_requests_with_delays_around_the_timeout_get_their_own_reply_or_none() -> Done
{
    const REQUESTS: u32 = 100_000;
    let net = Net::new();
    let (a, b) = (net.node("a")?, net.node("b")?);
    let server_node = b.clone();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let _server = b.reply_server("slow").on_request(move |q, reply| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let delay = Duration::from_micros(50_000 + random % 100_000);
        if let Ok(later) = server_node.after(delay, move || drop(reply.reply(&q))) {
            later.detach();
        }
    })?;
    let client = a.request_client("slow").max_in_flight(1 << 20).build()?;
    let ends = Arc::new(Mutex::new((HashMap::new(), 0_u32, 0_u32)));
    for n in 0..REQUESTS {
        let ends = ends.clone();
        client
            .request(&n.to_be_bytes())
            .timeout(ms(100))
            .on_reply(move |ended| {
                let mut ends = ends.lock().unwrap();
                *ends.0.entry(n).or_insert(0) += 1;
                match ended {
                    Ok(reply) => {
                        assert_eq!(reply[..], n.to_be_bytes(), "a reply to another request");
                        ends.1 += 1;
                    }
                    Err(RequestError::TimedOut { .. }) => ends.2 += 1,
                    Err(other) => panic!("{other}"),
                }
            });
        net.advance(Duration::from_micros(7));
    }
    net.advance(Duration::from_secs(1));
    let ends = ends.lock().unwrap();
    assert!(ends.0.len() == REQUESTS as usize && ends.0.values().all(|times| *times == 1));
    assert_eq!(ends.1 + ends.2, REQUESTS);
    assert!(
        ends.1 > REQUESTS / 3 && ends.2 > REQUESTS / 3,
        "{} replies, {} timeouts",
        ends.1,
        ends.2
    );
    assert_eq!(client.stats().late, u64::from(ends.2));
    assert_eq!(client.in_flight(), 0);
    Ok(())
}

#[test]
fn a_dropped_reply_cancels_and_its_late_answer_goes_nowhere() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let server = node.reply_server("q").text().build()?;
    let client = node.request_client("q").text().build()?;
    drop(client.request("first").start());
    assert_eq!(client.in_flight(), 0);
    let second = client.request("second").start();
    let (first, to_first) = server.recv()?;
    assert_eq!(first, "first");
    to_first.reply("to the first")?;
    assert!(!second.is_done());
    server.recv()?.1.reply("to the second")?;
    assert_eq!(second.wait()?, "to the second");
    assert_eq!(client.stats().late, 1);
    Ok(())
}

#[test]
fn refusals_panics_and_undecodable_requests_end_the_request_at_once() -> Done {
    let net = Net::new();
    let (a, b) = (net.node("a")?, net.node("b")?);
    let _server = b
        .reply_server("picky")
        .json::<u8, u8>()
        .on_request(|q, reply| match q {
            0 => drop(reply),
            1 => reply.refuse(117, "not today"),
            2 => reply.refuse(Refusal::BUSY, "later"),
            3 => panic!("three"),
            n => reply.reply(&n).unwrap_or_default(),
        })?;
    let client = a.request_client("picky").json::<u8, u8>().build()?;
    let code = |ended: Result<u8, RequestError>| match ended {
        Err(RequestError::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    let begun = net.now();
    assert_eq!(code(client.request(&0).wait()), Refusal::DROPPED);
    assert_eq!(code(client.request(&1).wait()), 117);
    assert!(matches!(
        client.request(&2).wait(),
        Err(RequestError::Busy { .. })
    ));
    assert_eq!(code(client.request(&3).wait()), Refusal::PANICKED);
    assert_eq!(
        code(client.request_bytes("no json").wait()),
        Refusal::UNDECODABLE
    );
    assert_eq!(client.request(&4).wait()?, 4);
    assert_eq!(net.now(), begun);
    Ok(())
}

#[test]
fn requests_end_as_disconnected_when_the_link_breaks() -> Done {
    let net = Net::new();
    let (a, b) = (net.node("a")?, net.node("b")?);
    let _silent = b.reply_server("silent").build()?;
    let client = a.request_client("silent").build()?;
    let pending = client.request(b"?").start();
    net.cut("a", "b");
    assert!(pending.is_done());
    assert!(matches!(
        pending.wait(),
        Err(RequestError::Disconnected { .. })
    ));
    Ok(())
}

#[test]
fn more_requests_than_allowed_in_flight_are_busy() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let _silent = node.reply_server("silent").build()?;
    let client = node.request_client("silent").max_in_flight(3).build()?;
    let pending: Vec<_> = (0..4).map(|_| client.request(b"?").start()).collect();
    let done: Vec<bool> = pending.iter().map(|p| p.is_done()).collect();
    assert_eq!(done, [false, false, false, true]);
    Ok(())
}

#[test]
fn one_server_of_three_can_close_without_an_error() -> Done {
    let net = Net::new();
    let a = net.node("a")?;
    let client = a.request_client("work").text().build()?;
    let mut guards = Vec::new();
    for i in 0..3 {
        let node = net.node(&format!("server{i}"))?;
        guards.push((
            node.reply_server("work")
                .text()
                .on_request(|q, reply| reply.reply(&q).unwrap_or_default())?,
            node,
        ));
    }
    let mut pending = Vec::new();
    for n in 0..30 {
        pending.push((n, client.request(&n.to_string()).start()));
        if n == 15 {
            drop(guards.pop());
            assert_eq!(client.server_count(), 2);
        }
    }
    for (n, pending) in pending {
        assert_eq!(pending.wait()?, n.to_string());
    }
    Ok(())
}

#[test]
fn a_callback_that_would_wait_for_its_own_node_is_told_so() -> Done {
    let net = Net::new();
    let (a, b) = (net.node("a")?, net.node("b")?);
    let _own = a
        .reply_server("own")
        .text()
        .on_request(|_, reply| reply.reply("never").unwrap_or_default())?;
    let _other = b
        .reply_server("other")
        .text()
        .on_request(|_, reply| reply.reply("fine").unwrap_or_default())?;
    let own = a.request_client("own").text().build()?;
    let other = a.request_client("other").text().build()?;
    let results = Arc::new(Mutex::new(Vec::new()));
    let seen = results.clone();
    let _ask = a.after(ms(1), move || {
        seen.lock().unwrap().push(other.request("?").wait());
        seen.lock().unwrap().push(own.request("?").wait());
        seen.lock().unwrap().push(own.request("?").start().wait());
    })?;
    net.advance(ms(1));
    let results = results.lock().unwrap();
    assert!(
        matches!(&results[0], Ok(text) if text == "fine"),
        "{results:?}"
    );
    assert!(
        matches!(results[1], Err(RequestError::WouldDeadlock)),
        "{results:?}"
    );
    assert!(
        matches!(results[2], Err(RequestError::WouldDeadlock)),
        "{results:?}"
    );
    Ok(())
}

#[test]
fn waiting_inside_an_inline_callback_is_refused_at_once() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let _server = node
        .reply_server("q")
        .on_request_inline(|_, reply| reply.reply(b"r").unwrap_or_default())?;
    let client = node.request_client("q").build()?;
    let sub = node.subscriber("other").build()?;
    let results = Arc::new(Mutex::new(Vec::new()));
    let seen = results.clone();
    let _inline = node.subscriber("go").on_message_inline(move |_| {
        let asked = client
            .request(b"?")
            .wait()
            .is_err_and(|e| matches!(e, RequestError::WouldDeadlock));
        let received = sub
            .recv_timeout(ms(5))
            .is_err_and(|e| matches!(e, colugo::RecvError::WouldDeadlock));
        seen.lock().unwrap().push((asked, received));
    })?;
    node.publisher("go").build()?.send(b"!")?;
    assert_eq!(*results.lock().unwrap(), [(true, true)]);
    Ok(())
}

#[test]
fn replies_of_several_frames_and_of_none_arrive_as_such() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let _server = node
        .reply_server("parts")
        .parts()
        .on_request(|q, reply| reply.reply_parts(&q).unwrap_or_default())?;
    let client = node.request_client("parts").parts().build()?;
    let parts = ["a".into(), "".into(), "b".into()];
    assert_eq!(client.request_parts(&parts).wait()?, parts);
    assert_eq!(client.request_parts(&[]).wait()?, [""]);
    assert_eq!(client.request(b"").wait()?, [""]);
    Ok(())
}
