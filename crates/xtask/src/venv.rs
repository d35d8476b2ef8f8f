//! The Python virtual environment that the interop tests run their libzmq peers in. It lives in the target folder and is
//! made anew when the list of packages changes.

use crate::debian;
use crate::error::Error;
use crate::process::Process;
use crate::step::Skipped;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PACKAGES: &[&str] = &[
    "pyzmq==27.3.0",
    "zeroconf==0.154.0",
    "msgpack==1.2.4",
    "protobuf==7.36.2",
];
/// The zeroconf of the original, in a folder of its own within the environment: some tests put it before the other.
const OLD: (&str, &str) = ("zeroconf-0.20", "zeroconf==0.20.0");
const PIP_LIMIT: Duration = Duration::from_secs(300);

/// The environment's Python, or why there is none.
pub(crate) fn make(target: &Path, install: bool) -> Result<PathBuf, Skipped> {
    debian::need(&["python3", "python3-venv"], install, has_venv)?;
    let venv = target.join("venv");
    let python = venv.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    let stamp = venv.join("colugo-packages");
    let mut wanted = PACKAGES.join("\n");
    wanted.push_str(OLD.1);
    let is_current = std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted);
    if is_current
        && Process::new(&python)
            .args(["-c", "import google.protobuf, msgpack, zeroconf, zmq"])
            .quietly()
    {
        return Ok(python);
    }
    build(&venv, &python)
        .map(|()| add_old(&venv, &python, install))
        .and_then(|()| write(&stamp, &wanted))
        .map(|()| python)
        .map_err(|error| {
            Skipped::new(
                format!("no Python environment could be made: {error}"),
                "cargo xtask test --only interop    (with PyPI in reach)",
            )
        })
}

fn has_venv() -> bool {
    Process::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .quietly()
}

fn build(venv: &Path, python: &Path) -> Result<(), Error> {
    println!("making {} with {}", venv.display(), PACKAGES.join(", "));
    Process::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(venv)
        .run()?;
    pip(python).args(PACKAGES).limit(PIP_LIMIT).run()
}

/// Has to compile a package; without it a few tests say that they are skipped.
fn add_old(venv: &Path, python: &Path, install: bool) {
    let can_compile = debian::need(&["gcc", "python3-dev"], install, can_compile);
    let (folder, package) = OLD;
    let pip = pip(python).arg("--target").arg(venv.join(folder));
    let added = match can_compile {
        Ok(()) => pip.arg(package).limit(PIP_LIMIT).run().is_ok(),
        Err(_) => false,
    };
    if !added {
        println!("{package} could not be had: the tests with it will be skipped");
    }
}

fn can_compile() -> bool {
    let header = "import os, shutil, sys, sysconfig; \
        sys.exit(not (shutil.which('cc') and os.path.exists(os.path.join(sysconfig.get_path('include'), 'Python.h'))))";
    Process::new("python3").args(["-c", header]).quietly()
}

fn pip(python: &Path) -> Process {
    // The cache of pip is outside the target folder.
    Process::new(python).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-cache-dir",
        "--disable-pip-version-check",
    ])
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|cause| Error::File {
        path: path.to_owned(),
        cause,
    })
}
