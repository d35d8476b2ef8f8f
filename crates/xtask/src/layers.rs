//! Who may know whom among our crates. The table is the architecture; a new arrow is decided there first.

use crate::error::Error;
use crate::metadata::{Dependency, Metadata, Package};
use crate::step::Verdict;
use crate::workshop::Workshop;

/// Each crate and those of ours it may be built with.
const MAY_USE: &[(&str, &[&str])] = &[
    ("colugo-zmtp", &[]),
    ("colugo-socket", &["colugo-zmtp"]),
    ("colugo-graph", &[]),
    ("colugo", &["colugo-zmtp", "colugo-socket", "colugo-graph"]),
    ("colugo-record", &["colugo"]),
    ("colugo-cli", &["colugo", "colugo-socket", "colugo-record"]),
    (
        "colugo-testkit",
        &["colugo-zmtp", "colugo-socket", "colugo-graph", "colugo"],
    ),
    ("colugo-examples", &["colugo", "colugo-socket"]),
    ("colugo-scenarios", &["colugo"]),
    ("colugo-interop", &["colugo-socket"]),
    // A test program itself, whose tests start it.
    ("colugo-faults", &["colugo-socket", "colugo-testkit"]),
    ("xtask", &[]),
];

/// Only for tests, whoever's.
const FOR_TESTS: &str = "colugo-testkit";

/// These see no socket, thread, clock or random source, and so nothing that brings one.
const PURE: &[&str] = &["colugo-zmtp", "colugo-graph"];
const IMPURE: &[&str] = &[
    "async-io",
    "fastrand",
    "getrandom",
    "if-addrs",
    "mdns-sd",
    "mio",
    "polling",
    "rand",
    "rand_core",
    "socket2",
    "tokio",
];

pub(crate) fn check(workshop: &Workshop) -> Result<Verdict, Error> {
    let metadata = &workshop.metadata;
    let ours: Vec<&str> = metadata
        .members()
        .map(|package| package.name.as_str())
        .collect();
    let arrows = metadata
        .members()
        .flat_map(|package| wrong_arrows(package, &ours));
    let impure = PURE.iter().flat_map(|name| impurities(metadata, name));
    let found: Vec<String> = arrows.chain(impure).collect();
    if found.is_empty() {
        Ok(Verdict::Ok)
    } else {
        Err(Error::Found(found))
    }
}

fn wrong_arrows(package: &Package, ours: &[&str]) -> Vec<String> {
    let Some((_, may_use)) = MAY_USE.iter().find(|(name, _)| *name == package.name) else {
        return vec![format!(
            "`{}` has no place in the table of crates/xtask/src/layers.rs",
            package.name
        )];
    };
    let allowed = |dependency: &&Dependency| {
        may_use.contains(&dependency.name.as_str())
            || (dependency.dev && (dependency.name == FOR_TESTS || dependency.name == package.name))
    };
    package
        .dependencies
        .iter()
        .filter(|dependency| ours.contains(&dependency.name.as_str()) && !allowed(dependency))
        .map(|dependency| {
            let as_what = if dependency.dev { " in its tests" } else { "" };
            format!("`{}` may not use `{}`{as_what}: arrows run zmtp ← socket ← colugo, graph ← colugo ← cli", package.name, dependency.name)
        })
        .collect()
}

fn impurities(metadata: &Metadata, member: &str) -> Vec<String> {
    let built_with = metadata.built_with(member);
    IMPURE
        .iter()
        .filter(|name| built_with.contains(*name))
        .map(|name| format!("`{member}` is built with `{name}`: it may see no socket, thread, clock or random source"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, uses: &str, kind: &str) -> String {
        format!(
            r#"{{"target_directory": "", "workspace_members": ["p"], "packages": [
                {{"id": "p", "name": "{name}", "dependencies": [{{"name": "{uses}", "req": "*", "kind": {kind}}}]}}]}}"#
        )
    }

    fn found(name: &str, uses: &str, kind: &str) -> Vec<String> {
        let metadata = Metadata::parse(&package(name, uses, kind)).unwrap();
        metadata
            .members()
            .flat_map(|package| wrong_arrows(package, &[name, uses]))
            .collect()
    }

    #[test]
    fn an_arrow_against_the_layers_is_found() {
        assert_eq!(found("colugo-socket", "colugo", "null").len(), 1);
        assert_eq!(found("colugo-graph", "colugo-socket", "\"dev\"").len(), 1);
        assert!(found("colugo-socket", "colugo-zmtp", "null").is_empty());
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        assert!(found("colugo-zmtp", "colugo-testkit", "\"dev\"").is_empty());
        assert_eq!(found("colugo-zmtp", "colugo-testkit", "null").len(), 1);
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        assert_eq!(found("colugo-new", "bytes", "null").len(), 1);
    }
}
