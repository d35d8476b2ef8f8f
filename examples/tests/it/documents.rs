//! What the documents say of files: the code they show is there, and their links lead somewhere.

use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 7] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "DESIGN.md",
    "README.md",
    "SECURITY.md",
    "docs/from-python.md",
];

fn root() -> PathBuf {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR"));
    examples.parent().unwrap().to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn code_in_the_documents_is_that_of_the_files() {
    let mut compared = 0;
    for document in DOCUMENTS {
        let text = read(&root().join(document));
        for part in text.split("<!-- file: ").skip(1) {
            let (file, rest) = part.split_once(" -->").unwrap();
            let code = rest
                .split_once("```")
                .and_then(|(_, it)| it.split_once('\n'));
            let (code, _) = code.and_then(|(_, it)| it.split_once("\n```")).unwrap();
            let is = format!("\n{}", read(&root().join(file)));
            assert!(
                is.contains(&format!("\n{code}\n")),
                "{document} shows what is not in {file}:\n{code}"
            );
            compared += 1;
        }
    }
    assert!(
        compared > 15,
        "only {compared} pieces of code were compared"
    );
}

#[test]
fn links_in_the_documents_lead_to_files() {
    for document in DOCUMENTS {
        let path = root().join(document);
        let text = read(&path);
        let links = text.split("](").skip(1).filter_map(|it| it.split_once(')'));
        for (link, _) in links {
            let file = link.split('#').next().unwrap_or_default();
            if file.contains("://") || file.is_empty() {
                continue;
            }
            let target = path.parent().unwrap().join(file);
            assert!(
                target.exists(),
                "{document} links to {link}, which is not there"
            );
        }
    }
}

#[test]
fn every_program_is_shown_or_named() {
    let shown: String = DOCUMENTS.iter().map(|it| read(&root().join(it))).collect();
    let examples = root().join("examples");
    for folder in [examples.clone(), examples.join("python")] {
        let entries = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        for path in entries {
            let is_program = path.extension().is_some_and(|it| it == "rs" || it == "py");
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(
                !is_program || shown.contains(name),
                "{} is in no document",
                path.display()
            );
        }
    }
}

#[test]
fn the_code_map_names_files_that_are_there() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let mut named = 0;
    for section in text.split("\n### [").skip(1) {
        let (folder, rest) = section.split_once(']').unwrap();
        let section = rest.split("\n##").next().unwrap();
        let words = section.split('`').filter(|word| word.ends_with(".rs"));
        for file in words {
            let path = root().join(folder).join("src").join(file);
            assert!(path.exists(), "ARCHITECTURE.md names {}", path.display());
            named += 1;
        }
    }
    assert!(named > 50, "only {named} files were looked for");
}
