//! How much of the code that takes octets apart the corpus reaches: the targets are built with the compiler's own counters and run over
//! the corpus, of the repository and of this machine, once.

use super::{BUILD, Folders, host};
use crate::error::Error;
use crate::process::{Process, exists};
use crate::workshop::cargo_in;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What peers' octets go through.
const WIRE: [&str; 11] = [
    "crates/colugo-zmtp/src/",
    "crates/colugo-socket/src/parser.rs",
    "crates/colugo-socket/src/batch.rs",
    "crates/colugo-socket/src/delivery.rs",
    "crates/colugo-socket/src/stamping.rs",
    "crates/colugo-graph/src/message.rs",
    "crates/colugo-graph/src/msgpack.rs",
    "crates/colugo-graph/src/record.rs",
    "crates/colugo-graph/src/topic.rs",
    "crates/colugo-graph/src/id.rs",
    "crates/colugo-graph/src/announcement.rs",
];

pub(super) fn print(folders: &Folders) -> Result<(), Error> {
    let tools = Tools::find()?;
    let folder = folders.target.join("fuzz-coverage");
    folders.make(&folder)?;
    let program = compile(folders, &folder)?;
    let raw = folder.join("corpus.profraw");
    Process::new(&program)
        .arg("every_target")
        .dir(&folders.workspace().join("targets"))
        .env("COLUGO_FUZZ_MILLIS", "0")
        .env("COLUGO_FUZZ_CORPUS", folders.target.join("fuzz-corpus"))
        .env("LLVM_PROFILE_FILE", &raw)
        .run()?;
    let merged = folder.join("corpus.profdata");
    let profdata = Process::new(tools.profdata).args(["merge", "--sparse", "-o"]);
    profdata.arg(&merged).arg(&raw).run()?;
    let cov = Process::new(tools.cov).args(["export", "--summary-only"]);
    let profile = format!("--instr-profile={}", merged.display());
    let json = cov.arg(profile).arg(&program).output()?;
    let json: Value =
        serde_json::from_str(&json).map_err(|error| Error::found(error.to_string()))?;
    table(&folders.root, &json)
}

/// The tests of the targets, with counters.
fn compile(folders: &Folders, folder: &Path) -> Result<PathBuf, Error> {
    let cargo = cargo_in(&folders.workspace().join("targets"));
    let messages = cargo
        .args(["test", "--locked", "--test", "corpus", "--no-run"])
        .arg("--message-format=json-render-diagnostics")
        .env("RUSTFLAGS", "--cfg fuzzing -C instrument-coverage")
        .env("CARGO_TARGET_DIR", folder)
        // Build scripts have counters too, and would write beside their sources.
        .env("LLVM_PROFILE_FILE", folder.join("build-%p.profraw"))
        .limit(BUILD)
        .output()?;
    let mut programs = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    programs
        .next_back()
        .ok_or_else(|| Error::found("cargo has built no test of the fuzz targets"))
}

struct Tools {
    profdata: PathBuf,
    cov: PathBuf,
}

impl Tools {
    /// Those of the toolchain, which know its format; else those on the path.
    fn find() -> Result<Self, Error> {
        let sysroot = Process::new("rustc")
            .args(["--print", "sysroot"])
            .output()?;
        let own = Path::new(sysroot.trim()).join("lib/rustlib").join(host()?);
        for folder in [own.join("bin"), PathBuf::new()] {
            let [profdata, cov] = ["llvm-profdata", "llvm-cov"].map(|name| folder.join(name));
            let there = |tool: &Path| exists(&tool.to_string_lossy(), "--version");
            if there(&profdata) && there(&cov) {
                return Ok(Self { profdata, cov });
            }
        }
        Err(Error::found(
            "llvm-profdata and llvm-cov are not there: rustup component add llvm-tools",
        ))
    }
}

fn table(root: &Path, json: &Value) -> Result<(), Error> {
    let files = json.pointer("/data/0/files").and_then(Value::as_array);
    let files = files.ok_or_else(|| Error::found("llvm-cov tells of no files"))?;
    println!(
        "{:<46} {:>14} {:>14}",
        "reached by the corpus", "lines", "regions"
    );
    let mut sums = [(0, 0); 2];
    for file in files {
        let Some(name) = file.get("filename").and_then(Value::as_str) else {
            continue;
        };
        let short = Path::new(name)
            .strip_prefix(root)
            .map(Path::to_string_lossy);
        let short = short.unwrap_or_else(|_| name.into());
        if !WIRE.iter().any(|wire| short.starts_with(wire)) {
            continue;
        }
        let counts = ["lines", "regions"].map(|kind| {
            let number = |what| {
                let value = file.pointer(&format!("/summary/{kind}/{what}"));
                value.and_then(Value::as_u64).unwrap_or(0)
            };
            (number("covered"), number("count"))
        });
        print_row(&short, counts);
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum = (sum.0 + count.0, sum.1 + count.1);
        }
    }
    print_row("all of these", sums);
    Ok(())
}

fn print_row(name: &str, counts: [(u64, u64); 2]) {
    let [lines, regions] = counts.map(|(covered, count)| {
        let percent = covered as f64 / count.max(1) as f64 * 100.0;
        format!("{covered}/{count} {percent:>3.0} %")
    });
    println!("{name:<46} {lines:>14} {regions:>14}");
}
