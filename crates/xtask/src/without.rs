//! `cargo xtask without-checks`: takes one check out of the engine at a time, in a copy of the workspace, and runs the case of the scripted
//! bad peer that is about it: that must fail. A case that passes all the same tests nothing. Knows the checks by their text.

use crate::error::Error;
use crate::metadata::Metadata;
use crate::process::Process;
use crate::workshop::{cargo_in, root};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A check, and the case that fails without it.
struct Check {
    case: &'static str,
    /// Below `crates/`.
    file: &'static str,
    /// Its text, which is there once, and what takes its place.
    text: &'static str,
    without: &'static str,
}

const fn check(
    case: &'static str,
    file: &'static str,
    text: &'static str,
    without: &'static str,
) -> Check {
    Check {
        case,
        file,
        text,
        without,
    }
}

const FRAME: &str = "colugo-zmtp/src/frame.rs";
const COMMAND: &str = "colugo-zmtp/src/command.rs";
const HANDSHAKE: &str = "colugo-zmtp/src/handshake.rs";
const METADATA: &str = "colugo-zmtp/src/metadata.rs";
const HELLO: &str = "colugo-zmtp/src/hello.rs";
const SUBSCRIPTIONS: &str = "colugo-zmtp/src/subscriptions.rs";
const PARSER: &str = "colugo-socket/src/parser.rs";

const CHECKS: &[Check] = &[
    check(
        "sets_a_reserved_flag",
        FRAME,
        "if flags & RESERVED != 0 {",
        "if flags == 255 {",
    ),
    check(
        "sends_a_command_with_more",
        FRAME,
        "if flags & (MORE | COMMAND) == MORE | COMMAND {",
        "if flags == 255 {",
    ),
    check(
        "sends_a_command_without_a_name",
        COMMAND,
        "if name_len == 0 {",
        "if name_len == 0 && rest.is_empty() {",
    ),
    check(
        "pings_without_a_ttl",
        COMMAND,
        "data.split_first_chunk().ok_or(CommandError::PingTooShort)?",
        "data.split_first_chunk().unwrap_or((&[0, 0], b\"0123456789abcdef\"))",
    ),
    check(
        "sends_ready_as_a_message",
        HANDSHAKE,
        "if !header.command {",
        "if !header.command && header.body_len == 0 {",
    ),
    check(
        "claims_a_ready_over_its_bound",
        HANDSHAKE,
        ".filter(|len| *len <= MAX_HANDSHAKE_COMMAND)",
        ".filter(|len| *len <= MAX_HANDSHAKE_COMMAND * 9)",
    ),
    check(
        "wants_another_mechanism",
        HANDSHAKE,
        "if theirs.mechanism != ours {",
        "if theirs.mechanism != ours && theirs.major == 0 {",
    ),
    check(
        "is_of_the_wrong_type",
        HELLO,
        "if !ours.compatible(theirs) {",
        "if !ours.compatible(theirs) && minor == 7 {",
    ),
    check(
        "has_a_long_identity",
        HELLO,
        "if identity.len() > MAX_IDENTITY {",
        "if identity.len() > 2 * MAX_IDENTITY {",
    ),
    check(
        "gives_its_type_twice",
        METADATA,
        "if is_unique(name) && metadata.get(name).is_some() {",
        "if is_unique(name) && metadata.get(name).is_some() && name.is_empty() {",
    ),
    check(
        "has_many_properties",
        METADATA,
        "if self.properties.len() >= limits.max_properties {",
        "if self.properties.len() >= 2 * limits.max_properties {",
    ),
    check(
        "subscribes_to_100_000_topics",
        SUBSCRIPTIONS,
        "if self.entries.len() >= MAX_SUBSCRIPTIONS {",
        "if self.entries.len() >= 100 * MAX_SUBSCRIPTIONS {",
    ),
    check(
        "subscribes_to_a_long_topic",
        SUBSCRIPTIONS,
        "if len > MAX_SUBSCRIPTION_LEN {",
        "if len > 2 * MAX_SUBSCRIPTION_LEN {",
    ),
    check(
        "claims_2_31",
        PARSER,
        "if octets > limit as u64 {",
        "if octets > limit as u64 * 64 {",
    ),
    check(
        "sends_a_message_of_many_frames",
        PARSER,
        ">= MAX_FRAMES {",
        ">= 2 * MAX_FRAMES {",
    ),
    check(
        "claims_a_long_command",
        PARSER,
        "if header.body_len > MAX_COMMAND {",
        "if header.body_len > 2 * MAX_COMMAND {",
    ),
    check(
        "publishes_what_was_not_asked_for",
        PARSER,
        "if !self.core.wants_own(topic) {",
        "if topic.len() == 9999 && !self.core.wants_own(topic) {",
    ),
    check(
        "drips",
        "colugo-socket/src/greet.rs",
        "tokio::time::timeout(options.handshake_timeout, exchange)",
        "tokio::time::timeout(options.handshake_timeout * 60, exchange)",
    ),
    check(
        "takes_the_identity_of_another",
        "colugo-socket/src/names.rs",
        "Some(_) if !self.options.handover => return Err(RefusedWhy::IdentityTaken),",
        "Some(_) if name.is_empty() => return Err(RefusedWhy::IdentityTaken),",
    ),
];

