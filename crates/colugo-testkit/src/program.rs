//! `Program`: another process that ends with the test. It is killed when dropped; and as its standard input ends when the test's process
//! does, programs that watch that end even then.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::wait::wait_until;

/// A running process, spoken to by lines.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Program {
    /// Starts it. What it writes to its standard error goes to the test's.
    pub fn start(command: &mut Command) -> Self {
        let name = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} could not be started: {error}"));
        let stdin = child.stdin.take();
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Self {
            name,
            child,
            stdin,
            lines,
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to its standard input.
    pub fn say(&mut self, line: &str) {
        if let Err(error) = self.try_say(line) {
            panic!("{} takes no input: {error}", self.name);
        }
    }

    /// The same, where it may have ended.
    pub fn try_say(&mut self, line: &str) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(stdin, "{line}")?;
        stdin.flush()
    }

    /// Ends its standard input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// The next line of its standard output. None: that has ended. Fails the test when nothing comes in time.
    pub fn line(&mut self, timeout: Duration) -> Option<String> {
        match self.lines.recv_timeout(timeout) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("{} printed nothing for {timeout:?}", self.name)
            }
        }
    }

    /// The next line of its standard output, if one comes in time.
    pub fn try_line(&mut self, timeout: Duration) -> Option<String> {
        self.lines.recv_timeout(timeout).ok()
    }

    /// The first line that `wanted` likes; those before it are gone.
    pub fn line_where(&mut self, timeout: Duration, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + timeout;
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if wanted(&line) => return line,
                Ok(line) => seen.push(line),
                Err(why) => panic!(
                    "{}: the line waited for did not come ({why}), but {seen:#?}",
                    self.name
                ),
            }
        }
    }

    /// Kills it (SIGKILL on Unix), as a crash would end it, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal by name: "INT", "TERM", "STOP", "CONT". After "STOP" all its threads stand still (on Linux): until then one may
    /// go on for a while.
    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .args([format!("-{name}"), self.id().to_string()])
            .status();
        assert!(
            done.is_ok_and(|status| status.success()),
            "{} got no SIG{name}",
            self.name
        );
        if name == "STOP" && cfg!(target_os = "linux") {
            wait_until(&format!("{} to stand still", self.name), || {
                stands_still(self.id()).then_some(())
            });
        }
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let name = self.name.clone();
        wait_until(&format!("the end of {name}"), || {
            self.child.try_wait().ok().flatten()
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::wait::PATIENCE;

    #[test]
    fn it_is_spoken_to_by_lines_and_ends_with_its_input() {
        let mut cat = Program::start(&mut Command::new("cat"));
        cat.say("one");
        cat.say("two");
        assert_eq!(cat.line_where(PATIENCE, |line| line == "two"), "two");
        cat.end_input();
        assert_eq!(cat.line(PATIENCE), None);
        assert!(cat.wait().success());
    }
}

/// Whether all threads of a process are stopped.
#[cfg(unix)]
fn stands_still(process: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else {
        return false;
    };
    threads.flatten().all(|thread| {
        let state = std::fs::read_to_string(thread.path().join("stat"));
        // After the name, which is in brackets and may hold any.
        state.is_ok_and(|stat| {
            stat.rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('T'))
        })
    })
}
