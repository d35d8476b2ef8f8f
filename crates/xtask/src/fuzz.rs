//! The fuzz targets, a workspace of their own: `cargo xtask fuzz` runs them under libFuzzer, beside each other and for as long as asked for,
//! and the tests give each a moment. What a target holds to is in `fuzz/targets`; this knows their names only.

mod coverage;
mod log;
mod smoke;

use crate::error::Error;
use crate::process::{Process, exists};
use crate::workshop::{cargo_in, root};
use log::Log;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use smoke::check;

const BUILD: Duration = Duration::from_secs(30 * 60);
/// Longest input: the targets make nothing new of more.
const MAX_LEN: &str = "-max_len=2048";
/// An input that takes longer hangs; the slowest takes a few milliseconds.
const TIMEOUT: &str = "-timeout=20";
/// Most of it is libFuzzer's own.
const RSS: &str = "-rss_limit_mb=512";
const PROGRESS: Duration = Duration::from_secs(15);
const GET: &str = "cargo xtask setup    (or: cargo install --locked cargo-fuzz)";

/// What is to be run.
struct Run {
    targets: Vec<String>,
    seconds: u64,
    jobs: usize,
}

/// Where fuzzing reads and writes.
struct Folders {
    root: PathBuf,
    /// Everything that is written is below this.
    target: PathBuf,
}

impl Folders {
    fn new() -> Self {
        let root = root();
        let target = std::env::var_os("CARGO_TARGET_DIR");
        let target = target.map_or_else(|| root.join("target"), |folder| root.join(folder));
        Self { root, target }
    }

    fn workspace(&self) -> PathBuf {
        self.root.join("fuzz")
    }

    /// The inputs in the repository.
    fn seeds(&self, target: &str) -> PathBuf {
        self.workspace().join("corpus").join(target)
    }

    /// What earlier runs on this machine have found worth keeping.
    fn found(&self, target: &str) -> PathBuf {
        self.target.join("fuzz-corpus").join(target)
    }

    fn build(&self) -> PathBuf {
        self.target.join("fuzz")
    }

    /// The built targets.
    fn programs(&self) -> Result<PathBuf, Error> {
        Ok(self.build().join(host()?).join("release"))
    }

    fn log(&self, target: &str) -> PathBuf {
        self.target.join("fuzz-logs").join(format!("{target}.log"))
    }

    fn crashes(&self) -> PathBuf {
        self.workspace().join("artifacts")
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        let folder = self.workspace().join("fuzz_targets");
        let read = std::fs::read_dir(&folder).map_err(|cause| Error::File {
            path: folder.clone(),
            cause,
        })?;
        let paths = read.flatten().map(|entry| entry.path());
        let mut names: Vec<String> = paths
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    }

    fn make(&self, path: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(path).map_err(|cause| Error::File {
            path: path.to_owned(),
            cause,
        })
    }
}

pub(crate) fn run(arguments: &[String]) -> Result<bool, Error> {
    let folders = Folders::new();
    let (run, wants_coverage) = parse(arguments, &folders.names()?)?;
    if run.seconds > 0 {
        if !exists("cargo-fuzz", "--version") {
            return Err(Error::found(format!("cargo-fuzz is not there: {GET}")));
        }
        build(&folders)?;
        if !fuzz(&folders, &run)? {
            return Ok(false);
        }
    }
    if wants_coverage {
        coverage::print(&folders)?;
    }
    Ok(true)
}

fn parse(arguments: &[String], known: &[String]) -> Result<(Run, bool), Error> {
    let (mut targets, mut seconds, mut jobs, mut coverage) = (Vec::new(), 600, 1, false);
    let mut arguments = arguments.iter();
    let usage = |what: String| Error::Usage(format!("cargo xtask fuzz: {what}"));
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let text = arguments.next().map_or("", String::as_str);
            let number = text.parse::<f64>().ok().filter(|number| *number >= 0.0);
            number.ok_or_else(|| usage(format!("{argument} needs a number, not `{text}`")))
        };
        match argument.as_str() {
            "--minutes" => seconds = (number()? * 60.0) as u64,
            "--jobs" => jobs = (number()? as usize).max(1),
            "--coverage" => coverage = true,
            name if known.iter().any(|it| it == name) => targets.push(name.to_owned()),
            other => {
                let known = known.join(", ");
                return Err(usage(format!("there is no target `{other}`, but {known}")));
            }
        }
    }
    if targets.is_empty() {
        targets = known.to_vec();
    }
    let run = Run {
        targets,
        seconds,
        jobs,
    };
    Ok((run, coverage))
}

