//! The scenarios of `colugo-faults`, each so short that it can be run with all other tests. What must happen is asserted in them; how fast it
//! does is for `cargo xtask soak`.

mod churn;
mod descriptors;
mod flapping;
mod kill;
mod mute;
mod netns_loss;
mod netns_partition;
mod silence;
mod slow;
mod stranger;

use std::process::Command;

/// Runs one; what it says goes to the standard error, where it is shown if the test fails.
fn holds(scenario: &str, more: &[&str]) {
    let program = env!("CARGO_BIN_EXE_colugo-faults");
    let output = Command::new(program)
        .arg(scenario)
        .args(more)
        .env("RUST_BACKTRACE", "0")
        .output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let [said, errors] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    assert!(output.status.success(), "{said}\n{errors}");
    if said.is_empty() {
        // It was skipped: the reason is for who runs the tests.
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "{errors}");
    }
}
