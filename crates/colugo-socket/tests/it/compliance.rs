//! The README's table of what the standards ask for names a test behind each yes; here the table is held to the sources.

use std::path::{Path, PathBuf};

const ANSWERS: [&str; 3] = ["yes", "in part", "no"];

#[test]
fn every_yes_of_the_compliance_table_names_tests_that_exist() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(crate_dir.join("README.md")).unwrap();
    let section = readme.split("\n## Compliance\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut sources = Vec::new();
    for root in ["src", "tests", "../colugo-zmtp/src", "../colugo-zmtp/tests"] {
        collect(&crate_dir.join(root), &mut sources);
    }
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| |"))
        .map(|line| {
            let cells = line
                .strip_prefix('|')
                .and_then(|line| line.strip_suffix('|'));
            cells.unwrap().split('|').map(str::trim).collect()
        })
        .collect();
    assert!(rows.len() > 50, "the table is there: {}", rows.len());
    for row in rows {
        let [requirement, answer, _, tests] = row[..] else {
            panic!("a row has four columns: {row:?}")
        };
        assert!(ANSWERS.contains(&answer), "{requirement}: {answer}");
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert_eq!(names.is_empty(), answer == "no", "{requirement}: {tests}");
        for name in names {
            let (file, test) = name.split_once("::").unwrap();
            let is_there = sources
                .iter()
                .any(|(stem, text)| stem == file && text.contains(&format!("fn {test}(")));
            assert!(is_there, "{requirement}: no {file}.rs has a test {test}");
        }
    }
}

/// All Rust files below, by name, with what is in them.
fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    for path in paths {
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            found.push((stem, std::fs::read_to_string(&path).unwrap()));
        }
    }
}
