//! The benches, a workspace of their own: `cargo xtask bench` builds and runs them with the arguments it is given, and the
//! tests see to it that they compile. Knows nothing of rows.

use crate::debian;
use crate::error::Error;
use crate::process::exists;
use crate::step::Verdict;
use crate::workshop::{Workshop, cargo_in, root};
use std::time::Duration;

/// All rows with their yardsticks, and the first build with libzmq.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

pub(crate) fn run(arguments: &[String]) -> Result<bool, Error> {
    let root = root();
    let manifest = root.join("benches/Cargo.toml");
    // In benches/, whose .cargo/config.toml says how libzmq is to be compiled: at its best.
    let cargo = || cargo_in(&root.join("benches")).limit(LIMIT);
    // With --json, standard output carries nothing but the rows: cargo speaks on standard error.
    cargo()
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(&manifest)
        .run()?;
    if arguments.iter().any(|argument| argument == "--peers") {
        // A build of their own: they shall not change what the others are built with.
        let build = cargo().args(["build", "--release", "--locked", "--package", "bench-peers"]);
        build.arg("--manifest-path").arg(&manifest).run()?;
    }
    let run = cargo()
        .args(["run", "--release", "--quiet", "--locked", "--manifest-path"])
        .arg(&manifest);
    match run
        .args(["--bin", "colugo-bench", "--"])
        .args(arguments)
        .run()
    {
        Ok(()) => Ok(true),
        // The runner has said which row is not at its must.
        Err(Error::Failed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// That they compile, without warnings; but for the peers, three dependency trees that only `--peers` needs. Not part of the workspace, because their yardstick is compiled from C++.
pub(crate) fn check(workshop: &Workshop) -> Result<Verdict, Error> {
    let present = || exists("c++", "--version");
    if let Err(skipped) = debian::need(&["g++"], workshop.install, present) {
        return workshop.lacks(skipped);
    }
    let clippy = workshop
        .cargo()
        .args(["clippy", "--locked", "--all-targets"])
        .args(["--workspace", "--exclude", "bench-peers", "--manifest-path"]);
    let clippy = clippy.arg(workshop.root.join("benches/Cargo.toml"));
    let clippy = clippy
        .arg("--target-dir")
        .arg(workshop.target().join("benches"));
    clippy.args(["--", "-D", "warnings"]).run()?;
    Ok(Verdict::Ok)
}