/// Runs those of the named cases, or all.
pub(crate) fn run(arguments: &[String]) -> Result<bool, Error> {
    let unknown = |name: &&String| !CHECKS.iter().any(|check| check.case == name.as_str());
    if let Some(name) = arguments.iter().find(unknown) {
        let names: Vec<&str> = CHECKS.iter().map(|check| check.case).collect();
        let names = names.join(", ");
        return Err(Error::Usage(format!(
            "no check is taken out for a case `{name}`, but for {names}"
        )));
    }
    let chosen =
        |check: &&Check| arguments.is_empty() || arguments.iter().any(|name| name == check.case);
    let chosen: Vec<&Check> = CHECKS.iter().filter(chosen).collect();
    let copy = Copy::make()?;
    for check in &chosen {
        copy.patched(check)?;
    }
    copy.build()?;
    for check in &chosen {
        copy.test(check.case)?;
    }
    println!("all {} cases pass with every check in", chosen.len());
    let mut lines = Vec::new();
    for check in chosen {
        let began = Instant::now();
        let failed = copy.fails_without(check)?;
        let outcome = if failed { "fails" } else { "PASSES" };
        println!("{outcome} without its check: {}", check.case);
        lines.push((check, failed, began.elapsed().as_secs()));
    }
    println!("\n{:<34} {:<7} seconds  check taken out", "case", "outcome");
    for (check, failed, seconds) in &lines {
        let outcome = if *failed { "fails" } else { "PASSES" };
        println!(
            "{:<34} {outcome:<7} {seconds:>7}  {}: {}",
            check.case, check.file, check.text
        );
    }
    Ok(lines.iter().all(|(_, failed, _)| *failed))
}

/// A copy of the workspace, whose checks can be taken out. What is built of it lies apart: cargo would take it for the workspace's own.
struct Copy {
    workspace: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn make() -> Result<Self, Error> {
        let from = root();
        let json = cargo_in(&from)
            .args(["metadata", "--format-version=1", "--locked", "--no-deps"])
            .output()?;
        let target = Metadata::parse(&json)?.target_directory;
        let workspace = target.join("without-checks").join("workspace");
        if workspace.exists() {
            fs::remove_dir_all(&workspace).map_err(|cause| file(&workspace, cause))?;
        }
        copy(&from, &workspace, &target)?;
        let target = target.join("without-checks").join("target");
        Ok(Self { workspace, target })
    }

    fn cargo(&self) -> Process {
        let cargo = cargo_in(&self.workspace).env("CARGO_TARGET_DIR", &self.target);
        let arguments = ["test", "-q", "--locked", "-p", "colugo-socket"];
        cargo.args(arguments).args(["--test", "bad_peers"])
    }

    fn build(&self) -> Result<(), Error> {
        self.cargo().arg("--no-run").run()
    }

    /// What the case prints is of no interest where it fails as it should.
    fn test(&self, case: &str) -> Result<(), Error> {
        let name = format!("scripted::{case}");
        let cargo = self.cargo().args(["--", "--exact", &name]);
        cargo.output().map(|_| ())
    }

    fn fails_without(&self, check: &Check) -> Result<bool, Error> {
        let (path, whole, patched) = self.patched(check)?;
        fs::write(&path, patched).map_err(|cause| file(&path, cause))?;
        let built = self.build();
        let tested = built.and_then(|()| match self.test(check.case) {
            Ok(()) => Ok(false),
            Err(Error::Failed { .. }) => Ok(true),
            Err(other) => Err(other),
        });
        fs::write(&path, whole).map_err(|cause| file(&path, cause))?;
        tested
    }

    /// The file, and its text with the check and without.
    fn patched(&self, check: &Check) -> Result<(PathBuf, String, String), Error> {
        let path = self.workspace.join("crates").join(check.file);
        let whole = fs::read_to_string(&path).map_err(|cause| file(&path, cause))?;
        if whole.matches(check.text).count() != 1 {
            return Err(Error::found(format!(
                "crates/{} does not have `{}` once: crates/xtask/src/without.rs is to follow it",
                check.file, check.text
            )));
        }
        let patched = whole.replace(check.text, check.without);
        Ok((path, whole, patched))
    }
}

/// Copies a folder, without what is built and what is hidden but cargo's settings.
fn copy(from: &Path, to: &Path, target: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(|cause| file(to, cause))?;
    for entry in fs::read_dir(from).map_err(|cause| file(from, cause))? {
        let path = entry.map_err(|cause| file(from, cause))?.path();
        let name = path.file_name().unwrap_or_default();
        let hidden = name.to_string_lossy().starts_with('.') && name != OsStr::new(".cargo");
        if hidden || name == OsStr::new("target") || path == target {
            continue;
        }
        let to = to.join(name);
        if path.is_dir() {
            copy(&path, &to, target)?;
        } else {
            fs::copy(&path, &to).map_err(|cause| file(&path, cause))?;
        }
    }
    Ok(())
}

fn file(path: &Path, cause: std::io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        cause,
    }
}
