//! `Colugo`: runs the program, in a namespace of its own and away from the user's settings.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use colugo_testkit::{PATIENCE, Program, free_port, wait_until};

/// The namespace of one test.
#[derive(Clone, Debug)]
pub(crate) struct Colugo {
    namespace: String,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A run in the background.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Colugo {
    /// A namespace that only the test of this name has, and only in this process.
    pub(crate) fn new(test: &str) -> Self {
        Self {
            namespace: format!("it-{}-{test}", std::process::id()),
        }
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The program with these arguments, on the loopback interface only.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_colugo"));
        for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("COLUGO_")) {
            command.env_remove(variable);
        }
        let nowhere = std::env::temp_dir().join("no-such-folder");
        command
            .env("XDG_CONFIG_HOME", nowhere)
            .env("COLUGO_INTERFACES", "127.0.0.1");
        command.env("COLUGO_NAMESPACE", &self.namespace);
        command.args(args);
        command
    }

    /// Runs it to its end, with nothing to read.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, "")
    }

    /// Runs it to its end, with this to read.
    pub(crate) fn run_with(&self, args: &[&str], stdin: &str) -> Ended {
        self.start_with(args, Some(stdin)).end()
    }

    /// Starts it; its standard input has ended.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.start_with(args, None)
    }

    fn start_with(&self, args: &[&str], stdin: Option<&str>) -> Running {
        let mut command = self.command(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut input = child.stdin.take().expect("a pipe");
        let text = stdin.unwrap_or_default().to_owned();
        std::thread::spawn(move || input.write_all(text.as_bytes()));
        let stdout = child.stdout.take().map(collect);
        let stderr = child.stderr.take().map(collect);
        Running {
            child,
            stdout,
            stderr,
        }
    }

    /// Starts it, to be spoken to by lines.
    pub(crate) fn speak(&self, args: &[&str]) -> Program {
        Program::start(&mut self.command(args))
    }

    /// Waits until a list shows all these words.
    pub(crate) fn wait_for(&self, list: &str, words: &[&str]) {
        wait_until(&format!("{words:?} in `colugo {list} list`"), || {
            let listed = self.run(&[list, "list"]).stdout;
            words.iter().all(|word| listed.contains(word)).then_some(())
        });
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        let _ = from.read_to_end(&mut all);
        all
    })
}

impl Running {
    /// Sends a signal: "INT", "TERM", "STOP", "CONT", "KILL".
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let status = wait_until("the end of the program", || {
            self.child.try_wait().expect("its own child")
        });
        let text = |thread: Option<JoinHandle<Vec<u8>>>| {
            let octets = thread
                .map(|thread| thread.join().expect("a reader"))
                .unwrap_or_default();
            String::from_utf8_lossy(&octets).into_owned()
        };
        Ended {
            status: status.code(),
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Fails the test unless the program ended with this status.
    #[track_caller]
    pub(crate) fn with(self, status: i32) -> Self {
        assert_eq!(
            self.status,
            Some(status),
            "stdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Fails the test unless the standard error has all these words.
    #[track_caller]
    pub(crate) fn saying(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {}", self.stderr);
        }
        self
    }

    /// The standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.stdout))
    }
}

/// An address of this machine where nobody listens yet.
pub(crate) fn free_address() -> String {
    format!("tcp://127.0.0.1:{}", free_port())
}

/// Waits for a line of a program for as long as for anything.
pub(crate) fn line(program: &mut Program) -> Option<String> {
    program.line(PATIENCE)
}

/// Long enough for anything, as an option; a program that gives up says more than a test that does.
pub(crate) const LONG: &str = "20";
/// The same for libraries.
pub(crate) const LONG_TIME: Duration = PATIENCE;
