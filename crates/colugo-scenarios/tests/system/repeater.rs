//! Repeaters in real time: a thousand ticks a second for ten seconds are ten thousand.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use colugo::{MissedTicks, Network, Node};

use crate::figure::figure;

const PERIOD: Duration = Duration::from_millis(1);
const TICKS: usize = 10_000;
/// More than ten seconds, where the machine has much else to do.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_kilohertz_for_ten_seconds_is_ten_thousand_ticks() {
    let namespace = format!("repeater-{}", std::process::id());
    let node = Node::builder("clock")
        .namespace(namespace)
        .network(Network::Host)
        .build()
        .unwrap();
    let late = Arc::new(Mutex::new(Vec::with_capacity(TICKS)));
    let (noted, stop) = (late.clone(), node.stop_handle());
    let begun = Instant::now();
    let repeater = node
        .repeater(PERIOD)
        .missed(MissedTicks::Burst)
        .on_tick(move || {
            let mut late = noted.lock().unwrap();
            let due = PERIOD * u32::try_from(late.len() + 1).unwrap();
            late.push(begun.elapsed().checked_sub(due));
            if late.len() == TICKS {
                stop.stop();
            }
        });
    let _repeater = repeater.unwrap();
    node.run_for(PATIENCE).unwrap();
    let late = late.lock().unwrap().clone();
    assert_eq!(late.len(), TICKS, "in {PATIENCE:?}");
    // No tick comes before its time; and as one of the last hundred is on time, ten seconds are ten thousand ticks, however busy the
    // machine was meanwhile.
    let late: Vec<Duration> = late
        .into_iter()
        .map(|late| late.expect("a tick came early"))
        .collect();
    let drift = late.iter().rev().take(100).min().unwrap();
    assert!(*drift <= PERIOD * 2, "the last ticks are {drift:?} late");
    let in_time = late
        .iter()
        .enumerate()
        .filter(|(at, late)| PERIOD * (*at as u32 + 1) + **late <= PERIOD * TICKS as u32);
    let mut sorted = late.clone();
    sorted.sort_unstable();
    let [p50, p99] = [TICKS / 2, TICKS * 99 / 100].map(|at| sorted[at]);
    figure(
        "repeater at 1 kHz",
        format_args!(
            "{} ticks in the first 10 s, {p50:?} late (median), {p99:?} (p99), drift {drift:?}",
            in_time.count()
        ),
    );
}
