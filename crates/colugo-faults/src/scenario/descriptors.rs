//! F14: a process has no file descriptors left. Who is connected is served as before; who comes waits; once there are some again, it is let in.

use std::time::Duration;

use serde_json::json;

use crate::actor::{Actor, At};
use crate::parcel::now_ns;
use crate::progress::Progress;
use crate::report::{Report, Spread};
use crate::scenario::{Plan, each_once};

const LIMIT: u32 = 64;
const RATE: u32 = 1000;
/// How long the newcomer knocks in vain.
const WITHOUT: Duration = Duration::from_millis(300);

pub(super) fn run(plan: &Plan) -> Option<Report> {
    let mut progress = Progress::new("descriptors");
    let mut listener = Actor::start_at("listener", At::open_files(LIMIT), json!({"kind": "pull"}));
    let endpoint = listener.bind("tcp://127.0.0.1:0");
    let mut old = Actor::start("old", json!({"kind": "push"}));
    old.connect(&endpoint);
    old.wait(1);
    old.flow(RATE, 100);
    let open = listener.usage().descriptors;
    let (mut recovered, mut worst) = (Spread::default(), Spread::default());
    for round in 0..plan.rounds {
        progress.at(round, plan.rounds);
        // The last newcomer's would be one to let the next one in with.
        colugo_testkit::wait_until("the end of the last newcomer's descriptor", || {
            (listener.usage().descriptors <= open).then_some(())
        });
        listener.ask(json!({"do": "exhaust", "but": 0}));
        listener.forget();
        let mut new = Actor::start("new", json!({"kind": "push"}));
        new.connect(&endpoint);
        new.flow(RATE, 100);
        // It says that it can let nobody in, and serves who is there.
        listener.sees("accept_failed");
        listener.report();
        listener.watch(now_ns());
        listener.found();
        std::thread::sleep(WITHOUT);
        listener.forget();
        worst.add(
            listener.report()["took"]["max_ns"]
                .as_u64()
                .unwrap_or_default(),
        );
        let released = now_ns();
        listener.ask(json!({"do": "release"}));
        let sees = listener.sees("connected");
        recovered.add(sees.0.saturating_sub(released));
        let sent = new.halt();
        listener.reached(&sent);
        drop(new);
        listener.sees("disconnected");
    }
    let sent = old.halt();
    listener.reached(&sent);
    let (_, missing) = each_once(&listener.report());
    assert_eq!(missing, 0, "those who were there missed something");
    let mut report = Report::default();
    report.tell("rounds", plan.rounds.into(), "");
    report.times(1000.0, "a newcomer is let in", &recovered);
    report.tell(
        "meanwhile a message of the old link took at most",
        worst.ms(1.0),
        "ms",
    );
    Some(report)
}
