//! `colugo-bench`: Colugo beside libzmq and raw TCP, in turn, in processes of their own, over loopback TCP.
//!
//! The runner starts this program again for each side of a run. Rows and what they must reach: `--list`.

mod bare;
mod beside;
mod calls;
mod catalogue;
mod courses;
mod discovery_side;
mod engine;
mod flood;
mod fresh_copy;
mod harness;
mod lent;
mod machine;
mod memory;
mod memory_peers;
mod node_side;
mod options;
mod paced;
mod recycled;
mod roles;
mod row;
mod sending;
mod socket_side;
mod streams;
mod suite;
mod sweep;
mod table;
mod tcp_side;
mod times;
mod topics;
mod zmq_side;

use std::process::ExitCode;

use harness::Harness;
use options::Arguments;

use kit::Result;
use kit::clock::{date, now};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [first, role, rest @ ..] = args.as_slice()
        && first == "child"
    {
        roles::play(role, rest);
    }
    match Arguments::parse(&args).and_then(|arguments| run(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("colugo-bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// Measures and prints; whether every row is at its must, as far as that was asked.
fn run(arguments: &Arguments) -> Result<bool> {
    let suites = catalogue::suites();
    let names: Vec<&str> = suites
        .iter()
        .flat_map(|suite| &suite.rows)
        .map(|row| row.name)
        .collect();
    arguments.check_names(&names)?;
    if arguments.list {
        for row in suites.iter().flat_map(|suite| &suite.rows) {
            println!("{:<22} {}", row.name, row.about);
        }
        return Ok(true);
    }
    let mut harness = Harness::new(arguments.secs)?;
    if arguments.options.peers {
        harness = harness.with_peers()?;
    }
    let head = format!(
        "{}. {}. Medians of {} × {} s.",
        date(now()),
        machine::describe(),
        arguments.options.runs,
        arguments.secs
    );
    eprintln!("{head}");
    if arguments.sweep {
        sweep::run(&harness, arguments.options, arguments.secs)?;
        return Ok(true);
    }
    let wanted = |name: &str| arguments.wants(name);
    let mut all = Vec::new();
    for suite in &suites {
        let outcomes = suite.run(&harness, arguments.options, &wanted);
        if outcomes.is_empty() {
            continue;
        }
        if arguments.json {
            for outcome in &outcomes {
                println!("{}", serde_json::to_string(outcome)?);
            }
        } else {
            eprint!("{}", table::table(&outcomes));
        }
        all.extend(outcomes);
    }
    if !arguments.json {
        println!("{head}\n\n{}", table::table(&all));
    }
    Ok(!arguments.check || all.iter().all(|outcome| outcome.ok != Some(false)))
}
