//! Links of two nodes that share a connection.

use std::collections::BTreeSet;
use std::time::Instant;

use colugo::{Node, RequestError};

use crate::sockets::Place;
use crate::{Done, SOON, ms};

const TOPICS: usize = 40;

fn names() -> impl Iterator<Item = String> {
    (0..TOPICS).map(|n| format!("topic-{n}"))
}

#[test]
fn many_topics_and_a_service_come_by_one_connection() -> Done {
    let place = Place::new();
    let (a, b) = (place.node("a")?, place.builder("b").share_after(0).build()?);
    let publishers: Vec<_> = names()
        .map(|name| a.publisher(&name).text().build())
        .collect::<Result<_, _>>()?;
    let _server = a
        .reply_server("upper")
        .text()
        .on_request(|text, reply| drop(reply.reply(&text.to_uppercase())))?;
    a.spawn()?;
    let subscribers: Vec<_> = names()
        .map(|name| b.subscriber(&name).text().build())
        .collect::<Result<_, _>>()?;
    let client = b.request_client("upper").text().build()?;
    for publisher in &publishers {
        publisher.wait_for_subscribers(1, SOON)?;
    }
    for n in 0..100 {
        for (publisher, name) in publishers.iter().zip(names()) {
            assert_eq!(publisher.send(&format!("{name} {n}"))?.dropped, 0);
        }
    }
    for (subscriber, name) in subscribers.iter().zip(names()) {
        for n in 0..100 {
            assert_eq!(subscriber.recv_timeout(SOON)?.value, format!("{name} {n}"));
        }
    }
    client.wait_for_server(SOON)?;
    assert_eq!(client.request("hello").wait()?, "HELLO");
    // Each publisher sees the same other end.
    let ends: BTreeSet<_> = publishers
        .iter()
        .flat_map(|publisher| publisher.peers())
        .map(|peer| peer.addr)
        .collect();
    assert_eq!(ends.len(), 1);
    // Who is left is told as with a connection of its own.
    drop(a);
    let gone = client.request("hello").timeout(ms(300)).wait();
    assert!(
        matches!(
            gone,
            Err(RequestError::Disconnected { .. }
                | RequestError::NoServer { .. }
                | RequestError::TimedOut { .. })
        ),
        "{gone:?}"
    );
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn the_first_links_have_connections_of_their_own() -> Done {
    let place = Place::new();
    let a = place.node("a")?;
    let b = place.builder("b").share_after(TOPICS - 3).build()?;
    let publishers: Vec<_> = names()
        .map(|name| a.publisher(&name).text().build())
        .collect::<Result<_, _>>()?;
    let _subscribers: Vec<_> = names()
        .map(|name| b.subscriber(&name).text().build())
        .collect::<Result<_, _>>()?;
    for publisher in &publishers {
        publisher.wait_for_subscribers(1, SOON)?;
    }
    let ports = publishers
        .iter()
        .flat_map(|publisher| publisher.endpoints())
        .map(|endpoint| port_of(&endpoint))
        .collect::<Result<_, _>>()?;
    let own = connections_at(&ports)?;
    assert_eq!(own, TOPICS - 3);
    Ok(())
}

#[cfg(target_os = "linux")]
fn port_of(endpoint: &str) -> Result<u16, Box<dyn std::error::Error>> {
    let (_, port) = endpoint.rsplit_once(':').ok_or("no port")?;
    Ok(port.parse()?)
}

/// Connections that were accepted at these ports and live. The port at their other ends says nothing: the system gives one to several that lead to
/// different places. Nor is a line of the table a connection: where others come and go while it is read, the system says some twice, and may leave
/// some out.
#[cfg(target_os = "linux")]
fn connections_at(ports: &BTreeSet<u16>) -> Result<usize, Box<dyn std::error::Error>> {
    let mut found = BTreeSet::new();
    for _ in 0..5 {
        let table = std::fs::read_to_string("/proc/self/net/tcp")?;
        for line in table.lines().skip(1) {
            let mut words = line.split_whitespace().skip(1);
            let (Some(here), Some(there), Some("01")) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let port = here.rsplit_once(':').ok_or("no port in the table")?.1;
            if ports.contains(&u16::from_str_radix(port, 16)?) {
                found.insert((here.to_owned(), there.to_owned()));
            }
        }
    }
    Ok(found.len())
}

/// What `close` says was sent is there, though the process ends with it: here, all that it has of the data thread but the subscriber's part.
#[test]
fn what_was_sent_before_the_close_comes() -> Done {
    let place = Place::new();
    let b = place.builder("b").share_after(0).build()?;
    let subscriber = b.subscriber("t").text().queue(10_000).build()?;
    for round in 0..10 {
        let a = place.node("a")?;
        let publisher = a.publisher("t").text().queue(10_000).build()?;
        publisher.wait_for_subscribers(1, SOON)?;
        for n in 0..5_000 {
            publisher.send(&format!("{round} {n}"))?;
        }
        a.close().wait()?;
        for n in 0..5_000 {
            assert_eq!(subscriber.recv_timeout(SOON)?.value, format!("{round} {n}"));
        }
    }
    Ok(())
}

/// A subscriber is told of the loss of its publisher's node, and finds the next one.
#[test]
fn a_publisher_that_comes_again_is_found_again() -> Done {
    let place = Place::new();
    let b: Node = place.builder("b").share_after(0).build()?;
    let subscriber = b.subscriber("t").text().build()?;
    for round in 0..5 {
        let a = place.node("a")?;
        let publisher = a.publisher("t").text().build()?;
        publisher.wait_for_subscribers(1, SOON)?;
        publisher.send(&round.to_string())?;
        assert_eq!(subscriber.recv_timeout(SOON)?.value, round.to_string());
        drop(publisher);
        let began = Instant::now();
        drop(a);
        assert!(began.elapsed() < SOON);
    }
    Ok(())
}
