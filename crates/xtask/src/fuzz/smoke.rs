//! Fuzzing within the tests: each target for a moment. Under libFuzzer where it has been built before, by `cargo xtask fuzz`; else as
//! ordinary tests, over the corpus and over octets changed by rule: to build libFuzzer and all that it watches takes longer than the rest.

use super::{Folders, Run, build, fuzz};
use crate::error::Error;
use crate::process::exists;
use crate::step::{Skipped, Verdict};
use crate::workshop::{Workshop, cargo_in};
use std::time::Duration;

/// Of each target, under libFuzzer.
const SECONDS: u64 = 2;

/// Of each target, without it.
const MILLIS: &str = "500";
const LIMIT: Duration = Duration::from_secs(15 * 60);

pub(crate) fn check(workshop: &Workshop) -> Result<Verdict, Error> {
    let folders = Folders {
        root: workshop.root.clone(),
        target: workshop.target().to_owned(),
    };
    let targets = folders.names()?;
    let programs = folders.programs()?;
    let built = targets.iter().all(|target| programs.join(target).exists());
    if built && exists("cargo-fuzz", "--version") {
        build(&folders)?;
        let run = Run {
            targets,
            seconds: SECONDS,
            jobs: 2,
        };
        return match fuzz(&folders, &run)? {
            true => Ok(Verdict::Ok),
            false => Err(Error::found("a fuzz target has failed, see above")),
        };
    }
    plain(&folders)?;
    Ok(Verdict::Partly(vec![Skipped::new(
        "libFuzzer is not built: the fuzz targets ran over their corpus and changes of it, not under it",
        "cargo xtask setup && cargo xtask fuzz --minutes 0.1",
    )]))
}

/// The targets as ordinary tests.
fn plain(folders: &Folders) -> Result<(), Error> {
    let cargo = cargo_in(&folders.workspace().join("targets"));
    cargo
        .args(["test", "--locked", "--test", "corpus"])
        .args(["--", "--nocapture"])
        .env("RUSTFLAGS", "--cfg fuzzing")
        .env("CARGO_TARGET_DIR", folders.target.join("fuzz-plain"))
        .env("COLUGO_FUZZ_MILLIS", MILLIS)
        .limit(LIMIT)
        .run()
}
