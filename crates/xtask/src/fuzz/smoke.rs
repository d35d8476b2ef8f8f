//! Fuzzing within the tests: each target for a moment. Where cargo-fuzz or a C++ compiler is missing, the same targets run as ordinary
//! tests, over the corpus and over octets changed by rule.

use super::{Folders, GET, Run, build, fuzz};
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
    if exists("cargo-fuzz", "--version") && exists("c++", "--version") {
        build(&folders)?;
        let run = Run {
            targets: folders.names()?,
            seconds: SECONDS,
            jobs: 2,
        };
        return match fuzz(&folders, &run)? {
            true => Ok(Verdict::Ok),
            false => Err(Error::found("a fuzz target has failed, see above")),
        };
    }
    plain(&folders, MILLIS)?;
    Ok(Verdict::Partly(vec![Skipped::new(
        "cargo-fuzz is not there: the fuzz targets ran over their corpus and changes of it, not under libFuzzer",
        GET,
    )]))
}

/// The targets as ordinary tests.
fn plain(folders: &Folders, millis: &str) -> Result<(), Error> {
    let cargo = cargo_in(&folders.workspace().join("targets"));
    cargo
        .args(["test", "--locked", "--test", "corpus"])
        .args(["--", "--nocapture"])
        .env("RUSTFLAGS", "--cfg fuzzing")
        .env("CARGO_TARGET_DIR", folders.target.join("fuzz-plain"))
        .env("COLUGO_FUZZ_MILLIS", millis)
        .limit(LIMIT)
        .run()
}
