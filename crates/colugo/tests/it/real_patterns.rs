//! The patterns again, over real sockets, with nodes that find each other.

use colugo::{Event, Node};

use crate::sockets::Place;
use crate::{Done, SOON};

#[test]
fn the_first_message_is_not_lost() -> Done {
    for _ in 0..20 {
        let place = Place::new();
        let (a, b) = (place.node("a")?, place.node("b")?);
        let sub = b.subscriber("t").build()?;
        let publisher = a.publisher("t").build()?;
        publisher.wait_for_subscribers(1, SOON)?;
        for n in 0..1_000_u32 {
            publisher.send(&n.to_be_bytes())?;
        }
        for n in 0..1_000_u32 {
            let message = sub.recv_timeout(SOON)?;
            assert_eq!(
                (&message.value[..], message.meta.seq),
                (&n.to_be_bytes()[..], Some(u64::from(n)))
            );
        }
    }
    Ok(())
}

#[test]
fn three_publishers_and_three_subscribers_all_meet() -> Done {
    let place = Place::new();
    let nodes: Vec<Node> = (0..3)
        .map(|i| place.node(&format!("n{i}")))
        .collect::<Result<_, _>>()?;
    let subs: Vec<_> = nodes
        .iter()
        .map(|node| node.subscriber("t").text().build())
        .collect::<Result<_, _>>()?;
    let pubs: Vec<_> = nodes
        .iter()
        .map(|node| node.publisher("t").text().build())
        .collect::<Result<_, _>>()?;
    for publisher in &pubs {
        publisher.wait_for_subscribers(3, SOON)?;
    }
    for (i, publisher) in pubs.iter().enumerate() {
        publisher.send(&i.to_string())?;
    }
    for sub in &subs {
        let mut got: Vec<String> = (0..3)
            .map(|_| sub.recv_timeout(SOON).map(|m| m.value))
            .collect::<Result<_, _>>()?;
        got.sort();
        assert_eq!(got, ["0", "1", "2"]);
    }
    Ok(())
}

#[test]
fn round_robin_over_three_servers_is_even_and_one_may_close() -> Done {
    let place = Place::new();
    let asking = place.node("client")?;
    let client = asking.request_client("rpc").text().build()?;
    let mut servers = Vec::new();
    for i in 0..3 {
        let node = place.node(&format!("server{i}"))?;
        let guard = node
            .reply_server("rpc")
            .text()
            .on_request(|q, reply| reply.reply(&q).unwrap_or_default())?;
        node.spawn()?;
        servers.push((guard, node));
    }
    client.wait_for_servers(3, SOON)?;
    for n in 0..100 {
        assert_eq!(
            client.request(&n.to_string()).timeout(SOON).wait()?,
            n.to_string()
        );
    }
    let served: Vec<u64> = servers
        .iter()
        .map(|(guard, _)| guard.stats().sent)
        .collect();
    assert!(served.iter().all(|n| (33..=34).contains(n)), "{served:?}");
    let mut pending = Vec::new();
    for n in 0..300 {
        pending.push((n, client.request(&n.to_string()).timeout(SOON).start()));
        if n == 100 {
            let (guard, node) = servers.pop().ok_or("three")?;
            drop(guard);
            drop(node);
        }
    }
    for (n, pending) in pending {
        assert_eq!(pending.wait()?, n.to_string());
    }
    Ok(())
}

#[test]
fn nodes_see_each_other_come_and_go() -> Done {
    let place = Place::new();
    let a = place.node("a")?;
    let events = a.events();
    let b = place.node("b")?;
    let id = b.id();
    let wait_for = |wanted: &dyn Fn(&Event) -> bool| loop {
        match events.recv_timeout(SOON) {
            Some(event) if wanted(&event) => return true,
            Some(_) => {}
            None => return false,
        }
    };
    assert!(wait_for(
        &|event| matches!(event, Event::NodeJoined { node, .. } if *node == id)
    ));
    assert!(
        a.graph()
            .nodes
            .iter()
            .any(|node| node.id == id && node.name == "b")
    );
    b.close().wait()?;
    assert!(wait_for(
        &|event| matches!(event, Event::NodeLeft { node, .. } if *node == id)
    ));
    Ok(())
}

#[test]
fn fixed_peers_find_each_other_without_discovery() -> Done {
    let place = Place::new();
    let a = place
        .builder("a")
        .network(colugo::Network::Peers)
        .listen("127.0.0.1:0")
        .build()?;
    let at = a.control_address().ok_or("no control port")?;
    let b = place
        .builder("b")
        .network(colugo::Network::Peers)
        .peer(format!("tcp://{at}"))
        .build()?;
    let sub = b.subscriber("t").build()?;
    let publisher = a.publisher("t").build()?;
    publisher.wait_for_subscribers(1, SOON)?;
    publisher.send(b"x")?;
    assert_eq!(sub.recv_timeout(SOON)?.value, "x");
    Ok(())
}

#[test]
fn messages_of_all_sizes_pass() -> Done {
    let place = Place::new();
    let node = place.node("a")?;
    let sub = node.subscriber("t").build()?;
    let publisher = node.publisher("t").build()?;
    publisher.wait_for_subscribers(1, SOON)?;
    for size in [0, 1, 255, 256, 65_535, 1 << 20, 16 << 20] {
        let payload: Vec<u8> = (0..size).map(|i| i as u8).collect();
        publisher.send_bytes(payload.clone())?;
        assert!(sub.recv_timeout(SOON)?.value == payload, "{size}");
    }
    Ok(())
}

#[test]
fn a_port_range_is_kept_to() -> Done {
    let place = Place::new();
    let free = std::net::TcpListener::bind("0.0.0.0:0")?
        .local_addr()?
        .port();
    let node = place.builder("a").ports(free..=free).build()?;
    let publisher = node.publisher("t").build()?;
    assert!(
        publisher
            .endpoints()
            .iter()
            .any(|endpoint| endpoint.ends_with(&format!(":{free}"))),
        "{:?}",
        publisher.endpoints()
    );
    assert!(node.publisher("u").build().is_err());
    Ok(())
}
