//! The eight patterns of the original, on the virtual network: one or several publishers and subscribers, one or several clients and servers.

use colugo::testing::Net;
use colugo::{Node, Publisher, Subscriber};

use crate::Done;

fn nodes(net: &Net, what: &str, n: usize) -> Result<Vec<Node>, colugo::NodeError> {
    (0..n).map(|i| net.node(&format!("{what}{i}"))).collect()
}

/// Each of `publishers` nodes sends ten messages; each of `subscribers` nodes gets all of them, those of one publisher in order.
fn pub_sub(publishers: usize, subscribers: usize) -> Done {
    let net = Net::new();
    let subscribing = nodes(&net, "sub", subscribers)?;
    let publishing = nodes(&net, "pub", publishers)?;
    let subs: Vec<Subscriber<String>> = subscribing
        .iter()
        .map(|node| node.subscriber("pub.topic").text().build())
        .collect::<Result<_, _>>()?;
    let pubs: Vec<Publisher<str>> = publishing
        .iter()
        .map(|node| node.publisher("pub.topic").text().build())
        .collect::<Result<_, _>>()?;
    for n in 0..10 {
        for (i, publisher) in pubs.iter().enumerate() {
            let sent = publisher.send(&format!("{i} {n}"))?;
            assert_eq!((sent.queued as usize, sent.dropped), (subscribers, 0));
        }
    }
    for sub in &subs {
        let mut next = vec![0; publishers];
        while let Some(message) = sub.try_recv()? {
            let (from, n) = message.value.split_once(' ').ok_or("no space")?;
            let next = &mut next[from.parse::<usize>()?];
            assert_eq!((n.parse::<u64>()?, message.meta.seq), (*next, Some(*next)));
            *next += 1;
        }
        assert_eq!(next, vec![10; publishers]);
    }
    Ok(())
}

#[test]
fn single_publisher_single_subscriber() -> Done {
    pub_sub(1, 1)
}

#[test]
fn single_publisher_multi_subscriber() -> Done {
    pub_sub(1, 3)
}

#[test]
fn multi_publisher_single_subscriber() -> Done {
    pub_sub(3, 1)
}

#[test]
fn multi_publisher_multi_subscriber() -> Done {
    pub_sub(3, 3)
}

/// Each of `clients` nodes asks `requests` times; the servers, one node each, share them evenly.
fn req_rep(clients: usize, servers: usize) -> Done {
    let net = Net::new();
    let serving = nodes(&net, "server", servers)?;
    let asking = nodes(&net, "client", clients)?;
    let guards: Vec<_> = serving
        .iter()
        .map(|node| {
            let name = node.name().to_owned();
            node.reply_server("rpc.topic")
                .text()
                .on_request(move |q, reply| {
                    reply.reply(&format!("{q} by {name}")).unwrap_or_default()
                })
        })
        .collect::<Result<_, _>>()?;
    let requests: u64 = 31;
    for (i, node) in asking.iter().enumerate() {
        let client = node.request_client("rpc.topic").text().build()?;
        assert_eq!(client.server_count(), servers);
        for n in 0..requests {
            let answer = client.request(&format!("{i} {n}")).wait()?;
            assert!(
                answer.starts_with(&format!("{i} {n} by server")),
                "{answer}"
            );
        }
    }
    let served: Vec<u64> = guards.iter().map(|guard| guard.stats().sent).collect();
    let (least, most) = (served.iter().min().copied(), served.iter().max().copied());
    assert_eq!(served.iter().sum::<u64>(), requests * clients as u64);
    assert!(
        most <= least.map(|least| least + clients as u64),
        "each client's share is even to one: {served:?}"
    );
    Ok(())
}

#[test]
fn single_client_single_server() -> Done {
    req_rep(1, 1)
}

#[test]
fn single_client_multi_server() -> Done {
    req_rep(1, 3)
}

#[test]
fn multi_client_single_server() -> Done {
    req_rep(3, 1)
}

#[test]
fn multi_client_multi_server() -> Done {
    req_rep(3, 3)
}
