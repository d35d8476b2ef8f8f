//! `Alone`: a test in a process of its own, where its memory and descriptors can be measured and limited without other tests nearby.

use std::process::Command;

use crate::skipped;

/// Set in that process, to the test's name.
const VARIABLE: &str = "COLUGO_TEST_ALONE";

/// How to run a test by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone {
    open_files: Option<u32>,
}

impl Alone {
    /// As it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a limit on open file descriptors. Where that cannot be set the test is skipped.
    #[must_use]
    pub fn open_files(mut self, limit: u32) -> Self {
        self.open_files = Some(limit);
        self
    }

    /// Runs `body` in a fresh process of the test program that calls this. `name` is the calling test's, with its modules, as the
    /// harness prints it.
    pub fn run(self, name: &str, body: impl FnOnce()) {
        if std::env::var(VARIABLE).is_ok_and(|found| found == name) {
            body();
            println!("{}", done(name));
            return;
        }
        let Some(mut command) = self.command() else {
            skipped(
                "this system has no shell that can limit open files",
                "a Unix system",
            );
            return;
        };
        let output = command
            .args(["--exact", name, "--nocapture"])
            .env(VARIABLE, name)
            .output()
            .unwrap_or_else(|error| panic!("{name} could not be started by itself: {error}"));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains(&done(name)),
            "{name} failed in a process of its own ({}):\n{text}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn command(self) -> Option<Command> {
        let program = std::env::current_exe().unwrap_or_else(|error| panic!("{error}"));
        let Some(limit) = self.open_files else {
            return Some(Command::new(program));
        };
        if !cfg!(unix) {
            return None;
        }
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!("ulimit -n {limit} && exec \"$0\" \"$@\""))
            .arg(program);
        Some(shell)
    }
}

fn done(name: &str) -> String {
    format!("done alone: {name}")
}

/// How many file descriptors this process has open. None: the system does not tell.
pub fn open_descriptors() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_on_open_files_holds() {
        Alone::new()
            .open_files(20)
            .run("alone::tests::a_limit_on_open_files_holds", || {
                let files: Vec<_> = (0..40).map(|_| std::fs::File::open("/dev/null")).collect();
                assert!(files[0].is_ok() && files[39].is_err());
            });
    }
}
