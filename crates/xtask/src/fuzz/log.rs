//! What libFuzzer writes while it runs, read for people: how far it is, and the table at the end.

use super::Folders;
use crate::error::Error;
use std::path::Path;

/// The figures of one target's run so far.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Log {
    executions: u64,
    per_second: u64,
    /// Inputs, and their octets as libFuzzer writes them.
    corpus: String,
    peak_mb: u64,
    /// Places in the code that were reached.
    covered: u64,
    done: bool,
    /// Where the input that crashed it was kept.
    crash: Option<String>,
}

impl Log {
    pub(super) fn read(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_default();
        Self::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> Self {
        let mut log = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let after = |label: &str| {
                let at = words.iter().position(|word| *word == label)?;
                words.get(at + 1).copied()
            };
            let number = |label: &str| after(label)?.trim_end_matches("Mb").parse().ok();
            if let Some(count) = words.first().and_then(|word| word.strip_prefix('#')) {
                let count = count.parse();
                log.executions = count.unwrap_or(log.executions);
                log.per_second = number("exec/s:").unwrap_or(log.per_second);
                log.peak_mb = number("rss:").unwrap_or(log.peak_mb).max(log.peak_mb);
                log.covered = number("cov:").unwrap_or(log.covered);
                if let Some(corpus) = after("corp:") {
                    log.corpus = corpus.to_owned();
                }
                log.done |= words.get(1) == Some(&"DONE");
            }
            log.executions = number("stat::number_of_executed_units:").unwrap_or(log.executions);
            log.per_second = number("stat::average_exec_per_sec:").unwrap_or(log.per_second);
            log.peak_mb = number("stat::peak_rss_mb:").unwrap_or(log.peak_mb);
            if let Some((_, path)) = line.split_once("Test unit written to ") {
                log.crash = Some(path.trim().to_owned());
            }
        }
        log
    }

    pub(super) fn is_done(&self) -> bool {
        self.done || self.crash.is_some()
    }

    pub(super) fn line(&self) -> String {
        format!(
            "{:>10} executions, {:>7}/s, corpus {:>11}, {:>3} MiB, {:>5} places reached",
            self.executions, self.per_second, self.corpus, self.peak_mb, self.covered
        )
    }
}

/// Prints what became of each target. False: not all went well.
pub(super) fn table(folders: &Folders, results: &[(&str, Result<(), Error>)]) -> bool {
    println!(
        "{:<17} {:>10} {:>8} {:>12} {:>9} {:>7}  outcome",
        "target", "executions", "per s", "corpus", "peak MiB", "places"
    );
    let mut failed = Vec::new();
    for (target, result) in results {
        let log = Log::read(&folders.log(target));
        let outcome = match (&log.crash, result) {
            (Some(_), _) => "CRASH",
            (None, Err(_)) => "FAIL",
            (None, Ok(())) => "ok",
        };
        println!(
            "{target:<17} {:>10} {:>8} {:>12} {:>9} {:>7}  {outcome}",
            log.executions, log.per_second, log.corpus, log.peak_mb, log.covered
        );
        if let Some(crash) = &log.crash {
            failed.push(format!(
                "{target}: the input is kept in {crash}\n      cargo fuzz run -s none {target} {crash}    # again\n      {} says what happened",
                folders.log(target).display()
            ));
        } else if let Err(error) = result {
            failed.push(format!("{target}: {error}"));
        }
    }
    failed.iter().for_each(|line| println!("\n{line}"));
    failed.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_last_line() {
        let text = "INFO: Seed: 1\n\
            #2\tINITED cov: 10 ft: 11 corp: 2/9b exec/s: 0 rss: 27Mb\n\
            #4096\tpulse  cov: 84 ft: 213 corp: 86/2854b lim: 64 exec/s: 2048 rss: 31Mb\n";
        let expected = Log {
            executions: 4096,
            per_second: 2048,
            corpus: "86/2854b".into(),
            peak_mb: 31,
            covered: 84,
            ..Log::default()
        };
        assert_eq!(Log::parse(text), expected);
        let end = "#9000\tDONE   cov: 85 ft: 220 corp: 90/3Kb lim: 64 exec/s: 1000 rss: 30Mb\n\
            stat::number_of_executed_units: 9000\nstat::average_exec_per_sec:     1000\nstat::peak_rss_mb:              33\n";
        let log = Log::parse(&format!("{text}{end}"));
        assert!(log.is_done() && log.crash.is_none());
        assert_eq!((log.executions, log.peak_mb, log.covered), (9000, 33, 85));
    }

    #[test]
    fn a_crash_is_told_with_its_input() {
        let text = "==1== ERROR: libFuzzer: deadly signal\n\
            artifact_prefix='x/'; Test unit written to x/crash-0a1b\n";
        let log = Log::parse(text);
        assert!(log.is_done());
        assert_eq!(log.crash.as_deref(), Some("x/crash-0a1b"));
    }
}
