//! README's promise to a newcomer: a crate made outside the workspace from its lines builds, runs and prints what README
//! shows. The lines stand in the first fenced block after each of three comments in README.md.

use crate::error::Error;
use crate::step::Verdict;
use crate::workshop::{Workshop, cargo_apart};
use std::path::Path;
use std::time::Duration;

const RUN_LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn check(workshop: &Workshop) -> Result<Verdict, Error> {
    let path = workshop.root.join("README.md");
    let readme = std::fs::read_to_string(&path).map_err(|cause| Error::File { path, cause })?;
    let main = block(&readme, "main.rs", "rust")?;
    let manifest = manifest(block(&readme, "Cargo.toml", "toml")?, &workshop.root);
    let expected = block(&readme, "output", "text")?;

    let place = workshop.target().join("readme-crate");
    let file = |cause| Error::File {
        path: place.clone(),
        cause,
    };
    std::fs::create_dir_all(place.join("src")).map_err(file)?;
    std::fs::write(place.join("Cargo.toml"), manifest).map_err(file)?;
    std::fs::write(place.join("src/main.rs"), main).map_err(file)?;
    // The versions we test with: what is built already need not be built again.
    std::fs::copy(workshop.root.join("Cargo.lock"), place.join("Cargo.lock")).map_err(file)?;

    let cargo = || cargo_apart(workshop, &place);
    cargo().args(["build", "--quiet"]).run()?;
    let printed = cargo()
        .args(["run", "--quiet", "--offline"])
        .limit(RUN_LIMIT)
        .output()?;
    print!("{printed}");
    if printed.trim_end() == expected.trim_end() {
        return Ok(Verdict::Ok);
    }
    Err(Error::found(format!(
        "README.md promises this output:\n{}\nand its program printed:\n{printed}",
        expected.trim_end()
    )))
}

/// The block in `language` after the comment `<!-- readme-crate: NAME -->`.
fn block<'a>(readme: &'a str, name: &str, language: &str) -> Result<&'a str, Error> {
    let marker = format!("<!-- readme-crate: {name} -->");
    let fence = format!("\n```{language}\n");
    let after = readme
        .split_once(&marker)
        .and_then(|(_, after)| after.split_once(&fence));
    let inside = after.and_then(|(_, inside)| inside.split_once("\n```"));
    let missing = || {
        Error::found(format!(
            "README.md has no ```{language} block after `{marker}`"
        ))
    };
    inside.map(|(inside, _)| inside).ok_or_else(missing)
}

/// A whole manifest from README's lines, with the dependency taken from this workspace.
fn manifest(lines: &str, root: &Path) -> String {
    let path = root.join("crates/colugo");
    let path = path.display().to_string().replace('\\', "/");
    let head = if lines.contains("[package]") {
        String::new()
    } else {
        "[package]\nname = \"readme-crate\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n".to_owned()
    };
    let lines = lines
        .lines()
        .map(|line| match line.strip_prefix("colugo = ") {
            Some(version) if version.starts_with('"') => {
                format!("colugo = {{ path = \"{path}\" }}")
            }
            Some(table) => {
                let table = table.replacen("version = \"0.1\"", &format!("path = \"{path}\""), 1);
                format!("colugo = {table}")
            }
            None => line.to_owned(),
        });
    let lines: Vec<String> = lines.collect();
    format!("{head}{}\n\n[workspace]\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "text\n<!-- readme-crate: Cargo.toml -->\nmore\n```toml\n[dependencies]\ncolugo = \"0.1\"\n```\n\
                          <!-- readme-crate: main.rs -->\n```rust\nfn main() {}\n```\n";

    #[test]
    fn blocks_are_found_after_their_comments() {
        assert_eq!(block(README, "main.rs", "rust").unwrap(), "fn main() {}");
        assert_eq!(
            block(README, "Cargo.toml", "toml").unwrap(),
            "[dependencies]\ncolugo = \"0.1\""
        );
        assert!(block(README, "output", "text").is_err());
    }

    #[test]
    fn the_dependency_is_taken_from_the_workspace() {
        let plain = manifest(
            "[dependencies]\ncolugo = \"0.1\"\nserde = \"1\"",
            Path::new("/w"),
        );
        assert!(plain.starts_with("[package]\n"), "{plain}");
        assert!(
            plain.contains("\ncolugo = { path = \"/w/crates/colugo\" }\nserde = \"1\"\n"),
            "{plain}"
        );
        let table = manifest(
            "colugo = { version = \"0.1\", features = [\"json\"] }",
            Path::new("/w"),
        );
        assert!(
            table.contains("colugo = { path = \"/w/crates/colugo\", features = [\"json\"] }"),
            "{table}"
        );
    }
}
