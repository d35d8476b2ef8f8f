//! The table of all cases for people: docs/bad-peers.md.

use std::fmt::Write;

use super::case::{Case, Role};
use super::cases::all;
use super::fact::Fact;
use super::telling::written;

const HEAD: &str = "\
# Bad peers

A scripted peer, which is a bare TCP connection, does what no peer should, or what few do. The same scripts run against Colugo's sockets and
against libzmq 4.3.5, by way of pyzmq; each row is a test of both, and this page is made of what the tests expect. Each peer is *dialled by* or
*dials* the socket named; whatever it does, another, honest peer beside it is served, or, where the socket dials, is found by dialling again.
";

/// The page.
pub fn table() -> String {
    let cases = all();
    let (same, differ): (Vec<Case>, Vec<Case>) =
        cases.into_iter().partition(|case| case.ours == case.libzmq);
    let mut page = HEAD.to_owned();
    let _ = write!(
        page,
        "\n## Where the two differ: {} of {}\n\n\
         | the peer … | socket | rule or fault | here | libzmq 4.3.5 | why |\n|---|---|---|---|---|---|\n",
        differ.len(),
        differ.len() + same.len()
    );
    for case in &differ {
        let (ours, theirs) = (told(&case.ours), told(&case.libzmq));
        let _ = writeln!(
            page,
            "| {} | {} | {} | {ours} | {theirs} | {} |",
            does(case),
            socket(case),
            case.source,
            cell(case.reason)
        );
    }
    let _ = write!(
        page,
        "\n## Where both do the same: {}\n\n| the peer … | socket | rule or fault | both |\n|---|---|---|---|\n",
        same.len()
    );
    for case in &same {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            does(case),
            socket(case),
            case.source,
            told(&case.ours)
        );
    }
    page.push_str(
        "\nMade by `cargo run -p colugo-testkit --example bad-peers`. The scripts are in `crates/colugo-testkit/src/bad_peer/cases`, the tests \
         that play them in\n`crates/colugo-socket/tests/bad_peers`: `scripted` against ours, `interop_scripted` against libzmq.\n",
    );
    page
}

fn does(case: &Case) -> String {
    cell(case.does)
}

fn socket(case: &Case) -> String {
    let kind = case.settings.kind.name();
    match case.role {
        Role::Listens => kind.to_owned(),
        Role::Dials => format!("{kind}, dials"),
    }
}

fn told(facts: &[Fact]) -> String {
    match facts {
        [] => "nothing to be seen".to_owned(),
        _ => cell(&written(facts)),
    }
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    let long = "|".repeat(10);
    match text.find(&long) {
        Some(at) => {
            let rest = text[at..].trim_start_matches('|');
            cell(&format!("{}1,024 bars{rest}", &text[..at]))
        }
        None => text.replace('|', "\\|"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_page_in_the_documents_is_what_the_cases_say() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bad-peers.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        let remedy = "cargo run -p colugo-testkit --example bad-peers > docs/bad-peers.md";
        assert!(
            page.replace("\r\n", "\n") == table(),
            "docs/bad-peers.md is not up to date: {remedy}"
        );
    }

    #[test]
    fn each_case_is_named_once_and_a_difference_has_a_reason() {
        let mut names = BTreeSet::new();
        for case in all() {
            assert!(names.insert(case.name), "{} is there twice", case.name);
            assert!(
                !case.does.is_empty() && !case.source.is_empty(),
                "{}",
                case.name
            );
            assert_eq!(
                case.ours != case.libzmq,
                !case.reason.is_empty(),
                "{}",
                case.name
            );
        }
    }
}
