//! `cargo xtask soak`: one scenario of the system tests many more times than the tests run it. Knows which test that is and how it is told
//! the number; what it measures the scenario prints.

use crate::error::Error;
use crate::workshop::{cargo_in, root};
use std::time::Duration;

/// A thousand pairs of processes take a few minutes.
const LIMIT: Duration = Duration::from_secs(60 * 60);

struct Scenario {
    name: &'static str,
    /// The path that its tests' names start with.
    tests: &'static str,
    /// How the number reaches it.
    variable: &'static str,
    times: u32,
}

const SCENARIOS: &[Scenario] = &[Scenario {
    name: "first-message",
    tests: "first_message::",
    variable: "COLUGO_SOAK_PAIRS",
    times: 200,
}];

pub(crate) fn run(arguments: &[String]) -> Result<bool, Error> {
    let (scenario, times) = parse(arguments)?;
    let times = times.unwrap_or(scenario.times);
    println!("{}: {times} times", scenario.name);
    // With the workspace's features, so that what the tests have built is used again.
    let cargo = cargo_in(&root()).args(["test", "--locked", "--workspace", "--all-features"]);
    cargo
        .args(["--test", "system", scenario.tests])
        .env(scenario.variable, times.to_string())
        .limit(LIMIT)
        .run()?;
    Ok(true)
}

fn parse(arguments: &[String]) -> Result<(&'static Scenario, Option<u32>), Error> {
    let names = || {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        names.join(", ")
    };
    let usage = |what: String| Error::Usage(format!("{what}: cargo xtask soak SCENARIO [TIMES]"));
    let (name, times) = match arguments {
        [name] => (name, None),
        [name, times] => (name, Some(times)),
        _ => return Err(usage(format!("a scenario is needed, one of {}", names()))),
    };
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
    let scenario =
        scenario.ok_or_else(|| usage(format!("there is no scenario `{name}`, but {}", names())))?;
    let times = times.map(|times| {
        let number = times.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| usage(format!("`{times}` is no number of times")))
    });
    Ok((scenario, times.transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_scenario_and_a_number_are_understood_and_others_refused() {
        let (scenario, times) = parse(&words("first-message 7")).unwrap();
        assert_eq!((scenario.tests, times), ("first_message::", Some(7)));
        for wrong in ["", "nothing", "first-message 0", "first-message x", "a b c"] {
            assert!(parse(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
