//! Draws the pictures of docs/performance.md from what `cargo xtask bench --sweep` measured.

use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::workshop::{cargo_in, root};

/// With the first build.
const LIMIT: Duration = Duration::from_secs(20 * 60);

pub(crate) fn run(arguments: &[String]) -> Result<bool, Error> {
    let [file] = arguments else {
        return Err(Error::Usage("plot takes one file".to_owned()));
    };
    let file = Path::new(file)
        .canonicalize()
        .map_err(|error| Error::Usage(format!("{file}: {error}")))?;
    let root = root();
    let drawn = cargo_in(&root.join("benches"))
        .limit(LIMIT)
        .args(["run", "--release", "--quiet", "--locked", "--manifest-path"])
        .arg(root.join("benches/Cargo.toml"))
        .args(["--package", "bench-plot", "--"])
        .arg(&file)
        .arg(root.join("docs/performance"))
        .run();
    match drawn {
        Ok(()) => Ok(true),
        // It has said why.
        Err(Error::Failed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
