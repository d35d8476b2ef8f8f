//! F5: a publisher is killed as a crash would end it. Its subscriber notices, and hears its successor, at the same port or at another that
//! discovery would tell.

use crate::actor::Actor;
use crate::parcel::now_ns;
use crate::progress::Progress;
use crate::report::{Report, Spread};
use crate::scenario::{Plan, colugo, each_once};

/// A message every millisecond, so that this is how exactly the end of the silence is known.
const RATE: u32 = 1000;
const SIZE: usize = 100;
/// One restart of so many is at another port. The others are of a publisher that crashes again and again.
const OTHER: u32 = 4;

pub(super) fn run(plan: &Plan) -> Option<Report> {
    let mut progress = Progress::new("kill");
    let (mut gone, mut noticed, mut same, mut other) = (
        Spread::default(),
        Spread::default(),
        Spread::default(),
        Spread::default(),
    );
    let mut survivor = Actor::start("survivor", colugo("sub"));
    let mut endpoint = format!("tcp://127.0.0.1:{}", colugo_testkit::free_port());
    survivor.connect(&endpoint);
    let mut victim = publisher(&endpoint).0;
    for round in 0..plan.rounds {
        progress.at(round, plan.rounds);
        survivor.sees("connected");
        survivor.watch(0);
        survivor.found();
        std::thread::sleep(std::time::Duration::from_secs(plan.secs.into()));
        let killed = now_ns();
        victim.kill();
        gone.add(now_ns().saturating_sub(killed));
        noticed.add(survivor.sees("disconnected").0.saturating_sub(killed));
        survivor.watch(killed);
        if round % OTHER != OTHER - 1 {
            let (successor, _, listens) = publisher(&endpoint);
            same.add(survivor.found().saturating_sub(listens));
            victim = successor;
        } else {
            let (successor, place, listens) = publisher("tcp://127.0.0.1:0");
            survivor.disconnect(&endpoint);
            survivor.connect(&place);
            other.add(survivor.found().saturating_sub(listens));
            (victim, endpoint) = (successor, place);
        }
    }
    each_once(&survivor.report());
    let mut report = Report::default();
    report.tell("rounds", plan.rounds.into(), "");
    // A busy machine takes its time to end a process; nobody can notice before.
    report.tell("the process was gone, worst", gone.ms(1.0), "ms");
    report.times(50.0, "noticed", &noticed);
    report.times(500.0, "flow back at the same port", &same);
    report.times(500.0, "at another", &other);
    Some(report)
}

/// One that publishes; where and since when.
fn publisher(at: &str) -> (Actor, String, u64) {
    let mut publisher = Actor::start("victim", colugo("pub"));
    let endpoint = publisher.bind(at);
    let (listens, _) = publisher.sees("listening");
    publisher.flow(RATE, SIZE);
    (publisher, endpoint, listens)
}
