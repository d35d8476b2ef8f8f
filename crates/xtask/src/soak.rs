//! `cargo xtask soak`: one scenario many more times, or for much longer, than the tests run it: faults on real sockets, which `colugo-faults`
//! knows, and scenarios of the system tests. What a scenario measures it prints itself, with how far it has come.

use crate::error::Error;
use crate::namespaces;
use crate::process::{Process, cargo_program};
use crate::workshop::{Workshop, cargo_in, root};
use std::time::Duration;

/// A thousand pairs of processes take a few minutes, a thousand kills half an hour.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// A scenario of the system tests.
struct Scenario {
    name: &'static str,
    /// The path that its tests' names start with.
    tests: &'static str,
    /// How the number reaches it.
    variable: &'static str,
    times: u32,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "first-message",
        tests: "first_message::",
        variable: "COLUGO_SOAK_PAIRS",
        times: 200,
    },
    // All networks that the tests make, and the time to the first message on each.
    Scenario {
        name: "networks",
        tests: "netns_",
        variable: "COLUGO_SOAK_NETWORKS",
        times: 1,
    },
    // So many seconds: longer than any record is kept.
    Scenario {
        name: "quiet",
        tests: "netns_quiet::",
        variable: "COLUGO_SOAK_QUIET_S",
        times: 400,
    },
];

/// Sockets on a virtual network, each run from a seed.
const SIMULATOR: &str = "simulator";

/// Discovery with more and more nodes on a virtual network.
const GROWTH: &str = "growth";
const NODES: u32 = 2000;

pub(crate) fn run(arguments: &[String]) -> Result<bool, Error> {
    let name = arguments.first().map_or("", String::as_str);
    if name == SIMULATOR {
        return simulate(Seeds::parse(arguments)?);
    }
    if name == GROWTH {
        return grow(times(arguments)?.unwrap_or(NODES));
    }
    match SCENARIOS.iter().find(|scenario| scenario.name == name) {
        Some(scenario) => repeat(scenario, times(arguments)?),
        None => faults(arguments),
    }
}

