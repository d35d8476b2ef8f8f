//! Real nodes and handles end cleanly in any order and anywhere, also inside an async runtime.

use std::time::{Duration, Instant};

use crate::sockets::Place;
use crate::{Done, SOON};

/// Nothing that is dropped may hold its thread up for long.
const SHORT: Duration = Duration::from_secs(3);

fn make_and_drop(order: usize) -> Done {
    let place = Place::new();
    let node = place.node("a")?;
    let publisher = node.publisher("t").build()?;
    let sub = node.subscriber("t").build()?;
    let guard = node
        .reply_server("q")
        .on_request(|q, reply| reply.reply(&q).unwrap_or_default())?;
    let client = node.request_client("q").build()?;
    node.spawn()?;
    publisher.wait_for_subscribers(1, SOON)?;
    publisher.send(b"x")?;
    client.wait_for_server(SOON)?;
    let pending = client.request(b"?").start();
    let mut parts: Vec<Option<Box<dyn std::any::Any>>> = vec![
        Some(Box::new(node)),
        Some(Box::new((publisher, sub))),
        Some(Box::new(guard)),
        Some(Box::new((client, pending))),
    ];
    let begun = Instant::now();
    let mut code = order;
    for left in (1..=4).rev() {
        let pick = code % left;
        code /= left;
        let alive: Vec<usize> = (0..4).filter(|at| parts[*at].is_some()).collect();
        parts[alive[pick]] = None;
    }
    assert!(
        begun.elapsed() < SHORT,
        "order {order} took {:?}",
        begun.elapsed()
    );
    Ok(())
}

#[test]
fn handles_and_nodes_are_dropped_in_every_order() -> Done {
    (0..24).try_for_each(make_and_drop)
}

#[test]
fn nodes_are_made_used_and_dropped_inside_async_runtimes() -> Done {
    for flavour in ["current", "multi"] {
        let mut builder = if flavour == "current" {
            tokio::runtime::Builder::new_current_thread()
        } else {
            tokio::runtime::Builder::new_multi_thread()
        };
        let runtime = builder.enable_all().build()?;
        runtime.block_on(async {
            make_and_drop(0)?;
            make_and_drop(23)?;
            let place = Place::new();
            let node = place.node("a")?;
            let (publisher, sub) = (node.publisher("t").build()?, node.subscriber("t").build()?);
            tokio::time::timeout(SOON, publisher.wait_for_subscribers_async(1)).await??;
            publisher.send(b"x")?;
            assert_eq!(
                tokio::time::timeout(SOON, sub.recv_async()).await??.value,
                "x"
            );
            node.close().await?;
            Ok::<_, Box<dyn std::error::Error>>(())
        })?;
    }
    Ok(())
}

#[test]
fn what_was_sent_before_a_publisher_is_dropped_still_arrives() -> Done {
    let place = Place::new();
    let (a, b) = (place.node("a")?, place.node("b")?);
    let sub = b.subscriber("t").build()?;
    let publisher = a.publisher("t").build()?;
    publisher.wait_for_subscribers(1, SOON)?;
    for n in 0..500_u32 {
        publisher.send(&n.to_be_bytes())?;
    }
    drop(publisher);
    for n in 0..500_u32 {
        assert_eq!(sub.recv_timeout(SOON)?.value[..], n.to_be_bytes());
    }
    Ok(())
}

#[test]
fn a_node_closes_from_within_its_own_callback() -> Done {
    let place = Place::new();
    let node = place.node("a")?;
    let closing = node.clone();
    let _guard = node.after(Duration::ZERO, move || drop(closing.close().wait()))?;
    node.run()?;
    assert!(node.publisher("t").build().is_err());
    Ok(())
}
