//! Where else our libraries compile: on Apple and Windows targets, and with the oldest toolchain we promise. Both only
//! where this machine has what it takes; the tests themselves run on the host alone.

use crate::error::Error;
use crate::process::Process;
use crate::step::{Skipped, Verdict};
use crate::workshop::Workshop;
use std::collections::BTreeSet;

const LIBRARIES: [&str; 4] = ["colugo-zmtp", "colugo-socket", "colugo-graph", "colugo"];
const APPLE: [&str; 2] = ["aarch64-apple-darwin", "x86_64-apple-darwin"];
const WINDOWS: [&str; 2] = ["x86_64-pc-windows-msvc", "x86_64-pc-windows-gnu"];

/// `cargo check` of the libraries for every Apple and Windows target that is installed.
pub(crate) fn targets(workshop: &Workshop) -> Result<Verdict, Error> {
    let mut missing = Vec::new();
    for (system, targets) in [("Apple", APPLE), ("Windows", WINDOWS)] {
        let installed: Vec<&str> = targets
            .into_iter()
            .filter(|target| is_installed(target))
            .collect();
        if installed.is_empty() {
            let why = format!(
                "no {system} target is installed, so that the libraries compile there is not shown"
            );
            missing.push(Skipped::new(
                why,
                format!("rustup target add {}", targets[0]),
            ));
        }
        for target in installed {
            let cargo =
                workshop
                    .cargo()
                    .args(["check", "--locked", "--all-features", "--target", target]);
            LIBRARIES
                .iter()
                .fold(cargo, |cargo, name| cargo.args(["--package", name]))
                .run()?;
        }
    }
    match <[Skipped; 2]>::try_from(missing) {
        Ok([apple, windows]) => {
            let get = format!("{}    and    {}", apple.get, windows.get);
            Ok(Verdict::skip(
                "no Apple and no Windows target is installed, so that the libraries compile there is not shown",
                get,
            ))
        }
        Err(missing) if missing.is_empty() => Ok(Verdict::Ok),
        Err(missing) => Ok(Verdict::Partly(missing)),
    }
}

fn is_installed(target: &str) -> bool {
    let rustc = Process::new("rustc").args(["--print", "target-libdir", "--target", target]);
    rustc
        .output()
        .is_ok_and(|folder| std::path::Path::new(folder.trim()).is_dir())
}

/// Nothing that we build with asks for a newer toolchain than we promise, and everything compiles with that toolchain if it is here. What
/// only tests are built with is free.
/// (Clippy looks for newer parts of the standard library by itself.)
pub(crate) fn oldest(workshop: &Workshop) -> Result<Verdict, Error> {
    let promised = workshop
        .metadata
        .published()
        .find_map(|package| package.rust_version.clone());
    let promised =
        promised.ok_or_else(|| Error::found("no published crate names its rust-version"))?;
    let metadata = &workshop.metadata;
    let members = metadata.members();
    let needed: BTreeSet<&str> = members
        .flat_map(|member| metadata.built_with(&member.name))
        .collect();
    let foreign = metadata.foreign();
    let built_with = foreign.filter(|package| needed.contains(package.name.as_str()));
    let newer = built_with.filter_map(|package| {
        let needed = package
            .rust_version
            .as_deref()
            .filter(|needed| version(needed) > version(&promised))?;
        Some(format!(
            "{} {} needs Rust {needed}, we promise {promised}",
            package.name, package.version
        ))
    });
    let newer: Vec<String> = newer.collect();
    if !newer.is_empty() {
        return Err(Error::Found(newer));
    }
    let names = [promised.clone(), format!("{promised}.0")];
    let Some(name) = names
        .iter()
        .find(|name| toolchain(name).arg("--version").quietly())
    else {
        let why = format!(
            "toolchain {promised} is not installed: the dependencies' own claims and clippy's check stand alone"
        );
        let get = format!("rustup toolchain install {promised}");
        return Ok(Verdict::Partly(vec![Skipped::new(why, get)]));
    };
    let check = [
        "check",
        "--locked",
        "--workspace",
        "--all-features",
        "--target-dir",
    ];
    let cargo = toolchain(name)
        .args(check)
        .arg(workshop.target().join("oldest"));
    cargo.dir(&workshop.root).run()?;
    Ok(Verdict::Ok)
}

/// Cargo of another toolchain. It must not inherit what points to ours.
pub(crate) fn toolchain(name: &str) -> Process {
    let ours = [
        "RUSTUP_TOOLCHAIN",
        "RUSTC",
        "RUSTDOC",
        "CARGO",
        "LD_LIBRARY_PATH",
    ];
    let rustup = Process::new("rustup").args(["run", name, "cargo"]);
    ours.into_iter().fold(rustup, Process::without_env)
}

fn version(text: &str) -> (u32, u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}
