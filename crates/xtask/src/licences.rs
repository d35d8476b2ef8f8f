//! Licences, banned crates and sources of everything in the dependency tree: by cargo-deny where it is installed, else
//! here, from the same deny.toml.

use crate::deny;
use crate::error::Error;
use crate::metadata::{Metadata, Package};
use crate::process::exists;
use crate::spdx;
use crate::step::Verdict;
use crate::workshop::Workshop;
use std::collections::BTreeMap;

/// How cargo spells the one registry we take crates from.
const REGISTRY: &str = "/crates.io-index";

pub(crate) fn check(workshop: &Workshop) -> Result<Verdict, Error> {
    if exists("cargo-deny", "--version") {
        let arguments = [
            "deny",
            "--all-features",
            "--locked",
            "check",
            "licenses",
            "bans",
            "sources",
        ];
        workshop.cargo().args(arguments).run()?;
        return Ok(Verdict::Ok);
    }
    println!("cargo-deny is not installed: checking with xtask's own reading of deny.toml");
    let path = workshop.root.join("deny.toml");
    let toml = std::fs::read_to_string(&path).map_err(|cause| Error::File { path, cause })?;
    let rules = Rules::read(&toml)?;
    warn_of_duplicates(&workshop.metadata);
    let found = rules.broken_by(&workshop.metadata);
    if found.is_empty() {
        Ok(Verdict::Ok)
    } else {
        Err(Error::Found(found))
    }
}

struct Rules {
    allowed: Vec<String>,
    banned: Vec<String>,
}

impl Rules {
    fn read(toml: &str) -> Result<Self, Error> {
        Ok(Self {
            allowed: deny::strings(toml, "licenses", "allow")?,
            banned: deny::strings(toml, "bans", "deny")?,
        })
    }

    fn broken_by(&self, metadata: &Metadata) -> Vec<String> {
        let members = metadata
            .members()
            .flat_map(|package| self.licence(package).into_iter().chain(wildcards(package)));
        let foreign = metadata
            .foreign()
            .flat_map(|package| [self.licence(package), self.banned(package), source(package)]);
        members.chain(foreign.flatten()).collect()
    }

    fn licence(&self, package: &Package) -> Option<String> {
        let Package { name, version, .. } = package;
        let Some(licence) = &package.licence else {
            return Some(format!("{name} {version} declares no licence"));
        };
        match spdx::satisfied(licence, &self.allowed) {
            Some(true) => None,
            Some(false) => Some(format!(
                "{name} {version} is under {licence}, which deny.toml does not allow"
            )),
            None => Some(format!(
                "{name} {version}: `{licence}` is no licence expression that can be read"
            )),
        }
    }

    fn banned(&self, package: &Package) -> Option<String> {
        let banned = self.banned.contains(&package.name);
        banned.then(|| {
            format!(
                "{} {} is banned by deny.toml",
                package.name, package.version
            )
        })
    }
}

fn source(package: &Package) -> Option<String> {
    let from = package
        .source
        .as_deref()
        .unwrap_or("a folder outside this workspace");
    let elsewhere = !from.ends_with(REGISTRY);
    elsewhere.then(|| {
        format!(
            "{} {} comes from {from}, not from crates.io",
            package.name, package.version
        )
    })
}

/// `version = "*"` in a manifest of ours. A path dependency without a version is allowed where it is never published.
fn wildcards(package: &Package) -> Vec<String> {
    let allowed_path = |dev: bool| dev || !package.published;
    package
        .dependencies
        .iter()
        .filter(|it| it.requirement == "*" && !(it.is_path && allowed_path(it.dev)))
        .map(|it| format!("{} depends on any version of {}", package.name, it.name))
        .collect()
}

fn warn_of_duplicates(metadata: &Metadata) {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    metadata
        .foreign()
        .for_each(|it| versions.entry(&it.name).or_default().push(&it.version));
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        println!(
            "warning: {name} is there in several versions: {}",
            versions.join(", ")
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = r#"{"target_directory": "", "workspace_members": ["a"], "packages": [
        {"id": "a", "name": "a", "version": "1", "license": "MIT", "dependencies": [
            {"name": "kit", "req": "*", "kind": "dev", "path": "/kit"}, {"name": "b", "req": "*", "kind": null}]},
        {"id": "b", "name": "b", "version": "2", "license": "GPL-3.0-only", "source": "registry+https://x/crates.io-index"},
        {"id": "c", "name": "c", "version": "3", "source": "registry+https://x/crates.io-index"},
        {"id": "d", "name": "d", "version": "4", "license": "MIT", "source": "git+https://x/d"},
        {"id": "e", "name": "e", "version": "5", "license": "MIT", "source": "registry+https://x/crates.io-index"}]}"#;

    #[test]
    fn each_broken_rule_is_named() {
        let rules = Rules {
            allowed: vec!["MIT".to_owned()],
            banned: vec!["e".to_owned()],
        };
        let found = rules.broken_by(&Metadata::parse(TREE).unwrap());
        assert_eq!(
            found,
            [
                "a depends on any version of b",
                "b 2 is under GPL-3.0-only, which deny.toml does not allow",
                "c 3 declares no licence",
                "d 4 comes from git+https://x/d, not from crates.io",
                "e 5 is banned by deny.toml",
            ]
        );
    }
}
