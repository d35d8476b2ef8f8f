//! `Exit` and `Failure`: how the command ends. Knows the exit statuses that scripts rely on; prints nothing itself.

use std::fmt;
use std::io;

/// An exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Done = 0,
    /// Something failed.
    Failed = 1,
    /// The command line is wrong; clap uses the same.
    Usage = 2,
    /// It was done, but messages were lost.
    Loss = 3,
    /// The time was over before there was anything; as of timeout(1).
    NoData = 124,
    /// Ctrl-C before there was anything; as shells report it.
    Interrupted = 130,
}

/// How a command ends.
pub(crate) type Outcome = Result<Exit, Failure>;

/// Why a command could not do what was asked: a status, and what to tell people on the standard error.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self::with(Exit::Failed, message)
    }

    pub(crate) fn with(exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
        }
    }

    /// Of writing to the standard output. A reader that has enough (`head`) is no failure.
    pub(crate) fn of_output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::with(Exit::Done, "");
        }
        Self::new(format!("can't write to the standard output: {error}"))
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// What to say; empty if there is nothing to say.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl From<colugo::NodeError> for Failure {
    fn from(error: colugo::NodeError) -> Self {
        use colugo::{NodeError, Origin, SettingsError};
        let exit = match &error {
            // For who uses a command, what the program sets is what its line says.
            NodeError::Settings(SettingsError::Value {
                key,
                value,
                origin: Origin::Builder,
                reason,
            }) => {
                let text =
                    format!("`{key}` = {value:?} on the command line is not usable: {reason}");
                return Self::with(Exit::Usage, text);
            }
            NodeError::Settings(_) | NodeError::Name { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::with(exit, error)
    }
}

impl From<colugo::BuildError> for Failure {
    fn from(error: colugo::BuildError) -> Self {
        let exit = match error {
            // Only Ctrl-C closes the node of a command that is just beginning.
            colugo::BuildError::Closed { .. } => return Self::with(Exit::Interrupted, ""),
            colugo::BuildError::Topic(_) | colugo::BuildError::Endpoint(_) => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::with(exit, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_c_before_a_command_has_begun_is_no_error() {
        let node = colugo::Node::builder("colugo-exit")
            .network(colugo::Network::Peers)
            .build()
            .expect("a node");
        node.close().wait().expect("it closes");
        let closed = node.publisher("t").build().expect_err("it is closed");
        let failure = Failure::from(closed);
        assert_eq!((failure.exit(), failure.message()), (Exit::Interrupted, ""));
    }
}
