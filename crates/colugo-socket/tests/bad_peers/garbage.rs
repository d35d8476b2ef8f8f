//! What no ZeroMQ peer would send, on every kind of listening socket.

use colugo_socket::{
    DealerSocket, Endpoint, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    SubSocket,
};
use colugo_testkit::wait_until;

use crate::PATIENCE;
use crate::raw::{COMMAND, LONG, MORE, Raw, command, frame, greeting, header, ready, serves};

/// A small generator with a seed that a failure prints (xorshift64*).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn octets(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// One socket of every kind, listening, and the type of peer it talks to.
pub(crate) struct Kinds {
    pull: PullSocket,
    publisher: PubSocket,
    _others: (
        PushSocket,
        SubSocket,
        ReqSocket,
        RepSocket,
        DealerSocket,
        RouterSocket,
    ),
    pub(crate) endpoints: Vec<(Endpoint, &'static str)>,
}

impl Kinds {
    pub(crate) fn new() -> Self {
        macro_rules! bound {
            ($($name:ident: $kind:ty),*) => {$(
                let $name = <$kind>::new().unwrap();
                let $name = ($name.bind("tcp://127.0.0.1:0").unwrap(), $name);
            )*};
        }
        bound!(
            pull: PullSocket, publisher: PubSocket, push: PushSocket, sub: SubSocket,
            req: ReqSocket, rep: RepSocket, dealer: DealerSocket, router: RouterSocket
        );
        let endpoints = vec![
            (pull.0, "PUSH"),
            (publisher.0, "SUB"),
            (push.0, "PULL"),
            (sub.0, "PUB"),
            (req.0, "REP"),
            (rep.0, "REQ"),
            (dealer.0, "ROUTER"),
            (router.0, "DEALER"),
        ];
        Self {
            pull: pull.1,
            publisher: publisher.1,
            _others: (push.1, sub.1, req.1, rep.1, dealer.1, router.1),
            endpoints,
        }
    }

    /// Empties the PULL of what garbage happened to be a message.
    pub(crate) fn still_serve(&self) {
        while self.pull.try_recv().is_ok() {}
        let push = PushSocket::new().unwrap();
        push.connect(&self.endpoints[0].0).unwrap();
        push.send("still here").unwrap();
        wait_until("the good peer's message", || {
            self.pull
                .try_recv()
                .is_ok_and(|message| message.payload() == "still here")
                .then_some(())
        });
        let subscriber = SubSocket::new().unwrap();
        subscriber.subscribe("good").unwrap();
        subscriber.connect(&self.endpoints[1].0).unwrap();
        wait_until("the good subscriber's message", || {
            self.publisher.send("good").unwrap();
            subscriber.try_recv().ok()
        });
    }
}

#[test]
fn random_octets_before_and_after_the_handshake() {
    let kinds = Kinds::new();
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let (endpoint, peer) = &kinds.endpoints[seed as usize % kinds.endpoints.len()];
        let mut raw = if seed % 3 == 0 {
            Raw::dial(endpoint)
        } else {
            Raw::shaken(endpoint, peer, 1)
        };
        let len = random.below(2000);
        raw.try_send(&random.octets(len));
    }
    kinds.still_serve();
}

/// Octets of a good conversation, some of them changed.
#[test]
fn conversations_with_a_few_octets_changed() {
    let kinds = Kinds::new();
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let (endpoint, peer) = &kinds.endpoints[seed as usize % kinds.endpoints.len()];
        let mut octets = conversation(peer);
        for _ in 0..=random.below(4) {
            let at = random.below(octets.len());
            octets[at] = random.next() as u8;
        }
        Raw::dial(endpoint).try_send(&octets);
    }
    kinds.still_serve();
}

#[test]
fn conversations_cut_at_every_octet() {
    let kinds = Kinds::new();
    for (endpoint, peer) in &kinds.endpoints {
        let octets = conversation(peer);
        for cut in 0..octets.len() {
            Raw::dial(endpoint).try_send(&octets[..cut]);
        }
    }
    kinds.still_serve();
}

fn conversation(peer: &str) -> Vec<u8> {
    [
        greeting(1),
        ready(peer),
        command("SUBSCRIBE", b"topic"),
        frame(0, b"\x01old topic"),
        frame(MORE, b"identity"),
        frame(MORE, b""),
        frame(0, b"body"),
        command("PING", b"\0\0context"),
        command("CANCEL", b"topic"),
    ]
    .concat()
}

/// The end of a connection by RST, at any octet of a conversation.
#[test]
fn connections_reset_at_every_octet() {
    let kinds = Kinds::new();
    for (endpoint, peer) in &kinds.endpoints {
        let octets = conversation(peer);
        for cut in (0..octets.len()).step_by(3) {
            let mut raw = Raw::dial(endpoint);
            raw.try_send(&octets[..cut]);
            let no_farewell = Some(std::time::Duration::ZERO);
            socket2::SockRef::from(&raw.0)
                .set_linger(no_farewell)
                .unwrap();
        }
    }
    kinds.still_serve();
}

