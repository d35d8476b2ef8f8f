//! `cargo xtask …`: Colugo's checks and chores. It knows the workspace from the outside (cargo, Python, the kernel's
//! namespaces) and uses none of its crates. For whoever changes Colugo, and for `.ci/run`.

mod bench;
mod debian;
mod deny;
mod error;
mod fuzz;
mod layers;
mod licences;
mod metadata;
mod miri;
mod namespaces;
mod package;
mod platforms;
mod plot;
mod process;
mod readme;
mod setup;
mod soak;
mod spdx;
mod step;
mod suites;
mod test;
mod venv;
mod without;
mod workshop;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  test   Run every check: format, layers, licences, clippy, tests, interop, packages, README
           --install      install what is missing of Debian's packages (needs root or sudo); then nothing that could
                          have been installed is skipped
           --only STEP    run this step alone, with what it needs (may be given several times)
           --list         name the steps
  bench  Build benches/ in release and run its rows beside their yardsticks
           [ROW…]         the rows to run (all)
           --json         one JSON object a line
           --secs S       seconds of each run
           --runs N       runs of each side
           --peers        other implementations in Rust beside ours
           --sweep        how figures grow with message size, subscribers and topics, as JSON lines
           --help         all that the runner knows
  plot   Draw the pictures of docs/performance from a file that `bench --sweep` has printed
           FILE.json
  fuzz   Run the fuzz targets under libFuzzer; what is found is kept in target/fuzz-corpus, crashes in fuzz/artifacts
           [TARGET…]      the targets to run (all)
           --minutes M    of each target (10; 0 with --coverage: run none)
           --jobs N       targets at a time (1)
           --coverage     print how much of the wire code the corpus reaches
  miri   Run the codec's tests under Miri, where a nightly toolchain has it
  soak   Run a scenario many times, or for long, and print its figures beside what they should be
           first-message [PAIRS]   pairs of fresh processes in which no message may be lost (200)
           kill, silence, partition, brisk, loss, flapping, churn, slow, stranger, descriptors, mute
                          faults on real sockets; [--rounds N] [--secs S] [--json]
           --help         says what each of those does
           simulator [--seeds N] [--from S]   sockets on a virtual network, each seed a run (20000 from 0)
  without-checks
         Take one check of the engine out at a time, in a copy, and run the case of the scripted bad peer that must then fail
           [CASE…]        the cases to run (all)
  setup  Install the cargo tools that the checks use where they are there: cargo-nextest, cargo-deny, cargo-fuzz

Examples:
  cargo xtask test
  cargo xtask test --only clippy --only tests
  cargo xtask bench pubsub-64 call --json
  cargo xtask fuzz frames connection --minutes 10 --jobs 2 --coverage
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    if command.is_empty()
        || ["-h", "--help", "help"].contains(&command.as_str())
        || asks_for_help(&command, &rest)
    {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let result = match command.as_str() {
        "test" => test::run(&rest),
        "bench" => bench::run(&rest),
        "plot" => plot::run(&rest),
        "fuzz" => fuzz::run(&rest),
        "miri" => miri::run(),
        "soak" => soak::run(&rest),
        "without-checks" => without::run(&rest),
        "setup" => setup::run(),
        other => Err(error::Error::Usage(format!(
            "there is no command `{other}`"
        ))),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The runners of benches and faults have help texts of their own.
fn asks_for_help(command: &str, rest: &[String]) -> bool {
    !["bench", "soak"].contains(&command)
        && rest
            .iter()
            .any(|argument| argument == "-h" || argument == "--help")
}
