//! Debian packages that the checks need. They are installed only when asked for; else their absence is reported with the
//! command that ends it.

use crate::process::{Process, exists};
use crate::step::Skipped;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);

/// Sees to it that packages are there, with `present` as the proof; why not, if they are not.
pub(crate) fn need(
    packages: &[&str],
    install: bool,
    present: impl Fn() -> bool,
) -> Result<(), Skipped> {
    if present() {
        return Ok(());
    }
    let names = packages.join(" ");
    let by_hand = format!("cargo xtask test --install    (or: apt-get install {names})");
    if !install {
        return Err(Skipped::new(
            format!("not all of {names} are installed"),
            by_hand,
        ));
    }
    if !exists("apt-get", "--version") {
        return Err(Skipped::new(
            format!("not all of {names} are installed, and there is no apt-get"),
            format!("install {names}"),
        ));
    }
    println!("installing {names}");
    let installed = apt(&["install", "--yes", "--no-install-recommends"], packages)
        || (apt(&["update"], &[])
            && apt(&["install", "--yes", "--no-install-recommends"], packages));
    if installed && present() {
        return Ok(());
    }
    Err(Skipped::new(
        format!("{names} could not be installed"),
        format!("apt-get install {names}, as root"),
    ))
}

fn apt(verb: &[&str], packages: &[&str]) -> bool {
    let apt = if is_root() {
        Process::new("apt-get")
    } else {
        Process::new("sudo").args(["--non-interactive", "apt-get"])
    };
    let apt = apt.env("DEBIAN_FRONTEND", "noninteractive").limit(LIMIT);
    let result = apt.arg("--quiet=2").args(verb).args(packages).run();
    if let Err(error) = &result {
        println!("{error}");
    }
    result.is_ok()
}

pub(crate) fn is_root() -> bool {
    Process::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.trim() == "0")
}
