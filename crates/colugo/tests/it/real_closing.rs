//! What real nodes make of ends that are not their own doing: waits on a node that is closed, messages that are lost, ports that were used.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use colugo::{BuildError, Event, Node, NodeState, Overflow, WaitError};

use crate::sockets::Place;
use crate::{Done, SOON, ms};

/// Longer than any test runs.
const FOR_EVER: Duration = Duration::from_secs(3600);

#[test]
fn waits_on_a_node_that_is_closed_meanwhile_end_at_once() -> Done {
    let place = Place::new();
    let node = place.node("a")?;
    let publisher = node.publisher("t").build()?;
    let sub = node.subscriber("other").build()?;
    let client = node.request_client("q").build()?;
    let guard = node.subscriber("third").on_message(|_| {})?;
    type Wait = Box<dyn FnOnce() -> Result<(), WaitError> + Send>;
    let waits: [(&str, Wait); 4] = [
        (
            "subscribers",
            Box::new(move || publisher.wait_for_subscribers(1, FOR_EVER)),
        ),
        (
            "publishers",
            Box::new(move || sub.wait_for_publishers(1, FOR_EVER)),
        ),
        (
            "servers",
            Box::new(move || client.wait_for_server(FOR_EVER)),
        ),
        ("peers", Box::new(move || guard.wait_for_peers(1, FOR_EVER))),
    ];
    let (begin, begun) = mpsc::channel();
    let threads = waits.map(|(what, wait)| {
        let begin = begin.clone();
        let thread = std::thread::spawn(move || {
            let _ = begin.send(());
            wait()
        });
        (what, thread)
    });
    for _ in 0..threads.len() {
        begun.recv_timeout(SOON)?;
    }
    let closed = Instant::now();
    node.close().wait()?;
    for (what, thread) in threads {
        let ended = thread.join().map_err(|_| "a panic")?;
        assert!(
            matches!(ended, Err(WaitError::Closed)),
            "the wait for {what}: {ended:?}"
        );
    }
    assert!(closed.elapsed() < SOON, "{:?}", closed.elapsed());
    Ok(())
}

#[test]
fn an_async_wait_for_subscribers_ends_when_its_node_is_closed() -> Done {
    let place = Place::new();
    let node = place.node("a")?;
    let publisher = node.publisher("t").build()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(async {
        let waiting = tokio::spawn(async move { publisher.wait_for_subscribers_async(1).await });
        tokio::task::yield_now().await;
        node.close().await?;
        let ended = tokio::time::timeout(SOON, waiting).await??;
        Ok::<_, Box<dyn std::error::Error>>(ended)
    })?;
    assert!(matches!(ended, Err(WaitError::Closed)), "{ended:?}");
    Ok(())
}

fn knows(node: &Node, other: &Node) -> bool {
    let graph = node.graph();
    let mut nodes = graph.nodes.iter();
    nodes.any(|it| it.id == other.id() && it.state == NodeState::Alive)
}

#[test]
fn events_begin_with_the_nodes_that_are_there_already() -> Done {
    let place = Place::new();
    let (a, b, gone) = (place.node("a")?, place.node("b")?, place.node("gone")?);
    let deadline = Instant::now() + SOON;
    while !(knows(&a, &b) && knows(&a, &gone) && knows(&gone, &a)) {
        assert!(Instant::now() < deadline, "they do not find each other");
        std::thread::yield_now();
    }
    gone.close().wait()?;
    while knows(&a, &gone) {
        assert!(Instant::now() < deadline, "a does not see that one leaves");
        std::thread::yield_now();
    }
    let events = a.events();
    let late = place.node("late")?;
    let mut joined = Vec::new();
    while joined.len() < 2 {
        match events.recv_timeout(SOON).ok_or("no event")? {
            Event::NodeJoined { node, .. } => joined.push(node),
            // The graph may be ahead of the events.
            Event::NodeLeft { node, .. } => joined.retain(|known| *known != node),
            _ => {}
        }
    }
    assert_eq!(joined, [b.id(), late.id()]);
    Ok(())
}

#[test]
fn a_subscriber_that_missed_messages_is_told() -> Done {
    let place = Place::new();
    let (a, b) = (place.node("a")?, place.node("b")?);
    let sub = b.subscriber("t").queue(2).build()?;
    let publisher = a.publisher("t").queue(2).build()?;
    let events = b.events();
    publisher.wait_for_subscribers(1, SOON)?;
    // More than the kernel takes, until a queue is full.
    let payload = vec![0; 64 << 10];
    let mut dropped = 0;
    let deadline = Instant::now() + SOON;
    while dropped < 10 {
        dropped += u64::from(publisher.send(&payload)?.dropped);
        assert!(Instant::now() < deadline, "nothing is dropped");
    }
    // Losses are told with what comes after them.
    let mut told = 0;
    while told < dropped {
        match sub.recv_timeout(ms(100)) {
            Ok(_) | Err(colugo::RecvError::TimedOut(_)) => {}
            Err(error) => return Err(error.into()),
        }
        while let Some(event) = events.try_recv() {
            if let Event::Lost { count, handle } = event {
                assert_eq!(&*handle, "subscriber \"t\"");
                told += count;
            }
        }
        assert!(
            Instant::now() < deadline + SOON,
            "{told} of {dropped} losses were told"
        );
    }
    assert_eq!((told, sub.stats().lost), (dropped, dropped));
    Ok(())
}

#[test]
fn what_a_blocking_publisher_waited_for_in_vain_counts_as_timeout() -> Done {
    let place = Place::new();
    let (a, b) = (place.node("a")?, place.node("b")?);
    let _sub = b.subscriber("t").queue(2).build()?;
    let publisher = a
        .publisher("t")
        .queue(2)
        .overflow(Overflow::Block(ms(20)))
        .build()?;
    publisher.wait_for_subscribers(1, SOON)?;
    let payload = vec![0; 64 << 10];
    let deadline = Instant::now() + SOON;
    while publisher.send(&payload)?.dropped == 0 {
        assert!(Instant::now() < deadline, "nothing is dropped");
    }
    let dropped = publisher.stats().dropped;
    assert_eq!((dropped.timeout, dropped.full), (1, 0));
    Ok(())
}

fn port(endpoints: &[String]) -> Result<u16, Box<dyn std::error::Error>> {
    let endpoint = endpoints.first().ok_or("it does not listen")?;
    Ok(endpoint.rsplit_once(':').ok_or("no port")?.1.parse()?)
}

#[test]
fn the_port_of_a_closed_topic_is_not_bound_again_for_another_topic() -> Done {
    let place = Place::new();
    let node = place.node("a")?;
    let pose = node.publisher("pose").build()?;
    let used = port(&pose.endpoints())?;
    drop(pose);
    // It would be the first choice.
    let range = used..=used.saturating_add(20);
    let tight = place.builder("b").ports(range).build()?;
    // As many as find a port, which the rest of the machine has a say in.
    let others: Vec<_> = (0..5)
        .map(|n| tight.publisher(&format!("map{n}")).build())
        .filter(|made| !matches!(made, Err(BuildError::Bind { .. })))
        .collect::<Result<_, _>>()?;
    for other in &others {
        assert_ne!(port(&other.endpoints())?, used, "{}", other.topic());
    }
    assert!(!others.is_empty());
    // The same topic may have it back.
    let again = tight.publisher("pose").build()?;
    println!("port {used}, then {}", port(&again.endpoints())?);
    Ok(())
}
