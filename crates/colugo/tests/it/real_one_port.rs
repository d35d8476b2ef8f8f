//! The control port as the only one: connections for topics that come there are handed to the topics' sockets.

use colugo::Node;
use colugo_socket::{Builder, DealerSocket, Outgoing, Socket, SocketEvent, SubSocket, kind};

use crate::sockets::Place;
use crate::{Done, SOON};

fn door(node: &Node) -> Result<String, &'static str> {
    let address = node.control_address().ok_or("no control port")?;
    Ok(format!("tcp://127.0.0.1:{}", address.port()))
}

/// As the sockets of nodes introduce themselves.
fn asks_for<K: kind::Kind>(topic: &'static str) -> Builder<K> {
    Socket::<K>::builder()
        .property("X-Colugo", "1")
        .property("X-Colugo-Topic", topic)
}

#[test]
fn publishers_and_servers_are_reached_by_the_control_port() -> Done {
    let place = Place::new();
    let node = place.node("a")?;
    let publisher = node.publisher("t").text().build()?;
    // A topic and a service may have one name.
    let _server = node
        .reply_server("t")
        .text()
        .on_request(|text, reply| drop(reply.reply(&text.to_uppercase())))?;
    node.spawn()?;
    let sub: SubSocket = asks_for("t").build()?;
    sub.subscribe("")?;
    sub.connect(door(&node)?)?;
    publisher.wait_for_subscribers(1, SOON)?;
    for n in 0..1_000 {
        publisher.send(&n.to_string())?;
    }
    for n in 0..1_000 {
        assert_eq!(*sub.recv_timeout(SOON)?.payload(), n.to_string());
    }
    let dealer: DealerSocket = asks_for("t").build()?;
    dealer.connect(door(&node)?)?;
    dealer.send(Outgoing::Frames(vec!["".into(), "hello".into()]))?;
    assert_eq!(dealer.recv_timeout(SOON)?.frames(), ["", "HELLO"]);
    Ok(())
}

#[test]
fn what_a_port_does_not_answer_its_node_does() -> Done {
    let place = Place::new();
    let node = place.node("a")?;
    let publisher = node.publisher("t").text().build()?;
    let sub: SubSocket = asks_for("t").build()?;
    sub.subscribe("")?;
    // Nobody listens there.
    let closed = "tcp://127.0.0.1:1".to_owned();
    sub.connect_or(&closed, door(&node)?)?;
    publisher.wait_for_subscribers(1, SOON)?;
    let peers = sub.peers();
    let found = peers.first().and_then(|peer| peer.dialled());
    assert_eq!(found.map(ToString::to_string), Some(closed.clone()));
    publisher.send("hello")?;
    assert_eq!(*sub.recv_timeout(SOON)?.payload(), *"hello");
    assert!(sub.disconnect(&closed));
    Ok(())
}

#[test]
fn what_a_node_does_not_provide_or_no_longer_is_refused() -> Done {
    let place = Place::new();
    let node = place.node("a")?;
    drop(node.publisher("ended").text().build()?);
    let _server = node.reply_server("service").text().build()?;
    for topic in ["none", "ended", "service"] {
        let (tell, told) = std::sync::mpsc::channel();
        let sub: SubSocket = asks_for(topic)
            .on_event(move |event: &SocketEvent| {
                if matches!(event, SocketEvent::HandshakeFailed(..)) {
                    let _ = tell.send(());
                }
            })
            .build()?;
        sub.subscribe("")?;
        sub.connect(door(&node)?)?;
        told.recv_timeout(SOON)?;
        assert!(sub.peers().is_empty());
    }
    Ok(())
}
