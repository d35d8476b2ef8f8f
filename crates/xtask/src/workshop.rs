//! What every step needs: where the workspace is, what cargo says of it, whether missing things may be installed, and
//! the Python of the interop tests once it is there.

use crate::error::Error;
use crate::metadata::Metadata;
use crate::process::{Process, cargo_program, exists};
use crate::step::{Skipped, Verdict};
use crate::venv;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

pub(crate) struct Workshop {
    pub(crate) root: PathBuf,
    pub(crate) metadata: Metadata,
    /// Debian packages may be installed, and what could have been installed is no longer skipped.
    pub(crate) install: bool,
    nextest: OnceCell<bool>,
    python: OnceCell<Result<PathBuf, Skipped>>,
}

impl Workshop {
    pub(crate) fn open(install: bool) -> Result<Self, Error> {
        let root = root();
        let json = cargo_in(&root)
            .args([
                "metadata",
                "--format-version=1",
                "--locked",
                "--all-features",
            ])
            .output()?;
        let metadata = Metadata::parse(&json)?;
        Ok(Self {
            root,
            metadata,
            install,
            nextest: OnceCell::new(),
            python: OnceCell::new(),
        })
    }

    /// How a step ends that lacks something. With `--install` it should have been there.
    pub(crate) fn lacks(&self, skipped: Skipped) -> Result<Verdict, Error> {
        if self.install {
            return Err(Error::found(skipped.why));
        }
        Ok(Verdict::Skip(skipped))
    }

    /// Everything the checks write is below this folder.
    pub(crate) fn target(&self) -> &Path {
        &self.metadata.target_directory
    }

    /// Cargo at the workspace's root.
    pub(crate) fn cargo(&self) -> Process {
        cargo_in(&self.root)
    }

    pub(crate) fn has_nextest(&self) -> bool {
        *self
            .nextest
            .get_or_init(|| exists("cargo-nextest", "--version"))
    }

    /// The Python of the virtual environment, which is made on first use.
    pub(crate) fn python(&self) -> Result<PathBuf, Skipped> {
        self.python
            .get_or_init(|| venv::make(self.target(), self.install))
            .clone()
    }
}

/// Cargo in a workspace of its own that shares what ours has built: same folder, same profile.
pub(crate) fn cargo_apart(workshop: &Workshop, dir: &Path) -> Process {
    let cargo = cargo_in(dir).env("CARGO_TARGET_DIR", workshop.target());
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
}

/// The workspace's root: two levels above this crate, wherever the clone has been moved since xtask was built.
pub(crate) fn root() -> PathBuf {
    let built_at = || env!("CARGO_MANIFEST_DIR").into();
    let this_crate = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(built_at));
    this_crate
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// Cargo in a folder, without what `cargo run` told this program about itself.
pub(crate) fn cargo_in(dir: &Path) -> Process {
    let own = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "CARGO_PRIMARY_",
    ];
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names
        .filter(|name| own.iter().any(|prefix| name.starts_with(prefix)))
        .fold(Process::new(cargo_program()).dir(dir), |cargo, name| {
            cargo.without_env(&name)
        })
}
