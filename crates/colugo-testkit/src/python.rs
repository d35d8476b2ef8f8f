//! `Python`: the interpreter that has pyzmq, as `cargo xtask test` sets it up. Knows no script but where the testkit's own lie.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::Program;
use crate::skipped;

/// The variable that names it.
const VARIABLE: &str = "COLUGO_TEST_PYTHON";

/// Within its environment.
const OLD_ZEROCONF: &str = "zeroconf-0.20";

/// A Python with pyzmq, zeroconf and msgpack.
#[derive(Clone, Debug)]
pub struct Python(PathBuf);

impl Python {
    /// The one the environment names. None, and said so: there is none, the test is to be skipped.
    pub fn find() -> Option<Self> {
        let found = std::env::var_os(VARIABLE)
            .filter(|path| !path.is_empty())
            .map(|path| Self(path.into()));
        if found.is_none() {
            skipped(
                "the tests against libzmq need a Python with pyzmq, which COLUGO_TEST_PYTHON names",
                "cargo xtask test",
            );
        }
        found
    }

    /// The folder of the zeroconf that the original uses, 0.20.0, to be put before all others. None, and said so: it could not be had.
    pub fn old_zeroconf(&self) -> Option<PathBuf> {
        let environment = self.0.parent()?.parent()?;
        let folder = environment.join(OLD_ZEROCONF);
        if folder.join("zeroconf.py").exists() {
            return Some(folder);
        }
        skipped(
            "the tests with the original's zeroconf need version 0.20.0, whose netifaces has to be compiled",
            "cargo xtask test --install",
        );
        None
    }

    /// A call of a script, with the arguments still to be given.
    pub fn script(&self, path: impl AsRef<Path>) -> Command {
        let mut command = Command::new(&self.0);
        command.arg("-u").arg(path.as_ref());
        command
    }

    /// A call of one of the scripts in the testkit's own folder.
    pub fn own_script(&self, name: &str) -> Command {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
        self.script(folder.join(name))
    }

    /// Runs one of them.
    pub fn start(&self, name: &str) -> Program {
        Program::start(&mut self.own_script(name))
    }
}
