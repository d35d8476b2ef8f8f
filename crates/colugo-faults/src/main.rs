//! `colugo-faults`: what becomes of messages when processes are killed, cut off, starved or misled, on real sockets. `colugo-faults SCENARIO` runs
//! one and prints its figures; `colugo-faults peer SETUP` is one of the processes in it. What must happen is asserted and ends a run with a
//! failure; how fast it is counts only with `--judge`. Knows colugo-socket's public API and nothing above it.

mod actor;
mod history;
mod network;
mod order;
mod parcel;
mod peer;
mod proc;
mod progress;
mod report;
mod scenario;
mod sink;
mod source;
mod tally;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use scenario::{Plan, SCENARIOS, Scenario};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("peer") => match peer::run(words.get(1).map_or("", String::as_str)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                println!("{}", serde_json::json!({"error": error.to_string()}));
                ExitCode::FAILURE
            }
        },
        None | Some("-h" | "--help" | "help") => {
            print!("{}", usage());
            ExitCode::SUCCESS
        }
        Some(_) => match parse(&words) {
            Ok(call) => call.run(),
            Err(what) => {
                eprintln!("{what}\n\n{}", usage());
                ExitCode::FAILURE
            }
        },
    }
}

/// What is to be run, and how its end is told.
struct Call {
    scenario: &'static Scenario,
    plan: Plan,
    json: bool,
    judge: bool,
}

impl Call {
    fn run(&self) -> ExitCode {
        let name = self.scenario.name;
        // The reason has been printed where it was found.
        let Ok(report) = catch_unwind(AssertUnwindSafe(|| (self.scenario.run)(&self.plan))) else {
            if self.json {
                println!(
                    "{}",
                    serde_json::json!({"scenario": name, "ok": false, "failed": true})
                );
            } else {
                println!("FAILED  {name}");
            }
            return ExitCode::FAILURE;
        };
        let Some(report) = report else {
            return ExitCode::SUCCESS;
        };
        if self.json {
            println!("{}", report.json(name));
        } else {
            println!("{}", report.line(name));
        }
        if self.judge && !report.is_good() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

fn parse(words: &[String]) -> Result<Call, String> {
    let mut words = words.iter();
    let name = words.next().map_or("", String::as_str);
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
    let scenario = scenario.ok_or_else(|| format!("there is no scenario `{name}`"))?;
    let mut call = Call {
        scenario,
        plan: scenario.plan,
        json: false,
        judge: false,
    };
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().and_then(|value| value.parse().ok());
            let value = value.filter(|value| *value > 0);
            value.ok_or_else(|| format!("{word} needs a number from 1 on"))
        };
        match word.as_str() {
            "--rounds" => call.plan.rounds = number()?,
            "--secs" => call.plan.secs = number()?,
            "--json" => call.json = true,
            "--judge" => call.judge = true,
            _ => return Err(format!("there is no option `{word}`")),
        }
    }
    Ok(call)
}

fn usage() -> String {
    let mut text = "\
Usage: colugo-faults SCENARIO [--rounds N] [--secs S] [--json] [--judge]

  --rounds N   how often (or how many, where it says so)
  --secs S     how long what lasts is to last
  --json       the figures as one JSON object
  --judge      fail also when a figure is not at its goal

Scenarios, with their rounds and seconds:
"
    .to_owned();
    for scenario in SCENARIOS {
        let Plan { rounds, secs } = scenario.plan;
        text += &format!(
            "  {:<12} {:>4} {:>4}  {}\n",
            scenario.name, rounds, secs, scenario.about
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_call_is_understood_and_a_wrong_one_refused() {
        let call = parse(&words("kill --rounds 7 --json")).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((call.scenario.name, call.plan.rounds), ("kill", 7));
        assert!(call.json && !call.judge);
        for wrong in ["nothing", "kill --rounds", "kill --rounds 0", "kill x"] {
            assert!(parse(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
