//! The command line of the runner.

use crate::suite::Options;
use kit::Result;

const USAGE: &str = "usage: colugo-bench [--sweep] [ROW…] [--runs N] [--secs S] [--json] [--list] [--check] [--yardstick] [--peers] [--verbose]
  ROW          a row's name, or its beginning and a star (pubsub-*); all rows without one
  --sweep      no rows, but how figures grow with message size, subscribers and topics: JSON lines for `cargo xtask plot`
  --runs N     runs of each side, taken in turn (5); the table has medians
  --secs S     seconds of a run (1)
  --json       one object a line
  --check      fail if a row is not at its must
  --yardstick  only the others: libzmq and raw TCP
  --peers      other implementations in Rust beside ours: omq-tokio, rzmq, zeromq
  --verbose    each run's figures on stderr";

/// What was asked for.
#[derive(Debug)]
pub struct Arguments {
    rows: Vec<String>,
    /// How to measure.
    pub options: Options,
    /// Seconds of a run.
    pub secs: f64,
    /// One object a line.
    pub json: bool,
    /// No rows, but how figures grow.
    pub sweep: bool,
    /// Only the rows' names.
    pub list: bool,
    /// Fail if a row is not at its must.
    pub check: bool,
}

impl Arguments {
    /// Reads the command line.
    pub fn parse(args: &[String]) -> Result<Self> {
        let mut read = Self {
            rows: Vec::new(),
            options: Options {
                runs: 5,
                yardstick: false,
                peers: false,
                verbose: false,
            },
            secs: 1.0,
            json: false,
            sweep: false,
            list: false,
            check: false,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--runs" => read.options.runs = number(arg, args.next())?,
                "--secs" => read.secs = number(arg, args.next())?,
                "--json" => read.json = true,
                "--sweep" => read.sweep = true,
                "--list" => read.list = true,
                "--check" => read.check = true,
                "--yardstick" => read.options.yardstick = true,
                "--peers" => read.options.peers = true,
                "--verbose" => read.options.verbose = true,
                flag if flag.starts_with('-') => return Err(USAGE.into()),
                row => read.rows.push(row.to_owned()),
            }
        }
        Ok(read)
    }

    /// Whether a row is asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|row| matches(row, name))
    }

    /// Says which rows there are if one is asked for that is not there.
    pub fn check_names(&self, names: &[&str]) -> Result<()> {
        match self
            .rows
            .iter()
            .find(|row| !names.iter().any(|name| matches(row, name)))
        {
            None => Ok(()),
            Some(row) => {
                Err(format!("no row is called {row}; there are {}", names.join(", ")).into())
            }
        }
    }
}

fn matches(row: &str, name: &str) -> bool {
    row.strip_suffix('*')
        .map_or(row == name, |start| name.starts_with(start))
}

fn number<T: std::str::FromStr>(flag: &str, text: Option<&String>) -> Result<T> {
    let text = text.ok_or_else(|| format!("{flag} needs a number"))?;
    text.parse()
        .map_err(|_| format!("{flag} {text} is not a number").into())
}
