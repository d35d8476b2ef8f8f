//! `cargo xtask setup`: the cargo tools that make the checks faster or deeper. They are compiled, which takes minutes, so
//! nothing else installs them, and every check has a way to do without.

use crate::error::Error;
use crate::process::exists;
use crate::workshop::{cargo_in, root};
use std::time::Duration;

const TOOLS: [(&str, &str); 3] = [
    (
        "cargo-nextest",
        "runs the tests: faster, each in a process of its own, with a time limit",
    ),
    ("cargo-deny", "checks licences, bans and sources"),
    ("cargo-fuzz", "runs the fuzz targets"),
];
const LIMIT: Duration = Duration::from_secs(60 * 60);

pub(crate) fn run() -> Result<bool, Error> {
    let mut failed = Vec::new();
    for (tool, about) in TOOLS {
        if exists(tool, "--version") {
            println!("{tool} ({about}): there");
            continue;
        }
        println!("{tool} ({about}): cargo install --locked {tool}");
        if let Err(error) = cargo_in(&root())
            .args(["install", "--locked", tool])
            .limit(LIMIT)
            .run()
        {
            failed.push(format!("{tool} is not installed: {error}"));
        }
    }
    if failed.is_empty() {
        Ok(true)
    } else {
        Err(Error::Found(failed))
    }
}
