//! Where callbacks run, and what happens to bad ones.

use std::sync::mpsc;
use std::time::Duration;

use colugo::testing::Net;
use colugo::{Event, Network, Node, RunError};

use crate::{Done, SOON, ms};

fn alone(name: &str) -> Result<Node, colugo::NodeError> {
    Node::builder(name).network(Network::Peers).build()
}

#[test]
fn a_panicking_callback_is_contained_counted_and_reported() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let events = node.events();
    let guard = node
        .subscriber("t")
        .text()
        .on_message(|m| assert_ne!(m.value, "bad", "told to"))?;
    let publisher = node.publisher("t").text().build()?;
    for text in ["good", "bad", "good"] {
        publisher.send(text)?;
    }
    assert_eq!((guard.stats().received, guard.stats().panicked), (3, 1));
    let said = std::iter::from_fn(|| events.try_recv()).find_map(|event| match event {
        Event::CallbackPanicked { handle, message } => Some((handle, message)),
        _ => None,
    });
    assert!(said.is_some_and(
        |(handle, message)| &*handle == "subscriber \"t\"" && message.contains("told to")
    ));
    Ok(())
}

#[test]
fn a_panicking_inline_callback_is_contained_too() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let guard = node
        .subscriber("t")
        .on_message_inline(|m| assert!(m.payload() != b"bad"))?;
    let publisher = node.publisher("t").build()?;
    publisher.send(b"bad")?;
    publisher.send(b"good")?;
    assert_eq!((guard.stats().received, guard.stats().panicked), (2, 1));
    Ok(())
}

#[test]
fn a_callback_that_nobody_runs_is_named_in_an_event() -> Done {
    let node = alone("idle")?;
    let events = node.events();
    let _guard = node.after(ms(0), || {})?;
    let starved = loop {
        match events.recv_timeout(SOON) {
            Some(Event::CallbackStarved { handle, missing }) => break (handle, missing),
            Some(_) => {}
            None => return Err("no event".into()),
        }
    };
    assert!(
        starved.0.contains("delayed callback") && starved.1.contains("run()"),
        "{starved:?}"
    );
    Ok(())
}

#[test]
fn run_ends_when_stopped_from_a_callback_or_before_it_began() -> Done {
    let node = alone("stop")?;
    let stop = node.stop_handle();
    let _guard = node.after(ms(5), move || stop.stop())?;
    node.run()?;
    node.stop_handle().stop();
    node.run()?;
    Ok(())
}

#[test]
fn callbacks_run_on_one_thread_at_a_time() -> Done {
    let node = alone("once")?;
    node.spawn()?;
    assert!(matches!(node.run(), Err(RunError::AlreadyRunning { .. })));
    assert!(matches!(node.spawn(), Err(RunError::AlreadyRunning { .. })));
    node.close().wait()?;
    assert!(matches!(node.run(), Err(RunError::Closed { .. })));
    Ok(())
}

#[test]
fn a_callback_that_blocks_holds_up_neither_discovery_nor_other_nodes() -> Done {
    let (slow, quick) = (alone("slow")?, alone("quick")?);
    slow.spawn()?;
    quick.spawn()?;
    let (release, blocked) = mpsc::channel::<()>();
    let (tx, rx) = mpsc::channel();
    let _block = slow.after(ms(0), move || _ = blocked.recv_timeout(SOON))?;
    let _other = quick.repeater(ms(1)).on_tick(move || _ = tx.send(()))?;
    for _ in 0..20 {
        rx.recv_timeout(SOON)?;
    }
    let sub = slow.subscriber("t").build()?;
    let publisher = slow.publisher("t").build()?;
    publisher.wait_for_subscribers(1, SOON)?;
    publisher.send(b"x")?;
    assert_eq!(sub.recv_timeout(SOON)?.value, "x");
    release.send(())?;
    Ok(())
}

#[test]
fn a_detached_callback_lives_as_long_as_the_node() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let (tx, rx) = mpsc::channel();
    node.repeater(Duration::from_secs(1))
        .on_tick(move || _ = tx.send(()))?
        .detach();
    net.advance(Duration::from_secs(3));
    assert_eq!(rx.try_iter().count(), 3);
    drop(node);
    net.advance(Duration::from_secs(3));
    assert!(matches!(
        rx.try_recv(),
        Err(mpsc::TryRecvError::Disconnected)
    ));
    Ok(())
}
