//! `Out`: the standard output, where data goes, and [`say`] for everything else. Neither panics when the reader is gone.

use std::fmt::Display;
use std::io::{self, BufWriter, Stdout, Write};

use crate::exit::Failure;
use crate::payload::harmless;

/// The standard output. What is written is seen after [`flush`](Self::flush).
#[derive(Debug)]
pub(crate) struct Out {
    to: BufWriter<Stdout>,
}

impl Out {
    pub(crate) fn new() -> Self {
        Self {
            to: BufWriter::new(io::stdout()),
        }
    }

    /// Writes octets as they are.
    pub(crate) fn octets(&mut self, octets: &[u8]) -> Result<(), Failure> {
        self.to
            .write_all(octets)
            .map_err(|error| Failure::of_output(&error))
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.to, "{line}").map_err(|error| Failure::of_output(&error))
    }

    /// Hands what was written to the reader.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(|error| Failure::of_output(&error))
    }
}

/// Tells people something, on the standard error. What others have named acts on no terminal.
pub(crate) fn say(text: impl Display) {
    // If nobody reads that, there is nobody to tell.
    let _ = writeln!(io::stderr(), "colugo: {}", harmless(&text.to_string()));
}
