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
    /// Whether messages may be lost, as long as the sender knows of each.
    pub lossy: bool,
    /// Whether `must` and `goal` are of the figure itself although there is somebody to show beside it.
    pub absolute: bool,
}

/// One side of a row: the best contender of its group.
#[derive(Debug, Clone, Copy, Default)]
pub struct Side<'a> {
    /// What tells it from the others of its group.
    pub label: &'a str,
    /// Its median.
    pub figure: f64,
    /// Messages lost, in all runs.
    pub lost: u64,
    /// Messages that came twice, out of order, or were lost in silence, in all runs.
    pub wrong: u64,
}

/// Another implementation's figure.
#[derive(Debug, Clone, Serialize)]
pub struct Peer {
    /// Its name.
    pub name: &'static str,
    /// Its median, in the row's unit.
    pub figure: Option<f64>,
    /// Messages lost, come twice or out of order, in all runs.
    pub lost: u64,
    /// What went wrong last, in a run that gave no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
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
    /// Other implementations in Rust, if they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Peer>,
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
            lossy: false,
            absolute: false,
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

    /// The same where losses are the point: they are printed, and no fault.
    #[must_use]
    pub fn lossy(self) -> Self {
        Self {
            lossy: true,
            ..self
        }
    }

    /// The same held against a fixed figure, with theirs beside it for comparison.
    #[must_use]
    pub fn absolute(self) -> Self {
        Self {
            absolute: true,
            ..self
        }
    }

    /// Another implementation's figure for this row.
    pub fn peer(
        &self,
        name: &'static str,
        side: Option<Side<'_>>,
        failed: Option<&String>,
    ) -> Peer {
        Peer {
            name,
            figure: side.map(|side| side.figure / self.scale),
            lost: side.map_or(0, |side| side.lost + side.wrong),
            failed: failed.cloned(),
        }
    }

    /// The row with its figures.
    pub fn read(&self, ours: Option<Side<'_>>, theirs: Option<Side<'_>>) -> Outcome {
        let figure = |side: Option<Side<'_>>| side.map(|side| side.figure / self.scale);
        let (our_figure, their_figure) = (figure(ours), figure(theirs));
        let ratio = our_figure
            .zip(their_figure)
            .map(|(ours, theirs)| ours / theirs);
        let judged = if self.theirs.is_some() && !self.absolute {
            ratio
        } else {
            our_figure
        };
        let lost = ours.map_or(0, |side| side.lost + side.wrong);
        let faults = ours.map_or(0, |side| {
            side.wrong + if self.lossy { 0 } else { side.lost }
        });
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
            ok: self.must.map(|must| reached(must) && faults == 0),
            lost,
            peers: Vec::new(),
            against: against(ours, theirs),
            better: self.better,
        }
    }
}

fn against(ours: Option<Side<'_>>, theirs: Option<Side<'_>>) -> String {
    let mut text = theirs.map_or(String::new(), |side| side.label.to_owned());
    if let Some(lost @ 1..) = theirs.map(|side| side.lost + side.wrong) {
        text.push_str(&format!(" (lost {lost})"));
    }
    if let Some(ours) = ours.filter(|side| !side.label.is_empty()) {
        text.push_str(&format!(" [ours: {}]", ours.label));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Better, Row, Side};

    fn side(figure: f64, lost: u64, wrong: u64) -> Option<Side<'static>> {
        Some(Side {
            label: "",
            figure,
            lost,
            wrong,
        })
    }

    #[test]
    fn a_rate_is_at_its_must_from_the_ratio_on() {
        let row = Row::rate("x", "").must(3.0, 6.0);
        let theirs = side(3e6, 0, 0);
        let outcome = row.read(side(9e6, 0, 0), theirs);
        assert_eq!(
            (outcome.ours, outcome.ratio, outcome.ok),
            (Some(9000.0), Some(3.0), Some(true))
        );
        assert_eq!(row.read(side(8e6, 0, 0), theirs).ok, Some(false));
        assert_eq!(
            row.read(side(9e6, 1, 0), theirs).ok,
            Some(false),
            "a loss is never ok"
        );
        assert_eq!(row.read(None, theirs).ok, Some(false));
    }

    #[test]
    fn a_flood_may_lose_what_it_knows_of_and_nothing_else() {
        let row = Row::rate("x", "").must(1.0, 1.0).lossy();
        let theirs = side(1.0, 0, 0);
        let outcome = row.read(side(1.0, 5, 0), theirs);
        assert_eq!((outcome.lost, outcome.ok), (5, Some(true)));
        assert_eq!(row.read(side(1.0, 5, 1), theirs).ok, Some(false));
    }

    #[test]
    fn a_time_alone_is_held_against_the_figure_itself() {
        let row = Row::new("x", "", "ms", "ms", Better::Less).must(20.0, 8.0);
        let alone = row.clone().alone("ours");
        assert_eq!(alone.read(side(20.0, 0, 0), None).ok, Some(true));
        assert_eq!(alone.read(side(21.0, 0, 0), None).ok, Some(false));
        let beside = row.absolute();
        assert_eq!(
            beside.read(side(20.0, 0, 0), side(1.0, 0, 0)).ok,
            Some(true)
        );
    }
}
