//! A child process from its start to the end of everything it started. Standard input is closed, a time limit holds, and
//! a child that leaves other processes behind has failed. Used by every step; knows nothing of what it runs.

use crate::error::Error;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Every process below a child inherits this variable; that is how those left behind are found, wherever they hang.
const MARK: &str = "COLUGO_XTASK_RUN";

/// How long processes may take to die after the child that started them.
const GRACE: Duration = Duration::from_secs(5);

/// Long enough for a cold build on a slow machine, short enough that a hanging one is noticed.
const LIMIT: Duration = Duration::from_secs(20 * 60);

static RUNS: AtomicU32 = AtomicU32::new(0);

/// A program with its arguments, not yet started.
#[derive(Debug)]
pub(crate) struct Process {
    command: Command,
    mark: String,
    limit: Duration,
    grace: Duration,
}

impl Process {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mark = format!(
            "{}-{}",
            std::process::id(),
            RUNS.fetch_add(1, Ordering::Relaxed)
        );
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).env(MARK, &mark);
        Self {
            command,
            mark,
            limit: LIMIT,
            grace: GRACE,
        }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The same command as one line that can be typed.
    fn line(&self) -> String {
        let program = Path::new(self.command.get_program());
        let name = program.file_name().filter(|name| *name == "cargo");
        let name = name.unwrap_or(program.as_os_str());
        let words = std::iter::once(name).chain(self.command.get_args());
        let words = words.map(|word| match word.to_string_lossy() {
            word if word.is_empty() || word.contains([' ', '*', '(', '\'', '"']) => {
                format!("'{word}'")
            }
            word => word.into_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// Runs it with our own standard output and error.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        let line = self.line();
        let child = self.start(&line)?;
        let status = self.finish(child, &line)?;
        succeeded(&line, status)
    }

    /// Runs it and returns what it wrote to standard output.
    pub(crate) fn output(mut self) -> Result<String, Error> {
        let line = self.line();
        self.command.stdout(Stdio::piped());
        let mut child = self.start(&line)?;
        let reader = child.stdout.take().map(|mut pipe| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                // A broken pipe ends the text; the exit status tells the rest.
                let _ = pipe.read_to_end(&mut bytes);
                String::from_utf8_lossy(&bytes).into_owned()
            })
        });
        let status = self.finish(child, &line)?;
        let text = reader
            .and_then(|reader| reader.join().ok())
            .unwrap_or_default();
        succeeded(&line, status)?;
        Ok(text)
    }

    /// Runs it with all it writes going into a file.
    pub(crate) fn logged(mut self, path: &Path) -> Result<(), Error> {
        let file = |cause| Error::File {
            path: path.to_owned(),
            cause,
        };
        let out = std::fs::File::create(path).map_err(file)?;
        let err = out.try_clone().map_err(file)?;
        self.command.stdout(out).stderr(err);
        self.run()
    }

    /// Runs it, shows nothing of it, and says whether it went well. For questions such as "is this tool there?".
    pub(crate) fn quietly(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        self.limit = Duration::from_secs(60);
        self.run().is_ok()
    }

    fn start(&mut self, line: &str) -> Result<Child, Error> {
        self.command.spawn().map_err(|cause| Error::NotStarted {
            program: line.to_owned(),
            cause,
        })
    }

    fn finish(&self, mut child: Child, line: &str) -> Result<ExitStatus, Error> {
        let deadline = Instant::now() + self.limit;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
                _ => {
                    // It may have ended meanwhile: then there is nothing to kill or to wait for.
                    let _ = child.kill();
                    let _ = child.wait();
                    self.descendants().iter().for_each(Descendant::kill);
                    return Err(Error::TooSlow {
                        command: line.to_owned(),
                        limit: self.limit,
                    });
                }
            }
        };
        let left = self.left_running();
        left.iter().for_each(Descendant::kill);
        if left.is_empty() {
            return Ok(status);
        }
        let processes = left
            .iter()
            .map(|it| format!("{} (process {})", it.command, it.pid))
            .collect();
        Err(Error::LeftRunning {
            command: line.to_owned(),
            processes,
        })
    }

    fn left_running(&self) -> Vec<Descendant> {
        let deadline = Instant::now() + self.grace;
        loop {
            let left = self.descendants();
            if left.is_empty() || Instant::now() >= deadline {
                return left;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The living processes that carry our mark. Where there is no /proc, none are seen.
    fn descendants(&self) -> Vec<Descendant> {
        let wanted = format!("{MARK}={}", self.mark);
        let Ok(entries) = std::fs::read_dir("/proc") else {
            return Vec::new();
        };
        let pids = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter_map(|pid| Descendant::find(pid, wanted.as_bytes()))
            .collect()
    }
}

struct Descendant {
    pid: u32,
    command: String,
}

impl Descendant {
    fn find(pid: u32, wanted: &[u8]) -> Option<Self> {
        // A process that has ended, or that is another user's, cannot be read: it is not one of ours.
        let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        environ
            .split(|byte| *byte == 0)
            .find(|variable| *variable == wanted)?;
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let command = String::from_utf8_lossy(&line)
            .replace('\0', " ")
            .trim()
            .to_owned();
        // A compiler cache that a build starts is meant to stay.
        (!command.is_empty() && !command.contains("sccache")).then_some(Self { pid, command })
    }

    fn kill(&self) {
        // If it is gone already, so much the better.
        let _ = Command::new("kill")
            .args(["-KILL", &self.pid.to_string()])
            .stderr(Stdio::null())
            .status();
    }
}

fn succeeded(line: &str, status: ExitStatus) -> Result<(), Error> {
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        command: line.to_owned(),
        status: status.to_string(),
    })
}

/// Whether `program --version` runs, that is whether the tool is there.
pub(crate) fn exists(program: &str, version_argument: &str) -> bool {
    Process::new(program).arg(version_argument).quietly()
}

/// The cargo that started us, or the one on the path.
pub(crate) fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_what_the_child_wrote() {
        assert_eq!(Process::new("echo").arg("here").output().unwrap(), "here\n");
    }

    #[test]
    fn a_child_that_fails_is_named() {
        let error = Process::new("sh").args(["-c", "exit 3"]).run().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("`sh -c 'exit 3'` ended with exit status: 3"),
            "{error}"
        );
    }

    #[test]
    fn a_child_that_hangs_is_killed_with_all_it_started() {
        let process = Process::new("sh")
            .args(["-c", "sleep 600 & wait"])
            .limit(Duration::from_millis(200));
        let same_mark = same_mark(&process);
        assert!(matches!(process.run(), Err(Error::TooSlow { .. })));
        assert!(same_mark.left_running().is_empty());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_left_behind_is_found_and_killed() {
        let mut process = Process::new("sh").args(["-c", "setsid sleep 600 >/dev/null 2>&1 &"]);
        process.grace = Duration::from_millis(500);
        let same_mark = same_mark(&process);
        match process.run() {
            Err(Error::LeftRunning { processes, .. }) => {
                assert!(processes[0].contains("sleep 600"), "{processes:?}");
            }
            other => panic!("the sleep was not seen: {other:?}"),
        }
        assert!(same_mark.left_running().is_empty());
    }

    fn same_mark(process: &Process) -> Process {
        Process {
            mark: process.mark.clone(),
            ..Process::new("true")
        }
    }
}