/// Without a sanitizer: the code under test has no `unsafe`, and this needs no nightly toolchain.
fn build(folders: &Folders) -> Result<(), Error> {
    // `cargo fuzz` knows no `--locked`.
    let fetch = cargo_in(&folders.workspace()).args(["fetch", "--locked"]);
    fetch.run()?;
    let cargo = cargo_in(&folders.root).args(["fuzz", "build", "-s", "none", "--target-dir"]);
    cargo.arg(folders.build()).limit(BUILD).run()
}

/// Runs the targets, `jobs` at a time, and prints the table. False: one has crashed.
fn fuzz(folders: &Folders, run: &Run) -> Result<bool, Error> {
    let programs = folders.programs()?;
    for target in &run.targets {
        folders.make(&folders.found(target))?;
        folders.make(&folders.seeds(target))?;
    }
    folders.make(&folders.target.join("fuzz-logs"))?;
    folders.make(&folders.crashes())?;
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let mut results = Vec::new();
    thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            while let Some(target) = run.targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                let result = one(folders, &programs, target, run.seconds);
                done.push((target.as_str(), result));
            }
            done
        };
        let workers: Vec<_> = (0..run.jobs).map(|_| scope.spawn(work)).collect();
        let mut shown = Instant::now();
        while workers.iter().any(|worker| !worker.is_finished()) {
            thread::sleep(Duration::from_millis(100));
            if shown.elapsed() >= PROGRESS {
                shown = Instant::now();
                progress(
                    folders,
                    run,
                    next.load(Ordering::Relaxed),
                    started.elapsed(),
                );
            }
        }
        for worker in workers {
            results.extend(worker.join().into_iter().flatten());
        }
    });
    results.sort_by_key(|(name, _)| run.targets.iter().position(|target| target == name));
    Ok(log::table(folders, &results))
}

fn one(folders: &Folders, programs: &Path, target: &str, seconds: u64) -> Result<(), Error> {
    let crashes = folders.crashes().join(format!("{target}-"));
    let program = Process::new(programs.join(target)).dir(&folders.workspace());
    program
        // What is new goes into the first.
        .args([folders.found(target), folders.seeds(target)])
        .args([MAX_LEN, TIMEOUT, RSS, "-print_final_stats=1"])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}", crashes.display()))
        .limit(Duration::from_secs(seconds + 600))
        .logged(&folders.log(target))
}

fn progress(folders: &Folders, run: &Run, begun: usize, elapsed: Duration) {
    println!("after {} s:", elapsed.as_secs());
    for target in run.targets.iter().take(begun) {
        let log = Log::read(&folders.log(target));
        if !log.is_done() {
            println!("  {target:<17} {}", log.line());
        }
    }
}

fn host() -> Result<String, Error> {
    let text = Process::new("rustc").arg("-vV").output()?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Error::found("`rustc -vV` names no host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_targets_numbers_and_coverage() {
        let known = ["frames".to_owned(), "stamp".to_owned()];
        let parse = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            parse(&words, &known)
        };
        let (run, coverage) = parse(&[]).unwrap();
        assert_eq!((run.targets.len(), run.seconds, run.jobs), (2, 600, 1));
        assert!(!coverage);
        let words = ["stamp", "--minutes", "0.5", "--jobs", "2", "--coverage"];
        let (run, coverage) = parse(&words).unwrap();
        assert_eq!(
            (run.targets, run.seconds, run.jobs),
            (vec!["stamp".to_owned()], 30, 2)
        );
        assert!(coverage);
        assert!(parse(&["--minutes", "x"]).is_err() && parse(&["other"]).is_err());
    }
}
