//! One check among those of `cargo xtask test`, how it ended, and the table at the end that repeats what was skipped.

use crate::error::Error;
use crate::workshop::Workshop;
use std::time::{Duration, Instant};

/// A named check.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// What it checks, for `--list`.
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Workshop) -> Result<Verdict, Error>,
}

/// How a step ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    /// Done, but for these parts.
    Partly(Vec<Skipped>),
    /// Not done at all.
    Skip(Skipped),
}

/// What was not checked, why, and the command that would get what it lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(crate) why: String,
    pub(crate) get: String,
}

impl Skipped {
    pub(crate) fn new(why: impl Into<String>, get: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            get: get.into(),
        }
    }
}

impl Verdict {
    pub(crate) fn skip(why: impl Into<String>, get: impl Into<String>) -> Self {
        Self::Skip(Skipped::new(why, get))
    }
}

/// What happened to each step, in order.
#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

struct Line {
    name: &'static str,
    took: Duration,
    result: Result<Verdict, Error>,
}

impl Report {
    /// Runs a step and prints its name, outcome and time.
    pub(crate) fn run(&mut self, step: &Step, workshop: &Workshop) {
        println!("── {}: {}", step.name, step.about);
        let started = Instant::now();
        let result = (step.run)(workshop);
        let line = Line {
            name: step.name,
            took: started.elapsed(),
            result,
        };
        match &line.result {
            Err(error) => println!("{error}"),
            Ok(Verdict::Skip(skipped)) => println!("{}", skipped.why),
            Ok(Verdict::Partly(parts)) => parts
                .iter()
                .for_each(|part| println!("not checked: {}", part.why)),
            Ok(Verdict::Ok) => {}
        }
        println!(
            "── {}: {} in {:.1} s\n",
            line.name,
            line.outcome(),
            line.took.as_secs_f64()
        );
        self.lines.push(line);
    }

    /// Prints the table and what was skipped. True if nothing failed.
    pub(crate) fn finish(&self) -> bool {
        println!("{:<12} {:<7} {:>8}", "step", "outcome", "seconds");
        for line in &self.lines {
            println!(
                "{:<12} {:<7} {:>8.1}",
                line.name,
                line.outcome(),
                line.took.as_secs_f64()
            );
        }
        let skipped: Vec<(&str, &Skipped)> = self
            .lines
            .iter()
            .flat_map(|line| line.skipped().iter().map(|skipped| (line.name, skipped)))
            .collect();
        if !skipped.is_empty() {
            println!("\nNOT CHECKED on this machine, and what would get it:");
            for (name, skipped) in skipped {
                println!("  {name}: {}\n      {}", skipped.why, skipped.get);
            }
        }
        for line in &self.lines {
            if let Err(error) = &line.result {
                println!(
                    "\nFAILED {}: {error}\n      cargo xtask test --only {}",
                    line.name, line.name
                );
            }
        }
        let count = |outcome: &str| {
            self.lines
                .iter()
                .filter(|line| line.outcome() == outcome)
                .count()
        };
        println!(
            "\nsteps: {} passed, {} failed, {} skipped",
            count("ok"),
            count("FAIL"),
            count("skip")
        );
        count("FAIL") == 0
    }
}

impl Line {
    fn outcome(&self) -> &'static str {
        match self.result {
            Ok(Verdict::Ok | Verdict::Partly(_)) => "ok",
            Ok(Verdict::Skip(_)) => "skip",
            Err(_) => "FAIL",
        }
    }

    fn skipped(&self) -> &[Skipped] {
        match &self.result {
            Ok(Verdict::Skip(skipped)) => std::slice::from_ref(skipped),
            Ok(Verdict::Partly(parts)) => parts,
            _ => &[],
        }
    }
}
