//! Why a chore could not be done, in words that say what to do about it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What went wrong, with what or whom.
#[derive(Debug)]
pub(crate) enum Error {
    /// The command line asks for something that does not exist.
    Usage(String),
    /// A program is not there, or may not be run.
    NotStarted {
        program: String,
        cause: std::io::Error,
    },
    /// A program ran and said no. Its own output says why.
    Failed { command: String, status: String },
    /// A program did not end in time and was killed.
    TooSlow { command: String, limit: Duration },
    /// A program ended and left others running; they were killed.
    LeftRunning {
        command: String,
        processes: Vec<String>,
    },
    /// A file could not be read or written.
    File {
        path: PathBuf,
        cause: std::io::Error,
    },
    /// A check found something. One line each.
    Found(Vec<String>),
}

impl Error {
    pub(crate) fn found(what: impl Into<String>) -> Self {
        Self::Found(vec![what.into()])
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => write!(f, "{what}; `cargo xtask --help` shows what there is"),
            Self::NotStarted { program, cause } => {
                write!(f, "`{program}` could not be started: {cause}")
            }
            Self::Failed { command, status } => write!(f, "`{command}` ended with {status}"),
            Self::TooSlow { command, limit } => {
                write!(
                    f,
                    "`{command}` was killed: it had not ended after {} s",
                    limit.as_secs()
                )
            }
            Self::LeftRunning { command, processes } => {
                write!(
                    f,
                    "`{command}` ended and left running (killed now): {}",
                    processes.join("; ")
                )
            }
            Self::File { path, cause } => write!(f, "{}: {cause}", path.display()),
            Self::Found(lines) => write!(f, "{}", lines.join("\n")),
        }
    }
}

impl std::error::Error for Error {}
