//! `cargo xtask miri`: the codec's tests under Miri, which sees what no test does: undefined behaviour in what is below us. The crate has
//! no `unsafe` of its own. Needs a nightly toolchain, so it is no part of `cargo xtask test`.

use crate::error::Error;
use crate::platforms::toolchain;
use crate::workshop::root;
use std::time::Duration;

/// Miri is hundreds of times slower than a processor.
const LIMIT: Duration = Duration::from_secs(60 * 60);

pub(crate) fn run() -> Result<bool, Error> {
    if !toolchain("nightly").args(["miri", "--version"]).quietly() {
        println!(
            "NOT CHECKED: Miri is not there. To get it:\n  rustup toolchain install nightly\n  rustup component add --toolchain nightly miri rust-src"
        );
        return Ok(true);
    }
    let root = root();
    toolchain("nightly")
        .args(["miri", "test", "--locked", "-p", "colugo-zmtp", "--lib", "--tests"])
        .args(["--no-fail-fast", "--target-dir"])
        .arg(root.join("target/miri"))
        // Property tests look for files of earlier failures, and would take an hour at their usual number of cases.
        .env("MIRIFLAGS", "-Zmiri-disable-isolation")
        .env("PROPTEST_CASES", "4")
        .dir(&root)
        .limit(LIMIT)
        .run()?;
    Ok(true)
}
