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
    let wanted = PACKAGES.join("\n");
    let is_current = std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted);
    if is_current
        && Process::new(&python)
            .args(["-c", "import google.protobuf, msgpack, zeroconf, zmq"])
            .quietly()
    {
        return Ok(python);
    }
    build(&venv, &python)
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
    // The cache of pip is outside the target folder.
    let pip = Process::new(python).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-cache-dir",
        "--disable-pip-version-check",
    ]);
    pip.args(PACKAGES).limit(PIP_LIMIT).run()
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|cause| Error::File {
        path: path.to_owned(),
        cause,
    })
}
