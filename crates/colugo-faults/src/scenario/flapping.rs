//! F8: a publisher that comes and goes every 100 ms, and a subscriber that does; what their peers, who stay, need for it: no more than before.

use std::time::{Duration, Instant};

use colugo_socket::{PubSocket, SubSocket};

use crate::actor::Actor;
use crate::proc::Usage;
use crate::progress::Progress;
use crate::report::Report;
use crate::scenario::{Plan, colugo, number};

const HALF: Duration = Duration::from_millis(100);
/// Until then buffers grow to what they need.
const WARM: f64 = 0.2;

pub(super) fn run(plan: &Plan) -> Option<Report> {
    let mut progress = Progress::new("flapping");
    let mut dialler = Actor::start("dialler", colugo("sub"));
    let mut listener = Actor::start("listener", colugo("pub"));
    let port = colugo_testkit::free_port();
    let flapping = format!("tcp://127.0.0.1:{port}");
    dialler.connect(&flapping);
    let steady = listener.bind("tcp://127.0.0.1:0");
    let (mut dialled, mut listened) = (Track::default(), Track::default());
    let whole = Duration::from_secs(plan.secs.into());
    let began = Instant::now();
    let attempts_before = attempts(&mut dialler);
    while began.elapsed() < whole {
        progress.at(began.elapsed().as_secs(), format!("{} s", plan.secs));
        let publisher = PubSocket::new().unwrap_or_else(|error| panic!("{error}"));
        let subscriber = SubSocket::new().unwrap_or_else(|error| panic!("{error}"));
        // Where the last connection still holds the port, it is down a little longer.
        let _ = publisher.bind(&flapping);
        let dial = subscriber.connect(&steady);
        assert!(dial.is_ok() && subscriber.subscribe("").is_ok());
        std::thread::sleep(HALF);
        drop((publisher, subscriber));
        std::thread::sleep(HALF);
        let at = began.elapsed().as_secs_f64() / whole.as_secs_f64();
        dialled.add(at, dialler.usage());
        listened.add(at, listener.usage());
    }
    let secs = began.elapsed().as_secs_f64();
    let rate = (attempts(&mut dialler) - attempts_before) as f64 / secs;
    let came = number(&dialler.stats()["events"]["connected"]);
    let served = number(&listener.stats()["events"]["connected"]);
    assert!(came > 0 && served > 0, "{came} and {served} connections");
    listener.wait_gone(0);
    let mut report = Report::default();
    report.tell("seconds", secs, "");
    report.tell("connections made", came as f64, "");
    report.tell("accepted", served as f64, "");
    report.at_most(10.0, "dials a second", rate, "");
    dialled.report(&mut report, "dialler", secs);
    listened.report(&mut report, "listener", secs);
    Some(report)
}

/// Every dial ends as one of these.
fn attempts(dialler: &mut Actor) -> u64 {
    let events = dialler.stats()["events"].take();
    ["connected", "dial_failed", "handshake_failed"]
        .map(|name| number(&events[name]))
        .iter()
        .sum()
}

/// One process over the time.
#[derive(Default)]
struct Track {
    first: Option<Usage>,
    last: Usage,
    /// Since it is warm: part of the whole time, KiB.
    memory: Vec<(f64, f64)>,
    descriptors: (u64, u64),
    threads: (u64, u64),
}

impl Track {
    fn add(&mut self, at: f64, usage: Usage) {
        self.first.get_or_insert(usage);
        self.last = usage;
        if at < WARM {
            self.descriptors.0 = self.descriptors.0.max(usage.descriptors);
            self.threads.0 = self.threads.0.max(usage.threads);
        } else {
            self.memory.push((at, usage.memory_kib as f64));
            self.descriptors.1 = self.descriptors.1.max(usage.descriptors);
            self.threads.1 = self.threads.1.max(usage.threads);
        }
    }

    fn report(&self, report: &mut Report, who: &str, secs: f64) {
        // At any time there is at most one connection more or less, in the middle of its end.
        let (before, after) = self.descriptors;
        assert!(
            after <= before + 2,
            "{who}: {before} descriptors became {after}"
        );
        assert!(
            self.threads.1 <= self.threads.0,
            "{who}: {:?} threads",
            self.threads
        );
        report.at_most(
            0.0,
            format!("{who}'s descriptors more"),
            after.saturating_sub(before) as f64,
            "",
        );
        let per_minute = slope(&self.memory) / secs * 60.0;
        report.at_most(16.0, "its memory's growth", per_minute, "KiB/min");
        let first = self.first.unwrap_or_default();
        let cpu = (self.last.cpu_ms - first.cpu_ms) as f64 / (secs * 10.0);
        report.at_most(2.0, "its processor time", cpu, "%");
    }
}

/// Of the line through these points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len().max(1) as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|it| it.0), mean(|it| it.1));
    let above: f64 = points.iter().map(|it| (it.0 - x) * (it.1 - y)).sum();
    let below: f64 = points.iter().map(|it| (it.0 - x).powi(2)).sum();
    if below == 0.0 { 0.0 } else { above / below }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_that_of_the_line() {
        assert_eq!(slope(&[(0.0, 1.0), (0.5, 2.0), (1.0, 3.0)]), 2.0);
        assert_eq!(slope(&[]), 0.0);
    }
}
