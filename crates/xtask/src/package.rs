//! Whether each published crate can be packaged, and whether what is in the packages builds on its own: a file that is
//! used but not packed is seen here and not by the first user.

use crate::error::Error;
use crate::process::Process;
use crate::step::Verdict;
use crate::workshop::{Workshop, cargo_apart};
use std::path::Path;

pub(crate) fn check(workshop: &Workshop) -> Result<Verdict, Error> {
    let packages = workshop
        .metadata
        .published()
        .map(|package| package.name.as_str());
    let arguments = [
        "package",
        "--quiet",
        "--locked",
        "--no-verify",
        "--allow-dirty",
    ];
    packages
        .fold(workshop.cargo().args(arguments), |cargo, name| {
            cargo.args(["--package", name])
        })
        .run()?;
    let place = workshop.target().join("package-check");
    unpack(workshop, &place)?;
    // The dependencies are those that clippy has checked already; `cargo package` itself would build them once a crate.
    let cargo = cargo_apart(workshop, &place);
    cargo
        .args(["check", "--offline", "--workspace", "--all-features"])
        .run()?;
    Ok(Verdict::Ok)
}

/// Lays the packed crates out as a workspace in which they find one another.
fn unpack(workshop: &Workshop, place: &Path) -> Result<(), Error> {
    let file = |cause| Error::File {
        path: place.to_owned(),
        cause,
    };
    if place.exists() {
        std::fs::remove_dir_all(place).map_err(file)?;
    }
    std::fs::create_dir_all(place).map_err(file)?;
    let mut manifest =
        "[workspace]\nresolver = \"3\"\nmembers = [\"*-*.*.*\"]\n\n[patch.crates-io]\n".to_owned();
    for package in workshop.metadata.published() {
        let folder = format!("{}-{}", package.name, package.version);
        let archive = workshop
            .target()
            .join("package")
            .join(format!("{folder}.crate"));
        Process::new("tar")
            .arg("-xzf")
            .arg(&archive)
            .arg("-C")
            .arg(place)
            .run()?;
        manifest.push_str(&format!("{} = {{ path = \"{folder}\" }}\n", package.name));
        println!(
            "packed {folder}: {} files",
            count_files(&place.join(&folder))
        );
    }
    std::fs::write(place.join("Cargo.toml"), manifest).map_err(file)?;
    std::fs::copy(workshop.root.join("Cargo.lock"), place.join("Cargo.lock")).map_err(file)?;
    Ok(())
}

fn count_files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .map(|path| if path.is_dir() { count_files(&path) } else { 1 })
        .sum()
}
