//! What `cargo metadata` says of the workspace and of everything it depends on. Knows the shape of that JSON, so that
//! the checks need not.

use crate::error::Error;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub(crate) struct Metadata {
    pub(crate) target_directory: PathBuf,
    packages: BTreeMap<String, Package>,
    members: BTreeSet<String>,
    /// For each package, those it is built with: no dev-dependencies.
    links: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: Option<String>,
    /// None: a folder of this workspace, or some other folder.
    pub(crate) source: Option<String>,
    pub(crate) published: bool,
    pub(crate) rust_version: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
    /// The targets in `tests/`.
    pub(crate) tests: Vec<TestTarget>,
}

#[derive(Debug)]
pub(crate) struct TestTarget {
    pub(crate) name: String,
    /// Its root source file.
    pub(crate) source: PathBuf,
}

/// As the manifest declares it.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) requirement: String,
    pub(crate) dev: bool,
    pub(crate) is_path: bool,
}

impl Metadata {
    pub(crate) fn parse(json: &str) -> Result<Self, Error> {
        let value: Value = serde_json::from_str(json)
            .map_err(|error| Error::found(format!("`cargo metadata` printed no JSON: {error}")))?;
        let packages = array(&value, "packages")
            .iter()
            .map(|package| (text(package, "id"), Package::from_json(package)))
            .collect();
        let members = array(&value, "workspace_members");
        let nodes = value
            .get("resolve")
            .map_or(&[][..], |resolve| array(resolve, "nodes"));
        Ok(Self {
            target_directory: text(&value, "target_directory").into(),
            packages,
            members: members
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            links: nodes
                .iter()
                .map(|node| (text(node, "id"), built_with(node)))
                .collect(),
        })
    }

    /// The crates of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|(id, _)| self.members.contains(*id))
            .map(|(_, package)| package)
    }

    /// Everything else in the tree, on any platform, tests included.
    pub(crate) fn foreign(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|(id, _)| !self.members.contains(*id))
            .map(|(_, package)| package)
    }

    pub(crate) fn published(&self) -> impl Iterator<Item = &Package> {
        self.members().filter(|package| package.published)
    }

    /// Names of everything that `member` is built with, directly or not. Features are those of the whole workspace.
    pub(crate) fn built_with(&self, member: &str) -> BTreeSet<&str> {
        let start = self
            .packages
            .iter()
            .find(|(id, it)| it.name == member && self.members.contains(*id));
        let mut open: Vec<&String> = start.map(|(id, _)| id).into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.links.get(id).into_iter().flatten());
            }
        }
        let names = seen.into_iter().filter_map(|id| self.packages.get(id));
        names
            .map(|package| package.name.as_str())
            .filter(|name| *name != member)
            .collect()
    }

    /// The targets in `tests/` of all members.
    pub(crate) fn tests(&self) -> impl Iterator<Item = &TestTarget> {
        self.members().flat_map(|package| &package.tests)
    }
}

impl Package {
    fn from_json(package: &Value) -> Self {
        let targets = array(package, "targets").iter();
        let tests =
            targets.filter(|target| array(target, "kind").iter().any(|kind| kind == "test"));
        Self {
            name: text(package, "name"),
            version: text(package, "version"),
            licence: optional(package, "license"),
            source: optional(package, "source"),
            // `publish = false` is an empty list of registries.
            published: package
                .get("publish")
                .and_then(Value::as_array)
                .is_none_or(|list| !list.is_empty()),
            rust_version: optional(package, "rust_version"),
            dependencies: array(package, "dependencies")
                .iter()
                .map(Dependency::from_json)
                .collect(),
            tests: tests.map(TestTarget::from_json).collect(),
        }
    }
}

impl TestTarget {
    fn from_json(target: &Value) -> Self {
        Self {
            name: text(target, "name"),
            source: text(target, "src_path").into(),
        }
    }
}

impl Dependency {
    fn from_json(dependency: &Value) -> Self {
        Self {
            name: text(dependency, "name"),
            requirement: text(dependency, "req"),
            dev: optional(dependency, "kind").as_deref() == Some("dev"),
            is_path: optional(dependency, "path").is_some(),
        }
    }
}

fn built_with(node: &Value) -> BTreeSet<String> {
    let is_dev = |kind: &Value| optional(kind, "kind").as_deref() == Some("dev");
    array(node, "deps")
        .iter()
        .filter(|dependency| !array(dependency, "dep_kinds").iter().all(is_dev))
        .map(|dependency| text(dependency, "pkg"))
        .collect()
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn optional(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn text(value: &Value, key: &str) -> String {
    optional(value, key).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dev_dependencies_are_not_what_a_crate_is_built_with() {
        let json = r#"{"target_directory": "/t", "workspace_members": ["a"],
            "packages": [{"id": "a", "name": "a"}, {"id": "b", "name": "b", "publish": []}, {"id": "c", "name": "c"}],
            "resolve": {"nodes": [
                {"id": "a", "deps": [{"pkg": "b", "dep_kinds": [{"kind": null}, {"kind": "dev"}]},
                                     {"pkg": "c", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "b", "deps": []}, {"id": "c", "deps": []}]}}"#;
        let metadata = Metadata::parse(json).unwrap();
        assert_eq!(metadata.built_with("a"), BTreeSet::from(["b"]));
        assert_eq!(
            metadata
                .foreign()
                .map(|it| (it.name.as_str(), it.published))
                .collect::<Vec<_>>(),
            [("b", false), ("c", true)]
        );
    }
}