/// The sockets' simulator in release, on all processors. A seed that fails it names, and the same seed fails again.
fn simulate(seeds: Seeds) -> Result<bool, Error> {
    let Seeds { from, count } = seeds;
    println!("{SIMULATOR}: {count} seeds from {from}");
    let cargo = cargo_in(&root()).args(["test", "--release", "--locked", "--lib"]);
    let test = "simulator::tests::soak";
    let result = cargo
        .args(["--package", "colugo-socket", test, "--", "--nocapture"])
        .env("COLUGO_SIM_SEEDS", count.to_string())
        .env("COLUGO_SIM_FROM", from.to_string())
        .limit(LIMIT)
        .run();
    match result {
        Ok(()) => Ok(true),
        // It has said which seeds.
        Err(Error::Failed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Up to so many nodes; the figures are kept for `cargo xtask plot`.
fn grow(nodes: u32) -> Result<bool, Error> {
    println!("{GROWTH}: up to {nodes} nodes");
    let file = root().join("target/growth.json");
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let time = since.unwrap_or_default().as_secs();
    let head =
        format!(r#"{{"machine":"Simulated: delays of 0.1 to 1 ms, no processor","time":{time}}}"#);
    let made = std::fs::write(&file, head + "\n");
    made.map_err(|error| Error::Usage(format!("{}: {error}", file.display())))?;
    let cargo = cargo_in(&root()).args(["test", "--release", "--locked"]);
    cargo
        .args(["--package", "colugo-graph", "--test", "it", "growth::"])
        .args(["--", "--nocapture"])
        .env("COLUGO_SOAK_GROWTH", nodes.to_string())
        .env("COLUGO_SOAK_GROWTH_FILE", &file)
        .limit(LIMIT)
        .run()?;
    println!("to draw them: cargo xtask plot {}", file.display());
    Ok(true)
}

/// Which runs of the simulator.
#[derive(Debug, PartialEq, Eq)]
struct Seeds {
    from: u64,
    count: u64,
}

impl Seeds {
    /// Of `simulator [--seeds N] [--from S]`.
    fn parse(arguments: &[String]) -> Result<Self, Error> {
        let usage = |what: String| {
            Error::Usage(format!(
                "{what}: cargo xtask soak simulator [--seeds N] [--from S]"
            ))
        };
        let mut seeds = Self {
            from: 0,
            count: 20_000,
        };
        let mut rest = arguments.iter().skip(1);
        while let Some(option) = rest.next() {
            let value = rest.next().and_then(|value| value.parse().ok());
            let place = match option.as_str() {
                "--seeds" => &mut seeds.count,
                "--from" => &mut seeds.from,
                other => return Err(usage(format!("`{other}` is no option"))),
            };
            *place = value.ok_or_else(|| usage(format!("{option} needs a number")))?;
        }
        Ok(seeds)
    }
}

/// `colugo-faults` in release, with hosts and networks of its own where this user may make them, and libzmq beside it where there is Python.
fn faults(arguments: &[String]) -> Result<bool, Error> {
    let workshop = Workshop::open(false)?;
    let build = ["build", "--release", "--locked", "--package"];
    workshop.cargo().args(build).arg("colugo-faults").run()?;
    let program = workshop.target().join("release/colugo-faults");
    let process = if namespaces::are_possible() {
        namespaces::inside().arg(program)
    } else {
        Process::new(program)
    };
    let process = match workshop.python() {
        Ok(python) => process.env("COLUGO_TEST_PYTHON", python),
        Err(_) => process,
    };
    match process.args(arguments).arg("--judge").limit(LIMIT).run() {
        Ok(()) => Ok(true),
        // It has said what is wrong.
        Err(Error::Failed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn repeat(scenario: &Scenario, times: Option<u32>) -> Result<bool, Error> {
    let times = times.unwrap_or(scenario.times);
    println!("{}: {times}", scenario.name);
    // With the workspace's features, so that what the tests have built is used again.
    let cargo = if scenario.tests.starts_with("netns_") && namespaces::are_possible() {
        let inside = namespaces::inside().arg(cargo_program()).dir(&root());
        let inside = inside.env("CARGO_NET_OFFLINE", "true");
        // One at a time, so that the figures are those of one.
        inside.env("RUST_TEST_THREADS", "1")
    } else {
        cargo_in(&root())
    };
    cargo
        .args(["test", "--locked", "--workspace", "--all-features"])
        .args(["--test", "system", scenario.tests])
        .env(scenario.variable, times.to_string())
        .limit(LIMIT)
        .run()?;
    Ok(true)
}

/// Of `NAME [TIMES]`.
fn times(arguments: &[String]) -> Result<Option<u32>, Error> {
    let usage = |what: String| Error::Usage(format!("{what}: cargo xtask soak SCENARIO [TIMES]"));
    match arguments {
        [_] => Ok(None),
        [_, times] => {
            let number = times.parse().ok().filter(|number| *number > 0);
            let number = number.ok_or_else(|| usage(format!("`{times}` is no number of times")));
            number.map(Some)
        }
        _ => Err(usage("one number at most".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_number_of_times_is_understood_and_others_refused() {
        assert_eq!(times(&words("first-message 7")).unwrap(), Some(7));
        assert_eq!(times(&words("first-message")).unwrap(), None);
        for wrong in ["first-message 0", "first-message x", "a b c"] {
            assert!(times(&words(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seeds_are_understood_and_others_refused() {
        let seeds = Seeds::parse(&words("simulator --from 7 --seeds 5")).unwrap();
        assert_eq!(seeds, Seeds { from: 7, count: 5 });
        for wrong in ["simulator 5", "simulator --seeds", "simulator --seeds x"] {
            assert!(Seeds::parse(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
