//! `cargo xtask test`: all checks in order, cheap ones first, each told with its time, and at the end what was skipped.
//! Everything is built once, with all features; only clippy looks at the other feature sets.

use crate::error::Error;
use crate::step::{Report, Step, Verdict};
use crate::workshop::Workshop;
use crate::{bench, fuzz, layers, licences, namespaces, package, platforms, readme, suites};

const STEPS: &[Step] = &[
    Step {
        name: "format",
        about: "every file is as rustfmt writes it",
        run: format,
    },
    Step {
        name: "layers",
        about: "no crate knows one above it",
        run: layers::check,
    },
    Step {
        name: "licences",
        about: "licences, bans and sources of all dependencies",
        run: licences::check,
    },
    Step {
        name: "clippy",
        about: "no warnings, with all features, the default ones, and none",
        run: clippy,
    },
    Step {
        name: "oldest",
        about: "the oldest Rust we promise is enough",
        run: platforms::oldest,
    },
    Step {
        name: "docs",
        about: "the documentation builds and its links lead somewhere",
        run: docs,
    },
    Step {
        name: "tests",
        about: "unit tests and tests between our own programs",
        run: suites::check,
    },
    Step {
        name: "doctests",
        about: "examples in the documentation",
        run: suites::doctests,
    },
    Step {
        name: "interop",
        about: "against libzmq and python-zeroconf",
        run: suites::interop,
    },
    Step {
        name: "namespaces",
        about: "between hosts made of network namespaces",
        run: namespaces::check,
    },
    Step {
        name: "fuzz",
        about: "each fuzz target for a moment, from its corpus",
        run: fuzz::check,
    },
    Step {
        name: "packages",
        about: "what is published packs, and builds from what is packed",
        run: package::check,
    },
    Step {
        name: "targets",
        about: "the libraries compile for Apple and Windows",
        run: platforms::targets,
    },
    Step {
        name: "benches",
        about: "the benches compile without warnings",
        run: bench::check,
    },
    Step {
        name: "readme",
        about: "a crate made from README's lines builds, runs and prints what it says",
        run: readme::check,
    },
];

const LIBRARIES: [&str; 8] = [
    "-p",
    "colugo-zmtp",
    "-p",
    "colugo-socket",
    "-p",
    "colugo-graph",
    "-p",
    "colugo",
];

pub(crate) fn run(arguments: &[String]) -> Result<bool, Error> {
    let mut install = false;
    let mut only = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--install" => install = true,
            "--list" => {
                STEPS
                    .iter()
                    .for_each(|step| println!("{:<12} {}", step.name, step.about));
                return Ok(true);
            }
            "--only" => only.push(named(arguments.next())?),
            other => {
                return Err(Error::Usage(format!(
                    "`cargo xtask test` knows no `{other}`"
                )));
            }
        }
    }
    let workshop = Workshop::open(install)?;
    let mut report = Report::default();
    for step in STEPS
        .iter()
        .filter(|step| only.is_empty() || only.contains(&step.name))
    {
        report.run(step, &workshop);
    }
    Ok(report.finish())
}

fn named(name: Option<&String>) -> Result<&'static str, Error> {
    let name = name.map_or("", String::as_str);
    let step = STEPS.iter().find(|step| step.name == name);
    step.map(|step| step.name).ok_or_else(|| {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        Error::Usage(format!(
            "there is no step `{name}`, but {}",
            names.join(", ")
        ))
    })
}

fn format(workshop: &Workshop) -> Result<Verdict, Error> {
    workshop.cargo().args(["fmt", "--all", "--check"]).run()?;
    for apart in
        ["benches", "fuzz", "fuzz/targets"].map(|name| workshop.root.join(name).join("Cargo.toml"))
    {
        if apart.exists() {
            workshop
                .cargo()
                .args(["fmt", "--all", "--check", "--manifest-path"])
                .arg(apart)
                .run()?;
        }
    }
    Ok(Verdict::Ok)
}

fn clippy(workshop: &Workshop) -> Result<Verdict, Error> {
    let strict = ["--", "-D", "warnings"];
    let clippy = || workshop.cargo().args(["clippy", "--locked"]);
    clippy()
        .args(["--workspace", "--all-targets", "--all-features"])
        .args(strict)
        .run()?;
    clippy()
        .args(["--workspace", "--all-targets"])
        .args(strict)
        .run()?;
    clippy()
        .args(LIBRARIES)
        .args(["--lib", "--no-default-features"])
        .args(strict)
        .run()?;
    Ok(Verdict::Ok)
}

fn docs(workshop: &Workshop) -> Result<Verdict, Error> {
    // Libraries only: the command would overwrite the pages of the library of the same name.
    let doc = [
        "doc",
        "--locked",
        "--workspace",
        "--lib",
        "--no-deps",
        "--all-features",
    ];
    let cargo = workshop.cargo().args(doc);
    cargo.env("RUSTDOCFLAGS", "-D warnings").run()?;
    Ok(Verdict::Ok)
}
