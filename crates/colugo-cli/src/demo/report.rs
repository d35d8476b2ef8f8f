//! `Report`: what a process of the demo tells the one that watches, a line of JSON at a time.

use serde_json::{Value, json};

use super::Role;
use super::process::Process;
use crate::latency::Latencies;

/// The state of one process.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Report {
    /// Milliseconds from its start until it was connected to everybody it needs.
    pub(super) found_ms: Option<f64>,
    /// Messages sent or received, calls answered or made.
    pub(super) count: u64,
    pub(super) lost: u64,
    pub(super) p50_us: Option<f64>,
    pub(super) p99_us: Option<f64>,
    /// This is the last report, and the end is in order.
    pub(super) done: bool,
}

impl Report {
    /// With the percentiles as they are now.
    pub(super) fn measured(mut self, latencies: &Latencies) -> Self {
        self.p50_us = latencies.percentile_us(0.5);
        self.p99_us = latencies.percentile_us(0.99);
        self
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "found_ms": self.found_ms.map(rounded),
            "count": self.count,
            "lost": self.lost,
            "p50_us": self.p50_us.map(rounded),
            "p99_us": self.p99_us.map(rounded),
            "done": self.done,
        })
    }

    pub(super) fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        Some(Self {
            found_ms: value.get("found_ms")?.as_f64(),
            count: value.get("count")?.as_u64()?,
            lost: value.get("lost")?.as_u64()?,
            p50_us: value.get("p50_us")?.as_f64(),
            p99_us: value.get("p99_us")?.as_f64(),
            done: value.get("done")?.as_bool()?,
        })
    }
}

/// To hundredths: more digits say nothing here.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// All that was lost: what the processes noticed, and what a subscriber could not: messages at the end.
pub(super) fn lost(processes: &[Process]) -> u64 {
    let noticed: u64 = processes.iter().map(|process| process.report.lost).sum();
    noticed
        + processes
            .iter()
            .map(|process| lost_at_end(process, processes))
            .sum::<u64>()
}

/// What was published and neither received by this subscriber nor noticed missing.
pub(super) fn lost_at_end(process: &Process, processes: &[Process]) -> u64 {
    if process.role != Role::Subscriber || !process.report.done {
        return 0;
    }
    let sent: u64 = processes
        .iter()
        .filter(|other| other.role == Role::Publisher)
        .map(|other| other.report.count)
        .sum();
    sent.saturating_sub(process.report.count + process.report.lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_survive_the_pipe() {
        let report = Report {
            found_ms: Some(12.5),
            count: 7,
            lost: 1,
            p50_us: Some(80.0),
            p99_us: None,
            done: true,
        };
        assert_eq!(Report::parse(&report.to_json().to_string()), Some(report));
        assert_eq!(Report::parse("hello"), None);
    }
}
