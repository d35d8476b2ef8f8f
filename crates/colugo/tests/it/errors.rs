//! Mistakes get an error that names them.

use colugo::testing::Net;
use colugo::{BuildError, Network, Node, NodeError};

use crate::Done;

#[test]
fn names_that_are_no_topics_or_nodes_are_refused() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    for name in ["", "a..b", "/a", "a b", "ä", &"x".repeat(256)] {
        assert!(
            matches!(node.publisher(name).build(), Err(BuildError::Topic(_))),
            "{name}"
        );
        assert!(
            matches!(node.subscriber(name).build(), Err(BuildError::Topic(_))),
            "{name}"
        );
    }
    for name in ["", "a b", &"x".repeat(64)] {
        assert!(
            matches!(net.node(name), Err(NodeError::Name { .. })),
            "{name}"
        );
    }
    Ok(())
}

#[test]
fn a_second_publisher_or_server_of_a_topic_in_one_node_is_refused() -> Done {
    let net = Net::new();
    let (a, b) = (net.node("a")?, net.node("b")?);
    let _one = a.publisher("t").build()?;
    let _served = a.reply_server("t").build()?;
    let refused = a
        .publisher("t")
        .build()
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default();
    assert!(
        refused.contains("already has a publisher of \"t\""),
        "{refused}"
    );
    assert!(matches!(
        a.reply_server("t").build(),
        Err(BuildError::Duplicate { .. })
    ));
    assert!(b.publisher("t").build().is_ok());
    Ok(())
}

#[test]
fn ports_in_use_and_endpoints_that_are_none_are_named() -> Done {
    let node = Node::builder("errors").network(Network::Peers).build()?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port();
    let refused = node
        .publisher("t")
        .bind(format!("tcp://127.0.0.1:{port}"))
        .build();
    let text = refused
        .as_ref()
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default();
    assert!(
        matches!(refused, Err(BuildError::Bind { .. })) && text.contains(&port.to_string()),
        "{text}"
    );
    // What failed left nothing behind.
    assert!(node.publisher("t").build().is_ok());
    for endpoint in ["", "tcp://", "udp://x:1", "tcp://host", "tcp://host:99999"] {
        assert!(
            node.subscriber("t").connect(endpoint).build().is_err(),
            "{endpoint}"
        );
    }
    Ok(())
}

#[test]
fn settings_that_can_not_be_used_are_named() {
    let refused = |builder: colugo::NodeBuilder| {
        builder
            .build()
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    };
    let plain = || Node::builder("a").network(Network::Peers);
    assert!(refused(plain().namespace("a b")).contains("`namespace`"));
    assert!(refused(plain().peer("nowhere")).contains("`peers`"));
    assert!(refused(plain().listen("here")).contains("`listen`"));
    assert!(refused(plain().remap("a", "b c")).contains("`remap`"));
    assert!(refused(plain().advertise("not an address")).contains("`advertise`"));
}

#[test]
fn a_control_port_in_use_is_named() -> Done {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?;
    let refused = Node::builder("a")
        .network(Network::Peers)
        .listen(address.to_string())
        .build();
    let text = refused.err().map(|e| e.to_string()).unwrap_or_default();
    assert!(text.contains(&address.to_string()), "{text}");
    Ok(())
}
