//! What publishers and subscribers do beyond the patterns, on the virtual network.

use std::time::Duration;

use colugo::testing::Net;
use colugo::{Bytes, Event, Overflow, RecvError, SendError, WaitError};

use crate::{Done, ms};

#[test]
fn what_a_full_queue_does_not_take_is_counted_on_both_sides_and_said_once() -> Done {
    let net = Net::new();
    let (a, b) = (net.node("a")?, net.node("b")?);
    let sub = b.subscriber("t").queue(10).build()?;
    let publisher = a.publisher("t").build()?;
    let (events, missed) = (a.events(), b.events());
    for _ in 0..100 {
        publisher.send(b"x")?;
    }
    assert_eq!(
        (publisher.stats().sent, publisher.stats().dropped.full),
        (100, 90)
    );
    assert_eq!((sub.stats().received, sub.stats().lost), (10, 90));
    let slow = std::iter::from_fn(|| events.try_recv())
        .filter(|event| matches!(event, Event::SlowSubscriber { .. }))
        .count();
    assert_eq!(slow, 1);
    let told = || {
        std::iter::from_fn(|| missed.try_recv())
            .filter_map(|event| match event {
                Event::Lost { count, .. } => Some(count),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(told(), [1], "the first at once");
    net.advance(ms(1000));
    assert_eq!(told(), [89], "the others together");
    Ok(())
}

#[test]
fn a_publisher_that_waits_for_room_counts_what_it_waited_for_in_vain() -> Done {
    let net = Net::new();
    let (a, b) = (net.node("a")?, net.node("b")?);
    let sub = b.subscriber("t").queue(2).build()?;
    let publisher = a
        .publisher("t")
        .overflow(Overflow::Block(ms(100)))
        .build()?;
    let begun = net.now();
    for _ in 0..3 {
        publisher.send(b"x")?;
    }
    assert_eq!(net.now() - begun, ms(100));
    let dropped = publisher.stats().dropped;
    assert_eq!((dropped.timeout, dropped.full), (1, 0));
    // Room in time is room.
    let taken = std::sync::Arc::new(sub);
    let later = taken.clone();
    b.after(ms(50), move || drop(later.try_recv()))?.detach();
    assert_eq!(publisher.send(b"x")?.queued, 1);
    assert_eq!(net.now() - begun, ms(150));
    assert_eq!(publisher.stats().dropped.total(), 1);
    assert_eq!(taken.stats().lost, 1);
    Ok(())
}

#[test]
fn waiting_for_subscribers_ends_when_they_come_or_the_time_is_over() -> Done {
    let net = Net::new();
    let (a, b) = (net.node("a")?, net.node("b")?);
    let publisher = a.publisher("t").build()?;
    let begun = net.now();
    let ended = publisher.wait_for_subscribers(1, ms(300));
    assert!(
        matches!(
            ended,
            Err(WaitError::TimedOut {
                have: 0,
                wanted: 1,
                ..
            })
        ),
        "{ended:?}"
    );
    assert_eq!(net.now() - begun, ms(300));
    let later = b.clone();
    let _join = b.after(ms(100), move || {
        if let Ok(guard) = later.subscriber("t").on_message(|_| {}) {
            guard.detach();
        }
    })?;
    publisher.wait_for_subscribers(1, ms(300))?;
    assert_eq!(net.now() - begun, ms(400));
    Ok(())
}

#[test]
fn undecodable_payloads_are_errors_between_good_messages() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let sub = node.subscriber("n").json::<u32>().build()?;
    let publisher = node.publisher("n").json::<u32>().build()?;
    let events = node.events();
    publisher.send(&1)?;
    publisher.send_bytes("{")?;
    publisher.send(&2)?;
    let mut batch = Vec::new();
    assert_eq!(sub.recv_batch(&mut batch, 100)?, 1);
    assert!(matches!(
        sub.recv_batch(&mut batch, 100),
        Err(RecvError::Decode(_))
    ));
    assert_eq!(sub.recv_batch(&mut batch, 100)?, 1);
    assert_eq!(batch.iter().map(|m| m.value).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(sub.stats().decode_failed, 1);
    assert!(
        std::iter::from_fn(|| events.try_recv())
            .any(|event| matches!(event, Event::DecodeFailed { .. }))
    );
    Ok(())
}

#[test]
fn messages_over_the_limit_are_refused() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let publisher = node.publisher("t").max_message(10).build()?;
    assert!(publisher.send(&[0; 10]).is_ok());
    assert!(matches!(
        publisher.send(&[0; 11]),
        Err(SendError::TooLarge {
            octets: 11,
            limit: 10
        })
    ));
    assert_eq!(publisher.stats().dropped.too_large, 1);
    Ok(())
}

#[test]
fn all_frames_of_a_message_arrive_if_asked_for() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let (all, first) = (
        node.subscriber("t").parts().build()?,
        node.subscriber("t").build()?,
    );
    let parts = [Bytes::from("a"), Bytes::from("b")];
    node.publisher("t").build()?.send_parts(&parts)?;
    assert_eq!(all.recv()?.value, parts);
    assert_eq!(first.recv()?.value, "a");
    Ok(())
}

#[test]
fn msgpack_and_protobuf_carry_structs() -> Done {
    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    struct Pose {
        x: f64,
        name: String,
    }
    #[derive(prost::Message, PartialEq)]
    struct Scan {
        #[prost(float, repeated, tag = "1")]
        ranges: Vec<f32>,
    }
    let net = Net::new();
    let node = net.node("a")?;
    let (poses, scans) = (
        node.subscriber("pose").msgpack::<Pose>().build()?,
        node.subscriber("scan").protobuf::<Scan>().build()?,
    );
    let (pose, scan) = (
        Pose {
            x: 1.5,
            name: "base".into(),
        },
        Scan {
            ranges: vec![1.0, 2.0],
        },
    );
    node.publisher("pose")
        .msgpack::<Pose>()
        .build()?
        .send(&pose)?;
    node.publisher("scan")
        .protobuf::<Scan>()
        .build()?
        .send(&scan)?;
    assert_eq!(poses.recv()?.value, pose);
    assert_eq!(scans.recv()?.value, scan);
    let encodings: Vec<_> = node
        .graph()
        .topics
        .into_iter()
        .map(|topic| (topic.name, topic.subscribers.len()))
        .collect();
    assert_eq!(encodings, [("pose".to_owned(), 1), ("scan".to_owned(), 1)]);
    Ok(())
}

#[test]
fn a_blocking_publisher_does_not_send_in_an_inline_callback() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let blocking = node
        .publisher("out")
        .overflow(Overflow::Block(Duration::from_secs(1)))
        .build()?;
    let (tx, rx) = std::sync::mpsc::channel();
    let _inline = node
        .subscriber("in")
        .on_message_inline(move |_| _ = tx.send(blocking.send(b"x").is_err()))?;
    node.publisher("in").build()?.send(b"!")?;
    assert_eq!(rx.try_recv(), Ok(true));
    Ok(())
}

