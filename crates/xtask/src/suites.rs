//! Our tests, run by nextest where it is installed and by `cargo test` where it is not. Targets in `tests/`
//! and modules of such targets are told apart by their names: `interop*` need libzmq by way of Python, `netns*` need
//! network namespaces, all others only cargo.

use crate::error::Error;
use crate::process::Process;
use crate::step::Verdict;
use crate::workshop::Workshop;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// A test that hangs ends the run here, where nextest does not end it sooner.
const LIMIT: Duration = Duration::from_secs(15 * 60);

const APART: [&str; 2] = ["interop", "netns"];

/// Unit tests of all crates and every test that is not set apart.
pub(crate) fn check(workshop: &Workshop) -> Result<Verdict, Error> {
    // Tests start examples and commands of other crates: cargo builds those of the tested crate only.
    workshop
        .cargo()
        .args([
            "build",
            "--locked",
            "--workspace",
            "--all-features",
            "--bins",
            "--examples",
        ])
        .run()?;
    let selection = Selection::ordinary(workshop);
    selection.run(workshop, || workshop.cargo())?;
    Ok(Verdict::Ok)
}

/// Examples in the documentation.
pub(crate) fn doctests(workshop: &Workshop) -> Result<Verdict, Error> {
    workshop
        .cargo()
        .args(["test", "--locked", "--workspace", "--all-features", "--doc"])
        .limit(LIMIT)
        .run()?;
    Ok(Verdict::Ok)
}

/// Against real libzmq and python-zeroconf.
pub(crate) fn interop(workshop: &Workshop) -> Result<Verdict, Error> {
    let selection = Selection::named(workshop, "interop")?;
    match workshop.python() {
        Err(skipped) => workshop.lacks(skipped),
        Ok(_) => {
            selection.run(workshop, || workshop.cargo())?;
            Ok(Verdict::Ok)
        }
    }
}

/// Some of the tests, as nextest and as `cargo test` are told of them.
pub(crate) struct Selection {
    filter: String,
    /// The arguments of each call of `cargo test` that it takes.
    calls: Vec<Vec<String>>,
}

impl Selection {
    fn ordinary(workshop: &Workshop) -> Self {
        let apart = APART.map(|prefix| Apart::find(workshop, prefix));
        let is_apart = |name: &str| apart.iter().any(|it| it.targets.contains(name));
        let names = workshop.metadata.tests().map(|target| target.name.as_str());
        let targets: BTreeSet<&str> = names.filter(|name| !is_apart(name)).collect();
        let modules = apart.iter().flat_map(|it| it.modules.iter());
        let mut call = vec!["--lib".to_owned(), "--bins".to_owned()];
        call.extend(with_flag("--test", targets));
        call.push("--".to_owned());
        call.extend(with_flag(
            "--skip",
            modules.map(|(_, module)| module.as_str()),
        ));
        let filters = apart.map(|it| it.filter());
        Self {
            filter: format!("not ({})", filters.join(" or ")),
            calls: vec![call],
        }
    }

    /// The targets, and the modules of other targets, whose name starts with `prefix`.
    pub(crate) fn named(workshop: &Workshop, prefix: &'static str) -> Result<Self, Error> {
        let apart = Apart::find(workshop, prefix);
        let mut calls = Vec::new();
        if !apart.targets.is_empty() {
            calls.push(with_flag(
                "--test",
                apart.targets.iter().map(String::as_str),
            ));
        }
        if !apart.modules.is_empty() {
            let targets: BTreeSet<&str> = apart.modules.iter().map(|(it, _)| it.as_str()).collect();
            let mut call = with_flag("--test", targets);
            call.push("--".to_owned());
            call.extend(apart.modules.iter().map(|(_, module)| module.clone()));
            calls.push(call);
        }
        if calls.is_empty() {
            let what = "no crate has a test target, or a module of one, whose name starts with";
            return Err(Error::found(format!("{what} `{prefix}`")));
        }
        Ok(Self {
            filter: apart.filter(),
            calls,
        })
    }

    /// Builds them, and gets what the build needs from the registry.
    pub(crate) fn build(&self, workshop: &Workshop) -> Result<(), Error> {
        self.each(workshop, || workshop.cargo(), "--no-run")
    }

    /// Runs them by the cargo given, which may be wrapped in something.
    pub(crate) fn run(
        &self,
        workshop: &Workshop,
        cargo: impl Fn() -> Process,
    ) -> Result<(), Error> {
        self.each(workshop, cargo, "--no-fail-fast")
    }

    fn each(
        &self,
        workshop: &Workshop,
        cargo: impl Fn() -> Process,
        how: &str,
    ) -> Result<(), Error> {
        let python = workshop.python();
        let cargo = || {
            let cargo = cargo().env("PYTHONDONTWRITEBYTECODE", "1").limit(LIMIT);
            python.iter().fold(cargo, |cargo, python| {
                cargo.env("COLUGO_TEST_PYTHON", python)
            })
        };
        let all = ["--locked", "--workspace", "--all-features", how];
        if workshop.has_nextest() {
            let cargo = cargo().args(["nextest", "run"]).args(all);
            return cargo.args(["-E", &self.filter]).run();
        }
        let calls = self
            .calls
            .iter()
            .map(|call| cargo().arg("test").args(all).args(call).run());
        // All of them run, whatever the first says.
        calls.collect::<Vec<_>>().into_iter().collect()
    }
}

/// What the tests of one kind are called.
struct Apart {
    prefix: &'static str,
    targets: BTreeSet<String>,
    /// A target of another name, and a module in it, written as the paths of its tests start.
    modules: BTreeSet<(String, String)>,
}

impl Apart {
    fn find(workshop: &Workshop, prefix: &'static str) -> Self {
        let mut found = Self {
            prefix,
            targets: BTreeSet::new(),
            modules: BTreeSet::new(),
        };
        for target in workshop.metadata.tests() {
            if target.name.starts_with(prefix) {
                found.targets.insert(target.name.clone());
                continue;
            }
            let names = modules(&target.source)
                .into_iter()
                .filter(|name| name.starts_with(prefix));
            found
                .modules
                .extend(names.map(|name| (target.name.clone(), format!("{name}::"))));
        }
        found
    }

    /// For nextest, to which a pattern that no target fits is an error, but one that no test fits is none.
    fn filter(&self) -> String {
        let targets = self
            .targets
            .iter()
            .map(|name| format!("binary(={name}) or "));
        let targets: String = targets.collect();
        format!("{targets}(kind(test) and test(/^{}\\w*::/))", self.prefix)
    }
}

/// The names of the modules beside the root file of a test target.
fn modules(root: &Path) -> Vec<String> {
    // A file directly in `tests/` is a target and shares its folder with others.
    if !root.ends_with("main.rs") {
        return Vec::new();
    }
    let entries = root
        .parent()
        .and_then(|folder| std::fs::read_dir(folder).ok());
    let paths = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let modules =
        paths.filter(|path| path.is_dir() || path.extension().is_some_and(|it| it == "rs"));
    modules
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}

fn with_flag<'a>(flag: &str, values: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    values
        .into_iter()
        .flat_map(|value| [flag.to_owned(), value.to_owned()])
        .collect()
}
