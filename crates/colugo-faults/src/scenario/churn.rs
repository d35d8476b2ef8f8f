//! F9: a thousand connections to one publisher are made at once, hear one message each, and end; again and again. None is left, and no
//! subscription is lost.

use std::time::Instant;

use serde_json::json;

use crate::actor::{Actor, At};
use crate::progress::Progress;
use crate::report::{Report, Spread};
use crate::scenario::{Plan, and, colugo, number};

const SOCKETS: usize = 10;
/// Of each socket: to addresses of the loopback network, because a socket dials an endpoint once.
const DIALS: usize = 100;
const DESCRIPTORS: u32 = 4096;

pub(super) fn run(plan: &Plan) -> Option<Report> {
    let mut progress = Progress::new("churn");
    let all = SOCKETS * DIALS;
    let at = At::open_files(DESCRIPTORS);
    let mut publisher =
        Actor::start_at("publisher", at, and(colugo("pub"), "max_connections", 2000));
    let port = publisher.bind("tcp://0.0.0.0:0");
    let port = port
        .rsplit_once(':')
        .map_or("", |(_, port)| port)
        .to_owned();
    let mut subscribers: Vec<Actor> = (0..SOCKETS)
        .map(|_| Actor::start_at("subscribers", at, colugo("sub")))
        .collect();
    publisher.forget();
    let before = descriptors(&publisher, &subscribers);
    let began = Instant::now();
    let mut times = Spread::default();
    for round in 0..plan.rounds {
        progress.at(round, plan.rounds);
        let started = Instant::now();
        let endpoints: Vec<String> = (1..=DIALS)
            .map(|host| format!("tcp://127.0.0.{host}:{port}"))
            .collect();
        for subscriber in &mut subscribers {
            endpoints
                .iter()
                .for_each(|to| subscriber.tell(json!({"do": "connect", "to": to})));
        }
        publisher.wait(all);
        for subscriber in &mut subscribers {
            endpoints.iter().for_each(|_| drop(subscriber.done()));
        }
        publisher.send(0, 100, 1);
        for subscriber in &mut subscribers {
            subscriber.ask(json!({"do": "received", "n": u64::from(round + 1) * DIALS as u64}));
            endpoints
                .iter()
                .for_each(|to| subscriber.tell(json!({"do": "disconnect", "to": to})));
        }
        for subscriber in &mut subscribers {
            endpoints.iter().for_each(|_| drop(subscriber.done()));
        }
        publisher.wait_gone(0);
        publisher.forget();
        times.add(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    let took = began.elapsed();
    colugo_testkit::wait_until("the end of all descriptors", || {
        (descriptors(&publisher, &subscribers) == before).then_some(())
    });
    for subscriber in &mut subscribers {
        // One of each message by each link.
        let all = subscriber.report()["all"].take();
        let expected = u64::from(plan.rounds) * DIALS as u64;
        let again = expected - u64::from(plan.rounds);
        let counts =
            ["received", "duplicates", "reordered", "missing"].map(|name| number(&all[name]));
        assert_eq!(counts, [expected, again, 0, 0], "{all}");
    }
    let mut report = Report::default();
    report.tell("rounds", plan.rounds.into(), "");
    report.tell("connections a round", all as f64, "");
    report.tell("a round, median", times.ms(0.5), "ms");
    report.at_most(
        f64::from(plan.rounds),
        "all rounds",
        took.as_secs_f64(),
        "s",
    );
    report.tell("descriptors left", 0.0, "");
    report.tell("subscriptions lost", 0.0, "");
    Some(report)
}

fn descriptors(publisher: &Actor, subscribers: &[Actor]) -> u64 {
    let theirs: u64 = subscribers.iter().map(|it| it.usage().descriptors).sum();
    publisher.usage().descriptors + theirs
}