#[test]
fn topics_are_remapped_and_namespaces_keep_apart() -> Done {
    let net = Net::new();
    let renamed = net.build(colugo::Node::builder("a").remap("pose", "robot1/pose"))?;
    let elsewhere = net.build(colugo::Node::builder("b").namespace("lab"))?;
    let here = net.node("c")?;
    let publisher = renamed.publisher("pose").build()?;
    assert_eq!(publisher.topic(), "robot1/pose");
    let (same, other) = (
        here.subscriber("robot1/pose").build()?,
        elsewhere.subscriber("robot1/pose").build()?,
    );
    publisher.send(b"x")?;
    assert!(same.try_recv()?.is_some());
    assert!(other.try_recv()?.is_none());
    assert_eq!(elsewhere.graph().nodes.len(), 1);
    Ok(())
}

#[test]
fn handles_attach_to_addresses_without_discovery() -> Done {
    let net = Net::new();
    let (a, b) = (net.node("a")?, net.node("b")?);
    let publisher = a.publisher("camera").bind("tcp://*:5556").build()?;
    let endpoint = publisher.endpoints().first().cloned().ok_or("none")?;
    let sub = b.subscriber("anything").connect(endpoint).build()?;
    assert!(a.graph().topics.is_empty());
    publisher.send(b"x")?;
    assert_eq!(sub.recv()?.value, "x");
    let listening = b.subscriber("logs").bind("tcp://*:5557").build()?;
    let sender = a
        .publisher("logs")
        .connect(listening.endpoints().first().cloned().ok_or("none")?)
        .build()?;
    sender.send(b"y")?;
    assert_eq!(listening.recv()?.value, "y");
    Ok(())
}

#[test]
fn a_subscriber_hears_of_its_publishers_and_a_cut_network_heals() -> Done {
    let net = Net::new();
    let (a, b) = (net.node("a")?, net.node("b")?);
    let publisher = a.publisher("t").build()?;
    let (tx, rx) = std::sync::mpsc::channel();
    let sub = b
        .subscriber("t")
        .on_connect(move |peer| _ = tx.send(peer.node))
        .build()?;
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [Some(a.id())]);
    let events = b.events();
    net.cut("a", "b");
    assert_eq!(
        (publisher.subscriber_count(), sub.publisher_count()),
        (0, 0)
    );
    net.heal("a", "b");
    publisher.send(b"again")?;
    assert_eq!(sub.recv()?.value, "again");
    let kinds: Vec<_> = std::iter::from_fn(|| events.try_recv()).collect();
    assert!(
        matches!(
            kinds[..],
            [
                // Who is there already is told first.
                Event::NodeJoined { .. },
                Event::PeerDisconnected { .. },
                Event::NodeLeft { .. },
                Event::NodeJoined { .. },
                Event::PeerConnected { .. }
            ]
        ),
        "{kinds:?}"
    );
    Ok(())
}