#[test]
fn a_good_peer_is_not_disturbed_by_bad_ones() {
    let kinds = Kinds::new();
    let push = PushSocket::new().unwrap();
    push.connect(&kinds.endpoints[0].0).unwrap();
    std::thread::scope(|scope| {
        for attacker in 0..3 {
            let kinds = &kinds;
            scope.spawn(move || {
                let mut random = Random::new(attacker);
                for _ in 0..150 {
                    let (endpoint, peer) = &kinds.endpoints[random.below(8)];
                    let mut raw = Raw::dial(endpoint);
                    // Only what cannot be taken for a message of a PUSH.
                    raw.try_send(&[greeting(1), ready(peer)].concat());
                    raw.try_send(&[frame(0xf0, b""), random.octets(500)].concat());
                }
            });
        }
        for i in 0..20_000u64 {
            push.send(&i.to_be_bytes()).unwrap();
            if i % 100 == 99 {
                for j in i - 99..=i {
                    let message = kinds.pull.recv_timeout(PATIENCE).unwrap();
                    assert_eq!(message.payload()[..], j.to_be_bytes());
                }
            }
        }
    });
    kinds.still_serve();
}

/// Each of these breaks a rule, and ends the connection it came by.
#[test]
fn what_breaks_a_rule_ends_the_connection() {
    let kinds = Kinds::new();
    let mut rules = vec![
        ("MORE on a command", frame(COMMAND | MORE, b"\x04PING\0\0")),
        ("an empty command", frame(COMMAND, b"")),
        ("a command without a name", frame(COMMAND, b"\0")),
        ("a name longer than its command", frame(COMMAND, b"\x09SUB")),
        ("a PING without a time to live", command("PING", b"\0")),
        ("an ERROR", command("ERROR", b"\x03400")),
        (
            "a command over 64 KiB",
            header(COMMAND | LONG, (64 << 10) + 1),
        ),
        (
            "more frames than a message has",
            frame(MORE, b"").repeat(1025),
        ),
    ];
    for bit in 3..8 {
        rules.push(("a reserved flag", frame(1 << bit, b"x")));
    }
    for len in lengths() {
        rules.push(("a length nobody sends", header(LONG, len)));
        rules.push((
            "a command's length nobody sends",
            header(LONG | COMMAND, len),
        ));
    }
    for (endpoint, peer) in &kinds.endpoints {
        for (rule, octets) in &rules {
            let mut raw = Raw::shaken(endpoint, peer, 1);
            raw.try_send(octets);
            println!("{rule}, from a {peer}: {octets:02x?}");
            raw.rest();
        }
    }
    kinds.still_serve();
}

#[test]
fn what_breaks_a_rule_of_the_handshake_ends_the_connection() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut broken = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![0xff; 64],
        [greeting(1), frame(0, b"a message before READY")].concat(),
        [greeting(1), command("PING", b"\0\0")].concat(),
        [greeting(1), command("HELLO", b"")].concat(),
        [greeting(1), command("READY", &[0; 9000])].concat(),
    ];
    for len in lengths() {
        broken.push([greeting(1), header(COMMAND | LONG, len)].concat());
    }
    for octets in broken {
        let mut raw = Raw::dial(&endpoint);
        raw.try_send(&octets);
        raw.rest();
    }
    serves(&pull, &endpoint);
}

/// Where 31, 32, 36, 63 and 64 bits end.
fn lengths() -> Vec<u64> {
    let mut lengths: Vec<u64> = [27, 30, 31, 32, 33, 36, 47, 62, 63]
        .into_iter()
        .flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1])
        .collect();
    lengths.extend([u64::MAX - 9, u64::MAX - 1, u64::MAX]);
    lengths
}

#[test]
fn more_subscriptions_than_are_taken_end_the_connection() {
    let publisher = PubSocket::new().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap();
    let many: Vec<u8> = (0..5000u32)
        .flat_map(|i| command("SUBSCRIBE", &i.to_be_bytes()))
        .collect();
    let too_long = command("SUBSCRIBE", &[b'x'; 513]);
    let too_long_old = frame(0, &[&[1][..], &[b'x'; 513]].concat());
    for octets in [many, too_long, too_long_old] {
        let mut raw = Raw::shaken(&endpoint, "SUB", 1);
        raw.try_send(&octets);
        raw.rest();
    }
    assert_eq!(publisher.stats().protocol_errors, 3);
    let subscriber = SubSocket::new().unwrap();
    subscriber.subscribe("x".repeat(512)).unwrap();
    subscriber.connect(&endpoint).unwrap();
    assert!(publisher.wait_for_subscribers(1, PATIENCE));
}
