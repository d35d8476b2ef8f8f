//! The driver over real sockets. What the brain decides is tested in `colugo-graph` without any.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use colugo_graph::{
    Announcement, Event, Hello, Kind, LeaveReason, Message, Namespace, NodeId, NodeState, Version,
};
use colugo_zmtp::{Handshake, HandshakeConfig, SocketType, put_frame};

use super::rendezvous::Rendezvous;
use super::{Control, ControlConfig, ControlError, GraphEvent, Match};

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(10);

struct Node {
    control: Control,
    id: NodeId,
    events: Receiver<GraphEvent>,
}

impl Node {
    fn start(namespace: &Namespace, peers: &[SocketAddr], discovery: bool) -> Self {
        Self::with(config(namespace, peers, discovery))
    }

    fn with(config: ControlConfig) -> Self {
        let (sender, events) = channel();
        let sender = Mutex::new(sender);
        let id = config.id;
        let on_event = Arc::new(move |event| {
            let _ = sender.lock().unwrap().send(event);
        });
        Self {
            control: Control::start(config, on_event).unwrap(),
            id,
            events,
        }
    }

    /// Where its control port is on this machine.
    fn local(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.control.address().port()).into()
    }

    fn publish(&self, topic: &str, port: u16) -> colugo_graph::AnnouncementId {
        let topic = topic.parse().unwrap();
        self.control
            .announce(
                Announcement {
                    topic,
                    kind: Kind::Publisher,
                    port,
                    encoding: "raw".into(),
                },
                Box::new(|_| Ok(())),
            )
            .unwrap()
    }

    fn want(&self, topic: &str) -> Receiver<Match> {
        let (sender, found) = channel();
        let sender: Mutex<Sender<Match>> = Mutex::new(sender);
        let on_match = Arc::new(move |change| {
            let _ = sender.lock().unwrap().send(change);
        });
        self.control
            .want(topic.parse().unwrap(), Kind::Publisher, on_match);
        found
    }

    #[track_caller]
    fn until(&self, what: &str, wanted: impl Fn(&GraphEvent) -> bool) -> GraphEvent {
        let end = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        while let Ok(event) = self
            .events
            .recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            if wanted(&event) {
                return event;
            }
            seen.push(event);
        }
        panic!("not told: {what}; told: {seen:?}");
    }

    #[track_caller]
    fn until_gone(&self, node: NodeId) -> LeaveReason {
        let left = |event: &GraphEvent| matches!(event, GraphEvent::Graph(Event::NodeLeft { node: n, .. }) if *n == node);
        match self.until("a node left", left) {
            GraphEvent::Graph(Event::NodeLeft { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }
}

fn random() -> [u8; 16] {
    let mut octets = [0; 16];
    getrandom::fill(&mut octets).unwrap();
    octets
}

fn namespace() -> Namespace {
    format!("test-{}", NodeId(random())).parse().unwrap()
}

fn config(namespace: &Namespace, peers: &[SocketAddr], discovery: bool) -> ControlConfig {
    ControlConfig {
        id: NodeId(random()),
        name: "test".into(),
        namespace: namespace.clone(),
        listen: None,
        peers: peers
            .iter()
            .map(|address| format!("tcp://{address}"))
            .collect(),
        original: false,
        hub: false,
        interfaces: Vec::new(),
        advertise: Vec::new(),
        discovery,
    }
}

fn found(changes: &Receiver<Match>) -> (NodeId, SocketAddr) {
    match changes.recv_timeout(DEADLINE).expect("a match") {
        Match::Found { node, endpoint, .. } => (node, endpoint),
        lost @ Match::Lost { .. } => panic!("{lost:?}"),
    }
}

#[test]
fn nodes_of_one_machine_find_each_other() {
    let namespace = namespace();
    let publisher = Node::start(&namespace, &[], true);
    publisher.publish("pose", 5555);
    let begin = Instant::now();
    let subscriber = Node::start(&namespace, &[], true);
    let matches = subscriber.want("pose");
    let (node, endpoint) = found(&matches);
    assert_eq!((node, endpoint.port()), (publisher.id, 5555));
    println!("found in {:?}", begin.elapsed());
    let graph = subscriber.control.graph();
    assert_eq!(
        graph
            .nodes
            .iter()
            .filter(|node| node.state == NodeState::Alive)
            .count(),
        1
    );
    assert!(graph.interfaces.iter().any(|interface| interface.used));

    // Who leaves can only say goodbye to those it knows.
    let end = Instant::now() + DEADLINE;
    while !publisher
        .control
        .graph()
        .nodes
        .iter()
        .any(|node| node.state == NodeState::Alive)
    {
        assert!(
            Instant::now() < end,
            "the publisher does not know the subscriber"
        );
        std::thread::yield_now();
    }
    publisher.control.close();
    assert_eq!(subscriber.until_gone(publisher.id), LeaveReason::Goodbye);
    assert_eq!(
        matches.recv_timeout(DEADLINE),
        Ok(Match::Lost {
            node: publisher.id,
            endpoint,
            dead: false
        })
    );
}

#[test]
fn a_node_that_was_killed_leaves_a_file_and_the_next_one_removes_it() {
    let namespace = namespace();
    let dead = NodeId(random());
    // Nobody listens there any more.
    let at = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let dead = ControlConfig {
        id: dead,
        ..config(&namespace, &[], true)
    };
    let mut left_over = Rendezvous::enter(&dead, "", at).unwrap();
    let node = Node::start(&namespace, &[], true);
    let end = Instant::now() + DEADLINE;
    while left_over.has_file() {
        assert!(Instant::now() < end, "the file stays");
        std::thread::yield_now();
    }
    // Whoever is alive is seen, and leaves again.
    let (came, _) = left_over.scan();
    assert_eq!(
        came.iter().map(|record| record.node).collect::<Vec<_>>(),
        [node.id]
    );
    node.control.close();
    let (_, gone) = left_over.scan();
    assert_eq!(gone, [node.id]);
}

#[test]
fn a_fixed_peer_is_enough() {
    let namespace = namespace();
    let server = Node::start(&namespace, &[], false);
    let client = Node::start(&namespace, &[server.local()], false);
    let here = server.want("pose");
    let there = client.want("pose");
    let id = client.publish("pose", 7777);
    assert_eq!(
        found(&here),
        (client.id, (Ipv4Addr::LOCALHOST, 7777).into())
    );
    assert_eq!(
        found(&there),
        (client.id, (Ipv4Addr::LOCALHOST, 7777).into()),
        "its own"
    );
    assert!(client.control.withdraw(id));
    assert!(matches!(
        here.recv_timeout(DEADLINE),
        Ok(Match::Lost { .. })
    ));
    assert!(matches!(
        there.recv_timeout(DEADLINE),
        Ok(Match::Lost { .. })
    ));
}

/// A name server that knows one service, under an instance: SRV for the domain itself finds nothing. It counts the questions.
fn name_server(port: u16) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (at, asked) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    std::thread::spawn(move || {
        let mut octets = [0; 512];
        while let Ok((len, from)) = socket.recv_from(&mut octets) {
            count.fetch_add(1, Ordering::Relaxed);
            let mut answer = octets[..len].to_vec();
            answer[2] |= 0x80;
            let pointer = answer[len - 3] == 12;
            let instance = answer[12] == 3;
            let mut srv = vec![0, 0, 0, 0];
            srv.extend_from_slice(&port.to_be_bytes());
            srv.extend_from_slice(b"\x09localhost\0");
            // The question's name is that of the service.
            let (kind, data) = match (pointer, instance) {
                (true, _) => (12, b"\x03one\xc0\x0c".to_vec()),
                (false, true) => (33, srv),
                (false, false) => (1, vec![0; 4]),
            };
            answer[7] = 1;
            answer.extend_from_slice(&[0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 9, 0]);
            answer.push(data.len().try_into().unwrap());
            answer.extend_from_slice(&data);
            socket.send_to(&answer, from).unwrap();
        }
    });
    (at, asked)
}

#[test]
fn a_domain_names_a_peer_and_is_asked_again_when_it_is_gone() {
    let namespace = namespace();
    let server = Node::start(&namespace, &[], false);
    let (dns, asked) = name_server(server.local().port());
    let mut config = config(&namespace, &[], false);
    config.peers = vec![format!("dns-sd:example.org@{dns}")];
    let client = Node::with(config);
    let here = server.want("pose");
    client.publish("pose", 7777);
    assert_eq!(found(&here).0, client.id);
    let before = asked.load(Ordering::Relaxed);
    assert!(before >= 3, "the domain, its instances, and one of them");
    let gone = server.id;
    drop(server);
    client.until_gone(gone);
    let end = Instant::now() + DEADLINE;
    while asked.load(Ordering::Relaxed) == before {
        assert!(Instant::now() < end, "it is not asked again");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_control_port_in_use_and_a_peer_without_a_port_are_errors() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let listening = ControlConfig {
        listen: Some(address),
        ..config(&namespace(), &[], false)
    };
    let error = Control::start(listening, Arc::new(|_| {})).unwrap_err();
    assert!(
        matches!(error, ControlError::Listen { .. })
            && error.to_string().contains(&address.to_string()),
        "{error}"
    );
    let peer = ControlConfig {
        peers: vec!["robot".into()],
        ..config(&namespace(), &[], false)
    };
    let error = Control::start(peer, Arc::new(|_| {})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the peer \"robot\" is no address: write it as tcp://host:port, or dns-sd:domain"
    );
}

/// A node played by the test, on one connection and with a port of its own.
struct Actor {
    id: NodeId,
    stream: TcpStream,
    listener: TcpListener,
}

impl Actor {
    fn join(node: &Node, namespace: &Namespace) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let id = NodeId(random());
        let mut stream = TcpStream::connect(node.local()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        shake_hands(&mut stream);
        let hello = Message::Hello(Hello {
            node: id,
            version: Version::OURS,
            namespace: namespace.to_string(),
            name: "actor".into(),
            host: String::new(),
            port: listener.local_addr().unwrap().port(),
            addresses: Vec::new(),
            capabilities: Vec::new(),
        });
        let mut octets = Vec::new();
        put_frame(&mut octets, &hello.encode(), false);
        stream.write_all(&octets).unwrap();
        let joined = |event: &GraphEvent| matches!(event, GraphEvent::Graph(Event::NodeJoined { node, .. }) if *node == id);
        node.until("the actor joined", joined);
        Self {
            id,
            stream,
            listener,
        }
    }
}

fn shake_hands(stream: &mut TcpStream) {
    let mut handshake = Handshake::new(HandshakeConfig::new(SocketType::Dealer));
    let mut octets = [0; 1];
    loop {
        let mut output = Vec::new();
        handshake.transmit(&mut output);
        stream.write_all(&output).unwrap();
        // One by one, so that nothing of what follows is taken.
        stream.read_exact(&mut octets).unwrap();
        if handshake.receive(&octets).unwrap().1.is_some() {
            let mut output = Vec::new();
            handshake.transmit(&mut output);
            return stream.write_all(&output).unwrap();
        }
    }
}

#[test]
fn a_process_that_is_killed_is_noticed_at_once() {
    let namespace = namespace();
    let node = Node::start(&namespace, &[], false);
    let actor = Actor::join(&node, &namespace);
    // What the kernel does for it.
    drop(actor.listener);
    drop(actor.stream);
    let begin = Instant::now();
    assert_eq!(node.until_gone(actor.id), LeaveReason::Refused);
    println!("noticed in {:?}", begin.elapsed());
}

#[test]
fn a_process_that_says_nothing_is_given_up_within_four_seconds() {
    let namespace = namespace();
    let node = Node::start(&namespace, &[], false);
    let actor = Actor::join(&node, &namespace);
    let begin = Instant::now();
    // Its kernel accepts the redial, as that of a stopped process does.
    assert_eq!(node.until_gone(actor.id), LeaveReason::Silent);
    let took = begin.elapsed();
    assert!(
        took > Duration::from_secs(3) && took < Duration::from_secs(6),
        "{took:?}"
    );
}

#[test]
fn garbage_on_the_control_port_harms_nobody() {
    let namespace = namespace();
    let node = Node::start(&namespace, &[], false);
    let _actor = Actor::join(&node, &namespace);
    let mut hanging = Vec::new();
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 200],
        &[0; 4096],
        b"",
    ] {
        let mut stream = TcpStream::connect(node.local()).unwrap();
        let _ = stream.write_all(garbage);
        hanging.push(stream);
    }
    // A proper ZeroMQ peer that says something else.
    let mut stream = TcpStream::connect(node.local()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    shake_hands(&mut stream);
    let mut octets = Vec::new();
    put_frame(&mut octets, b"hello?", false);
    stream.write_all(&octets).unwrap();
    let misbehaved =
        |event: &GraphEvent| matches!(event, GraphEvent::Graph(Event::PeerMisbehaved { .. }));
    node.until("the one that can be blamed", misbehaved);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    // A frame of an absurd size.
    let mut stream = TcpStream::connect(node.local()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    shake_hands(&mut stream);
    stream
        .write_all(&[0x02, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
        .unwrap();
    let _ = stream.read_to_end(&mut rest);

    let other = Node::start(&namespace, &[node.local()], false);
    node.publish("pose", 1);
    found(&other.want("pose"));
}

#[test]
fn a_discovery_daemon_that_ends_is_started_again() {
    let namespace = namespace();
    let node = Node::start(&namespace, &[], true);
    // It starts in the background.
    let end = Instant::now() + DEADLINE;
    let failed = |event: &GraphEvent| matches!(event, GraphEvent::DiscoveryFailed { .. });
    loop {
        node.control.0.thread.mdns().break_daemon();
        match node.events.recv_timeout(Duration::from_millis(20)) {
            Ok(event) if failed(&event) => break,
            _ => assert!(Instant::now() < end, "not told"),
        }
    }
    node.until("it works again", |event| {
        matches!(event, GraphEvent::DiscoveryRestored)
    });
}

#[test]
fn an_engine_of_the_originals_records_that_panics_is_started_again() {
    let namespace = namespace();
    let mut config = config(&namespace, &[], true);
    config.original = true;
    let node = Node::with(config);
    for _ in 0..2 {
        node.control.0.thread.original().break_engine();
        node.until("it has failed", |event| {
            matches!(event, GraphEvent::DiscoveryFailed { reason } if reason.contains("original"))
        });
        node.until("it works again", |event| {
            matches!(event, GraphEvent::DiscoveryRestored)
        });
    }
}

#[test]
fn a_panic_in_a_callback_is_contained() {
    let config = config(&namespace(), &[], false);
    let control = Control::start(config, Arc::new(|_| panic!("told"))).unwrap();
    let topic = || "pose".parse().unwrap();
    control.want(topic(), Kind::Publisher, Arc::new(|_| panic!("matched")));
    let (sender, found) = channel();
    let sender = Mutex::new(sender);
    control.want(
        topic(),
        Kind::Publisher,
        Arc::new(move |_| {
            let _ = sender.lock().unwrap().send(());
        }),
    );
    control
        .announce(
            Announcement {
                topic: topic(),
                kind: Kind::Publisher,
                port: 1,
                encoding: String::new(),
            },
            Box::new(|_| Ok(())),
        )
        .unwrap();
    found.recv_timeout(DEADLINE).expect("the other callback");
}

#[test]
fn it_can_be_closed_and_dropped_anywhere() {
    // In its own callback.
    let control =
        Arc::new(Control::start(config(&namespace(), &[], true), Arc::new(|_| {})).unwrap());
    let (sender, closed) = channel();
    let (slot, sender) = (Mutex::new(Some(control.clone())), Mutex::new(sender));
    control.want(
        "pose".parse().unwrap(),
        Kind::Publisher,
        Arc::new(move |_| {
            let control = slot.lock().unwrap().take();
            if let Some(control) = &control {
                control.close();
            }
            drop(control);
            let _ = sender.lock().unwrap().send(());
        }),
    );
    let topic = "pose".parse().unwrap();
    control
        .announce(
            Announcement {
                topic,
                kind: Kind::Publisher,
                port: 1,
                encoding: String::new(),
            },
            Box::new(|_| Ok(())),
        )
        .unwrap();
    drop(control);
    closed
        .recv_timeout(DEADLINE)
        .expect("closed within a callback");

    // In another runtime.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let namespace = namespace();
        let first = Control::start(config(&namespace, &[], true), Arc::new(|_| {})).unwrap();
        let second = Control::start(config(&namespace, &[], true), Arc::new(|_| {})).unwrap();
        assert!(
            Arc::ptr_eq(&first.0.thread, &second.0.thread),
            "one thread for all nodes of a process"
        );
        drop(first);
        let third = second.clone();
        second.close();
        second.close();
        drop(second);
        drop(third);
    });
}
