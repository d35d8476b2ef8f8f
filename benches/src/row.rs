//! A row of the table: which figure, whose, against whose, and where it must stand.

use std::cmp::Ordering;

use serde::Serialize;

/// Which figures are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// A rate.
    More,
    /// A time or a cost.
    Less,
}

impl Better {
    /// The better one first.
    pub fn order(self, a: f64, b: f64) -> Ordering {
        match self {
            Self::More => b.total_cmp(&a),
            Self::Less => a.total_cmp(&b),
        }
    }
}

/// A row, before it is measured.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name, for the command line too.
    pub name: &'static str,
    /// What is measured, in a line.
    pub about: &'static str,
    /// The unit of `ours` and `theirs`.
    pub unit: &'static str,
    /// The figure's name in the reports.
    pub metric: &'static str,
    /// Divides the figure, so that it reads well.
    pub scale: f64,
    /// Which way is up.
    pub better: Better,
    /// The group of ours.
    pub ours: &'static str,
    /// The group it is held against; without one, `must` and `goal` are of the figure itself.
    pub theirs: Option<&'static str>,
    /// The ratio (or figure) it must reach.
    pub must: Option<f64>,
    /// The ratio (or figure) it should reach.
    pub goal: Option<f64>,
}

/// A row, measured.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The row's name.
    pub row: &'static str,
    /// The unit of `ours` and `theirs`.
    pub unit: &'static str,
    /// Our median.
    pub ours: Option<f64>,
    /// The median of the best of theirs.
    pub theirs: Option<f64>,
    /// Ours divided by theirs.
    pub ratio: Option<f64>,
    /// The ratio (or figure) it must reach.
    pub must: Option<f64>,
    /// The ratio (or figure) it should reach.
    pub goal: Option<f64>,
    /// Whether it is at its must; none if it has none.
    pub ok: Option<bool>,
    /// What ours lost, over all runs.
    pub lost: u64,
    /// Which of theirs was best.
    #[serde(skip)]
    pub against: String,
    /// Which way is up.
    #[serde(skip)]
    pub better: Better,
}

impl Row {
    /// A row with neither must nor goal.
    pub fn new(
        name: &'static str,
        about: &'static str,
        unit: &'static str,
        metric: &'static str,
        better: Better,
    ) -> Self {
        Self {
            name,
            about,
            unit,
            metric,
            scale: 1.0,
            better,
            ours: "ours",
            theirs: Some("theirs"),
            must: None,
            goal: None,
        }
    }

    /// Messages a second, in thousands.
    pub fn rate(name: &'static str, about: &'static str) -> Self {
        Self::new(name, about, "k/s", "rate", Better::More).scaled(1e3)
    }

    /// The same with figures divided by `scale`.
    #[must_use]
    pub fn scaled(self, scale: f64) -> Self {
        Self { scale, ..self }
    }

    /// The same between these groups.
    #[must_use]
    pub fn between(self, ours: &'static str, theirs: &'static str) -> Self {
        Self {
            ours,
            theirs: Some(theirs),
            ..self
        }
    }

    /// The same with nobody to be held against.
    #[must_use]
    pub fn alone(self, ours: &'static str) -> Self {
        Self {
            ours,
            theirs: None,
            ..self
        }
    }

    /// The same with what must be reached and what should be.
    #[must_use]
    pub fn must(self, must: f64, goal: f64) -> Self {
        Self {
            must: Some(must),
            goal: Some(goal),
            ..self
        }
    }

    /// The row with its figures: for each side the best contender's label, its median, and what was lost.
    pub fn read(
        &self,
        ours: Option<(&str, f64, u64)>,
        theirs: Option<(&str, f64, u64)>,
    ) -> Outcome {
        let figure =
            |side: Option<(&str, f64, u64)>| side.map(|(_, figure, _)| figure / self.scale);
        let (our_figure, their_figure) = (figure(ours), figure(theirs));
        let ratio = our_figure
            .zip(their_figure)
            .map(|(ours, theirs)| ours / theirs);
        let judged = if self.theirs.is_some() {
            ratio
        } else {
            our_figure
        };
        let lost = ours.map_or(0, |(_, _, lost)| lost);
        let reached = |must: f64| {
            judged.is_some_and(|figure| self.better.order(figure, must) != Ordering::Greater)
        };
        Outcome {
            row: self.name,
            unit: self.unit,
            ours: our_figure,
            theirs: their_figure,
            ratio,
            must: self.must,
            goal: self.goal,
            ok: self.must.map(|must| reached(must) && lost == 0),
            lost,
            against: against(ours, theirs),
            better: self.better,
        }
    }
}

fn against(ours: Option<(&str, f64, u64)>, theirs: Option<(&str, f64, u64)>) -> String {
    let mut text = theirs.map_or(String::new(), |(label, ..)| label.to_owned());
    if let Some((_, _, lost @ 1..)) = theirs {
        text.push_str(&format!(" (lost {lost})"));
    }
    if let Some((label, ..)) = ours.filter(|(label, ..)| !label.is_empty()) {
        text.push_str(&format!(" [ours: {label}]"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Better, Row};

    #[test]
    fn a_rate_is_at_its_must_from_the_ratio_on() {
        let row = Row::rate("x", "").must(3.0, 6.0);
        let outcome = row.read(Some(("", 9e6, 0)), Some(("push", 3e6, 0)));
        assert_eq!(
            (outcome.ours, outcome.ratio, outcome.ok),
            (Some(9000.0), Some(3.0), Some(true))
        );
        assert_eq!(
            row.read(Some(("", 8e6, 0)), Some(("push", 3e6, 0))).ok,
            Some(false)
        );
        assert_eq!(
            row.read(Some(("", 9e6, 1)), Some(("push", 3e6, 0))).ok,
            Some(false),
            "a loss is never ok"
        );
        assert_eq!(row.read(None, Some(("push", 3e6, 0))).ok, Some(false));
    }

    #[test]
    fn a_time_alone_is_held_against_the_figure_itself() {
        let row = Row::new("x", "", "ms", "ms", Better::Less)
            .alone("ours")
            .must(20.0, 8.0);
        assert_eq!(row.read(Some(("", 20.0, 0)), None).ok, Some(true));
        assert_eq!(row.read(Some(("", 21.0, 0)), None).ok, Some(false));
    }
}
