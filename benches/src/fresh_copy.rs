//! Copies of the measuring programs. Where the pages of a file lie in memory is chance, lasts as long as the file is in use, and counts: a hot
//! loop of 40 ns a message ran a fifth slower from one file than from its copies, run after run (docs/performance.md).

use std::fs;
use std::path::{Path, PathBuf};

use kit::Result;

/// A copy of a program, in `measured/` where that lies.
#[derive(Debug, Clone)]
pub struct FreshCopy {
    original: PathBuf,
    path: PathBuf,
}

impl FreshCopy {
    /// The first copy.
    pub fn of(original: PathBuf) -> Result<Self> {
        let directory = original.with_file_name("measured");
        fs::create_dir_all(&directory)?;
        let name = original.file_name().ok_or("a program without a name")?;
        let path = directory.join(name);
        let copy = Self { original, path };
        copy.renew()?;
        Ok(copy)
    }

    /// Another one in its place. A process that runs the one before keeps that.
    pub fn renew(&self) -> Result<()> {
        let fresh = self.path.with_extension(std::process::id().to_string());
        fs::copy(&self.original, &fresh)
            .and_then(|_| fs::rename(&fresh, &self.path))
            .map_err(|error| format!("{} was not copied: {error}", self.original.display()).into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
