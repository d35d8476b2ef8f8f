//! Who is measured beside whom: contenders that run in turn, and the rows that are read off their figures.

use std::collections::BTreeMap;

use crate::harness::{Harness, Part};
use crate::row::{Outcome, Row, Side};
use kit::Result;
use kit::report::Report;
use kit::stats::median;

/// A run that is more than a pair of processes.
pub type Course = Box<dyn Fn(&Harness) -> Result<Report>>;

/// How a contender's figures are got.
pub enum Trial {
    /// Two processes; the first binds, the second dials.
    Pair(Part, Part),
    /// One process.
    Solo(Part),
    /// Something with a course of its own.
    Course(Course),
}

/// One way of doing the thing that is measured.
pub struct Contender {
    /// Contenders of a group are alternatives: the group's figure is that of its best.
    pub group: &'static str,
    /// What tells it from the others of its group.
    pub label: String,
    /// How it is run.
    pub trial: Trial,
}

/// Contenders measured in turn, and the rows read off them.
pub struct Suite {
    /// Who runs, in this order, once in each round.
    pub contenders: Vec<Contender>,
    /// What is read off.
    pub rows: Vec<Row>,
}

/// The groups of other implementations in Rust.
const PEERS: [&str; 3] = ["omq-tokio", "rzmq", "zeromq"];

/// How often, and what to leave out.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Rounds, of one run for each contender.
    pub runs: usize,
    /// Only the others, for a look at the machine.
    pub yardstick: bool,
    /// Other implementations in Rust too, where there are any.
    pub peers: bool,
    /// Each run's figures on stderr.
    pub verbose: bool,
}

impl Suite {
    /// Measures what the rows that `wanted` names need, and reads them off.
    pub fn run(
        &self,
        harness: &Harness,
        options: Options,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Vec<Outcome> {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| wanted(row.name)).collect();
        let beside = |row: &Row| options.peers && row.ours == "ours";
        let needed = |group: &str| {
            rows.iter().any(|row| {
                (row.ours == group && !options.yardstick)
                    || row.theirs == Some(group)
                    || (beside(row) && PEERS.contains(&group))
            })
        };
        let contenders: Vec<&Contender> = self
            .contenders
            .iter()
            .filter(|one| needed(one.group))
            .collect();
        let mut reports = vec![Vec::new(); contenders.len()];
        let mut failures: BTreeMap<&str, String> = BTreeMap::new();
        for _ in 0..options.runs {
            if let Err(error) = harness.renew() {
                eprintln!("  {error}");
            }
            for (contender, reports) in contenders.iter().zip(&mut reports) {
                match contender.run(harness) {
                    Ok(report) => {
                        if options.verbose {
                            eprintln!("  {} {}: {report}", contender.group, contender.label);
                        }
                        reports.push(report);
                    }
                    Err(error) => {
                        eprintln!("  {} {}: {error}", contender.group, contender.label);
                        failures.insert(contender.group, error.to_string());
                    }
                }
            }
        }
        let read = |row: &Row| {
            let best = |group: &str| {
                let of_group = contenders
                    .iter()
                    .zip(&reports)
                    .filter(|(contender, _)| contender.group == group);
                let measured = of_group.filter_map(|(contender, reports)| {
                    Some(Side {
                        label: &contender.label,
                        figure: middle(reports, row.metric)?,
                        lost: sum(reports, "lost"),
                        wrong: sum(reports, "disorder") + sum(reports, "unexplained"),
                    })
                });
                // Who loses is faster for it.
                let loses = |side: &Side<'_>| !row.lossy && side.lost > 0;
                measured.min_by(|a, b| {
                    let by_loss = loses(a).cmp(&loses(b));
                    by_loss.then(row.better.order(a.figure, b.figure))
                })
            };
            let failed = failures.contains_key(row.ours);
            let mut outcome = row.read(
                best(row.ours).filter(|_| !failed),
                row.theirs.and_then(best),
            );
            if beside(row) {
                let there = |group: &str| contenders.iter().any(|one| one.group == group);
                let groups = PEERS.into_iter().filter(|group| there(group));
                outcome.peers = groups
                    .map(|group| row.peer(group, best(group), failures.get(group)))
                    .collect();
            }
            outcome
        };
        rows.into_iter().map(read).collect()
    }
}

impl Contender {
    fn run(&self, harness: &Harness) -> Result<Report> {
        match &self.trial {
            Trial::Pair(binder, dialler) => harness.pair(binder, dialler),
            Trial::Solo(part) => harness.solo(part),
            Trial::Course(course) => course(harness),
        }
    }
}

fn middle(reports: &[Report], metric: &str) -> Option<f64> {
    let figures: Vec<f64> = reports
        .iter()
        .filter_map(|report| report.figure(metric))
        .collect();
    median(&figures)
}

/// Of all runs.
fn sum(reports: &[Report], name: &str) -> u64 {
    reports
        .iter()
        .filter_map(|report| report.figure(name))
        .sum::<f64>() as u64
}
