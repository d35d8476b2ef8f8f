//! Ends of nodes and handles, on the virtual network: in any order, without loss of sense.

use colugo::testing::Net;
use colugo::{BuildError, Event, RecvError, RequestError, RunError, SendError};

use crate::{Done, ms};

#[test]
fn handles_of_a_closed_node_say_so() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let (publisher, sub) = (node.publisher("t").build()?, node.subscriber("t").build()?);
    let (server, client) = (
        node.reply_server("q").build()?,
        node.request_client("q").build()?,
    );
    let pending = client.request(b"?").start();
    publisher.send(b"last")?;
    node.close().wait()?;
    node.close().wait()?;
    assert!(matches!(publisher.send(b"x"), Err(SendError::Closed)));
    assert_eq!(sub.recv()?.value, "last");
    assert!(matches!(sub.recv(), Err(RecvError::Closed)));
    assert!(pending.wait().is_err());
    assert!(matches!(
        client.request(b"?").wait(),
        Err(RequestError::Closed)
    ));
    drop(server);
    assert!(matches!(
        node.publisher("t").build(),
        Err(BuildError::Closed { .. })
    ));
    assert!(matches!(
        node.after(ms(1), || {}),
        Err(BuildError::Closed { .. })
    ));
    assert!(matches!(node.run(), Err(RunError::Closed { .. })));
    Ok(())
}

#[test]
fn the_last_clone_of_a_node_closes_it() -> Done {
    let net = Net::new();
    let (node, other) = (net.node("a")?, net.node("b")?);
    let events = other.events();
    let sub = node.subscriber("t").build()?;
    let clone = node.clone();
    drop(node);
    assert!(sub.try_recv()?.is_none());
    drop(clone);
    assert!(matches!(sub.try_recv(), Err(RecvError::Closed)));
    assert!(
        std::iter::from_fn(|| events.try_recv())
            .any(|event| matches!(event, Event::NodeLeft { name, .. } if name == "a"))
    );
    assert_eq!(other.graph().nodes.len(), 1);
    Ok(())
}

#[test]
fn events_end_with_the_node() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let events = node.events();
    node.close().wait()?;
    assert!(events.recv().is_none());
    Ok(())
}

#[test]
fn everything_can_be_dropped_in_any_order() -> Done {
    for order in 0..24_usize {
        let net = Net::new();
        let node = net.node("a")?;
        let server = node.reply_server("q").build()?;
        let client = node.request_client("q").build()?;
        let pending = client.request(b"?").start();
        let (_, responder) = server.recv()?;
        let mut parts: Vec<Option<Box<dyn std::any::Any>>> = vec![
            Some(Box::new(node)),
            Some(Box::new((server, client))),
            Some(Box::new(pending)),
            Some(Box::new(responder)),
        ];
        let mut code = order;
        for left in (1..=4).rev() {
            let pick = code % left;
            code /= left;
            let alive: Vec<usize> = (0..4).filter(|at| parts[*at].is_some()).collect();
            parts[alive[pick]] = None;
        }
    }
    Ok(())
}

#[test]
fn a_topic_can_be_published_again_after_its_publisher_is_gone() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let sub = node.subscriber("t").build()?;
    let first = node.publisher("t").build()?;
    assert!(matches!(
        node.publisher("t").build(),
        Err(BuildError::Duplicate { .. })
    ));
    drop(first);
    let second = node.publisher("t").build()?;
    second.send(b"x")?;
    assert_eq!(sub.recv()?.value, "x");
    Ok(())
}
