//! `Report`: the figures of a scenario, each with what it is to be at most, as one line for people or one JSON object. What must happen at all
//! is asserted by the scenario; this is how fast and how much.

use serde_json::{Value, json};

/// One figure.
#[derive(Debug)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    /// At most.
    goal: Option<f64>,
}

/// What a scenario has found out.
#[derive(Debug, Default)]
pub(crate) struct Report {
    figures: Vec<Figure>,
    remarks: Vec<String>,
}

impl Report {
    /// A figure that is told only.
    pub(crate) fn tell(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.add(name, value, unit, None);
    }

    /// A figure that is to be `goal` at most.
    pub(crate) fn at_most(
        &mut self,
        goal: f64,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) {
        self.add(name, value, unit, Some(goal));
    }

    /// Times of which the longest is to be `goal_ms` at most.
    pub(crate) fn times(&mut self, goal_ms: f64, name: &str, times: &Spread) {
        self.tell(format!("{name}, median"), times.ms(0.5), "ms");
        self.at_most(goal_ms, format!("{name}, worst"), times.ms(1.0), "ms");
    }

    /// Something that is no figure.
    pub(crate) fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }

    fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str, goal: Option<f64>) {
        self.figures.push(Figure {
            name: name.into(),
            value,
            unit,
            goal,
        });
    }

    /// Every figure is as it should be.
    pub(crate) fn is_good(&self) -> bool {
        self.figures.iter().all(Figure::is_good)
    }

    /// One line.
    pub(crate) fn line(&self, name: &str) -> String {
        let mut parts: Vec<String> = self.figures.iter().map(Figure::text).collect();
        parts.extend(self.remarks.iter().cloned());
        let verdict = if self.is_good() { "ok" } else { "SHORT" };
        format!("{verdict}  {name}: {}", parts.join("; "))
    }

    /// One object.
    pub(crate) fn json(&self, name: &str) -> Value {
        let figures = self.figures.iter().map(|figure| {
            json!({
                "name": figure.name, "value": figure.value, "unit": figure.unit, "at_most": figure.goal, "ok": figure.is_good(),
            })
        });
        json!({
            "scenario": name, "ok": self.is_good(), "figures": figures.collect::<Vec<_>>(), "remarks": self.remarks,
        })
    }
}

impl Figure {
    fn is_good(&self) -> bool {
        self.goal.is_none_or(|goal| self.value <= goal)
    }

    fn text(&self) -> String {
        let value = number(self.value);
        let gap = if self.unit.is_empty() { "" } else { " " };
        match self.goal {
            None => format!("{} {value}{gap}{}", self.name, self.unit),
            Some(goal) => {
                let relation = if self.is_good() { "≤" } else { "NOT ≤" };
                let goal = number(goal);
                format!(
                    "{} {value}{gap}{} ({relation} {goal})",
                    self.name, self.unit
                )
            }
        }
    }
}

fn number(value: f64) -> String {
    let digits = match value.abs() {
        it if it >= 100.0 || it.fract() == 0.0 => 0,
        it if it >= 10.0 => 1,
        it if it >= 0.1 => 2,
        _ => 4,
    };
    format!("{value:.digits$}")
}

/// Durations, to be asked for their percentiles.
#[derive(Debug, Default)]
pub(crate) struct Spread(Vec<u64>);

impl Spread {
    /// One more.
    pub(crate) fn add(&mut self, ns: u64) {
        self.0.push(ns);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The one below which this part of them lies: 1.0 is the longest.
    pub(crate) fn ns(&self, part: f64) -> u64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted
            .get((last as f64 * part).round() as usize)
            .copied()
            .unwrap_or_default()
    }

    /// The same in milliseconds.
    pub(crate) fn ms(&self, part: f64) -> f64 {
        self.ns(part) as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_over_its_goal_is_seen() {
        let mut report = Report::default();
        report.at_most(2.0, "leak", 1.5, "KiB");
        report.tell("rounds", 3.0, "");
        assert!(report.is_good());
        assert_eq!(report.line("x"), "ok  x: leak 1.50 KiB (≤ 2); rounds 3");
        report.at_most(1.0, "time", 200.0, "ms");
        assert!(!report.is_good());
        assert!(
            report.line("x").starts_with("SHORT")
                && report.line("x").contains("time 200 ms (NOT ≤ 1)")
        );
        assert_eq!(report.json("x")["figures"][2]["ok"], false);
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let mut times = Spread::default();
        (0..=100).rev().for_each(|ms| times.add(ms * 1_000_000));
        assert_eq!(
            [times.ms(0.0), times.ms(0.5), times.ms(0.99), times.ms(1.0)],
            [0.0, 50.0, 99.0, 100.0]
        );
        assert_eq!(Spread::default().ms(0.5), 0.0);
    }
}
