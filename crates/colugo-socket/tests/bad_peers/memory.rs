//! What hostile peers can make a process hold. Each test runs in a process of its own, whose peak is the system's word.

use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use colugo_socket::{Handler, MessageRef, Peer, PubSocket, PullSocket, RouterSocket};
use colugo_testkit::{Alone, peak_memory_kib};

use crate::PATIENCE;
use crate::raw::{LONG, MORE, Raw, command, frame, greeting, header, serves};

/// How much the peak grows while `attack` runs, in MiB. Where the system does not tell it is 0.
fn growth_mib(attack: impl FnOnce()) -> u64 {
    let before = peak_memory_kib().unwrap_or_default();
    attack();
    (peak_memory_kib().unwrap_or_default() - before) >> 10
}

#[test]
fn announced_lengths_cost_no_memory() {
    Alone::new().run("memory::announced_lengths_cost_no_memory", || {
        let pull = PullSocket::new().unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
        let grown = growth_mib(|| {
            // Each may be sent, and each is started: 200 × 60 MiB.
            let mut started: Vec<Raw> = (0..200)
                .map(|_| Raw::shaken(&endpoint, "PUSH", 1))
                .collect();
            for raw in &mut started {
                raw.send(&[header(LONG, 60 << 20), vec![1; 1000]].concat());
            }
            serves(&pull, &endpoint);
        });
        assert!(grown < 64, "{grown} MiB");
    });
}

#[test]
fn unfinished_handshakes_cost_little_memory() {
    Alone::new().run("memory::unfinished_handshakes_cost_little_memory", || {
        let pull = PullSocket::builder()
            .max_handshakes(400, 400)
            .build()
            .unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
        let grown = growth_mib(|| {
            let mut mute: Vec<Raw> = (0..300).map(|_| Raw::dial(&endpoint)).collect();
            for (i, raw) in mute.iter_mut().enumerate() {
                let octets = [greeting(1), vec![4 | LONG, 0, 0, 0, 0, 0, 0, 0x1f, 0xff]].concat();
                raw.send(&octets[..octets.len().min(1 + i)]);
            }
            serves(&pull, &endpoint);
        });
        // 16 KiB each, this side's and the attackers' together.
        assert!(grown <= 5, "{grown} MiB");
    });
}

/// One who pings without reading the answers: those wait in a queue that must not grow for ever.
#[test]
fn unread_pongs_do_not_pile_up() {
    Alone::new().run("memory::unread_pongs_do_not_pile_up", || {
        let pull = PullSocket::new().unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
        let grown = growth_mib(|| {
            let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
            let pings = command("PING", &[0; 18]).repeat(4000);
            for _ in 0..600 {
                raw.send(&pings);
            }
            serves(&pull, &endpoint);
        });
        assert!(grown < 24, "{grown} MiB");
    });
}

/// One who subscribes to everything and reads nothing costs its queue, and no more.
#[test]
fn a_stuck_subscriber_costs_its_queue() {
    Alone::new().run("memory::a_stuck_subscriber_costs_its_queue", || {
        let publisher = PubSocket::builder()
            .send_queue(1000, 4 << 20)
            .build()
            .unwrap();
        let endpoint = publisher.bind("tcp://127.0.0.1:0").unwrap();
        let mut stuck = Raw::shaken(&endpoint, "SUB", 1);
        stuck.send(&command("SUBSCRIBE", b""));
        assert!(publisher.wait_for_subscribers(1, PATIENCE));
        let grown = growth_mib(|| {
            let mut dropped = 0;
            while dropped < 20_000 {
                dropped += publisher.send(&[7; 10_000]).unwrap().dropped;
            }
        });
        // The queue, and what the writer has taken from it.
        assert!(grown <= 2 * 4 + 10, "{grown} MiB");
    });
}

/// One who asks without end and reads no answer: those that do not fit are dropped and counted.
#[test]
fn unread_answers_cost_their_queue() {
    Alone::new().run("memory::unread_answers_cost_their_queue", || {
        let place = Arc::new(OnceLock::new());
        let router = RouterSocket::builder()
            .send_queue(1000, 4 << 20)
            .handler(Echo(place.clone()))
            .build()
            .unwrap();
        let router: &RouterSocket = place.get_or_init(|| router);
        let endpoint = router.bind("tcp://127.0.0.1:0").unwrap();
        let mut greedy = Raw::shaken(&endpoint, "DEALER", 1);
        let grown = growth_mib(|| {
            let questions = frame(0, &[1; 10_000]).repeat(100);
            while router.stats().dropped_full < 5000 {
                greedy.send(&questions);
            }
        });
        assert!(grown <= 2 * 4 + 10, "{grown} MiB");
    });
}

struct Echo(Arc<OnceLock<RouterSocket>>);

impl Handler for Echo {
    fn message(&mut self, peer: &Arc<Peer>, message: MessageRef<'_>) {
        if let Some(router) = self.0.get() {
            let _ = router.send_to(peer.id(), message.to_message());
        }
    }
}

/// A message that grows for ever, in frames that are each allowed.
#[test]
fn an_endless_message_ends_at_the_limit() {
    Alone::new().run("memory::an_endless_message_ends_at_the_limit", || {
        let pull = PullSocket::builder().max_message(4 << 20).build().unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
        let grown = growth_mib(|| {
            for _ in 0..20 {
                let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
                let part = frame(MORE, &[1; 100_000]);
                while raw.try_send(&part) {}
            }
            serves(&pull, &endpoint);
        });
        assert!(grown < 32, "{grown} MiB");
    });
}

/// A receiver that takes nothing holds its bound of messages; the rest waits with the sender.
#[test]
fn an_inbox_nobody_empties_stays_within_its_bound() {
    Alone::new().run(
        "memory::an_inbox_nobody_empties_stays_within_its_bound",
        || {
            let pull = PullSocket::builder()
                .receive_queue(1000, 4 << 20)
                .build()
                .unwrap();
            let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
            let mut raw = Raw::shaken(&endpoint, "PUSH", 1);
            raw.0
                .set_write_timeout(Some(Duration::from_millis(500)))
                .unwrap();
            let message = frame(0, &[1; 10_000]);
            let grown = growth_mib(|| while raw.0.write_all(&message).is_ok() {});
            assert!(grown <= 4 + 10, "{grown} MiB");
            assert_eq!(pull.try_recv().unwrap().octets(), 10_000);
        },
    );
}

#[test]
fn connections_that_come_and_go_leave_nothing() {
    Alone::new().run("memory::connections_that_come_and_go_leave_nothing", || {
        let pull = PullSocket::new().unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:0").unwrap();
        let round = |count| {
            for i in 0..count {
                let mut raw = Raw::dial(&endpoint);
                raw.try_send(&[greeting(1), crate::raw::ready("PUSH")].concat());
                if i % 2 == 0 {
                    raw.try_send(&frame(0xff, b"broken"));
                }
            }
            serves(&pull, &endpoint);
        };
        round(1000);
        let open = colugo_testkit::open_descriptors();
        let grown = growth_mib(|| round(4000));
        assert!(grown <= 2, "{grown} MiB");
        if let Some(open) = open {
            colugo_testkit::wait_until("all connections to be closed", || {
                (colugo_testkit::open_descriptors()? <= open).then_some(())
            });
        }
    });
}
